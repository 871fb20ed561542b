"""The text of a `pylock.toml` (PEP 751), made from the lockfile of another tool.

Lockfiles of poetry and pdm have the names and the hashes of a release's files, but no URLs. To ask
the index for the URLs of all files, needed or not, would take longer than the rest of a build. So
the URLs here name the page of the index, which is read when the file is fetched:
`index+PAGE#FILENAME`, with more pages after spaces where several are possible.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from ..exceptions import LockfileError, backticked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")
# The keys that say where a package comes from.
_PLACES = ("vcs", "directory", "archive", "sdist", "wheels")
# How many packages an error names.
_SHOWN = 6
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def render(
    packages: Iterable[Mapping[str, Any]],
    *,
    created_by: str,
    requires_python: str | None = None,
    environments: Sequence[str] = (),
    without_files: str | None = None,
) -> bytes:
    """Return the text of a `pylock.toml` in UTF-8, with the tables `packages`; `None` is left out.

    `environments` are markers, `requires_python` is version specifiers. Raises `LockfileError`
    where packages have neither a file nor another place; `without_files` is what to do then.
    """
    packages = list(packages)
    if names := [each["name"] for each in packages if not any(map(each.get, _PLACES))]:
        raise _no_files(names, without_files or "lock again with an index that gives sha256 hashes")
    top = {
        "lock-version": "1.0",
        "environments": list(environments) or None,
        "requires-python": requires_python,
        "created-by": created_by,
    }
    lines = _lines(top)
    for package in packages:
        lines += ["", "[[packages]]", *_lines(package)]
    if len(lines) == len(_lines(top)):
        lines.append("packages = []")
    return ("\n".join(lines) + "\n").encode()


def release(
    name: str, files: Iterable[Mapping[str, str]], indexes: Sequence[str]
) -> dict[str, Any]:
    """Return the keys `wheels`, `sdist` and `index` of a release.

    `files` have `hash` and `file`, or `url` where the lockfile has URLs; `indexes` are the URLs of
    those that may have them, the likeliest first. The result has neither wheels nor an sdist where
    no file is one.
    """
    wheels: list[dict[str, Any]] = []
    sdists: list[dict[str, Any]] = []
    for file in files:
        url = file.get("url")
        filename = file.get("file") or (url or "").partition("#")[0].rpartition("/")[2]
        entry = {
            "name": filename,
            "url": without_credentials(url) if url else _page_url(name, filename, indexes),
            "hashes": hashes([file]),
        }
        if filename.endswith(".whl"):
            wheels.append(entry)
        elif filename.endswith(SDIST_SUFFIXES):
            sdists.append(entry)
    # PEP 751 allows one source distribution.
    sdists.sort(key=lambda each: SDIST_SUFFIXES.index(_suffix(each["name"])))
    index = indexes[0] if indexes else None
    return {"index": index, "sdist": next(iter(sdists), None), "wheels": wheels or None}


def _no_files(names: Sequence[str], hint: str) -> LockfileError:
    said = "The lockfile names no file of package" + "s" * (len(names) > 1)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return LockfileError(
        f"{said} {backticked(names[:_SHOWN])}{more}: what an index serves could not be verified",
        hint=hint,
    )


def _page_url(name: str, filename: str, indexes: Sequence[str]) -> str:
    """Return the `index+` URL of a file that is found on its project's page (PEP 503)."""
    from packaging.utils import canonicalize_name

    pages = [
        # A page that has the links of all its projects, as `pip --find-links` reads them.
        index if index.endswith((".html", ".htm")) else f"{index}/{canonicalize_name(name)}/"
        for index in indexes
    ]
    return f"index+{' '.join(pages)}#{quote(filename)}"


def hashes(files: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the table `hashes` for the `hash` of each of `files`, such as `sha256:…`."""
    found = (file.get("hash", "").rpartition(":") for file in files)
    return {algorithm or "sha256": digest for algorithm, _, digest in found if digest}


def without_credentials(url: str) -> str:
    """Return `url` without user and password, which must not get into caches and reports."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def any_of(markers: Iterable[str | None]) -> str | None:
    """Return a marker that holds where one of `markers` does; `None` always holds."""
    distinct = list(dict.fromkeys(markers))
    if not distinct or None in distinct or "" in distinct:
        return None
    if len(distinct) == 1:
        return distinct[0]
    return " or ".join(f"({marker})" for marker in distinct)


def all_of(*markers: str | None) -> str | None:
    """Return a marker that holds where all `markers` do; `None` always holds."""
    distinct = list(dict.fromkeys(filter(None, markers)))
    if len(distinct) < 2:  # noqa: PLR2004  # nothing to join
        return next(iter(distinct), None)
    return " and ".join(f"({marker})" for marker in distinct)


def python_marker(specifiers: str) -> str | None:
    """Return a marker for the Pythons that version specifiers (PEP 440) allow; empty for all."""
    from packaging.specifiers import SpecifierSet

    each = sorted(SpecifierSet(specifiers), key=str)
    return " and ".join(f'python_full_version {one.operator} "{one.version}"' for one in each)


def _suffix(filename: str) -> str:
    return next(suffix for suffix in SDIST_SUFFIXES if filename.endswith(suffix))


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_toml(value)}" for key, value in table.items() if value is not None]


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml(key)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        pairs = (f"{_key(key)} = {_toml(each)}" for key, each in value.items() if each is not None)
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # A string of JSON is one of TOML, except for one character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
