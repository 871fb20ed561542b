"""How published metadata becomes a project of one's own; the run itself is no part of the check."""

from __future__ import annotations

import pytest

from tests.real_projects.projects import of_extra


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ('a>=1; extra == "x"', ["a>=1"]),
        ('a; extra == "y"', []),
        ("a", []),
        ('a; python_version < "3.12" and extra == "x"', ['a; python_version < "3.12"']),
        ('a; extra == "x" and os_name == "nt"', ['a; os_name == "nt"']),
        (
            'a; (os_name == "nt" or sys_platform == "darwin") and extra == "x"',
            ['a; os_name == "nt" or sys_platform == "darwin"'],
        ),
        (
            'a; extra == "y" or extra == "x"',
            ['a; python_version < "3" or python_version >= "3"'],
        ),
    ],
)
def test_what_an_extra_adds_is_asked_for_without_it(published: str, expected: list[str]) -> None:
    assert list(of_extra([published], "X")) == expected
