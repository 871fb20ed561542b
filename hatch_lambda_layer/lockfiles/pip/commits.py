"""The commit of a git repository that a branch, a tag or nothing at all stands for just now."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from ..._internal.git import TRANSPORTS, refused_transport, url_and_environment
from ..._internal.process import redact, run
from ...exceptions import DownloadError, LockfileError, ToolError
from .lines import COMMIT, git_place

if TYPE_CHECKING:
    from pathlib import Path

    from .needs import Need

_SHORT = re.compile(r"[0-9a-f]{7,39}")
# A repository that does not answer must not hold up a build for an hour.
_SECONDS = 120.0


def find_commit(need: Need, folder: Path) -> tuple[str, str, str]:
    """Return the URL of a line's repository without credentials, its revision, and the commit.

    git is called in `folder`. Raises `LockfileError` for a line that can't be followed, and
    `DownloadError` for a repository that can't be reached.
    """
    place = need.place
    if place is None or place.kind != "git":
        kind = place.kind if place else "no kind"
        raise LockfileError(
            f"`{need.text}` ({need.where}) is a repository of {kind}; only those of git are "
            "supported"
        )
    url, revision = git_place(place.url)
    if transport := refused_transport(url):
        raise LockfileError(
            f"`{need.text}` ({need.where}) is refused: `{transport}` is not one of "
            + ", ".join(f"`{each}://`" for each in TRANSPORTS)
        )
    if COMMIT.fullmatch(revision.lower()):
        return url, revision, revision.lower()
    found = _refs(need, place.url, revision, folder)
    names = (
        [f"refs/heads/{revision}", f"refs/tags/{revision}^{{}}", f"refs/tags/{revision}", revision]
        if revision
        else ["HEAD"]
    )
    commit = next((found[name] for name in names if name in found), None)
    if commit is None:
        short = " (a short commit has to be written in full)" if _SHORT.fullmatch(revision) else ""
        raise LockfileError(
            f"`{need.text}` ({need.where}): {redact(url)} has no branch and no tag "
            f"`{revision or 'HEAD'}`{short}",
            hint=f"see what it has with `git ls-remote {redact(url)}`",
        )
    return url, revision, commit


def _refs(need: Need, place: str, revision: str, folder: Path) -> dict[str, str]:
    """Return the commits of the repository's refs that could be meant, by their names."""
    program = shutil.which("git")
    if program is None:
        raise LockfileError(
            f"`{need.text}` ({need.where}) is in a git repository, and `git` was not found",
            hint="install git, or put it on the PATH",
        )
    bare, environment = url_and_environment(place)
    url = bare.removesuffix(f"@{revision}") if revision else bare
    patterns = [revision, f"refs/tags/{revision}^{{}}"] if revision else ["HEAD"]
    argv = [program, "ls-remote", "--quiet", "--", url, *patterns]
    try:
        said = run(argv, cwd=folder, env=environment, timeout=_SECONDS)
    except ToolError as error:
        raise DownloadError(
            f"The repository {redact(url)} of `{need.text}` ({need.where}) could not be reached"
            f"\n\n{error.message}",
            hint="git can't ask for a password here: check that "
            f"`git ls-remote {redact(url)}` works without asking for one",
        ) from error
    lines = (line.split("\t") for line in said.decode("utf-8", "replace").splitlines())
    return {name: commit for commit, name in lines}
