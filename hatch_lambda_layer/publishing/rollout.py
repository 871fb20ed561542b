"""Releases at all their destinations, side by side: each Region of each account for itself."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from .._internal.parallel import run_parallel
from ..exceptions import LambdaLayerError, PublishError
from .descriptions import inputs_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from .._internal.console import Console
    from ..aws.session import AwsSession
    from ..build.pipeline import BuildPlan
    from ..config.publish import Destination
    from .published_version import PublishedVersion
    from .regional_release import LiveVersion, RegionalRelease
    from .releases import Candidate, Release

_AT_ONCE = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutOptions:
    """What a person asks for, beside the configuration.

    `force` publishes what has not changed, `take_over` a layer that somebody else has made.
    """

    force: bool = False
    take_over: bool = False


@dataclass
class Rollout:
    """Releases at all their destinations; one that fails leaves the others done.

    `on_failure` is told of each destination that fails, when it does. `sessions` has those that
    the caller has already, by profile and role.
    """

    console: Console
    on_failure: Callable[[str, LambdaLayerError], None]
    options: RolloutOptions = field(default_factory=RolloutOptions)
    pause: Callable[[float], None] = time.sleep
    sessions: dict[tuple[str | None, str | None], AwsSession] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with nothing that has failed."""
        self.failed: list[str] = []
        self.found: list[RegionalRelease] = []
        self._live: dict[RegionalRelease, LiveVersion] = {}
        self._wanted = 0
        self._lock = threading.Lock()

    def look(self, releases: Sequence[Release]) -> None:
        """See what is live at every destination, and whether something can be published there.

        Raises `LambdaLayerError` where nothing can be published anywhere.
        """
        from ..aws import needed

        with needed():
            from .destination import Place
            from .regional_release import RegionalRelease

        def regional(place: tuple[Release, Destination]) -> RegionalRelease:
            release, destination = place
            return RegionalRelease(
                release,
                Place.of(destination, self._session(destination)),
                take_over=self.options.take_over,
                pause=self.pause,
            )

        def label(place: tuple[Release, Destination]) -> str:
            return f"{place[1].label}: {place[0].layer_name}"

        places = [(each, place) for each in releases for place in each.config.destinations]
        self._wanted = len(places)
        found = dict(self._each(regional, places, label))
        self.found = [found[place] for place in places if place in found]
        if not self.found:
            raise PublishError("Nothing can be published: every destination failed")
        self._refuse_twice()

    def unchanged(self, release: Release, plans: Mapping[str, BuildPlan]) -> bool:
        """Say whether every destination has what would be built, so that nothing need be built."""
        mark = inputs_mark([plan.input_digest for plan in plans.values()])
        if self.options.force:
            return False
        for regional in self._of(release):
            live = regional.live(lambda tag: tag.inputs == mark)
            if live is None or not regional.has_manifests(live.version.number):
                return False
            self._live[regional] = live
        return True

    def complete(self, release: Release, zip_path: Path) -> Iterator[PublishedVersion]:
        """Complete a release that is `unchanged` everywhere, without its zip."""

        def complete(regional: RegionalRelease) -> PublishedVersion:
            return regional.complete(self._live[regional], zip_path)

        yield from self._told(complete, self._of(release))

    def publish(self, candidates: Sequence[Candidate]) -> Iterator[PublishedVersion]:
        """Publish candidates, and give each version when it is there.

        Raises `PublishError` before anything is uploaded where a zip is too large for one of the
        destinations.
        """
        work = [(regional, each) for each in candidates for regional in self._of(each.release)]
        for regional, candidate in work:
            regional.check_size(candidate.first.manifest.zipped_size)
        names = ", ".join(each.release.layer_name for each in candidates)
        candidate_of = dict(work)
        with self.console.progress(f"Publishing {names}", len(work)) as progress:

            def publish(regional: RegionalRelease) -> PublishedVersion:
                version = regional.publish(
                    candidate_of[regional], progress, force=self.options.force
                )
                progress.done()
                return version

            try:
                yield from self._told(publish, list(candidate_of))
            except BaseException:
                # Its threads end with the process, wherever they are.
                for regional in candidate_of:
                    regional.abandon()
                raise

    def preview(self, candidates: Sequence[Candidate]) -> Iterator[str]:
        """Say what `publish` would do, a line each."""
        for candidate in candidates:
            for regional in self._of(candidate.release):
                regional.check_size(candidate.first.manifest.zipped_size)
                for line in regional.preview(candidate, force=self.options.force):
                    yield f"{regional.label}: would {line}"

    def raise_failures(self) -> None:
        """Raise `PublishError` where some destination has failed."""
        if self.failed:
            done = self._wanted - len(self.failed)
            raise PublishError(
                f"{len(self.failed)} of {self._wanted} destinations failed "
                f"({', '.join(self.failed)}); {done} done",
                hint="run it again: what is done is not done twice",
            )

    def _of(self, release: Release) -> list[RegionalRelease]:
        return [regional for regional in self.found if regional.release == release]

    def _told(
        self,
        work: Callable[[RegionalRelease], PublishedVersion],
        releases: Sequence[RegionalRelease],
    ) -> Iterator[PublishedVersion]:
        for regional, version in self._each(work, releases, lambda each: each.label):
            self.console.info(f"{regional.label} version {version.version} {version.status}")
            yield version

    def _each(
        self,
        work: Callable[[Item], Result],
        items: Sequence[Item],
        label: Callable[[Item], str],
    ) -> Iterator[tuple[Item, Result]]:
        """Give each item with its result, as they come; tell of those that fail."""

        def attempt(item: Item) -> tuple[Result | None, LambdaLayerError | None]:
            try:
                return work(item), None
            except LambdaLayerError as error:
                return None, error
            except OSError as error:
                return None, PublishError(
                    f"{error.filename or 'A file'}: {error.strerror or error}"
                )

        for item, (result, error) in run_parallel(attempt, items, _AT_ONCE):
            if error is None:
                yield item, result  # type: ignore[misc]  # without an error there is a result
            elif self._wanted == 1:
                raise error
            else:
                self.on_failure(label(item), error)
                self.failed.append(label(item))

    def _session(self, destination: Destination) -> AwsSession:
        from ..aws.session import AwsSession

        key = (destination.profile, destination.role_arn)
        with self._lock:
            if key not in self.sessions:
                self.sessions[key] = AwsSession(*key, region=destination.region)
            return self.sessions[key]

    def _refuse_twice(self) -> None:
        """Raise `PublishError` where two destinations are one place, which would race."""
        places = [(each.account, each.place.region, each.release.layer_name) for each in self.found]
        for account, region, name in {place for place in places if places.count(place) > 1}:
            raise PublishError(
                f"`{name}` is to be published twice in {region} of the account {account}",
                hint="look at `accounts` and `regions` in `[tool.lambda-layer.publish]`",
            )
