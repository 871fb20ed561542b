"""Errors of this project where uv finds no solution, or could not reach what it needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..._internal.process import redact
from ..._internal.scratch import scratch_folder
from ...exceptions import DownloadError, LockfileError, SelectionError, ToolError, quoted
from .files import fetch
from .sources import without_wheels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from packaging.specifiers import SpecifierSet

    from ...exceptions import LambdaLayerError
    from ...targets.target import Target
    from .places import Places
    from .sources import Sources

_FETCHED = re.compile(r"Failed to (?:fetch|download)[^:]*: (?:`)?(https?://[^\s`]+)")
_REFUSING = re.compile(r"\((https?://[^\s)]+)\)[^()]*\b(?:could not be queried|returned a 40\d)")
_NOT_FOUND = re.compile(r"\b([A-Za-z0-9][A-Za-z0-9._-]*) was not found")
_NO_SOLUTION = "No solution found"
_SHOWN = 8


def explained(
    error: ToolError,
    sources: Sources,
    target: Target,
    allowed: Callable[[str], Sequence[SpecifierSet]],
) -> LambdaLayerError:
    """Return the error for what uv has said.

    `allowed` returns the versions of a package that the lines allow.
    """
    if unreached := _unreached(error.output, sources.places):
        return unreached
    if _NO_SOLUTION not in error.output:
        return error
    said = quoted("\n".join(_own_words(error.output.strip().splitlines())))
    for name in dict.fromkeys(name for name, _ in without_wheels(error.output)):
        releases = sources.releases(name, allowed(name))
        files = [filename for release in releases for filename in release.filenames]
        if files and not any(each.has_wheel for each in releases):
            shown = [f"- {each}" for each in files[:_SHOWN]]
            shown += [f"- and {len(files) - _SHOWN} more"] if len(files) > _SHOWN else []
            allow = "" if sources.read else ', or allow sources with `build = "local"`'
            return SelectionError(
                f"No wheel of `{name}` fits {target.id}{sources.formats.explained(name)}; the "
                "index has\n" + "\n".join(shown) + f"\n\n{said}",
                hint=f"pin a version that has a wheel for this runtime{allow}",
            )
    return LockfileError(
        f"uv finds no versions for {target.id} that fit together\n\n{said}",
        hint="check names and versions; `pip config list` and the files say which indexes are "
        "asked, and the first that has a package counts",
    )


def _unreached(said: str, places: Places) -> DownloadError | None:
    """Return the error of our own request for what uv could not fetch, if that fails as well."""
    text = " ".join(said.split())
    pages = [each for each in _FETCHED.findall(text) if each.endswith("/")]
    files = [each for each in _FETCHED.findall(text) if not each.endswith("/")]
    names = _NOT_FOUND.findall(text)
    pages += [f"{url.rstrip('/')}/{name}/" for url in _REFUSING.findall(text) for name in names]
    for url in dict.fromkeys(pages):
        try:
            places.downloader().listed(_as_configured(url, places))
        except DownloadError as error:
            return places.explained(error, url)
    for url in dict.fromkeys(files):
        try:
            with scratch_folder() as folder, (folder / "file").open("w+b") as file:
                fetch(url, file, places)
        except DownloadError as error:
            return places.explained(error, url)
    return None


def _as_configured(url: str, places: Places) -> str:
    """Return the URL of a page as uv was given it: it hides the credentials."""
    for index in places.indexes:
        bare = redact(index).replace("****@", "")
        if url.replace("****@", "").startswith(bare):
            return index + url.replace("****@", "").removeprefix(bare)
    return url.replace("****@", "")


def _own_words(lines: Iterable[str]) -> list[str]:
    """Return what uv says without advice about options that only we could set."""
    return [line for line in lines if not (line.startswith("hint:") and "`--" in line)]
