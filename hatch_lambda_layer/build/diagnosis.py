"""Looking at what a project needs on this machine: tools, engines, cache, indexes, AWS.

Nothing is built or changed. Of credentials only the place is told where they come from.
"""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from .._internal.process import redact, run
from ..config.container import ENGINES
from ..exceptions import LambdaLayerError, ToolError
from ..lockfiles.tools import version_of
from ..reports.diagnosis import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..config.matrix import Member
    from ..reports.diagnosis import State
    from ..wheels.selection import Selection
    from .project import ProjectBuild

_SECONDS = 10.0
_TOOLS, _PROJECT, _CACHE = "Tools", "Project", "Cache"
_BUILDS, _INDEXES, _AWS = "For sources", "Indexes", "AWS"


@dataclass
class Diagnosis:
    """The checks of one project; without `online`, no index and no AWS is asked."""

    project: ProjectBuild
    online: bool = True

    def checks(self) -> Iterator[Check]:
        """Yield the checks, by their sections, each when it is known."""
        yield from self._tools()
        yield from self._members()
        yield from self._builds()
        yield from self._cache()
        yield from self._indexes()
        yield from self._aws()

    @cached_property
    def _found(self) -> dict[Member, Selection | LambdaLayerError]:
        found: dict[Member, Selection | LambdaLayerError] = {}
        for member in self.project.matrix.members:
            resolver = self.project.context.resolver
            try:
                found[member] = resolver.selection(member.config, member.target)
            except LambdaLayerError as error:
                found[member] = error
        return found

    @cached_property
    def _selections(self) -> dict[Member, Selection]:
        return {
            member: each
            for member, each in self._found.items()
            if not isinstance(each, LambdaLayerError)
        }

    @property
    def _publishes(self) -> bool:
        tool = self.project.pyproject.get("tool")
        table = tool.get("lambda-layer") if isinstance(tool, dict) else None
        return isinstance(table, dict) and "publish" in table

    def _tools(self) -> Iterator[Check]:
        yield Check(_TOOLS, "hatch-lambda-layer", "ok", __version__)
        yield Check(_TOOLS, "Python", "ok", f"{platform.python_version()}, {platform.platform()}")
        yield _program(_TOOLS, "uv", needed=True)
        has_git = any(
            source.kind == "vcs" for each in self._selections.values() for source in each.sources
        )
        yield _program(_TOOLS, "git", needed=has_git)
        for name in ("poetry", "pdm"):
            if shutil.which(name):
                yield _program(_TOOLS, name, needed=False)
        boto3 = version_of("boto3")
        if boto3 and version_of("s3pathlib"):
            yield Check(_TOOLS, "extra `aws`", "ok", f"boto3 {boto3}")
        else:
            yield Check(
                _TOOLS,
                "extra `aws`",
                _lacking(needed=self._publishes),
                "not installed; publishing needs it: `hatch-lambda-layer[aws]`",
            )

    def _members(self) -> Iterator[Check]:
        yield Check(_PROJECT, "folder", "ok", str(self.project.layout.dir_project_root))
        for member, found in self._found.items():
            if isinstance(found, LambdaLayerError):
                yield Check(_PROJECT, member.id, "missing", str(found))
                continue
            path = self.project.context.resolver.find(member.config).path
            text = f"{len(found.wheels)} wheels and {len(found.sources)} sources in {path.name}"
            yield Check(_PROJECT, member.id, "ok", text)

    def _builds(self) -> Iterator[Check]:
        from .._internal.bubblewrap import working_bwrap
        from .._internal.interpreters import find_interpreter

        needing = [member for member, each in self._selections.items() if each.sources]
        versions = {each.target.runtime.python_version for each in self._found}
        for version in sorted(versions):
            found = find_interpreter(version)
            name = "Python {}.{}".format(*version)
            text = found or "not installed: pure sources are built by another version"
            yield Check(_BUILDS, name, "ok" if found else "note", text)
        answers = dict(_engines())
        for name, error in answers.items():
            text = f"does not answer: {error}" if error else "answers"
            yield Check(_BUILDS, name, "note" if error else "ok", text)
        by_container = any(each.config.build == "container" for each in needing)
        if not any(error is None for error in answers.values()):
            text = f"none of {', '.join(ENGINES)} answers"
            yield Check(_BUILDS, "container engine", _lacking(needed=by_container), text)
        bwrap = working_bwrap()
        text = bwrap or "it does not work here: what is built runs without a sandbox"
        yield Check(_BUILDS, "bubblewrap", "ok" if bwrap else "note", text)

    def _cache(self) -> Iterator[Check]:
        from .._internal.console import megabytes
        from .._internal.pruning import sizes

        store = self.project.cache.store
        size = sum(each.size for each in sizes(store).values())
        yield Check(_CACHE, "folder", "ok", f"{store.root}, {megabytes(size)}")
        if not store.trusted:
            text = "other users can write to it: nothing in it is believed"
            yield Check(_CACHE, "trust", "note", text)
        try:
            with store.token():
                yield Check(_CACHE, "writing", "ok", "it can be written")
        except LambdaLayerError as error:
            yield Check(_CACHE, "writing", "note", _said(error))

    def _indexes(self) -> Iterator[Check]:
        access = self.project.context.access
        urls: dict[str, str] = {}
        for index in access.own:
            urls[index.url] = f"index `{index.name}`"
            try:
                found = access.credentials(index)
            except LambdaLayerError as error:
                yield Check(_INDEXES, f"credentials of `{index.name}`", "missing", _said(error))
                continue
            text = f"from {found.source}" if found else "none were found"
            yield Check(_INDEXES, f"credentials of `{index.name}`", "ok" if found else "note", text)
        for member, selection in self._selections.items():
            for each in selection.all:
                if each.index_url and f"{each.index_url.rstrip('/')}/" not in _slashed(urls):
                    urls[each.index_url] = "index of the lockfile"
            if all(
                each.index_url or not each.location.startswith("http") for each in selection.all
            ):
                continue
            try:
                defaults = self.project.context.resolver.default_indexes(member.config)
            except LambdaLayerError as error:
                yield Check(_INDEXES, "default index", "note", _said(error))
                continue
            urls |= {url: "default index" for url in defaults if url not in urls}
        for url, name in urls.items() if self.online else ():
            yield self._reach(url, name)

    def _reach(self, url: str, name: str) -> Check:
        """Ask an index for the page of one package that is locked."""
        from ..index.download import Downloader

        place, every = redact(url), [each for one in self._selections.values() for each in one.all]
        place_of = f"{url.rstrip('/')}/"
        from_it = [
            each
            for each in every
            if not each.index_url or f"{each.index_url.rstrip('/')}/" == place_of
        ]
        package = next((each.name for each in [*from_it, *every]), "pip")
        cache = self.project.cache
        wheels = [each for one in self._selections.values() for each in one.wheels]
        is_needed = not all(cache.holds(each) for each in wheels if each in from_it)
        try:
            links = Downloader(self.project.context.access, timeout=_SECONDS).links(url, package)
        except LambdaLayerError as error:
            state = _lacking(needed=is_needed)
            return Check(_INDEXES, name, state, f"{place} can't be asked: {_said(error)}")
        if links is None:
            return Check(_INDEXES, name, "ok", f"{place} answers; it does not have {package}")
        return Check(_INDEXES, name, "ok", f"{place} answers, with {package}")

    def _aws(self) -> Iterator[Check]:
        if version_of("boto3") is None or not self.online:
            return
        from ..aws.session import STS_REGION, AwsSession
        from ..config.publish import PublishConfig

        try:
            configs = PublishConfig.from_pyproject(self.project.pyproject).values()
        except LambdaLayerError as error:
            yield Check(_AWS, "[tool.lambda-layer.publish]", "missing", _said(error))
            return
        state = _lacking(needed=self._publishes)
        places = {each: None for config in configs for each in config.destinations}
        for place in places:
            name = place.account or place.profile or "identity"
            try:
                session = AwsSession(place.profile, place.role_arn, timeout=_SECONDS)
                region = place.region or session.region
                account = session.find_account(region or STS_REGION)
            except LambdaLayerError as error:
                yield Check(_AWS, name, state, _said(error))
                continue
            text = f"account {account}, credentials from {session.credentials_source}"
            yield Check(_AWS, name, "ok", f"{text}, {region or 'no Region'}")


