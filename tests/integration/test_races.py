"""A short run of `python -m tests.races`; the other tests here have the cases one by one."""

from __future__ import annotations

import pytest

from tests.races.__main__ import main


@pytest.mark.fault(41, 42, 43, 55, 56)
def test_killed_and_racing_builds_and_publications_leave_what_is_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--builds", "6", "--publishes", "3", "--seed", "7"]) == 0
    said = capsys.readouterr().out
    assert "6 killed builds: as it should be" in said
    assert "8 builds with one cache, with 8 caches, of 8 projects: as it should be" in said
    assert "3 killed publications: as it should be" in said
    assert "10 publications at once: as it should be" in said
