"""Every failure has one form: what happened, then what to do."""

from __future__ import annotations

import pytest

from hatch_lambda_layer import exceptions
from hatch_lambda_layer.exceptions import (
    ConfigError,
    Interrupted,
    LambdaLayerError,
    SizeError,
    ToolError,
    WheelError,
)

FAMILY = [
    value
    for value in vars(exceptions).values()
    if isinstance(value, type) and issubclass(value, Exception)
]


def test_the_hint_follows_the_message_after_a_blank_line() -> None:
    error = LambdaLayerError("Lockfile is stale", hint="lock again with `uv lock`")
    assert str(error) == "Lockfile is stale\n\nhint: lock again with `uv lock`"
    assert (error.message, error.hint) == ("Lockfile is stale", "lock again with `uv lock`")


def test_without_a_hint_there_is_only_the_message() -> None:
    assert str(SizeError("The layer is empty")) == "The layer is empty"
    assert SizeError("The layer is empty").hint is None


@pytest.mark.parametrize("member", FAMILY, ids=lambda member: member.__name__)
def test_every_exception_of_the_package_is_one_that_the_edge_reports(
    member: type[Exception],
) -> None:
    assert issubclass(member, LambdaLayerError)
    assert member.__doc__


@pytest.mark.parametrize(
    "member",
    [each for each in FAMILY if each.__init__ is LambdaLayerError.__init__],
    ids=lambda member: member.__name__,
)
def test_plain_exceptions_share_the_form_and_the_exit_code(member: type[LambdaLayerError]) -> None:
    error = member("what happened", hint="what to do")
    assert str(error) == "what happened\n\nhint: what to do"
    assert error.exit_code == 1


def test_a_config_error_says_every_problem_and_keeps_them_apart() -> None:
    error = ConfigError(["Field `a` is unknown", "Field `b` must be a table"])
    assert error.problems == ("Field `a` is unknown", "Field `b` must be a table")
    assert str(error) == "Field `a` is unknown\nField `b` must be a table"


def test_a_tool_error_says_which_program_failed_and_all_that_it_said() -> None:
    error = ToolError("uv export", "first line\nsecond line\n", hint="lock again")
    assert str(error) == "`uv export` failed:\n| first line\n| second line\n\nhint: lock again"
    assert (error.program, error.output) == ("uv export", "first line\nsecond line\n")


def test_a_wheel_error_names_the_wheel_the_member_and_the_reason() -> None:
    error = WheelError("demo-1.0-py3-none-any.whl", "bad CRC", member="demo/__init__.py")
    assert str(error).startswith(
        "Wheel `demo-1.0-py3-none-any.whl` is refused, member 'demo/__init__.py': bad CRC\n\nhint: "
    )
    assert (error.filename, error.reason) == ("demo-1.0-py3-none-any.whl", "bad CRC")
    assert error.member == "demo/__init__.py"


def test_a_wheel_error_without_a_member_names_only_the_wheel() -> None:
    text = str(WheelError("demo-1.0-py3-none-any.whl", "it is no zip"))
    assert text.startswith("Wheel `demo-1.0-py3-none-any.whl` is refused: it is no zip")


@pytest.mark.fault(23)
@pytest.mark.parametrize("member", ["a\x1b[2Jb", "a\rb", "a\x00b", "a\u202eb", "a\udc80b"])
def test_control_characters_of_a_hostile_name_never_reach_the_terminal(member: str) -> None:
    text = str(WheelError("demo-1.0-py3-none-any.whl", "its name is unsafe", member=member))
    assert all(each.isprintable() or each == "\n" for each in text)
    assert text.isascii()


def test_an_interruption_keeps_the_exit_code_of_its_signal_and_says_what_is_known() -> None:
    error = Interrupted(130)
    assert error.exit_code == 130
    assert str(error) == "Interrupted"
    error.add_note("no layer was written")
    error.add_note("nothing was published")
    assert str(error) == "Interrupted: no layer was written; nothing was published"
    assert LambdaLayerError("another").exit_code == 1


def test_errors_survive_being_raised_from_others_with_their_cause() -> None:
    def fail() -> None:
        try:
            raise OSError("disk")
        except OSError as error:
            raise LambdaLayerError("wrapped") from error

    with pytest.raises(LambdaLayerError, match=r"^wrapped$") as caught:
        fail()
    assert isinstance(caught.value.__cause__, OSError)
