"""What a person sees: nothing, plain lines, or a bar that leaves nothing behind."""

from __future__ import annotations

import re
import signal
from types import SimpleNamespace

import pytest

from hatch_lambda_layer._internal import console as console_module
from hatch_lambda_layer._internal.console import Console, megabytes
from tests.support.terminal import on_a_terminal

_BAR = """
import sys, time
from hatch_lambda_layer.cli.options import Terminal
from hatch_lambda_layer._internal.console import Console

sys.stderr.write("before\\n")
with Console(Terminal(0)).progress("Fetching 3 wheels", 3) as progress:
    progress.moved(4_000_000)
    progress.done()
    time.sleep(0.3)
    {then}
    progress.moved(-4_000_000)
    progress.moved(6_291_456)
    progress.done()
    progress.done()
    time.sleep(0.2)
sys.stderr.write("after\\n")
"""


class Calls:
    """A display that keeps what it is asked to show, with its kind, whatever its verbosity."""

    def __init__(self, verbosity: int = 0) -> None:
        self.verbosity = verbosity
        self.lines: list[str] = []

    def display_info(self, message: str = "") -> None:
        self.lines.append(f"info {message}")

    def display_warning(self, message: str = "") -> None:
        self.lines.append(f"warning {message}")

    def display_debug(self, message: str = "", level: int = 1) -> None:
        self.lines.append(f"debug {message} {level}")


def screen(output: str) -> list[str]:
    """Give the lines that a terminal shows in the end, as far as control sequences move it."""
    lines = [""]
    row = column = 0
    for control, final, text in re.findall(r"\x1b\[([?\d;]*)([A-Za-z])|([^\x1b])", output):
        if text == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif text == "\r":
            column = 0
        elif text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + 1 :]
            column += 1
        elif final == "A":
            row -= int(control or 1)
        elif final == "K":
            assert control == "2", "the whole line"
            lines[row] = ""
        else:
            assert final in "mhl", f"a sequence that this terminal does not know: {final}"
    return [line.rstrip() for line in lines]


def test_what_several_members_share_is_warned_of_once() -> None:
    shown = Calls()
    console = Console(shown)
    for message in ("old", "new", "old"):
        console.warn_once(message)
    assert shown.lines == ["warning warning: old", "warning warning: new"]


def test_each_kind_of_message_goes_where_it_belongs() -> None:
    display = Calls()
    console = Console(display)
    console.info("built")
    console.warning("the runtime is old")
    assert display.lines == ["info built", "warning warning: the runtime is old"]


@pytest.mark.parametrize(("verbosity", "verbose"), [(-1, False), (0, False), (1, True), (2, True)])
def test_details_are_wanted_when_verbose(verbosity: int, *, verbose: bool) -> None:
    assert Console(Calls(verbosity)).verbose is verbose


@pytest.mark.parametrize("verbosity", [-1, -2])
def test_a_quiet_build_shows_no_progress(
    verbosity: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_module, "_SECONDS_BETWEEN_LINES", 0)
    display = Calls(verbosity)
    with Console(display).progress("Fetching", 2) as progress:
        progress.moved(1000)
        progress.done()
    assert display.lines == []
    assert capfd.readouterr() == ("", "")


def test_without_a_terminal_a_plain_line_says_what_begins(
    capfd: pytest.CaptureFixture[str],
) -> None:
    display = Calls()
    with Console(display).progress("Fetching 100 wheels", 100) as progress:
        for _ in range(100):
            progress.moved(30_000)
            progress.done()
    assert display.lines == ["info Fetching 100 wheels"]
    assert capfd.readouterr() == ("", "")


def test_without_a_terminal_a_line_now_and_then_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(console_module, "time", SimpleNamespace(monotonic=lambda: now))
    display = Calls()
    with Console(display).progress("Fetching", 7) as progress:
        progress.moved(1_000_000)
        progress.done()
        now += 5.1
        progress.moved(1_000_000)
        progress.moved(-500_000)
        progress.done()
        now += 4.9
        progress.moved(50_000)
        now += 0.3
        progress.moved(50_000)
    assert display.lines == [
        "info Fetching",
        "info Fetching: 1 of 7 done, 1.9 MB",
        "info Fetching: 2 of 7 done, 1.5 MB",
    ]


def test_of_files_total_rate_and_the_largest_still_coming_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(console_module, "time", SimpleNamespace(monotonic=lambda: now))
    display = Calls()
    sizes = {"six 1.0": 1_048_576, "numpy 2.3": 8 * 1_048_576, "idna 3": 1_048_576}
    with Console(display).progress("Fetching 3 wheels", 3, sizes) as progress:
        progress.moved(1_048_576)
        progress.done("six 1.0")
        now += 8
        progress.moved(7 * 1_048_576)
        now += 8
        progress.moved(1_048_576)
        progress.done("numpy 2.3")
        now += 8
        progress.moved(0)
    assert display.lines == [
        "info Fetching 3 wheels",
        "info Fetching 3 wheels: 1 of 3 done, 8.0 MB of 10.0 MB, 1.0 MB/s, numpy 2.3",
        "info Fetching 3 wheels: 1 of 3 done, 9.0 MB of 10.0 MB, 576 KB/s, numpy 2.3",
        "info Fetching 3 wheels: 2 of 3 done, 9.0 MB of 10.0 MB, 384 KB/s, idna 3",
    ]


