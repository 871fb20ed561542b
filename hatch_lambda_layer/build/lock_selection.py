"""Resolving a layer: read the lockfile, select for a target, check where the packages come from.

Members of the matrix that share a lock share its reading. Locks and selections are kept in the
cache, unless they hold secrets.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from .._internal.process import redact
from ..lockfiles import LockRequest, find_lockfile
from ..lockfiles.protocol import Lock
from ..wheels.origins import check_origins
from ..wheels.selection import Selection, select, selection_key
from .source_metadata import SourceReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .._internal.console import Console
    from ..config.layer import LayerConfig
    from ..index.auth import IndexAccess
    from ..index.pages import Link
    from ..layout import LayerPathLayout
    from ..lockfiles import FoundLockfile
    from ..lockfiles.build_settings import BuildSettings
    from ..lockfiles.protocol import Lockfile
    from ..targets.target import Target
    from ..wheels.cache import WheelCache


class Resolver:
    """The selections of one project's layers; what a tool has locked is not resolved again."""

    def __init__(
        self, layout: LayerPathLayout, cache: WheelCache, console: Console, access: IndexAccess
    ) -> None:
        self._layout = layout
        self._store = cache.store
        self._sources = SourceReader(layout=layout, cache=cache, console=console, access=access)
        self._console = console
        self._access = access
        self._locks: dict[tuple[object, ...], Lock] = {}
        self._told: set[str] = set()

    def selection(self, config: LayerConfig, target: Target) -> Selection:
        """Return what the lockfile selects for a layer on a target.

        Raises `LockfileError`, `ToolError`, `SelectionError` and `OriginError`.
        """
        lock = self.lock(config, target)
        key = selection_key(lock, target)
        kept = self._store.get("selections", key)
        selection = None if kept is None else Selection.decode(kept)
        if selection is None:
            selection = select(lock, target)
            # Passwords and signed URLs must not get into the cache.
            urls = " ".join(f"{each.location} {each.index_url}" for each in selection.all)
            if redact(urls) == urls:
                self._store.put("selections", key, selection.encode())
        for note in selection.notes:
            self._console.warn_once(note)
        return check_origins(selection, lock, self._access.own, self._ask_index)

    def lock(self, config: LayerConfig, target: Target) -> Lock:
        """Read the lockfile for a layer, once for all members that share the request.

        Raises `LockfileError`, `ToolError` and `SelectionError`.
        """
        settings = partial(self.build_settings, config)
        read_source = partial(self._sources.metadata, config, target, settings)
        request = replace(self._request(config), read_source=read_source)
        lockfile, path, request = find_lockfile(config.tool, request, self._tell_once)
        key = (path, request, target if lockfile.per_target else None)
        if key not in self._locks:
            self._locks[key] = self._read(lockfile, path, request, target)
        for warning in self._locks[key].warnings:
            self._console.warn_once(warning)
        return self._locks[key]

    def find(self, config: LayerConfig) -> FoundLockfile:
        """Return the lockfile of a layer; raise `LockfileError` where it can't be told which."""
        return find_lockfile(config.tool, self._request(config), self._tell_once)

    def default_indexes(self, config: LayerConfig) -> Sequence[str]:
        """Return the URLs of the indexes of packages for which the lockfile names none.

        They may contain credentials. Raises `LockfileError` and `ToolError`.
        """
        lockfile, path, request = self.find(config)
        return lockfile.default_indexes(path, request)

    def build_settings(self, config: LayerConfig) -> BuildSettings:
        """Return what the settings of the lockfile's tool say of building sources.

        Raises `LockfileError`.
        """
        lockfile, path, request = self.find(config)
        return lockfile.build_settings(path, request)

    def _tell_once(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._console.info(message)

    def _request(self, config: LayerConfig) -> LockRequest:
        return LockRequest(
            layout=self._layout,
            groups=config.only_groups or config.groups,
            extras=config.extras,
            main=not config.only_groups,
            lockfile=config.lockfile,
            requirements=config.requirements,
            build=config.build != "never",
            access=self._access,
        )

    def _read(self, lockfile: Lockfile, path: Path, request: LockRequest, target: Target) -> Lock:
        key = lockfile.key(path, request, target)
        kept = self._store.get("lockfiles", key) if key else None
        if kept is not None and (lock := Lock.decode(kept, path)) is not None:
            return lock
        if lockfile.is_slow:
            self._console.info(f"Reading {path.name}")
        lock = lockfile.read(path, request, target)
        # Passwords and signed URLs must not get into the cache.
        if key and redact(text := lock.text.decode()) == text:
            self._store.put("lockfiles", key, lock.encode())
        return lock

    def _ask_index(self) -> Callable[[str, str], list[Link] | None]:
        from ..index.download import Downloader

        return Downloader(self._access).links
