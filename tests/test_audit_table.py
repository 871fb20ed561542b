"""The table of findings says where they were found, on which targets, and what an import said."""

from __future__ import annotations

from hatch_lambda_layer.findings import codes
from tests.audit_table.__main__ import PLATFORMS, RUNTIMES, Outcome, packages, page

MISSING = codes.MISSING_LIBRARY.finding("python/x.so", "`python/x.so` needs `liba.so`")
LAUNCHERS = codes.LAUNCHERS_LEFT_OUT.finding("demo 1", "launchers")


def test_there_are_eighteen_packages_and_four_targets() -> None:
    assert len({*packages()}) == len(packages()) == 18
    assert {runtime for runtime, _ in PLATFORMS} == {*RUNTIMES}
    assert len(PLATFORMS) == 4


def test_a_finding_has_one_row_for_all_targets() -> None:
    outcomes = [
        Outcome("demo", "python3.13-x86_64", (MISSING, LAUNCHERS), imports=("demo",)),
        Outcome("demo", "python3.13-arm64", (MISSING,)),
        Outcome("clean", "python3.13-arm64", (LAUNCHERS,)),
        Outcome("late", "python3.11-arm64", problem="no set of wheels"),
    ]
    lines = page(outcomes).splitlines()
    assert lines[2] == (
        "| demo | HLL007 | warning | python3.13-x86_64, python3.13-arm64 "
        "| `python/x.so` needs `liba.so` | fails: demo |"
    )
    assert lines[3:] == [
        "",
        "Not audited:",
        "",
        "- late for python3.11-arm64: no set of wheels",
        "",
        "Nothing was found in: clean.",
    ]
