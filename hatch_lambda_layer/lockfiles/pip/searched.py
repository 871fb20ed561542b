"""Where pip searches, and what it takes: its settings and the options in the files together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..default_index import default_index
from .formats import Formats
from .settings import place_of_only_binary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .requirements import RequirementsFiles
    from .settings import PipSettings

_FORMATS = ("--only-binary", "--no-binary")


def indexes(settings: PipSettings, files: RequirementsFiles, folder: Path) -> Sequence[str]:
    """Return the URLs of the indexes that pip searches; empty where it searches none.

    The first is `--index-url`, which is uv's default index where nobody has set it.
    """
    found = configured_indexes(settings, files)
    return [each or default_index(folder) for each in found]


def configured_indexes(settings: PipSettings, files: RequirementsFiles) -> Sequence[str | None]:
    """Return the same, with `None` for an `--index-url` that nobody has set."""
    if settings.no_index:
        return []
    found = files.indexes([settings.index_url or "", *settings.extra_index_urls])
    return [each or None for each in found]


def find_links(settings: PipSettings, files: RequirementsFiles) -> Iterator[str]:
    """Yield the places of `--find-links`: a URL, or a path, below its file if it is there."""
    yield from settings.find_links
    for option, value, folder in files.options:
        if option == "--find-links":
            is_here = "://" not in value and os.path.exists(folder / value)  # noqa: PTH110
            yield str(folder / value) if is_here else value


def unreached(settings: PipSettings, files: RequirementsFiles) -> tuple[str, ...]:
    """Return the settings that are not followed and can keep an index from being reached."""
    named = ("trusted-host" for option, *_ in files.options if option == "--trusted-host")
    return tuple(dict.fromkeys((*settings.unreached, *named)))


def formats(settings: PipSettings, files: RequirementsFiles) -> Formats:
    """Return which formats count."""
    configured = zip(_FORMATS, (settings.only_binary, settings.no_binary), strict=True)
    places = [place_of_only_binary()] if settings.only_binary else []
    if has_option(files, "--only-binary"):
        places.append("`--only-binary` in the requirements")
    options = (each[:2] for each in files.options if each[0] in _FORMATS)
    return Formats([*configured, *options], places)


def has_option(files: RequirementsFiles, *options: str) -> bool:
    """Return whether one of the files has one of these options."""
    return any(option in options for option, *_ in files.options)
