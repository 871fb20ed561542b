"""The build of one source to a verified wheel that fits its target, by the right builder."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from .._internal.interpreters import by_another
from .._internal.removal import remove_tree
from ..exceptions import BuildError
from .built import BuiltWheels
from .deadline import Deadline
from .folders import new_folder
from .named import NamedRequirements
from .prospects import explained
from .protocol import BuildRequest, BuildSession, NativeCodeError
from .sources import around, obtain, read_beside, source_digest, title

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .._internal.store import TemporaryFile
    from ..index.auth import IndexAccess
    from ..targets.target import Target
    from ..wheels.cache import WheelCache
    from ..wheels.selection import LockedSource
    from ..wheels.wheel import Wheel
    from .policy import BuildPolicy
    from .protocol import BuiltWheel, WheelBuilder

    BuildOne = Callable[[BuildRequest], BuiltWheel]

# Incremented when equal sources are built to other wheels than before: older wheels are not used.
_SCHEMA = 2


class SourceBuild:
    """The build of one source for one target, by that of `builders` which its files need."""

    def __init__(
        self,
        source: LockedSource,
        target: Target,
        cache: WheelCache,
        builders: Mapping[str, WheelBuilder],
        policy: BuildPolicy,
        folder: Path,
        access: IndexAccess | None,
        within: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        self.digest = source_digest(source)
        self.requires = policy.settings.requirements_of(source.name, policy.versions)
        self._target = target
        self._built = BuiltWheels(cache)
        self._builders = builders
        self._policy = policy
        self._work_folder = folder
        self._access = access
        self._obtained: tuple[Path, Path] | None = None
        self._within = (*within, source.location)
        self._named = NamedRequirements(
            source, self.requires.extra, policy.settings.folder, self._of_requirement
        )

    @property
    def builder(self) -> WheelBuilder:
        """The builder for this source; of several, it depends on whether it has native code."""
        if len(self._builders) == 1:
            return next(iter(self._builders.values()))
        return self._builders["container" if self._is_native() else "local"]

    def inputs(self) -> tuple[str, str, object]:
        """Return what decides the wheel on every machine, as JSON has it: always the same."""
        facts = [self.builder.inputs(), self._python(), *self.requires, self._named.facts]
        return self.source.name, self.digest, facts

    def cached(self) -> Wheel | None:
        """Return the wheel of an earlier build: a pure one of any machine, or this target's own."""
        from .compatibility import check_identity, fits_by_tag

        for key in self._keys(self._python()):
            wheel = self._built.wheel(key)
            if wheel is not None and fits_by_tag(wheel, self._target):
                check_identity(wheel, self.source)
                return wheel
        return None

    def kept(self, session: BuildSession) -> Wheel | None:
        """Return the wheel of an earlier build, and say so where details are wanted."""
        wheel = self.cached()
        if wheel is not None:
            session.console.detail(f"cached: {title(self.source)}; {self.source.reason}")
        return wheel

    def shared(self) -> Wheel | None:
        """Return the wheel that another machine has built of the same inputs, and keep it here."""
        pure_key, other = self._keys(self._target.runtime.python_version)
        for pure, key in ((False, other), (True, pure_key)):
            if shared_key := self._shared_key(pure=pure):
                check = partial(self._check_shared, pure=pure)
                if wheel := self._built.fetch_shared(shared_key, key, check):
                    return wheel
        return None

    def _check_shared(self, wheel: Wheel, *, pure: bool) -> None:
        from .compatibility import check_fit, check_identity, is_pure

        check_identity(wheel, self.source)
        python = self._target.runtime.python_version
        check_fit(wheel, self.source, self._target, python, self.builder.unfit_hint)
        if pure and not is_pure(wheel):
            raise BuildError(f"The wheel `{wheel.filename}` has another kind of code than its key")

    def run(self, session: BuildSession, build_one: Callable[[WheelBuilder], BuildOne]) -> Wheel:
        """Build the wheel, and put it into the cache once it is verified and known to fit."""
        try:
            wheel = self._run(session, build_one)
        except NativeCodeError as error:
            if "container" not in self._builders:
                raise self._explained(error) from error
            self._built.keep_native(self._native_key, native=True)
            wheel = None
        except BuildError as error:
            raise self._explained(error) from error
        # It has native code although its files have none: the container has to build it.
        return wheel or self.run(session, build_one)

    def _run(
        self, session: BuildSession, build_one: Callable[[WheelBuilder], BuildOne]
    ) -> Wheel | None:
        builder = self.builder
        build = build_one(builder)
        instead = by_another(self._python(), self._target.runtime.python_version)
        session.console.info(f"Building {title(self.source)}{instead}")
        session.console.detail(f"  {self.source.reason}")
        if names := read_beside(self.source):
            session.console.detail(f"  it reads {', '.join(names)} beside its folder")
        deadline = Deadline.after(self._policy.timeout)
        folder, project = self._obtain(deadline)
        self._obtained = None
        try:
            request = BuildRequest(
                name=self.source.name,
                title=title(self.source),
                tree=folder / "tree",
                project=project,
                folder=new_folder(folder),
                target=self._target,
                requirements=session.requirements,
                requires=self.requires,
                provide=partial(
                    self._named.provide,
                    project=project,
                    within=folder / "tree",
                    folder=folder,
                    build=lambda each: each.cached() or each.run(session, build_one),
                ),
                deadline=deadline,
                around=around(self.source),
            )
            return self._inserted(builder, build(request))
        finally:
            remove_tree(folder)

    def _of_requirement(self, source: LockedSource) -> SourceBuild:
        """Return the build of something that this source is built with."""
        if source.location in self._within:
            raise BuildError(
                f"The build of {title(self.source)} requires {title(source)}, which in turn "
                "requires it",
                hint="remove one of them from `requires` of `[build-system]`",
            )
        return SourceBuild(
            source,
            self._target,
            self._built.cache,
            self._builders,
            self._policy,
            self._work_folder,
            self._access,
            self._within,
        )

    def _explained(self, error: BuildError) -> BuildError:
        return explained(error, self.source, self._target, self._policy.relocking)

    def _inserted(self, builder: WheelBuilder, built: BuiltWheel) -> Wheel | None:
        """Put the wheel into the cache; return `None` where another builder has to build it."""
        from .compatibility import check_fit, check_identity, is_pure
        from .local_requirements import names_places, write_without_places

        with ExitStack() as stack:
            temporary, wheel = self._copied(built.path, stack)
            check_identity(wheel, self.source)
            if names_places(wheel):
                write_without_places(wheel, built.path)
                temporary, wheel = self._copied(built.path, stack)
            everywhere = is_pure(wheel) and not built.lacks_native
            if builder.name == "local" and "container" in self._builders and not everywhere:
                self._built.keep_native(self._native_key, native=True)
                return None
            check_fit(wheel, self.source, self._target, built.python, builder.unfit_hint)
            # Under the old digest, the cache would return a wheel of the changed source.
            if source_digest(self.source) != self.digest:
                raise BuildError(
                    f"The source of {title(self.source)} changed while it was built",
                    hint="build again",
                )
            key = self._keys(built.python)[0 if everywhere else 1]
            wheel = self._built.insert(key, temporary, wheel)
        shared_key = self._shared_key(pure=everywhere)
        if shared_key and built.python == self._target.runtime.python_version:
            self._built.put_shared(shared_key, wheel)
        return wheel

    def _copied(self, path: Path, stack: ExitStack) -> tuple[TemporaryFile, Wheel]:
        """Copy a new wheel into a temporary file of the cache, where it is verified."""
        from ..wheels.verify import verify_wheel

        temporary = stack.enter_context(self._built.cache.store.temporary())
        with path.open("rb") as file:
            shutil.copyfileobj(file, temporary.file)
        temporary.file.flush()
        temporary.file.seek(0)
        sha256 = hashlib.file_digest(temporary.file, "sha256").hexdigest()
        return temporary, verify_wheel(temporary.path, path.name, sha256)

    def _obtain(self, deadline: Deadline) -> tuple[Path, Path]:
        """Return a folder with the source, made on first use, and the project's folder in it."""
        if self._obtained is None:
            folder = new_folder(self._work_folder)
            try:
                self._obtained = folder, obtain(self.source, folder, deadline, self._access)
            except BaseException:
                remove_tree(folder)
                raise
        return self._obtained

    def _is_native(self) -> bool:
        native = self._built.is_native(self._native_key)
        if native is None:
            from .native import has_native_code

            _, project = self._obtain(Deadline.after(self._policy.timeout))
            native = has_native_code(project, title(self.source))
            self._built.keep_native(self._native_key, native=native)
        return native

    @property
    def _native_key(self) -> str:
        return _hashed([_SCHEMA, self.digest])

    def _python(self) -> tuple[int, int]:
        """Return the version of Python that builds this source, or has built it."""

        def has_built(python: tuple[int, int]) -> bool:
            return any(map(self._built.has, self._keys(python)))

        return self.builder.python(self._target, has_built)

    def _keys(self, python: tuple[int, int]) -> tuple[str, str]:
        """Return the keys of a pure wheel and of any other that a version of Python has built."""
        builder, own = self.builder, (self._target.id, self._target.runtime.glibc)
        facts = [builder.settings(), python, self.digest, *self.requires, self._named.facts]
        pure, other = ([_SCHEMA, builder.name, *facts, target] for target in (None, own))
        return _hashed(pure), _hashed(other)

    def _shared_key(self, *, pure: bool) -> str | None:
        """Return the key for the wheel that the target's Python builds; `None` if not shared."""
        inputs = self.builder.shared_inputs(pure=pure)
        own = self._keys(self._target.runtime.python_version)[0 if pure else 1]
        return None if inputs is None else _hashed([own, inputs])


def _hashed(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
