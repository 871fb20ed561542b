"""Choosing the place where a layer is imported: the first that this machine has, and may use."""

from __future__ import annotations

import shutil
import sysconfig
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .._internal.ownership import unique_name
from ..config.container import ENGINES
from ..targets.loading import provided
from .bubblewrap import Bubblewrap, sandbox
from .container import container
from .folder import PlainFolder
from .interpreter import InterpreterError, find_interpreter, is_native
from .places import PlaceError
from .root import existing_root, make_root

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from .._internal.console import Console
    from ..targets.target import Target
    from .contents import Contents
    from .interpreter import Interpreter
    from .places import Place
    from .root import Root

    # Opens a place for a folder with the contents that were found in it.
    Opening = Callable[[Path, Contents], AbstractContextManager[Place]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """The wishes of the user: a place of `PLACES`, an interpreter, the root of an image.

    `trusted` is true for a layer that was made here, or that the user vouches for: only such a
    layer is imported without a sandbox.
    """

    place: str | None = None
    python: Path | None = None
    root: Path | None = None
    trusted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """How to open the place for a layer, and one for wheels to compare the layer with."""

    layer: Opening
    plain: Opening


def choose(target: Target, wishes: Wishes, work: Path, console: Console) -> Places:
    """Return where to import the layers of a target; `work` is a folder for what that needs.

    Wheels are imported on this machine, whose libraries are all there, if it can run them; else in
    a place like the layer's. Raises `PlaceError` and `InterpreterError`.
    """
    if wishes.root is not None:
        bwrap = _working_sandbox()
        opening = partial(_bubblewrap, bwrap, existing_root(wishes.root, target), target, work)
        return Places(layer=opening, plain=opening)
    if wishes.place == "container":
        return _containers(target, work, console)
    try:
        interpreter = _interpreter(target, wishes)
    except (InterpreterError, PlaceError):
        # An image brings an interpreter, and an engine may emulate its processor.
        if wishes.place is None and wishes.python is None and any(map(shutil.which, ENGINES)):
            return _containers(target, work, console)
        raise
    plain = partial(_folder, interpreter, target, work, guarded=True, trusted=wishes.trusted)
    if wishes.place == "bubblewrap" or (wishes.place is None and sandbox() is not None):
        sites = [*interpreter.sites, Path(sysconfig.get_path("purelib"))]
        folder = work / "root"
        made = make_root(folder, interpreter, provided(target), sites)
        layer: Opening = partial(_bubblewrap, _working_sandbox(), made, target, work)
    elif wishes.place is None and any(map(shutil.which, ENGINES)):
        layer = _containers(target, work, console).layer
    else:
        layer = partial(_folder, interpreter, target, work, guarded=False, trusted=wishes.trusted)
    return Places(layer=layer, plain=plain)


def _interpreter(target: Target, wishes: Wishes) -> Interpreter:
    if not is_native(target):
        raise PlaceError(
            f"This machine does not run programs for {target.architecture.value} by itself",
            hint="with emulation (qemu-user-static, binfmt_misc), a container engine does; so does "
            "bubblewrap, with `--root` and the unpacked image of the runtime",
        )
    return find_interpreter(target, wishes.python, provided(target))


def _working_sandbox() -> str:
    found = sandbox()
    if found is None:
        raise PlaceError(
            "There is no bubblewrap that works here",
            hint="install `bubblewrap`; in a container, it needs the right to make namespaces",
        )
    return found


def _containers(target: Target, work: Path, console: Console) -> Places:
    def opening(folder: Path, contents: Contents) -> AbstractContextManager[Place]:
        return container(folder, contents, target, work / unique_name(), console)

    return Places(layer=opening, plain=opening)


def _bubblewrap(
    bwrap: str, root: Root, target: Target, work: Path, folder: Path, contents: Contents
) -> AbstractContextManager[Place]:
    return nullcontext(Bubblewrap(bwrap, root, folder, contents, target, work / unique_name()))


def _folder(
    interpreter: Interpreter,
    target: Target,
    work: Path,
    folder: Path,
    contents: Contents,
    *,
    guarded: bool,
    trusted: bool,
) -> AbstractContextManager[Place]:
    home = work / unique_name()
    home.mkdir()
    place = PlainFolder(folder, contents, interpreter, target, home, guarded=guarded)
    if not place.is_guarded and not trusted:
        raise PlaceError(
            "It was not made here, and without a sandbox, what is imported could do whatever "
            "you can",
            hint="install bubblewrap or a container engine; `--unsafe` imports it all the same",
        )
    return nullcontext(place)
