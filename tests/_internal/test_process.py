"""Programs are called without a shell, and what they print is shown without credentials."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hatch_lambda_layer._internal.filelock import try_lock
from hatch_lambda_layer._internal.process import redact, run
from hatch_lambda_layer.exceptions import ToolError
from tests.support.waiting import wait_until

CANARY = "canary-5f3a"
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")


def python(code: str, *arguments: str, cwd: Path, env: dict[str, str] | None = None) -> bytes:
    """Run `code` with this interpreter, through the door that is tested."""
    return run([sys.executable, "-c", code, *arguments], cwd=cwd, env=env or {})


@pytest.mark.fault(57)
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:canary-5f3a@host/simple/", "https://****@host/simple/"),
        ("https://canary-5f3a@host/", "https://****@host/"),
        ("http://user:canary-5f3a@host:8080/a@b", "http://****@host:8080/a@b"),
        ("git+ssh://canary-5f3a@host/repo.git", "git+ssh://****@host/repo.git"),
        ("https://user:canary%2F5f3a@host/", "https://****@host/"),
        ("a https://u:canary-5f3a@h/x b https://v:canary-5f3a@i/y", "a https://****@h/x b https"),
        ("two\nlines https://u:canary-5f3a@host", "two\nlines https://****@host"),
        # Not a valid URL, and yet clients take the host from after the last `@`.
        ("https://user:canary-5f3a@and-canary-5f3a@host/simple/", "https://****@host/simple/"),
    ],
)
def test_credentials_in_urls_are_not_shown(text: str, shown: str) -> None:
    assert redact(text).startswith(shown)
    assert CANARY not in redact(text)
    assert "canary" not in redact(text)


@pytest.mark.parametrize(
    "text",
    ["https://host/simple/", "mail someone@example.test", "https://host/a#b=c@d", "no URL at all"],
)
def test_text_without_credentials_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_the_query_of_a_signed_url_is_cut_out() -> None:
    text = "GET https://host/a.whl?token=canary&b=c@d#sha256=00 failed"
    assert redact(text) == "GET https://host/a.whl?****#sha256=00 failed"
    nested = "http://proxy/https://host/a:b?token=canary"
    assert redact(nested) == "http://proxy/https://host/a:b?****"


def test_the_output_of_a_program_is_given_byte_for_byte(tmp_path: Path) -> None:
    code = (
        "import sys; sys.stdout.buffer.write(b'\\xff\\r\\n\\x00'); print('noise', file=sys.stderr)"
    )
    assert python(code, cwd=tmp_path) == b"\xff\r\n\x00"


def test_a_program_runs_in_the_folder_and_the_environment_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    code = "import os; print(os.getcwd()); print(dict(os.environ))"
    said = python(code, cwd=tmp_path, env={"ASKED_FOR": "yes"}).decode()
    assert Path(said.splitlines()[0]).samefile(tmp_path)
    assert "'ASKED_FOR': 'yes'" in said
    assert CANARY not in said


@pytest.mark.fault(45)
@pytest.mark.parametrize(
    "argument", ["$(touch x)", "; touch x", "a b  c", "-rf", "ünï", "*", "'\""]
)
def test_arguments_reach_a_program_as_they_are(tmp_path: Path, argument: str) -> None:
    code = "import sys; sys.stdout.buffer.write(repr(sys.argv[1:]).encode())"
    assert python(code, argument, cwd=tmp_path).decode() == repr([argument])
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_asks_a_question_gets_no_answer_instead_of_waiting(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="EOFError"):
        python("input('password: ')", cwd=tmp_path)


def test_a_program_may_say_more_than_a_pipe_holds(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('e' * 300_000); sys.stdout.write('o' * 300_000)"
    assert python(code, cwd=tmp_path) == b"o" * 300_000


@pytest.mark.fault(57)
def test_what_a_failed_program_said_is_shown_without_credentials(tmp_path: Path) -> None:
    code = "import sys; sys.exit('401 for https://me:' + sys.argv[1][::-1] + '@host/simple/')"
    with pytest.raises(ToolError) as caught:
        python(code, CANARY[::-1], cwd=tmp_path)
    assert "401 for https://****@host/simple/" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert CANARY not in caught.value.output


@pytest.mark.fault(57)
def test_credentials_in_the_arguments_of_a_failed_program_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        python("raise SystemExit(2)", f"https://me:{CANARY}@host/simple/", cwd=tmp_path)
    assert CANARY not in str(caught.value)
    assert CANARY not in caught.value.program


def test_a_program_that_fails_on_its_output_is_quoted_from_there(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="said on stdout"):
        python("print('said on stdout'); raise SystemExit(3)", cwd=tmp_path)


def test_a_program_that_fails_without_a_word_leaves_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="exit code 3"):
        python("raise SystemExit(3)", cwd=tmp_path)


def test_what_a_failed_program_said_may_be_no_text(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.buffer.write(b'bad \\xff byte'); sys.exit(1)"
    with pytest.raises(ToolError, match="bad \N{REPLACEMENT CHARACTER} byte"):
        python(code, cwd=tmp_path)


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_program_that_a_signal_ended_is_reported_with_the_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    code = "import os, sys; sys.stderr.write('so far'); sys.stderr.flush(); "
    code += f"os.kill(os.getpid(), {int(number)})"
    with pytest.raises(ToolError) as caught:
        python(code, cwd=tmp_path)
    assert f"signal {int(number)}" in str(caught.value)
    assert "so far" in str(caught.value)


def test_a_missing_program_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        run([str(tmp_path / "no-such-tool"), "export", "--all"], cwd=tmp_path, env={})
    assert "`no-such-tool export --all` failed" in str(caught.value)
    assert "could not be started: No such file or directory" in str(caught.value)
    # The folder is of no use to anybody, and often names a person.
    assert str(tmp_path) not in caught.value.program


@needs_signals
def test_a_file_that_is_no_program_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n", encoding="utf-8")
    with pytest.raises(ToolError, match="could not be started: Permission denied"):
        run([str(tmp_path / "tool")], cwd=tmp_path, env={})


@needs_signals
@pytest.mark.fault(42)
def test_an_interruption_kills_the_program_before_it_goes_on(tmp_path: Path) -> None:
    # The system drops a lock when its process dies, even one that nobody has reaped yet.
    child = (
        "import fcntl, pathlib, time\n"
        "lock = open('lock', 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "pathlib.Path('running').touch()\n"
        "time.sleep(60)\n"
    )
    code = (
        "import sys, pathlib\n"
        "from hatch_lambda_layer._internal.process import run\n"
        f"run([sys.executable, '-c', {child!r}], cwd=pathlib.Path(), env={{}})\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE)
    wait_until((tmp_path / "running").exists)
    # To the parent alone, as a supervisor sends it; a terminal would tell the child, too.
    parent.send_signal(signal.SIGINT)
    _, said = parent.communicate(timeout=20)
    assert b"KeyboardInterrupt" in said
    with (tmp_path / "lock").open("rb") as lock:
        wait_until(lambda: try_lock(lock))
