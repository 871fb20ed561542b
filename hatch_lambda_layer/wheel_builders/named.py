"""The requirements of a build, each from where its project says: `[tool.uv.sources]`.

An index may have another package of the same name, whose code would run. The key of a built wheel
has the content of the folders that are named, so these must be known before anything is built: from
`pyproject.toml`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from ..exceptions import BuildError, LockfileError
from ..lockfiles.uv.named import BuildContext
from ..wheels.selection import LockedSource
from .sources import folder_of, title

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..lockfiles.uv.named import NamedIndex, NamedSource
    from ..wheels.wheel import Wheel

_COMMIT = re.compile("[0-9a-f]{40}")


class Provided(NamedTuple):
    """Requirements for uv: `lines` of its own format, and `projects`, files that pin an index."""

    lines: list[str]
    projects: list[Path]


class Named(NamedTuple):
    """The place that is named for a requirement: a `source` to build, else a wheel or an index.

    `context` is that of a source that is a folder.
    """

    found: NamedSource
    context: BuildContext | None = None
    source: LockedSource | None = None

    def facts(self) -> list[object]:
        """Return what identifies it, besides the content of a source, as JSON values."""
        return [] if self.source else [*self.found[:4], *(self.found.named_index or ())]


class Buildable(Protocol):
    """A source that can be built."""

    def inputs(self) -> tuple[str, str, object]:
        """Return what decides its wheel, as JSON values."""
        ...


B = TypeVar("B", bound=Buildable)


class NamedRequirements(Generic[B]):
    """The places that are named for the build of one source, and for what that requires in turn.

    `extra` are requirements of the project in `project`, not of the source itself. `make` returns
    what builds a source. Of a source that is not a folder, all is known from its digest. Raises
    `BuildError`.
    """

    def __init__(
        self,
        source: LockedSource,
        extra: Sequence[str],
        project: Path | None,
        make: Callable[[LockedSource], B],
    ) -> None:
        self._title = title(source)
        self._extra = extra
        self._of_extra = BuildContext(project) if project and extra else None
        self._make = make
        folder = folder_of(source)
        self._own = BuildContext(folder) if folder else None
        self._named = self._found(self._own) if self._own and folder else None

    @cached_property
    def facts(self) -> list[object]:
        """All that identifies what is named, as JSON values."""
        return [
            [name, *each.facts(), each.source and self._make(each.source).inputs()]
            for name, each in sorted((self._named or {}).items())
        ]

    def provide(
        self,
        requires: Sequence[str],
        *,
        project: Path,
        within: Path,
        folder: Path,
        build: Callable[[B], Wheel],
    ) -> Provided:
        """Return requirements for uv in which each that is named comes from its source.

        `project` is the folder that has been unpacked or checked out in `within`. Wheels are copied
        to a new folder in `folder`. Raises `BuildError` for a requirement that was not known
        before, since only the backend names it, and what `build` raises.
        """
        import tempfile

        context = self._own or BuildContext(project, within)
        named = self._found(context) if self._named is None else self._named
        provided = Provided([], [])
        wheels = Path(tempfile.mkdtemp(dir=folder, prefix="named-"))
        waiting = [(text, self._context(text, context), True) for text in requires]
        seen = set[str]()
        while waiting:
            text, owner, is_direct = waiting.pop(0)
            name = _name(text) or text
            each = named.get(name)
            if each is None:
                self._check_unnamed(owner, name, text)
                # What wheels require is left to uv.
                provided.lines.extend([text] if is_direct else [])
            elif name not in seen:
                seen.add(name)
                if each.found.named_index is not None:
                    provided.projects.append(_pinned(text, each.found.named_index, wheels / name))
                elif each.source is None:
                    provided.lines.append(_direct(text, each.found.place))
                else:
                    wheel = build(self._make(each.source))
                    provided.lines.append(self._copied(text, wheel, wheels))
                    inner = each.context
                    waiting += [(need, inner, False) for need in _required(wheel) if inner]
        return provided

    def _context(self, text: str, own: BuildContext) -> BuildContext:
        return self._of_extra if self._of_extra and text in self._extra else own

    def _found(self, context: BuildContext) -> dict[str, Named]:
        found: dict[str, Named] = {}
        waiting = [(text, self._context(text, context)) for text in self._extra]
        waiting += [(text, context) for text in context.requires()]
        while waiting:
            text, owner = waiting.pop(0)
            name = _name(text)
            source = name and _looked_up(owner, name, text)
            if not name or not source:
                continue
            if name not in found:
                found[name] = named = _named(name, source, self._title)
                if named.context is not None:
                    waiting += [(each, named.context) for each in named.context.dependencies()]
            elif found[name].found != source:
                raise BuildError(
                    f"The build of {self._title} requires `{name}` from two places: "
                    f"{found[name].found.place} and {source.place}",
                    hint="name one of them in `[tool.uv.sources]` of both projects",
                )
        return found

    def _check_unnamed(self, context: BuildContext, name: str, text: str) -> None:
        if _looked_up(context, name, text) is None:
            return
        raise BuildError(
            f"The build of {self._title} requires `{name}`, for which `[tool.uv.sources]` names a "
            "source, but no `pyproject.toml` lists it as required",
            hint=f"add `{name}` to `requires` of `[build-system]`, or to `dependencies` of the "
            "project that needs it",
        )

    def _copied(self, text: str, wheel: Wheel, folder: Path) -> str:
        from packaging.requirements import Requirement

        specifier = Requirement(text).specifier
        if not specifier.contains(wheel.version, prereleases=True):
            raise BuildError(
                f"The build of {self._title} requires `{text}`, and the source that "
                f"`[tool.uv.sources]` names for it has the version {wheel.version}",
                hint="change the requirement, or the source",
            )
        # In the cache, a wheel has another name.
        path = folder / wheel.filename
        shutil.copyfile(wheel.file, path)
        return _direct(text, path.as_uri())


def _looked_up(context: BuildContext, name: str, text: str) -> NamedSource | None:
    try:
        return context.named(name, text)
    except LockfileError as error:
        raise BuildError(error.message, hint=error.hint) from error


def _named(name: str, found: NamedSource, title: str) -> Named:
    kind, place, reference, subdirectory, index = found
    if kind == "registry" and index is not None:
        return Named(found)
    if kind == "path" and place.endswith(".whl") and Path(place).is_file():
        return Named(found._replace(place=Path(place).as_uri()))
    if kind == "url" and place.endswith(".whl"):
        return Named(found)
    if kind == "path" and Path(place).is_file():
        return Named(found, source=_source(name, "archive", place, subdirectory=subdirectory))
    if kind == "git" and reference and _COMMIT.fullmatch(reference):
        facts = {"commit": reference, "subdirectory": subdirectory}
        return Named(found, source=_source(name, "vcs", place, **facts))
    if Path(place).is_dir() and kind != "virtual":
        return Named(found, BuildContext(Path(place)), _source(name, "directory", place))
    raise BuildError(
        f"The build of {title} requires `{name}`, and `[tool.uv.sources]` takes it from {place}, "
        "which is not followed here: what is built would not be the same each time",
        hint="name a project with a build system, a file, an index, or a git repository with the "
        "40 digits of a commit as `rev`; or install it from an index, without a source",
    )


def _source(name: str, kind: str, place: str, **facts: str | None) -> LockedSource:
    sha256 = None
    if kind == "archive":
        with Path(place).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return LockedSource(
        name=name,
        version=None,
        kind=kind,
        location=place if kind == "vcs" else str(Path(place).resolve()),
        sha256=sha256,
        commit=facts.get("commit"),
        subdirectory=facts.get("subdirectory"),
        index_url=None,
        reason="`[tool.uv.sources]` names it for what another source is built with",
    )


def _pinned(text: str, index: NamedIndex, folder: Path) -> Path:
    """Write a project that requires something from its index alone; return the path."""
    folder.mkdir()
    path = folder / "pyproject.toml"
    name, *facts = map(json.dumps, (index.name, _name(text), text, index.url))
    path.write_text(
        f'[project]\nname = "build-requirements"\nversion = "0"\ndependencies = [{facts[1]}]\n'
        f"[tool.uv.sources]\n{facts[0]} = {{ index = {name} }}\n"
        f"[[tool.uv.index]]\nname = {name}\nurl = {facts[2]}\nexplicit = true\n",
        encoding="utf-8",
    )
    return path


def _direct(text: str, url: str) -> str:
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}{extras} @ {url}{marker}"


def _required(wheel: Wheel) -> Iterator[str]:
    """Yield what a wheel requires without an extra."""
    from packaging.requirements import Requirement

    for text in wheel.requires_dist:
        marker = Requirement(text).marker
        if marker is None or "extra" not in str(marker):
            yield text


def _name(text: str) -> str | None:
    """Return the normalised name of a requirement, unless it is at a URL that uv fetches."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    is_fetched = requirement.url and not requirement.url.startswith("file:")
    return None if is_fetched else canonicalize_name(requirement.name)
