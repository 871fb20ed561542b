"""The tags of objects on S3 in `[tool.lambda-layer.publish.tags]`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reader import TableReader

# After S3's page "Categorizing your objects using tags" (as of 2026-11).
_TAG_KEY, _TAG = re.compile(r"(?!aws:)[\w .:/=+@-]{1,128}"), re.compile(r"[\w .:/=+@-]{0,256}")
_TAG_MUST = "letters, digits, spaces and + - = . _ : / @ only, like its key"
_MOST_TAGS = 10


def read_tags(reader: TableReader) -> tuple[tuple[str, str], ...]:
    """Read the table `tags`, ordered by key; what is wrong is added to the problems."""
    table = reader.table("tags")
    for key, value in table.items():
        if not (isinstance(value, str) and _TAG.fullmatch(value) and _TAG_KEY.fullmatch(key)):
            reader.wrong(f"tags.{key}", _TAG_MUST, value)
    if len(table) > _MOST_TAGS:
        reader.say("tags", f"has {len(table)} tags, S3 allows {_MOST_TAGS} for an object")
    return tuple(sorted((key, str(value)) for key, value in table.items()))
