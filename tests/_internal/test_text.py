"""Text from outside, as it is shown: it steers neither a terminal nor a CI runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.text import one_line, safe
from hatch_lambda_layer.exceptions import LambdaLayerError, ToolError, quoted
from tests.support.displays import Lines
from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.source_factory import write_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.layer_project import Project

HOSTILE = (
    "\x1b[2J\x07\x9b1m\r\n::error::owned\n   ::add-mask::x\n##[error]x ##vso[task]x ##teamcity[x]"
)


def is_safe(text: str) -> bool:
    """Return whether neither a terminal nor one of three runners would act on a text."""
    printable = all(each.isprintable() or each in "\n\t" for each in text)
    commands = any(line.lstrip(" \t").startswith("::") for line in text.splitlines())
    return (
        printable
        and not commands
        and not any(f"##{each}[" in text for each in ("", "vso", "teamcity"))
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, caf\u00e9 \u4e2d", "plain, caf\u00e9 \u4e2d"),
        ("two\n\tlines\r\n", "two\n\tlines\n"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("over\rwritten", "over\\rwritten"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("half \ud800", "half \\ud800"),
        ("a\n  ::error::b", "a\n|   ::error::b"),
        ("a ::error::b", "a ::error::b"),
        ("##[group]", "# #[group]"),
        ("x ##vso[a] ##teamcity[b]", "x # #vso[a] # #teamcity[b]"),
        ("## heading", "## heading"),
    ],
)
def test_what_would_steer_is_shown_instead(text: str, shown: str) -> None:
    assert safe(text) == shown
    assert is_safe(safe(text))


def test_a_value_stays_in_its_line() -> None:
    assert one_line("a\n::error::b\tc") == "a\\n::error::b\\tc"


def test_each_line_of_another_program_is_marked() -> None:
    assert quoted("\none\n\n  two \n") == "| one\n|\n|   two"
    assert quoted(" \n") == ""
    assert str(ToolError("uv export", "::error::x\ny")) == "`uv export` failed:\n| ::error::x\n| y"


def in_the_lock(project: Project) -> None:
    file = LockedFile(filename="a-1-py3-none-any.whl", data=b"", url="https://x.test/" + HOSTILE)
    project.lockfile.write_text(pylock(LockedPackage(wheels=[file])), encoding="utf-8")


def in_a_marker(project: Project) -> None:
    text = pylock(LockedPackage(name="a", version="1", directory={"path": "a"}))
    escaped = HOSTILE.encode("unicode_escape").decode().replace('"', "").replace("\\x", "\\u00")
    text = text.replace('name = "a"', f'name = "a"\nmarker = "{escaped}"', 1)
    project.lockfile.write_text(text, encoding="utf-8")


def in_a_path(project: Project) -> None:
    lock = pylock(LockedPackage(name="a", version="1", directory={"path": f"a{HOSTILE}"}))
    project.lockfile.write_text(lock, encoding="utf-8")


def in_a_key(project: Project) -> None:
    project.table[HOSTILE] = 1


def in_a_value(project: Project) -> None:
    project.table["build"] = HOSTILE


def in_the_log_of_a_backend(project: Project) -> None:
    folder = project.root / "lib"
    pyproject = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    backend = f"import sys\nprint({HOSTILE!r})\nraise SystemExit({HOSTILE!r})\n"
    write_files(folder, {"pyproject.toml": pyproject.encode(), "own.py": backend.encode()})
    lock = pylock(LockedPackage(name="lib", directory={"path": "lib"}))
    project.lockfile.write_text(lock, encoding="utf-8")


def in_the_output_of_git(project: Project) -> None:
    vcs = {"type": "git", "url": f"file:///nowhere/{HOSTILE}", "commit-id": "0" * 40}
    project.lockfile.write_text(pylock(LockedPackage(name="lib", vcs=vcs)), encoding="utf-8")


@pytest.mark.fault(91)
@pytest.mark.parametrize(
    "place",
    [
        in_the_lock,
        in_a_marker,
        in_a_path,
        in_a_key,
        in_a_value,
        in_the_log_of_a_backend,
        in_the_output_of_git,
    ],
)
def test_what_others_wrote_steers_nothing_wherever_it_stands(
    project: Project, place: Callable[[Project], None]
) -> None:
    from hatch_lambda_layer._internal.errors import reported

    class Screen(Lines):
        def abort(self, message: str = "", code: int = 1) -> None:
            self.lines.append(message)
            raise SystemExit(code)

    place(project)
    screen = Screen(verbosity=1)
    with pytest.raises(SystemExit), reported(screen):
        project.build(screen)
    assert "error" in screen.text
    assert "owned" in screen.text
    assert is_safe(screen.text), screen.text
    assert not project.zip.exists()


@pytest.mark.fault(91)
def test_a_message_keeps_what_was_wrong_readable(project: Project) -> None:
    in_a_value(project)
    with pytest.raises(LambdaLayerError) as caught:
        project.build()
    assert "\\x1b[2J" in safe(str(caught.value))
