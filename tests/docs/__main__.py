"""`python -m tests.docs write`: bring what is made from the code up to date."""

from __future__ import annotations

import argparse

from tests.docs.generated import ROOT, outdated


def main() -> None:
    parser = argparse.ArgumentParser(prog="docs", description=__doc__)
    parser.add_argument("command", choices=["write"])
    parser.parse_args()
    for path, text in outdated():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
