"""Requirements without hashes: all that decides how uv resolves them, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._internal.scratch import scratch_folder
from ...exceptions import LockfileError
from ..default_index import default_index
from . import searched
from .lines import local_path
from .places import Places
from .resolved import ResolvedRequirements
from .sources import Sources
from .uv_call import UvCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ...targets.target import Target
    from ..protocol import LockRequest
    from .requirements import RequirementsFiles
    from .resolved import ResolvedLock
    from .settings import PipSettings


def resolve(
    path: Path,
    request: LockRequest,
    target: Target,
    settings: PipSettings,
    files: RequirementsFiles,
) -> ResolvedLock:
    """Return what the files, the first of which is at `path`, resolve to for a target.

    Raises `LambdaLayerError`.
    """
    _check_options(files)
    with scratch_folder() as folder:
        call = _call(request, target, settings, files, _new(folder / "uv"))
        sources = Sources(
            folder=_new(folder / "sources"),
            path=path,
            root=files.root,
            target=target,
            places=_places(request, settings, files),
            formats=searched.formats(settings, files),
            read=request.read_source if request.build else None,
            pre=call.pre,
            left_out=frozenset(request.left_out),
        )
        return ResolvedRequirements(files=files, call=call, sources=sources).lock()


def _call(
    request: LockRequest,
    target: Target,
    settings: PipSettings,
    files: RequirementsFiles,
    folder: Path,
) -> UvCall:
    first, *extra = searched.configured_indexes(settings, files) or [None]
    return UvCall(
        target=target,
        folder=folder,
        access=request.access,
        indexes=tuple(filter(None, extra)),
        default=first,
        find_links=tuple(_existing(searched.find_links(settings, files), files.root)),
        no_index=not searched.configured_indexes(settings, files),
        pre=settings.pre or searched.has_option(files, "--pre"),
        no_deps=settings.no_deps,
        certificate=settings.cert,
    )


def _places(request: LockRequest, settings: PipSettings, files: RequirementsFiles) -> Places:
    """Return where sources are looked for; as for uv, the default index comes last."""
    first, *extra = searched.configured_indexes(settings, files) or [None]
    own = [index.url for index in request.access.own]
    indexes = [*own, *filter(None, extra), first or default_index(files.root)]
    return Places(
        root=files.root,
        access=request.access,
        indexes=tuple(indexes) if searched.configured_indexes(settings, files) else (),
        pages=tuple(searched.find_links(settings, files)),
        unreached=searched.unreached(settings, files),
    )


def _check_options(files: RequirementsFiles) -> None:
    """Raise `LockfileError` for an option in the files that uv can't follow."""
    for option, value, _ in files.options:
        if option == "--no-binary" and ":all:" in value.split(","):
            raise LockfileError(
                "`--no-binary :all:` is not followed where requirements have no hashes",
                hint="name the packages whose wheels must not be used",
            )


def _existing(links: Iterable[str], root: Path) -> Iterator[str]:
    """Yield what uv can search: URLs and folders; pip passes over what is not there."""
    for place in links:
        if "://" in place and not place.startswith("file:"):
            yield place
            continue
        path = root / (local_path(place) if place.startswith("file:") else place)
        if path.is_dir():
            yield str(path)
        elif path.exists():
            raise LockfileError(
                f"`--find-links {place}` is a page on this machine, which is followed only where "
                "requirements have hashes",
                hint="name the folder with the files",
            )


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
