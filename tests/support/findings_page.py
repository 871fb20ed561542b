"""The page on findings, made from their codes; run as a module, it writes the page."""

from __future__ import annotations

from pathlib import Path

from hatch_lambda_layer.findings import codes

PAGE = Path(__file__).parents[2] / "docs" / "findings.md"
MARK = "## The codes\n"


def entries() -> str:
    """Give the entry of every code, in their order."""
    return "".join(
        f"\n### {code.id}: {code.title}\n\nUsually {_article(code.severity)}. {code.explanation}\n"
        for code in sorted(codes.CODES.values(), key=lambda code: code.id)
    )


def _article(severity: str) -> str:
    return f"an {severity}" if severity == "error" else f"a {severity}"


if __name__ == "__main__":
    intro = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(intro + MARK + entries(), encoding="utf-8")
