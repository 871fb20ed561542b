"""pip's installation report as a `pylock.toml` (PEP 751) of the one target it was made for.

pip's documentation describes the report ("Installation Report"), and PEP 610 its `download_info`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from ..._internal.process import run
from ...exceptions import LockfileError
from ..pylock_text import render

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_A_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE")


def pylock_text(report: Mapping[str, Any], base: Path, clones: Path) -> bytes:
    """Return the text of the lock, which does not depend on the order of the report.

    Paths are relative to `base`. `clones` is the temporary folder into which pip has cloned the
    repositories of editable requirements. Raises `LockfileError` for a distribution that has
    neither hashes nor a commit in the report.
    """
    packages = [_package(entry, base, clones) for entry in report["install"]]
    packages.sort(key=lambda package: str(package["name"]))
    return render(packages, created_by="hatch-lambda-layer")


def _package(entry: Mapping[str, Any], base: Path, clones: Path) -> dict[str, Any]:
    from packaging.utils import canonicalize_name

    metadata, info = entry["metadata"], entry["download_info"]
    name = canonicalize_name(metadata["name"])
    if "archive_info" in info:
        package = {"name": name, "version": metadata["version"]}
        return package | _archive(info, name, base, is_direct=entry["is_direct"])
    # The version of a folder or a repository is not locked: it can be another one when it is built.
    subdirectory = info.get("subdirectory")
    if "vcs_info" in info:
        return {"name": name, "vcs": _vcs(info["vcs_info"], info["url"], subdirectory)}
    folder = _path(info["url"])
    if Path(folder).is_relative_to(clones):
        return {"name": name, "vcs": _cloned(Path(folder), clones, name)}
    directory = {
        "path": _relative(folder, base),
        "editable": bool(info["dir_info"].get("editable")),
        "subdirectory": subdirectory,
    }
    return {"name": name, "directory": directory}


def _archive(info: Mapping[str, Any], name: str, base: Path, *, is_direct: bool) -> dict[str, Any]:
    url = info["url"]
    file: dict[str, Any] = {"hashes": _hashes(info["archive_info"], name, url)}
    if urlsplit(url).scheme == "file":
        file["path"] = _relative(_path(url), base)
    else:
        file["url"] = _bare(url)
    if is_direct:
        return {"archive": file | {"subdirectory": info.get("subdirectory")}}
    filename = unquote(urlsplit(url).path).rpartition("/")[2]
    named = {"name": filename, **file}
    return {"wheels": [named]} if filename.endswith(".whl") else {"sdist": named}


def _hashes(archive: Mapping[str, Any], name: str, url: str) -> dict[str, str]:
    # pip 22.2 has only the older form of PEP 610.
    algorithm, _, digest = archive.get("hash", "").partition("=")
    hashes: dict[str, str] = archive.get("hashes") or ({algorithm: digest} if digest else {})
    if not hashes:
        raise LockfileError(
            f"The index has no hash of `{name}` ({_bare(url)}): the next download of it could not "
            "be verified",
            hint="write its sha256 into the requirements file, as `--hash=sha256:…`",
        )
    return hashes


def _vcs(vcs: Mapping[str, str], url: str, subdirectory: str | None) -> dict[str, str | None]:
    return {
        "type": vcs["vcs"],
        "url": _bare(url),
        "requested-revision": vcs.get("requested_revision"),
        "commit-id": vcs["commit_id"],
        "subdirectory": subdirectory,
    }


def _cloned(folder: Path, clones: Path, name: str) -> dict[str, str | None]:
    """Return the repository of an editable requirement, from its clone: pip reports no other."""
    repository, *below = folder.relative_to(clones).parts
    if not (clones / repository / ".git").exists():
        raise LockfileError(
            f"Package `{name}` is an editable requirement from a repository that is not in git",
            hint="leave out its `-e`: nothing is editable in a layer",
        )

    # As pip does: in a git hook, these variables name the repository of the hook.
    env = {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY}

    def git(*arguments: str) -> str:
        return run(["git", *arguments], cwd=clones / repository, env=env).decode().strip()

    vcs = {"vcs": "git", "commit_id": git("rev-parse", "HEAD")}
    return _vcs(vcs, git("config", "--get", "remote.origin.url"), "/".join(below) or None)


def _path(url: str) -> str:
    parts = urlsplit(url)
    host = f"//{parts.netloc}" if parts.netloc not in ("", "localhost") else ""
    return url2pathname(host + parts.path)


def _relative(path: str, base: Path) -> str:
    """Return `path` relative to `base` and with slashes, the same wherever the project is."""
    with suppress(ValueError):  # another drive of Windows
        path = os.path.relpath(path, base)
    return path.replace(os.sep, "/")


def _bare(url: str) -> str:
    """Return `url` without credentials; `git@`, which is not one, stays (PEP 610)."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return url if user in ("", "git") else urlunsplit(parts._replace(netloc=host))
