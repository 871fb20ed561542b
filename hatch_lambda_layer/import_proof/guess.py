"""The target of a layer that nobody names: what the names of its files tell."""

from __future__ import annotations

import os
import platform
import re
from typing import TYPE_CHECKING

from .._internal.zip_reader import ArchiveError, read_directory
from ..exceptions import LambdaLayerError
from ..targets.target import Architecture, Target, runtimes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..layer.manifest import LayerManifest

_SITE = re.compile(r"^python/lib/(python3\.\d+)/site-packages/", re.MULTILINE)
_EXTENSION = re.compile(r"\.cpython-3(\d+)-(x86_64|aarch64)-linux-gnu\.so$", re.MULTILINE)
# Of macOS and Windows there are others: they tell nothing, and the audit refuses them.
_NATIVE = re.compile(r"(?<!-darwin)\.so(\.[\d.]+)?$", re.MULTILINE)


def target_of(
    layer: Path, manifest: LayerManifest | None, runtime: str | None, architecture: str | None
) -> Target:
    """Return the target of a layer: as it was named, else by its manifest, else by its files.

    Raises `LambdaLayerError` where nothing tells.
    """
    if manifest is not None:
        runtime, architecture = runtime or manifest.runtime, architecture or manifest.architecture
    if runtime is None or architecture is None:
        names = "\n".join(_names(layer))
        runtime = runtime or _runtime(names)
        architecture = architecture or _architecture(names)
    if runtime is None or runtime not in runtimes():
        raise LambdaLayerError(
            f"Runtime {runtime!a} is unknown"
            if runtime
            else f"Nothing tells the runtime of {layer}",
            hint=f"name one with `--runtime`: {', '.join(runtimes())}",
        )
    try:
        found = Architecture.parse(architecture or "")
    except ValueError:
        unknown = f"Architecture {architecture!a} is unknown"
        raise LambdaLayerError(
            unknown if architecture else f"Nothing tells the architecture of {layer}",
            hint="name it with `--architecture`: x86_64 or arm64",
        ) from None
    return Target(runtimes()[runtime], found)


def _names(layer: Path) -> Iterable[str]:
    if layer.is_dir():
        return (path.relative_to(layer).as_posix() for path in layer.rglob("*"))
    try:
        with layer.open("rb") as stream:
            return [entry.name for entry in read_directory(stream)]
    except ArchiveError as error:
        raise LambdaLayerError(f"{layer} is refused: {error.reason}") from error
    except OSError as error:
        raise LambdaLayerError(f"{layer} can't be read: {os.strerror(error.errno or 0)}") from error


def _runtime(names: str) -> str | None:
    found = {*_SITE.findall(names)} or {
        f"python3.{minor}" for minor, _ in _EXTENSION.findall(names)
    }
    return found.pop() if len(found) == 1 else None


def _architecture(names: str) -> str | None:
    found = {machine for _, machine in _EXTENSION.findall(names)}
    if not found and not _NATIVE.search(names):
        # Without native code, it is for any; most machines can run only their own.
        found = {platform.machine().lower()}
    return found.pop() if len(found) == 1 else None
