"""What `--help` shows: whole texts, choices, examples that can be typed. Colours of messages."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import hatch_lambda_layer
from hatch_lambda_layer import __version__
from hatch_lambda_layer.cli.main import main
from tests.support.terminal import on_a_terminal

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
COMMANDS = main.list_commands(click.Context(main))


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments, "--help"])
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_no_text_of_the_help_is_cut_and_no_line_is_too_long(command: str | None) -> None:
    text = shown(*filter(None, [command]))
    assert "..." not in text.replace("[ARGS]...", "").replace("[ZIP]...", "")
    assert [line for line in text.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_examples_that_can_be_typed(command: str) -> None:
    examples = re.findall(r"^    hatch-lambda-layer (.+)$", shown(command), re.MULTILINE)
    assert examples
    for example in examples:
        name, *arguments = shlex.split(example)
        assert name == command
        found = main.get_command(click.Context(main), name)
        assert found is not None
        # Raises what a wrong command line raises.
        found.make_context(name, arguments)


def test_choices_and_defaults_are_listed() -> None:
    text = shown("build")
    for choices in (
        "[text|json]",
        "[uv|poetry|pdm|pip|pylock]",
        "[x86_64|arm64]",
        "[python3.14|",
        "[default: text]",
        "[default: the only one there is]",
        "[default: Hatch's",
    ):
        assert choices in text
    assert "[default: 20; x>=1]" in shown("versions")


def test_the_version_has_a_short_option() -> None:
    assert CliRunner().invoke(main, ["-V"]).stdout == f"hatch-lambda-layer, version {__version__}\n"


def test_the_completion_of_the_page_is_one_that_the_shell_takes() -> None:
    (variable,) = set(re.findall(r"(_\w+_COMPLETE)=", PAGE))
    for shell in ("bash", "zsh", "fish"):
        assert f"{shell}_source" in PAGE
    complete = {**os.environ, variable: "bash_complete", "COMP_CWORD": "1"}
    complete["COMP_WORDS"] = "hatch-lambda-layer pu"
    program = Path(sys.executable).with_name("hatch-lambda-layer")
    done = subprocess.run([program], env=complete, capture_output=True, text=True, check=True)
    assert done.stdout == "plain,publish\n"


BUILD = "from hatch_lambda_layer.cli.main import main; main(['build', 'missing'])"


@pytest.mark.skipif(sys.platform == "win32", reason="`pty` is of POSIX")
def test_an_error_is_red_on_a_terminal_that_has_colour(tmp_path: Path) -> None:
    code = f"import os, sys; os.chdir({str(tmp_path)!r}); sys.path.insert(0, {SOURCES!r}); {BUILD}"
    output, exit_code = on_a_terminal(code)
    assert exit_code == 1
    assert output.startswith("\x1b[31m\x1b[1merror\x1b[0m: ")
    plain, _ = on_a_terminal(code, "dumb")
    assert plain.startswith("error: ")
    assert "\x1b" not in plain
    uncoloured, _ = on_a_terminal(f"import os; os.environ['NO_COLOR'] = '1'; {code}")
    assert "\x1b" not in uncoloured


SOURCES = str(Path(hatch_lambda_layer.__file__).parents[1])
