"""`python -m tests.docs write` brings up to date what is made from the code; `build` makes HTML."""

from __future__ import annotations

import argparse
import sys

from tests.docs.generated import BUILT, DOCS, ROOT, outdated


def main() -> None:
    parser = argparse.ArgumentParser(prog="docs", description=__doc__)
    parser.add_argument("command", choices=["write", "build"])
    if parser.parse_args().command == "build":
        from sphinx.cmd.build import build_main

        sys.exit(build_main(["-W", "--keep-going", "-q", str(DOCS), str(BUILT)]))
    for path, text in outdated():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
