"""Findings are values with codes; a project decides what becomes of them."""

from __future__ import annotations

import re

import pytest

from hatch_lambda_layer.exceptions import AuditError
from hatch_lambda_layer.findings import FindingPolicy, codes, counted
from tests.support.findings_page import MARK, PAGE, entries

NOTE = codes.SHARED_KEPT.finding("six", "six stays")
WARNING = codes.HALF_SDK.finding("boto3", "half of it", hint="leave it out", severity="warning")
ERROR = codes.WRONG_MACHINE.finding("python/x.so", "it is for aarch64")


def test_every_code_is_its_own_and_has_its_form() -> None:
    assert all(re.fullmatch(r"HLL0\d\d", code) for code in codes.CODES)
    assert list(codes.CODES) == sorted(codes.CODES)
    names = [name for name, value in vars(codes).items() if isinstance(value, codes.Code)]
    assert len(names) == len(codes.CODES)
    titles = [each.title for each in codes.CODES.values()]
    assert len({*titles}) == len(titles)
    assert all(each.explanation.endswith((".", ".)")) for each in codes.CODES.values())


def test_the_page_has_every_code_as_the_program_has_it() -> None:
    # `python -m tests.support.findings_page` writes it.
    assert PAGE.read_text(encoding="utf-8").partition(MARK)[2] == entries()


def test_a_line_has_severity_message_code_and_hint() -> None:
    assert str(WARNING) == "warning: half of it (HLL012); leave it out"
    assert str(NOTE) == "note: six stays (HLL032)"
    assert (NOTE.is_note, WARNING.is_note) == (True, False)


def test_without_a_policy_only_errors_are_refused() -> None:
    policy = FindingPolicy()
    assert policy.checked([NOTE, WARNING]) == (NOTE, WARNING)
    with pytest.raises(AuditError) as caught:
        policy.checked([NOTE, ERROR, WARNING])
    assert caught.value.findings == (ERROR,)
    assert caught.value.exit_code == 1
    assert "- it is for aarch64 (HLL001)" in caught.value.message
    assert 'ignore = ["HLL001"]' in str(caught.value.hint)


def test_strict_leaves_notes_alone() -> None:
    policy = FindingPolicy(strict=True)
    assert policy.checked([NOTE]) == (NOTE,)
    with pytest.raises(AuditError) as caught:
        policy.checked([NOTE, WARNING])
    (found,) = caught.value.findings
    assert (found.severity, found.message) == ("error", "half of it")


def test_what_is_ignored_is_gone_even_if_it_is_an_error() -> None:
    policy = FindingPolicy(strict=True, ignore=("HLL001", "HLL012"))
    assert policy.checked([ERROR, NOTE, WARNING]) == (NOTE,)


def test_a_note_can_be_made_an_error() -> None:
    with pytest.raises(AuditError, match="six stays"):
        FindingPolicy(error=("HLL032",)).checked([NOTE])


def test_of_many_errors_the_first_are_listed() -> None:
    with pytest.raises(AuditError) as caught:
        FindingPolicy().checked([ERROR] * 25)
    assert caught.value.message.count("it is for aarch64") == 10
    assert caught.value.message.endswith("- and 15 more")


def test_findings_are_counted_by_severity() -> None:
    assert counted([NOTE, WARNING, NOTE]) == {"warning": 1, "note": 2}
