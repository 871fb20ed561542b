"""The state of a project's layers when their build is interrupted, read from the files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..exceptions import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Outcome:
    """The changes to the layers at `zip_paths`, and to their manifests, since it was made.

    `cleaned` is for a caller who has removed those of before.
    """

    def __init__(self, zip_paths: Iterable[Path], *, cleaned: bool = False) -> None:
        self._zip_paths = tuple(zip_paths)
        self._cleaned = cleaned
        paths = [*self._zip_paths, *(path.with_suffix(".json") for path in self._zip_paths)]
        self._before = {path: _identity(path) for path in paths}

    @contextmanager
    def told_when_interrupted(self) -> Iterator[None]:
        """Note on the exception of an interruption what has become of the layers."""
        try:
            yield
        except (Interrupted, KeyboardInterrupt) as error:
            error.add_note(str(self))
            raise

    def __str__(self) -> str:
        """Return what was written, as a part of a sentence."""
        rest = "what was there before is untouched"
        if self._cleaned:
            rest = "what was there before has been removed, as asked"
        if not (written := self.written):
            return f"no layer was written, {rest}"
        names = ", ".join(path.name for path in written)
        halves = [each for each in written if not self._changed(each.with_suffix(".json"))]
        without = "".join(f", {each.name} without its manifest (build again)" for each in halves)
        return f"written: {names}{without}; {rest} otherwise"

    @property
    def written(self) -> list[Path]:
        """The layers that were written, each complete."""
        return [path for path in self._zip_paths if self._changed(path)]

    def _changed(self, path: Path) -> bool:
        now = _identity(path)
        return now is not None and now != self._before[path]


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Return what differs for every file that replaces another; `None` where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
