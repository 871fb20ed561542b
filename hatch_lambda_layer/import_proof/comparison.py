"""The wheels of a layer, installed as anybody would install them: what the layer is compared with.

A module that can't be imported from these, either, is not one that the layer broke.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._internal.process import run
from .._internal.uv import find_uv
from ..exceptions import ToolError
from ..wheels.selection import LockedWheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ..layer.manifest import LayerManifest
    from ..targets.target import Target
    from ..wheels.cache import WheelCache
    from ..wheels.wheel import Wheel

# The versions of glibc that uv knows a platform for, as the minor version of `2.X`.
_GLIBC_OF_UV = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Wheels:
    """The things to install for a comparison: wheels of the cache, or distributions by version."""

    files: tuple[tuple[Path, str], ...] = ()
    pins: tuple[str, ...] = ()


def of_wheels(wheels: Iterable[Wheel]) -> Wheels:
    """Return verified wheels."""
    return Wheels(files=tuple((each.file, each.filename) for each in wheels))


def of_manifest(manifest: LayerManifest, cache: WheelCache) -> Wheels:
    """Return the wheels of a layer that was built here; those that the cache lacks are left out.

    They are not asked for by name: an index may have another project of that name.
    """
    files = []
    for each in manifest.packages:
        facts = (each.name, each.version, each.wheel, each.sha256)
        locked = LockedWheel(*facts, size=None, location="", index_url=None)
        wheel = cache.wheel(locked) or cache.recheck(locked)
        if wheel is not None:
            files.append((wheel.file, wheel.filename))
    return Wheels(files=tuple(files))


def of_distributions(distributions: Iterable[tuple[str, str]]) -> Wheels:
    """Return what to install for a layer of another tool, which tells names and versions only."""
    return Wheels(pins=tuple(sorted(f"{name}=={version}" for name, version in distributions)))


def install(wheels: Wheels, target: Target, folder: Path) -> bool:
    """Install wheels into `python/` of the new `folder`; return whether there are any.

    uv takes wheels only, so that nothing in them is run, and has the user's settings. What it
    can't install is left out.
    """
    folder.mkdir()
    requirements = list(wheels.pins)
    for number, (file, name) in enumerate(wheels.files):
        # The cache has no names for them; several may have the same.
        (folder / f"wheel-{number}").mkdir()
        link = folder / f"wheel-{number}" / name
        link.symlink_to(file)
        requirements.append(str(link))
    site = folder / "python"
    if not _install(requirements, target, site) and len(requirements) > 1:
        for requirement in requirements:
            _install([requirement], target, site)
    return site.is_dir()


def _install(requirements: Sequence[str], target: Target, site: Path) -> bool:
    if not requirements:
        return True
    major, minor = target.runtime.python_version
    glibc = min(each for each in _GLIBC_OF_UV if each >= target.runtime.glibc[1])
    platform = f"{target.architecture.machine}-manylinux_2_{glibc}"
    argv = [find_uv(), "pip", "install", "--quiet", "--color", "never", "--no-deps"]
    argv += ["--only-binary", ":all:", "--no-compile-bytecode", "--link-mode", "copy"]
    argv += ["--python-version", f"{major}.{minor}", "--python-platform", platform]
    argv += ["--no-python-downloads", "--target", str(site), "--", *requirements]
    try:
        run(argv, cwd=site.parent, env=os.environ, timeout=_SECONDS)
    except ToolError:
        return False
    return True
