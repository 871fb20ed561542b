"""`python -m tests.fuzz.guided`: one reader, with inputs that libFuzzer chooses by coverage.

libFuzzer ends the process itself. What is a crash is decided as in every other run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

# What is imported from here on is instrumented, also what is imported only when it is used.
atheris.instrument_imports(
    include=["hatch_lambda_layer", "packaging", "tomllib", "html", "netrc", "email", "installer"]
).__enter__()

from .engine import MEMORY, Session, memory_limit  # noqa: E402
from .mutation import MAX_SIZE  # noqa: E402
from .readers import TARGETS  # noqa: E402

# For libFuzzer's own tables and its corpus.
_MEMORY = MEMORY + (128 << 20)
_LONGEST_WORD = 60


def main() -> None:
    """Feed the reader until the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--crashes", type=Path, required=True)
    options = parser.parse_args()
    # Not removed: the process ends without coming back.
    folder = Path(tempfile.mkdtemp(dir=options.crashes, prefix="corpus-"))
    session = Session(TARGETS[options.target], folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(session.target.seeds()):
        (corpus / str(number)).write_bytes(data)
    words = folder / "words"
    # libFuzzer refuses a dictionary without an entry.
    entries = map(_entry, session.target.tokens or (b"\0",))
    words.write_text("".join(entries), encoding="ascii")
    arguments = [f"-max_total_time={max(1, int(options.seconds))}", f"-seed={options.seed}"]
    arguments += [f"-max_len={MAX_SIZE}", f"-dict={words}", "-rss_limit_mb=0", "-timeout=60"]
    arguments += ["-print_final_stats=1", f"-artifact_prefix={options.crashes}/", str(corpus)]

    def feed(data: bytes) -> None:
        known = len(session.crashes)
        session.feed(data)
        for crash in session.crashes[known:]:
            crash.write(options.crashes)

    atheris.Setup([sys.argv[0], *arguments], feed)
    with memory_limit(_MEMORY):
        atheris.Fuzz()


def _entry(word: bytes) -> str:
    """Return a line of a libFuzzer dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word[:_LONGEST_WORD]) + '"\n'


if __name__ == "__main__":
    main()
