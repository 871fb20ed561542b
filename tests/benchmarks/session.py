"""One run of the benchmark: measures contenders in turn, and keeps every number."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from . import recipes, results, sets
from .measure import BenchmarkError, Contender, Usage, in_turn, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass
class Session:
    """What is measured in `folder` with as many rounds as `runs`: rows, and all the numbers."""

    folder: Path
    runs: int
    rows: list[results.Row] = field(default_factory=list)
    raw: list[dict[str, object]] = field(default_factory=list)

    def run(self, state: str, case: str, contenders: Sequence[Contender]) -> dict[str, list[Usage]]:
        """Run contenders in turn, and give what each has used by its name."""
        found: dict[str, list[Usage]] = {contender.name: [] for contender in contenders}
        for number, used in enumerate(in_turn(contenders, self.runs), 1):
            for who, usage in used.items():
                found[who].append(usage)
            walls = ", ".join(f"{who} {usage.wall:.2f} s" for who, usage in sorted(used.items()))
            say(f"{case}: {state}: run {number} of {self.runs}: {walls}")
        self.keep(state, case, found)
        return found

    def keep(self, state: str, case: str, found: Mapping[str, Sequence[Usage]]) -> None:
        """Keep what was used, by the contender's name."""
        for who, runs in found.items():
            values = [asdict(usage) for usage in runs]
            self.raw.append({"state": state, "case": case, "contender": who, "runs": values})

    def compare(self, state: str, case: str, tool: Contender, other: Contender) -> None:
        """Run two contenders in turn, for the rows that compare them."""
        found = self.run(state, case, (tool, other))
        self.rows += results.compared(state, case, found[tool.name], found[other.name])

    def unchanged(self, case: str, tool: Contender) -> None:
        """Compare this tool with hatchling itself, where a layer is there and nothing changed.

        Raises `BenchmarkError` if it is written again.
        """
        layer = recipes.layer_of(tool)
        before = layer.stat()
        floor = recipes.floor(sets.make_empty(self.folder / "empty"))
        floor.run()
        self.compare(results.UNCHANGED, case, tool, floor)
        after = layer.stat()
        if (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns):
            raise BenchmarkError(f"{case}: nothing has changed, yet {layer} was written again")


def say_differences(case: str, tool: Contender, other: Contender) -> None:
    """Warn of files that only one of two layers has."""
    if only := recipes.differences(recipes.layer_of(tool), recipes.layer_of(other)):
        say(f"{case}: warning: {len(only)} files are in one layer only, such as {only[0]}")