def _slashed(urls: Iterable[str]) -> set[str]:
    return {f"{url.rstrip('/')}/" for url in urls}


def _lacking(*, needed: bool) -> State:
    """Return the state of what is not there."""
    return "missing" if needed else "note"


def _said(error: LambdaLayerError) -> str:
    """Return an error with its hint in one line."""
    return " ".join(str(error).split())


def _program(section: str, name: str, *, needed: bool) -> Check:
    from .._internal.uv import find_uv

    try:
        path = find_uv() if name == "uv" else shutil.which(name)
        if path:
            output = run([path, "--version"], cwd=Path.cwd(), env=os.environ, timeout=_SECONDS)
            return Check(section, name, "ok", f"{output.decode('utf-8', 'replace').strip()}")
        text = "not on the PATH"
    except ToolError as error:
        text = _said(error)
    return Check(section, name, _lacking(needed=needed), text)


def _engines() -> Iterator[tuple[str, str | None]]:
    """Yield the engines on the search path, with what keeps each from answering."""
    from ..wheel_builders.container.engine import Engine

    for name in ENGINES:
        if path := shutil.which(name):
            try:
                Engine(name, path).ask("info", seconds=_SECONDS)
            except ToolError as error:
                yield name, " ".join(error.output.split())[:200]
            else:
                yield name, None
