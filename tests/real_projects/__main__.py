"""`python -m tests.real_projects`: lock and build twelve projects with every tool, and compare."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .projects import CHOICES, published
from .tools import TARGETS, TOOLS, CommandError, Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .projects import Needs

_MB = 1_000_000


@dataclass
class Row:
    """What came of one project: its manifests by tool and target, and what went wrong by tool."""

    needs: Needs
    manifests: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    unlocked: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def compare(self) -> None:
        """Note a problem for each tool whose layers are not those of the uv lock."""
        first = self.manifests.get("uv", {})
        for tool, manifests in self.manifests.items():
            for target, manifest in manifests.items():
                ours, theirs = _packages(first[target]), _packages(manifest)
                if ours != theirs:
                    changed = sorted(ours ^ theirs)
                    self.problems[tool] = f"other packages in {target}: {changed}"
                elif manifest["content_digest"] != first[target]["content_digest"]:
                    changed = sorted(_wheels(first[target]) ^ _wheels(manifest))
                    self.problems[tool] = f"other wheels in {target}: {changed}"

    def cells(self) -> list[str]:
        """Give the row of the table."""
        choice = self.needs.choice
        chosen = [*(f"`[{name}]`" for name in choice.extras), *choice.groups]
        manifests = self.manifests.get("uv", {})
        sizes = [
            f"{len(manifests[target]['packages'])}, {manifests[target]['unpacked_size'] / _MB:.0f}"
            if target in manifests
            else "-"
            for target in TARGETS
        ]
        name = f"{choice.name} {self.needs.version}"
        return [name, choice.kind, ", ".join(chosen), *sizes, *map(self._outcome, TOOLS)]

    def _outcome(self, tool: str) -> str:
        if tool in self.unlocked:
            return "not locked"
        if tool in self.problems:
            return "**fails**" if tool not in self.manifests else "**differs**"
        return "builds" if tool == "uv" else "same"


def _packages(manifest: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["name"], each["version"]) for each in manifest["packages"]}


def _wheels(manifest: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["wheel"], each["sha256"]) for each in manifest["packages"]}


def measure(sandbox: Sandbox, needs: Needs) -> Row:
    """Lock and build one project with each tool."""
    row = Row(needs)
    pins: Sequence[str] = ()
    for tool in TOOLS:
        start = time.monotonic()
        try:
            folder = sandbox.lock(tool, needs, pins)
            if tool == "uv":
                pins = sandbox.pins(folder)
        except CommandError as error:
            row.unlocked[tool] = str(error)
            if tool == "uv":
                break
            continue
        locked = time.monotonic()
        try:
            sandbox.build(folder)
        except CommandError as error:
            row.problems[tool] = str(error)
        else:
            paths = {target: folder / "dist" / f"layer-{target}.json" for target in TARGETS}
            row.manifests[tool] = {
                target: json.loads(path.read_text("utf-8")) for target, path in paths.items()
            }
        built = time.monotonic()
        times = f"locked {locked - start:.0f} s, built {built - locked:.0f} s"
        say(f"{needs.choice.name}, {tool}: {times}")
    row.compare()
    return row


def say(message: str) -> None:
    """Show progress, on standard error."""
    print(message, file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """Give the results as Markdown."""
    heads = ["project", "kind", "extras, groups", *TARGETS, *TOOLS]
    lines = [heads, ["---"] * len(heads), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    """Run what the command line names; give 1 where a layer fails or differs."""
    parser = argparse.ArgumentParser(prog="tests.real_projects", description=__doc__)
    known = [choice.name for choice in CHOICES]
    parser.add_argument("names", nargs="*", choices=[*known, []], metavar="PROJECT", help="[all]")
    parser.add_argument("--newest", required=True, help="nothing published later, as 2026-10-01")
    parser.add_argument("--jobs", type=int, default=2, help="projects at a time [2]")
    parser.add_argument("--folder", type=Path, help="an empty folder, which is then kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="real-projects-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        chosen = [each for each in CHOICES if not options.names or each.name in options.names]
        sandbox = Sandbox(folder, options.newest)
        with ThreadPoolExecutor(options.jobs) as pool:
            found = list(published(chosen, options.newest, folder))
            rows = list(pool.map(lambda needs: measure(sandbox, needs), found))
    print(table(rows))
    for row in rows:
        for tool, said in {**row.unlocked, **row.problems}.items():
            say(f"\n{row.needs.choice.name}, {tool}:\n{said}")
    return int(any(row.problems for row in rows))


if __name__ == "__main__":
    sys.exit(main())
