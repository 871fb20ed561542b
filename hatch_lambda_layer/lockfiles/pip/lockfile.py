"""`requirements.txt`: read here where it has hashes, else resolved by uv."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from ..._internal.process import redact
from ...exceptions import LockfileError, backticked
from ..protocol import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ...targets.target import Target
    from ..build_settings import BuildSettings
    from ..graph import LockGraph
    from ..protocol import LockRequest
    from .requirements import RequirementsFiles
    from .settings import PipSettings

# Incremented when the same files are locked differently than before.
_SCHEMA = 2


class PipLockfile:
    """Requirements files: with hashes they are a lock, without they are resolved by uv.

    Where a source has to be built for what it requires, the request says whether that is allowed.
    """

    tool = "pip"
    filename = "requirements.txt"
    # Without `--python-version`, uv leaves out what only Pythons older than its own need.
    command = (
        "uv pip compile pyproject.toml --universal --python-version OLDEST --generate-hashes "
        "-o requirements.txt"
    )
    update = f"{command} -P"
    per_target = True
    is_slow = True

    def find(self, request: LockRequest) -> list[Path]:
        """Return the path of the first requirements file, if it is there.

        Raises `LockfileError` where one that `requirements` names is missing.
        """
        root = request.layout.dir_project_root
        # Path.is_file() fails for a name that is too long.
        missing = [
            name
            for name in request.requirements
            if not os.path.isfile(root / name)  # noqa: PTH113
        ]
        if missing:
            raise LockfileError(
                f"No lockfile: {backticked(missing)} is missing in {root}, and `requirements` "
                "names it",
                hint=f"make it, as with `{self.command}`",
            )
        path = root / self._names(request)[0]
        return [path] if path.is_file() else []

    def read(self, path: Path, request: LockRequest, target: Target) -> Lock:
        """Read files with hashes here; have uv resolve others, for which it asks the indexes.

        These decide then what is locked: the lock has a warning. Raises `LambdaLayerError`.
        """
        self._refuse_selection(path, request)
        settings, files = self._settings_and_files(request)
        if _is_read_here(files):
            return self._read_hashed(path, request, target, settings, files)
        from .resolution import resolve

        settings.check(resolving=True)
        names = self._names(request)
        found = resolve(path, request, target, settings, files)
        unfixed = (
            f"There are no hashes in {backticked(names)}: the layer can change although the "
            f"project does not; lock with hashes, as with `{self.command}`"
        )
        return Lock(
            path=path,
            command=self.command,
            text=found.text,
            folder=files.root,
            warnings=(unfixed, *found.warnings),
            resolved=True,
            required=found.required,
            unlisted="finding",
        )

    def key(self, path: Path, request: LockRequest, target: Target) -> str | None:  # noqa: ARG002
        """Return a key of the lock: equal keys mean equal locks, `None` that an index decides.

        Where all files are here, with hashes for everything, an index decides the URLs only; those
        depend on pip's settings, which are in the key as well.
        """
        settings, files = self._settings_and_files(request)
        if not (_is_read_here(files) and files.is_settled) or self._selects(request):
            return None
        root = request.layout.dir_project_root
        facts = [
            _SCHEMA,
            self._names(request),
            [(os.path.relpath(path, root), _digest(text)) for path, text in files.texts.items()],
            files.expanded,
            target.marker_environment(),
            target.platforms(),
            request.left_out,
            redact(repr(settings)),
            [(index.url, index.packages) for index in request.access.own],
            list(_local_files(settings, files)),
        ]
        return _digest(json.dumps(facts, sort_keys=True).encode())

    def default_indexes(self, path: Path, request: LockRequest) -> Sequence[str]:
        """Return the URLs that pip searches, by its settings and the requirements files."""
        settings, files = self._settings_and_files(request)
        from .searched import indexes

        return indexes(settings, files, path.parent)

    def dependencies(self, path: Path) -> None:
        """Return `None`: the lines say nothing of what packages require."""

    def graph(self, path: Path, request: LockRequest) -> LockGraph:  # noqa: ARG002
        """Return what requires what, as far as comments in the files tell."""
        from .graph import read_graph

        _, files = self._settings_and_files(request)
        return read_graph(files.texts.values())

    def build_settings(self, path: Path, request: LockRequest) -> BuildSettings:  # noqa: ARG002
        """Return the settings of pip and `uv pip` about building sources."""
        from ..installers import installers_build_settings

        # Which files are locked is decided by `--only-binary` already.
        return installers_build_settings(request.layout.dir_project_root)

    def _read_hashed(
        self,
        path: Path,
        request: LockRequest,
        target: Target,
        settings: PipSettings,
        files: RequirementsFiles,
    ) -> Lock:
        from .hashed import HashedRequirements
        from .places import Places
        from .searched import find_links, formats, indexes, unreached

        settings.check(resolving=False)
        root = request.layout.dir_project_root
        own = tuple(index.url for index in request.access.own)
        found = tuple(indexes(settings, files, root)) if files.lines else ()
        requirements = HashedRequirements(
            files=files,
            places=Places(
                root=root,
                access=request.access,
                indexes=(*found, *own) if found else (),
                pages=tuple(find_links(settings, files)),
                unreached=unreached(settings, files),
            ),
            formats=formats(settings, files),
            target=target,
            any_python=settings.ignore_requires_python,
            left_out=frozenset(request.left_out),
        )
        text, warnings, required = requirements.lock()
        return Lock(
            path=path,
            command=self.command,
            text=text,
            folder=root,
            warnings=warnings,
            required=required,
            unlisted="finding" if settings.no_deps else "error",
        )

    def _names(self, request: LockRequest) -> tuple[str, ...]:
        return request.requirements or (self.filename,)

    def _settings_and_files(self, request: LockRequest) -> tuple[PipSettings, RequirementsFiles]:
        """Read both; the indexes' credentials and certificates in them count from now on."""
        from .lines import url_with_credentials
        from .requirements import RequirementsFiles
        from .settings import read_settings

        settings = read_settings(os.environ)
        root = request.layout.dir_project_root
        files = RequirementsFiles(root, self._names(request), settings.constraints, os.environ)
        if settings.no_require_hashes:
            files.has_hashes &= files.is_settled
        files.has_hashes |= settings.require_hashes
        urls = [settings.index_url or "", *settings.extra_index_urls, *settings.find_links]
        urls += [value for _, value, _ in files.options]
        urls += filter(None, (url_with_credentials(each.text) for each in files.lines))
        certificates = {"pip's setting `cert`": settings.cert} if settings.cert else {}
        request.access.learn([each for each in urls if "://" in each], certificates)
        # What sources need to be built comes from there as well.
        if settings.index_url and not settings.no_index:
            request.access.search([settings.index_url, *settings.extra_index_urls])
        return settings, files

    def _selects(self, request: LockRequest) -> bool:
        return bool(request.groups or request.extras)

    def _refuse_selection(self, path: Path, request: LockRequest) -> None:
        if self._selects(request):
            raise LockfileError(
                f"Lockfile `{path}` has no groups and no extras: what pip installs comes from "
                "requirements files alone",
                hint="leave out `groups`, `extras` and `only-groups`, and name a file for each in "
                "`requirements`",
            )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_read_here(files: RequirementsFiles) -> bool:
    """Return whether nothing is left to be resolved: hashes are required, or there is nothing."""
    return files.has_hashes or not (files.lines or files.problems)


def _local_files(settings: PipSettings, files: RequirementsFiles) -> Iterator[list[object]]:
    """Yield what changes when a local file does that the requirements or a page could name."""
    from .lines import local_path
    from .searched import find_links

    places = [*find_links(settings, files), *(line.text.partition(";")[0] for line in files.lines)]
    for place in places:
        text = local_path(place) if place.startswith("file:") else place.strip()
        path = files.root / text
        if "://" in text or not os.path.exists(path):  # noqa: PTH110  # no error for a long name
            continue
        for each in sorted(path.iterdir()) if path.is_dir() else [path]:
            status = each.stat()
            yield [place, each.name, status.st_size, status.st_mtime_ns]
