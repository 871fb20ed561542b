"""The projects, and what each needs: read from its published metadata, written for every tool."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from uv import find_uv_bin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Wide enough for both targets, so that markers decide.
OLDEST = "3.11"
PYTHON = f">={OLDEST},<3.14"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A published project, and which of its extras become what in the project that is built.

    Those of `extras` are extras that the layer has, those of `groups` dependency groups that it
    has, and `unused` is a group `dev` that it must not have.
    """

    name: str
    kind: str
    extras: Sequence[str] = ()
    groups: Sequence[str] = ()
    unused: str | None = None


CHOICES = (
    Choice(name="datasette", kind="data server", extras=["rich"], unused="test"),
    Choice(name="fastapi", kind="web framework", extras=["standard"], groups=["opentelemetry"]),
    Choice(name="wagtail", kind="content management"),
    Choice(name="celery", kind="task queue", extras=["redis", "brotli"], groups=["sqlalchemy"]),
    Choice(name="scrapy", kind="crawler", extras=["images", "uvloop"], groups=["s3"]),
    Choice(name="moto", kind="AWS mock server", extras=["server"], groups=["s3"]),
    Choice(
        name="aws-lambda-powertools",
        kind="Lambda toolkit",
        extras=["tracer", "parser", "datamasking"],
        groups=["redis"],
        unused="kafka-consumer-avro",
    ),
    Choice(name="sentry-sdk", kind="error reporting", extras=["flask", "pure-eval", "asyncpg"]),
    Choice(name="openai", kind="API client", extras=["aiohttp"], groups=["datalib"]),
    Choice(name="weasyprint", kind="PDF renderer", unused="test"),
    Choice(name="sqlfluff", kind="SQL linter", extras=["testutils"]),
    Choice(name="cfn-lint", kind="template linter", extras=["graph"], groups=["sarif"]),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What one version of a project needs, each list as requirements (PEP 508)."""

    choice: Choice
    version: str
    dependencies: Sequence[str]
    by_extra: dict[str, Sequence[str]]

    def pyproject(self, tool: str, groups: dict[str, Sequence[str]], layer: str) -> str:
        """Give the `pyproject.toml` of a project that needs the same, with `groups` beside it."""
        choice = self.choice
        own = {name: self.by_extra[name] for name in choice.groups}
        if choice.unused:
            own["dev"] = self.by_extra[choice.unused]
        lines = ["[project]", 'name = "app"', 'version = "1.0"', f'requires-python = "{PYTHON}"']
        lines += [f"dependencies = {json.dumps(self.dependencies)}"]
        lines += ["", "[project.optional-dependencies]"]
        lines += [f"{name} = {json.dumps(self.by_extra[name])}" for name in choice.extras]
        lines += ["", "[dependency-groups]"]
        lines += [f"{name} = {json.dumps(texts)}" for name, texts in (own | groups).items()]
        lines += ["", *_NO_PACKAGE.get(tool, ()), "[tool.lambda-layer]", layer]
        # What pip reads was chosen when it was made.
        if tool != "pip":
            lines += [f"extras = {json.dumps(choice.extras)}"]
            lines += [f"groups = {json.dumps(choice.groups)}"]
        return "\n".join([*lines, ""])


_NO_PACKAGE = {
    "poetry": ("[tool.poetry]", "package-mode = false", ""),
    "pdm": ("[tool.pdm]", "distribution = false", ""),
}


def published(choices: Sequence[Choice], newest: str, folder: Path) -> Iterator[Needs]:
    """Give what the newest version of each project before the date `newest` needs."""
    wanted, pinned, report = (folder / name for name in ("wanted.in", "pinned.txt", "report.json"))
    wanted.write_text("\n".join(choice.name for choice in choices), encoding="utf-8")
    uv = [find_uv_bin(), "pip", "compile", "--quiet", "--no-deps", "--python-version", OLDEST]
    _run([*uv, "--exclude-newer", newest, str(wanted), "-o", str(pinned)])
    # pip's installation report has the whole metadata of what it would install.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    only = ["--no-deps", "--only-binary", ":all:", "--report", str(report)]
    _run([*pip, *only, "-r", str(pinned)])
    installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    found = {canonicalize_name(each["metadata"]["name"]): each["metadata"] for each in installed}
    for choice in choices:
        yield _needs(choice, found[canonicalize_name(choice.name)])


def _run(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def _needs(choice: Choice, metadata: dict[str, Any]) -> Needs:
    # Read and written again: in one form, whoever has published it.
    texts = [str(Requirement(text)) for text in metadata.get("requires_dist", [])]
    wanted = [*choice.extras, *choice.groups, *filter(None, [choice.unused])]
    return Needs(
        choice=choice,
        version=metadata["version"],
        dependencies=[text for text in texts if "extra ==" not in text],
        by_extra={extra: list(of_extra(texts, extra)) for extra in wanted},
    )


_EXTRA = re.compile(r'extra == "([^"]+)"')
# Always and never true; of what else a marker asks, nothing changes.
_TRUE, _FALSE = "python_version >= '3'", "python_version < '3'"


def of_extra(texts: Sequence[str], extra: str) -> Iterator[str]:
    """Give the requirements that the extra adds, their markers without it."""
    name = canonicalize_name(extra)
    for text in texts:
        asked, _, marker = text.partition(";")
        if name not in map(canonicalize_name, _EXTRA.findall(marker)):
            continue
        marker = _EXTRA.sub(
            lambda found: _TRUE if canonicalize_name(found[1]) == name else _FALSE, marker
        ).strip()
        marker = marker.removeprefix(f"{_TRUE} and ").removesuffix(f" and {_TRUE}")
        rest = "" if marker == _TRUE else f"; {marker}"
        # Read and written again: a marker that was cut wrongly is no marker.
        yield str(Requirement(asked.strip() + rest))
