"""The layers of one project: which are built, under which names, and what is reported."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .._internal.filelock import locked
from .._internal.ownership import sweep
from .._internal.store import CACHE_SIZE, Store, default_cache_dir
from ..exceptions import LambdaLayerError, MissingLockfileError
from ..findings.codes import UNUSED_PATTERN
from ..index.auth import IndexAccess
from ..reports import text as report
from ..wheels.cache import WheelCache
from ..wheels.shared_cache import open_shared_cache
from .claims import is_anothers, leftovers
from .inputs import BuildContext, lock_digest
from .lock_selection import Resolver
from .outcome import Outcome
from .pipeline import build_layer, plan_layer
from .useless_patterns import useless_patterns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date
    from pathlib import Path

    from .._internal.console import Console
    from ..config.indexes import CodeArtifact
    from ..config.matrix import Matrix, Member
    from ..findings import Finding
    from ..layout import LayerPathLayout
    from .pipeline import BuildPlan, BuiltLayer

# Of the files of one layer.
_SUFFIXES = (".zip", ".json", ".verify.json")


class BuildFailures(LambdaLayerError):  # noqa: N818  # they are several
    """Some of several layers could not be built.

    `errors` has the error of each member of the matrix that failed, by its id; `built` has the
    layers of the others.
    """

    def __init__(self, errors: Mapping[str, LambdaLayerError], built: Sequence[BuiltLayer]) -> None:
        super().__init__(
            f"{len(errors)} of {len(errors) + len(built)} layers failed: {', '.join(errors)}; "
            f"{len(built)} built"
        )
        self.errors = dict(errors)
        self.built = list(built)


@dataclass
class ProjectBuild:
    """The builds of all layers of one project, one after the other.

    `project_wheel` is the path of the project's own wheel if the caller has already built it. With
    `anew`, layers are built also where they are up to date.
    """

    matrix: Matrix
    layout: LayerPathLayout
    pyproject: dict[str, object]
    console: Console
    project_wheel: Path | None = None
    anew: bool = False
    cache: WheelCache = field(default_factory=lambda: WheelCache(Store(default_cache_dir())))

    def __post_init__(self) -> None:
        """Set up what the builds share; no lockfile and no credentials are read yet.

        Raises `ConfigError` for a shared cache that the environment does not name as it should.
        """
        self._has_waited = False
        shared = open_shared_cache(os.environ, self.console)
        self.cache = WheelCache(self.cache.store, shared=shared)
        self._findings: list[tuple[Member, Sequence[Finding]]] = []
        access = IndexAccess(self.matrix.indexes, _codeartifact_token)
        self._context = BuildContext(
            layout=self.layout,
            pyproject=self.pyproject,
            console=self.console,
            cache=self.cache,
            access=access,
            resolver=Resolver(self.layout, self.cache, self.console, access),
            project_wheel=self.project_wheel,
        )

    @property
    def context(self) -> BuildContext:
        """Everything that the builds of the project share."""
        return self._context

    def build(self, member: Member, *, hash_wheels: bool = False) -> BuiltLayer:
        """Build one member of the matrix, unless it is up to date.

        With `hash_wheels`, every wheel of the cache is hashed before it is used. Raises
        `LambdaLayerError`; the layer that was built before is then left as it is.
        """
        if warning := member.target.runtime.warning(_today()):
            self.console.warn_once(warning)
        self._warn_of_cache()
        context = self._context
        if hash_wheels:
            cache = WheelCache(self.cache.store, hash_all=True, shared=self.cache.shared)
            context = replace(context, cache=cache)
        alone = len(self.matrix.members) == 1
        with self._locked(self.layout.dir_output):
            built = build_layer(context, member, self._name(member), anew=self.anew)
        if built.rebuilt:
            self._prune()
        # One table is what a person wants to see; the tables of a matrix are nearly the same.
        if built.rebuilt and (alone or self.console.verbose):
            self.console.info(report.layer_table(built.manifest))
        self._findings.append((member, built.manifest.findings))
        self.console.info(report.layer_totals(built.manifest))
        for finding in built.manifest.findings:
            if finding.is_note:
                self.console.detail(str(finding))
            elif finding.code != UNUSED_PATTERN.id:
                self.console.warning(finding.text)
        self.console.info(
            report.stage_times(built.seconds)
            if built.rebuilt
            else f"{built.zip_path.name} is up to date"
        )
        return built

    def warn_of_patterns(self) -> None:
        """Warn of each pattern of `prune` that matches nothing in the members that were built."""
        for warning in useless_patterns(self.pyproject, self._findings):
            self.console.warn_once(warning)

    def plan(self, member: Member) -> BuildPlan:
        """Return the inputs of a member; no wheel is fetched, and no layer is written."""
        self._warn_of_cache()
        with self._locked():
            return plan_layer(self._context, member, self.zip_path(member))

    def lock_digest(self, member: Member) -> str | None:
        """Return the lock digest that a member would have; `None` where no lockfile fixes it.

        Nothing is fetched or built. Raises `LambdaLayerError` where the lockfile can't be read.
        """
        resolver = self._context.resolver
        with self._locked():
            try:
                lock = resolver.lock(member.config, member.target)
            except MissingLockfileError:
                return None
            if lock.resolved:
                return None
            return lock_digest(member, resolver.selection(member.config, member.target))

    def outcome(self, members: Sequence[Member], *, cleaned: bool = False) -> Outcome:
        """Return what tells, from now on, which layers of `members` have been written."""
        return Outcome(map(self.zip_path, members), cleaned=cleaned)

    def zip_path(self, member: Member) -> Path:
        """Return the path of a member's layer."""
        return self.layout.path_layer_zip(self._name(member))

    def _name(self, member: Member) -> str | None:
        return None if self.matrix.table_ids == {member.id} else member.id

    def build_all(
        self,
        members: Sequence[Member],
        on_failure: Callable[[str, LambdaLayerError], None],
        *,
        hash_wheels: bool = False,
    ) -> Iterator[BuiltLayer]:
        """Yield the layers of several members, each when it is built as by `build`.

        A member that fails does not keep the others from being built: `on_failure` is called with
        its id and the error, and `BuildFailures` is raised at the end. The error itself is raised,
        at once, if it is that of the only member. Where all members that the table has are built,
        the layers that it had before are removed.
        """
        errors: dict[str, LambdaLayerError] = {}
        built: list[BuiltLayer] = []
        for member in members:
            try:
                built.append(self.build(member, hash_wheels=hash_wheels))
            except LambdaLayerError as error:
                if len(members) == 1:
                    raise
                on_failure(member.id, error)
                errors[member.id] = error
            else:
                yield built[-1]
        self.warn_of_patterns()
        if errors:
            raise BuildFailures(errors, built)
        self.remove_leftovers(members)

    def remove_leftovers(self, members: Iterable[Member]) -> None:
        """Remove the layers that the project has made before, if `members` are all of its table.

        Whoever ships `layer.zip` would go on shipping it when it is called something else.
        """
        built = {each.id: self.zip_path(each) for each in members}
        if not self.matrix.table_ids <= built.keys():
            return
        with self._locked(self.layout.dir_output):
            for path in leftovers(self.layout, self._context.project, built.values()):
                for each in (path, path.with_suffix(".json")):
                    each.unlink(missing_ok=True)
                self.console.info(f"{path.name} is removed: this project no longer makes it")

    def clean(self) -> None:
        """Remove the layers of this project, and the work folders of builds that have ended."""
        self.clean_except(())

    def clean_except(self, zip_paths: Iterable[Path]) -> None:
        """Do the same, but leave the layers at `zip_paths`: those that have just been built."""
        kept = {path.with_suffix(suffix) for path in zip_paths for suffix in _SUFFIXES}
        with self._locked(self.layout.dir_output):
            built = self.layout.built_paths()
            anothers = {path for path in built if is_anothers(path, self._context.project)}
            for path in built:
                if path not in kept and path not in anothers:
                    path.unlink(missing_ok=True)
            # Not what another build is working in, should it not have waited for this lock.
            sweep(self.layout.dir_artifacts)
            for folder in (self.layout.dir_artifacts, self.layout.dir_build_lambda_layer):
                with suppress(OSError):
                    folder.rmdir()

    def _locked(self, *others: Path) -> AbstractContextManager[None]:
        """Lock the project and `others` against other builds, whichever cache these use."""
        folders = [self.layout.dir_project_root, *others]
        return locked(folders, self.cache.store.locks, self._say_waiting)

    def _prune(self) -> None:
        """Keep the cache below the limit that the user has set for it."""
        if os.environ.get(CACHE_SIZE):
            from .._internal.pruning import prune, size_limit

            pruned = prune(self.cache.store, limit=size_limit())
            if pruned.entries:
                self.console.detail(f"the cache had {pruned.entries:,} entries too many")

    def _warn_of_cache(self) -> None:
        if not self.cache.store.trusted:
            self.console.warn_once(
                f"Other users can write to the cache {self.cache.store.root}, so nothing in it is "
                "trusted: wheels are verified again, lockfiles read again, sources built again. "
                "Remove it, or name a folder of your own in HATCH_LAMBDA_LAYER_CACHE_DIR"
            )

    def _say_waiting(self) -> None:
        # It may wait again, for each layer and to remove what is no longer made.
        if not self._has_waited:
            self._has_waited = True
            self.console.info("Waiting for another build of this project to end")


def _codeartifact_token(place: CodeArtifact) -> str:
    from ..aws.codeartifact import authorization_token

    return authorization_token(place)


def _today() -> date:
    return datetime.now(UTC).date()
