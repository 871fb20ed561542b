"""Sources in git: a commit that the lockfile names, and the repository around a local folder.

git runs as the user, whose keys and credential helpers may be needed; the build backend can see
none of them. git never asks for a password.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from .._internal.git import TRANSPORTS, git_environment, refused_transport, url_and_environment
from .._internal.process import LONGEST_SECONDS, redact, run
from .._internal.removal import remove_tree
from ..exceptions import BuildError, ToolError, ToolTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .deadline import Deadline

# The messages of servers and of git for a commit that can't be fetched by its hash.
_UNKNOWN_COMMIT = re.compile(
    "not our ref|unadvertised object|find remote ref|no such remote ref|unknown commit",
    re.IGNORECASE,
)


def check_out(url: str, commit: str, folder: Path, title: str, deadline: Deadline) -> None:
    """Make `folder` a work tree of the commit, with its history, tags and submodules.

    Backends ask git for the version. The files of other commits are left out where the server
    supports that. Raises `BuildError`.
    """
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit) is None:
        raise BuildError(
            f"{commit!a}, which is locked for {title}, is not a git commit (40 or 64 hex digits)",
            hint="lock again",
        )
    url, environment = url_and_environment(url.removeprefix("git+"))
    _check_transport(url, title)
    git = _Git(folder, environment, deadline)
    check = f"git ls-remote {redact(url)}"
    try:
        git.run("init", "--quiet", "--template=")
        git.run("remote", "add", "--", "origin", url)
        if not _fetch(git, commit):
            raise BuildError(
                f"The repository {redact(url)} of {title} does not have commit {commit} (any more)",
                hint="lock again, or ask who rewrote its history",
            )
        git.run("checkout", "--quiet", "--detach", commit)
        if (folder / ".gitmodules").exists():
            git.run("submodule", "update", "--init", "--recursive", "--quiet")
        # It has the URL as the user's configuration changes it, which can add credentials.
        (folder / ".git" / "FETCH_HEAD").unlink(missing_ok=True)
    except ToolTimeoutError as error:
        slow = (
            f"check that `{check}` answers, or set `build-timeout` in [tool.lambda-layer] to more"
        )
        raise deadline.missed_by(title, error, f"{slow} seconds") from error
    except ToolError as error:
        raise BuildError(
            f"The repository {redact(url)} of {title} can't be fetched with git\n\n{error.message}",
            hint="git can't ask for a password here: check that "
            f"`{check}` works without asking for one",
        ) from error


def shadow(repository: Path, folder: Path, copy: Path, deadline: Deadline) -> None:
    """Make `copy` a clone of the repository for `folder` alone, without its files.

    Objects are shared with the repository, which is only read. Where git fails, there is no clone
    and so no history: a backend that needs one reports that.
    """
    if shutil.which("git") is None:
        return
    # Files in Git LFS need not be fetched: those of `folder` are copied afterwards.
    environment = {**git_environment(), "GIT_LFS_SKIP_SMUDGE": "1"}
    git = _Git(copy, environment, deadline)
    prefix = folder.relative_to(repository).as_posix()
    try:
        clone = ("clone", "--quiet", "--no-checkout", "--shared", "--template=")
        _Git(repository, environment, deadline).run(*clone, "--", str(repository), str(copy))
        if prefix == ".":
            git.run("read-tree", "HEAD")
            return
        # git must not consider the folders that are not copied as deleted.
        git.run("config", "core.sparseCheckout", "true")
        # What lies in the folders beside it are links, and no changes.
        git.run("config", "sparse.expectFilesOutsideOfPatterns", "true")
        patterns = copy / ".git" / "info" / "sparse-checkout"
        patterns.parent.mkdir(exist_ok=True)
        patterns.write_text(f"/{_escaped(prefix)}/\n", encoding="utf-8")
        git.run("read-tree", "-mu", "HEAD")
        # These are the files of the last commit; the present ones are copied afterwards.
        remove_tree(copy / prefix)
        changed = [each for each in _changes(repository) if not each.startswith(f"{prefix}/")]
        if changed:
            # One change makes it as dirty as all do.
            git.run("update-index", "--force-remove", "--", changed[0])
    except ToolError:
        remove_tree(copy)


def ignore(copy: Path, paths: Iterable[str]) -> None:
    """Let git ignore paths of a clone that its repository does not have, or has otherwise."""
    info = copy / ".git" / "info"
    if info.is_dir():
        with (info / "exclude").open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"/{_escaped(path)}\n" for path in paths)


def describe(repository: Path) -> str:
    """Return what a backend may ask of a repository: commit, tags that lead to it, and changes.

    Of these, only whether there are any. Empty where there is no commit.
    """
    # Part of every build of such a folder; these start nothing.
    git = _Git(repository, git_environment(), supervised=False)
    try:
        commit = git.run("rev-parse", "--verify", "HEAD")
        tags = git.run("tag", "--merged", "HEAD", "--format=%(refname) %(objectname)")
        is_dirty = any(_changes(repository))
    except ToolError:
        return ""
    return (commit + tags).decode("utf-8", "surrogateescape") + ("dirty" if is_dirty else "")


def _changes(repository: Path) -> list[str]:
    """Return the files that have changed since the commit, of those that git knows."""
    git = _Git(repository, git_environment(), supervised=False)
    status = git.run("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames")
    return [line[3:] for line in status.decode("utf-8", "surrogateescape").split("\0") if line]


def detach(copy: Path, deadline: Deadline) -> None:
    """Copy into `copy` the objects that it shares with another repository.

    Where git fails, the history is removed: a backend that needs one reports that.
    """
    alternates = copy / ".git" / "objects" / "info" / "alternates"
    if not alternates.exists():
        return
    try:
        _Git(copy, git_environment(), deadline).run("repack", "-a", "-d", "--quiet")
        alternates.unlink()
    except ToolError:
        remove_tree(copy / ".git")


class _Git:
    """The `git` program in one folder and environment, at most until a deadline."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        deadline: Deadline | None = None,
        *,
        supervised: bool = True,
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._deadline = deadline
        self._supervised = supervised
        self._program = shutil.which("git")

    def run(self, *arguments: str) -> bytes:
        if self._program is None:
            raise BuildError(
                "A source is in a git repository, and `git` was not found",
                hint="install git, or put it on the PATH",
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        return run(
            [self._program, *arguments],
            cwd=self._folder,
            env=self._environment,
            timeout=self._deadline.left() if self._deadline else LONGEST_SECONDS,
            supervised=self._supervised,
        )


def _fetch(git: _Git, commit: str) -> bool:
    """Fetch the commit and its history; return whether the repository has it."""
    fetch = ("fetch", "--quiet", "--tags", "--filter=blob:none", "--no-recurse-submodules")
    try:
        git.run(*fetch, "origin", commit)
    except ToolError as error:
        if not _UNKNOWN_COMMIT.search(error.output):
            raise
    else:
        return True
    # Some servers do not serve a commit by its hash, only those of a branch or a tag.
    git.run(*fetch, "origin", "+refs/*:refs/remotes/origin/*")
    try:
        git.run("rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}")
    except ToolError:
        return False
    return True


def _check_transport(url: str, title: str) -> None:
    """Raise `BuildError` for a URL that names a transport which could run anything."""
    if transport := refused_transport(url):
        raise BuildError(
            f"The repository {redact(url)} of {title} is refused: `{transport}` is not "
            f"one of {', '.join(f'`{each}://`' for each in TRANSPORTS)}",
            hint="lock it with another URL",
        )


def _escaped(path: str) -> str:
    """Return `path` as a pattern of `.gitignore` that matches only itself."""
    return re.sub(r"([\\*?\[\]!# ])", r"\\\1", path)