def test_where_a_size_is_not_known_there_is_no_total(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(console_module, "time", SimpleNamespace(monotonic=lambda: now))
    display = Calls()
    with Console(display).progress("Fetching", 2, {"a 1": None, "b 1": 5}) as progress:
        now += 8
        progress.moved(8 * 1_048_576)
    assert display.lines[1:] == ["info Fetching: 0 of 2 done, 8.0 MB, 1.0 MB/s, b 1"]


def test_where_no_bytes_are_counted_the_items_alone_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(console_module, "time", SimpleNamespace(monotonic=lambda: now))
    display = Calls()
    with Console(display).progress("Asking", 2) as progress:
        progress.done()
        now += 5.1
        progress.done()
    assert display.lines == ["info Asking", "info Asking: 2 of 2 done"]


def test_on_a_terminal_a_bar_shows_the_progress_and_leaves_nothing_behind() -> None:
    output, code = on_a_terminal(_BAR.format(then="pass"))
    assert code == 0
    for shown in ("Fetching 3 wheels", "1/3", "3.8 MB", "3/3", "6.0 MB"):
        assert shown in output
    assert screen(output) == ["before", "after", ""]
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l"), "the cursor stays hidden"


@pytest.mark.fault(42)
@pytest.mark.parametrize(
    ("then", "codes"),
    [
        ("raise SystemExit(3)", (3,)),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", (-signal.SIGINT, 130)),
    ],
    ids=["error", "interrupt"],
)
def test_a_bar_that_is_broken_off_leaves_nothing_behind(then: str, codes: tuple[int, ...]) -> None:
    output, code = on_a_terminal(_BAR.format(then=then))
    assert code in codes
    assert "Fetching 3 wheels" in output
    assert screen(output)[:1] == ["before"]
    assert not any("Fetching 3" in line for line in screen(output))
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l"), "the cursor stays hidden"


def test_a_terminal_that_can_not_move_its_cursor_gets_lines_and_no_control_sequences() -> None:
    often = "from hatch_lambda_layer._internal import console; console._SECONDS_BETWEEN_LINES = 0"
    output, code = on_a_terminal(f"{often}\n{_BAR.format(then='pass')}", term="dumb")
    assert code == 0
    assert "\x1b" not in output
    assert "Fetching 3 wheels: 2 of 3 done, 6.0 MB" in output


def test_the_bar_counts_the_bytes_of_files() -> None:
    sizes = "{'numpy 2.3': 8_000_000, 'six 1.0': 2_291_456, 'idna 3': 0}"
    code = _BAR.format(then="pass").replace('wheels", 3)', f'wheels", 3, {sizes})')
    output, _ = on_a_terminal(code)
    assert "3.8 MB of 9.8 MB" in output
    assert "/s, numpy 2.3" in output


# ---- work of unknown length

_STATUS = """
import sys, time
from hatch_lambda_layer.cli.options import Terminal
from hatch_lambda_layer._internal.console import Console

sys.stderr.write("before\\n")
with Console(Terminal(0)).working("Pulling it") as said:
    said("[bold]gcc[/bold] -c \\x1b[31mred.c " + "x" * 200)
    time.sleep(0.3)
sys.stderr.write("after\\n")
"""


def test_on_a_terminal_what_a_program_says_last_is_shown_in_one_line_and_goes() -> None:
    output, code = on_a_terminal(_STATUS)
    assert code == 0
    assert "0 s: [bold]gcc[/bold] -c \\x1b[31mred.c xxx" in output
    assert "\x1b[31m" not in output
    assert screen(output)[:2] == ["before", "Pulling it"]
    assert "after" in screen(output)[-2]
    assert not any("gcc" in line for line in screen(output))


def test_without_a_terminal_what_a_program_says_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(console_module, "time", SimpleNamespace(monotonic=lambda: now))
    display = Calls()
    with Console(display).working() as said:
        said("one")
        now += 31
        said("two\x1b[2K")
        now += 20
        said("three")
        now += 20
        said("four")
    assert display.lines == ["info   31 s: two\\x1b[2K", "info   71 s: four"]


def test_quiet_work_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    display = Calls(-1)
    with Console(display).working() as said:
        said("one")
    assert display.lines == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 KB"),
        (1, "1 KB"),
        (1024, "1 KB"),
        (1025, "2 KB"),
        (1_048_575, "1024 KB"),
        (1_048_576, "1.0 MB"),
        (262_144_000, "250.0 MB"),
    ],
)
def test_sizes_are_written_as_aws_writes_them(size: int, text: str) -> None:
    assert megabytes(size) == text
