"""Lockfiles that are not read here: whose they are, and what makes one of them that is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import LockfileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class _Kind(NamedTuple):
    """A kind of lockfile: whose it is, and what to do."""

    whose: str
    hint: str


_PIPENV = _Kind(
    whose="is pipenv's",
    hint="make requirements of it with `pipenv requirements --hash > requirements.txt`",
)
_CONDA = _Kind(
    whose="is conda's (its packages are not wheels)",
    # Without `--python-version`, uv leaves out what only Pythons older than its own need.
    hint="list what the layer needs from PyPI in `requirements.in`, and lock it with `uv pip "
    "compile requirements.in --universal --python-version OLDEST --generate-hashes "
    "-o requirements.txt`",
)
_SCRIPT = _Kind(
    whose="is the lock of one script (PEP 723)",
    hint="make a lock that is read of it with `uv export --script {script} --format pylock.toml "
    "-o pylock.{name}.toml`",
)
# By the patterns of their names.
_BY_NAME = {
    r"Pipfile\.lock": _PIPENV,
    r"(conda-.+|pixi)\.lock|(environment|conda-lock|.+\.conda-lock)\.ya?ml": _CONDA,
    r".+\.py\.lock": _SCRIPT,
}
# What conda writes at the head of its lists, which may have any name.
_CONDA_LIST = re.compile(rb"^(# \$ conda create |@EXPLICIT\b)", re.MULTILINE)
_HEAD = 4096


def find_foreign(folder: Path) -> Sequence[Path]:
    """Return the paths of the lockfiles in a folder that are not read here, sorted."""
    if not folder.is_dir():
        return ()
    return sorted(path for path in folder.iterdir() if _by_name(path) and path.is_file())


def foreign(path: Path) -> LockfileError | None:
    """Return the error that says whose lockfile `path` is; `None` if it may be one that is read."""
    kind = _by_name(path) or (_CONDA if _is_conda_list(path) else None)
    if kind is None:
        return None
    script = path.name.removesuffix(".lock")
    # PEP 751: a name has no dot.
    name = script.removesuffix(".py").replace(".", "-")
    return LockfileError(
        f"`{path}` {kind.whose}, and is not read",
        hint=kind.hint.format(script=script, name=name),
    )


def _by_name(path: Path) -> _Kind | None:
    found = (kind for names, kind in _BY_NAME.items() if re.fullmatch(names, path.name))
    return next(found, None)


def _is_conda_list(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _CONDA_LIST.search(file.read(_HEAD)) is not None
    except OSError:
        return False
