"""The goals, and what was measured beside them: as a table for a person, as JSON for a program."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .measure import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .measure import Usage

_MIB = 1 << 20
_PEAK_MIB = 40


@dataclass(frozen=True, slots=True)
class Goal:
    """At most `most`: of the ratio, or of this tool's own value where `absolute`."""

    most: float
    absolute: bool = False


WARM = "warm caches"
UNCHANGED = "nothing changed"
COLD = "empty caches"
GROWTH_WARM = "growth, warm"
GROWTH_COLD = "growth, empty cache"
# By tool.
NEW = "lock is new"
KNOWN = "lock is known"
EMPTY = "all caches empty"
# In a container.
BUILT = "wheel not built yet"
KEPT = "wheel built before"
# With the cache of a fleet.
FLEET = "first build of a runner"

# The goals that a person decides on; everything else is shown without one.
_GOALS: Mapping[tuple[str, str], Mapping[str, Goal]] = {
    (WARM, "wall s"): {"SMALL": Goal(0.25), "MEDIUM": Goal(0.09), "LARGE": Goal(0.045)},
    (WARM, "zip MB"): {"": Goal(1.02)},
    (UNCHANGED, "wall s"): {"": Goal(1.3)},
    (COLD, "wall s"): {"": Goal(0.6)},
    (GROWTH_WARM, "wall s"): {"": Goal(2.0)},
    (GROWTH_COLD, "wall s"): {"": Goal(2.0)},
    **{(state, "wall s"): {"": Goal(1.0)} for state in (NEW, KNOWN, EMPTY, BUILT, KEPT)},
}
# "Flat" for many times the wheels: what is known of a wheel has to lie somewhere.
_FLAT = Goal(1.25)

NOT_MEASURED = """\
Not measured here, because this version has no such options: the zip with `compression = "best"`
(goal 0.96) and LARGE pruned with it (0.82); cold imports with `bytecode` (0.40)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table; values are in the unit that ends `measure`."""

    state: str
    case: str
    measure: str
    ours: float
    against: float | None
    ratio: Spread | None
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal was met, or `None` where there is none."""
        if self.goal is None:
            return None
        value = self.ours if self.goal.absolute or self.ratio is None else self.ratio.median
        return value <= self.goal.most

    def as_json(self) -> dict[str, object]:
        """Give the row as plain values."""
        return {**asdict(self), "met": self.met}


def compared(state: str, case: str, ours: Sequence[Usage], others: Sequence[Usage]) -> list[Row]:
    """Give the rows of two contenders that were run in turn."""
    return [*times(state, case, ours, others), peak(state, case, ours, others)]


def times(state: str, case: str, ours: Sequence[Usage], others: Sequence[Usage]) -> list[Row]:
    """Give the rows of what two contenders took that were run in turn."""
    return [
        _row(state, case, "wall s", [each.wall for each in ours], [each.wall for each in others]),
        _row(state, case, "CPU s", [each.cpu for each in ours], [each.cpu for each in others]),
    ]


def size(case: str, ours: int, theirs: int) -> Row:
    """Give the row of the sizes of two zips."""
    return _row(WARM, case, "zip MB", [ours / 1e6], [theirs / 1e6])


def served(state: str, case: str, measure: str, ours: int, other: int) -> Row:
    """Give the row of how many bytes a server has served for two contenders, in a unit of MB."""
    return Row(
        state=state, case=case, measure=measure, ours=ours / 1e6, against=other / 1e6, ratio=None
    )


def peak(state: str, case: str, ours: Sequence[Usage], others: Sequence[Usage]) -> Row:
    """Give the row of the largest process of any run."""
    first, second = ([each.peak / _MIB for each in runs] for runs in (ours, others))
    return Row(
        state=state,
        case=case,
        measure="peak MiB",
        ours=max(first),
        against=max(second),
        ratio=Spread.of_ratios(first, second),
        goal=Goal(_PEAK_MIB, absolute=True),
    )


def growth(state: str, counts: Sequence[int], runs: Mapping[int, Sequence[Usage]]) -> list[Row]:
    """Give the rows of a growing number of wheels, each against the row before it."""
    walls = {count: [each.wall for each in runs[count]] for count in counts}
    peaks = {count: [each.peak / _MIB for each in runs[count]] for count in counts}
    rows = []
    for before, count in zip((None, *counts), counts, strict=False):
        for measure, values in (("wall s", walls), ("peak MiB", peaks)):
            former = None if before is None else values[before]
            rows.append(_row(state, f"{count} wheels", measure, values[count], former))
    case = f"{counts[-1]} against {counts[0]}"
    rows.append(_row(state, case, "peak MiB", peaks[counts[-1]], peaks[counts[0]], _FLAT))
    return rows


def _row(
    state: str,
    case: str,
    measure: str,
    ours: Sequence[float],
    others: Sequence[float] | None,
    goal: Goal | None = None,
) -> Row:
    goals = _GOALS.get((state, measure), {}) if others else {}
    return Row(
        state=state,
        case=case,
        measure=measure,
        ours=Spread.of(ours).median,
        against=Spread.of(others).median if others else None,
        ratio=Spread.of_ratios(ours, others) if others else None,
        goal=goal or goals.get(case) or goals.get(""),
    )


def table(rows: Iterable[Row]) -> str:
    """Write the rows as lines with aligned columns."""
    header = ("state", "case", "measure", "tool", "against", "ratio", "min..max", "goal", "verdict")
    lines = [header, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text_columns = {0, 1, 2, len(header) - 1}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    ratio = row.ratio
    goal = row.goal
    unit = row.measure.rpartition(" ")[2]
    most = "" if goal is None else f"{goal.most:g}{f' {unit}' * goal.absolute}"
    return (
        row.state,
        row.case,
        row.measure,
        _number(row.ours),
        "" if row.against is None else _number(row.against),
        "" if ratio is None else f"{ratio.median:.3f}",
        "" if ratio is None else f"{ratio.low:.3f}..{ratio.high:.3f}",
        most,
        {True: "met", False: "missed", None: ""}[row.met],
    )


def _number(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"
