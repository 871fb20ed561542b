"""The folder for what is made on the way to a layer; it goes with the build."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from .._internal.ownership import owned
from ..exceptions import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..layout import LayerPathLayout

# Of the work folder: git leaves it alone, and so does whoever copies or archives a folder around
# it (https://bford.info/cachedir).
_MARKS = {
    ".gitignore": "*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n",
}


@contextmanager
def work_folder(layout: LayerPathLayout) -> Iterator[None]:
    """Make an empty folder for what is made on the way, and remove it at the end."""
    with ExitStack() as stack:
        try:
            _make_work_folder(layout, stack)
        except OSError as error:
            raise OutputError(f"{layout.dir_artifacts} can't be made: {error.strerror}") from error
        yield


def _make_work_folder(layout: LayerPathLayout, stack: ExitStack) -> None:
    stack.callback(_remove_empty, layout.dir_artifacts)
    layout.dir_build_lambda.mkdir(parents=True, exist_ok=True)
    for name, text in _MARKS.items():
        mark = layout.dir_build_lambda / name
        if not mark.exists() or mark.read_text(encoding="utf-8") != text:
            mark.write_text(text, encoding="utf-8")
    while not layout.dir_work.exists():
        layout.dir_artifacts.mkdir(parents=True, exist_ok=True)
        # Another build that ends may remove the folder as long as it is empty.
        with suppress(FileNotFoundError):
            stack.enter_context(owned(layout.dir_work))
            layout.dir_work.mkdir()


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
