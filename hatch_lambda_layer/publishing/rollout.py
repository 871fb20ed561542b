"""Publishing releases to all their destinations in parallel, each independently."""

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
    from .history import LiveVersion
    from .published_version import PublishedVersion
    from .regional_release import RegionalRelease
    from .releases import Candidate, Release

_AT_ONCE = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutOptions:
    """The options of one run, beside the configuration.

    `force` publishes what has not changed, `take_over` a layer that something else has made,
    `allow_growth` one that has grown by more than `max-growth`.
    """

    force: bool = False
    take_over: bool = False
    allow_growth: bool = False


@dataclass
class Rollout:
    """Releases at all their destinations; one that fails does not keep the others from it.

    `on_failure` is called with the label of each destination that fails, and the error. `sessions`
    are those that the caller has already, by profile and role. Where there is only one destination
    its error is raised instead.
    """

    console: Console
    on_failure: Callable[[str, LambdaLayerError], None]
    options: RolloutOptions = field(default_factory=RolloutOptions)
    pause: Callable[[float], None] = time.sleep
    sessions: dict[tuple[str | None, str | None], AwsSession] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with no destination found, and none that has failed."""
        self.failed: list[str] = []
        self.found: list[RegionalRelease] = []
        self._live: dict[RegionalRelease, LiveVersion] = {}
        self._wanted = 0
        self._lock = threading.Lock()

    def look(self, releases: Sequence[Release]) -> None:
        """Find what is live at every destination, and check that it can be published there.

        Raises `LambdaLayerError` if all destinations fail, or two of them are the same Region of
        the same account.
        """
        from ..aws import needed

        with needed():
            from .destination import ResolvedDestination
            from .regional_release import RegionalRelease

        def look(target: tuple[Release, Destination]) -> RegionalRelease:
            release, destination = target
            return RegionalRelease.look(
                release,
                ResolvedDestination.of(destination, self._session(destination)),
                take_over=self.options.take_over,
                pause=self.pause,
            )

        def label(target: tuple[Release, Destination]) -> str:
            return f"{target[1].label}: {target[0].layer_name}"

        targets = [(each, target) for each in releases for target in each.config.destinations]
        self._wanted = len(targets)
        found = dict(self._each(look, targets, label))
        self.found = [found[target] for target in targets if target in found]
        if not self.found:
            raise PublishError("Nothing can be published: every destination failed")
        self._refuse_duplicates()

    def unchanged(self, release: Release, plans: Mapping[str, BuildPlan]) -> bool:
        """Return whether what would be built is live everywhere, so that no build is needed.

        A destination that fails is left out from here on.
        """
        mark = inputs_mark([plan.input_digest for plan in plans.values()])
        if self.options.force:
            return False

        def find_live(regional: RegionalRelease) -> LiveVersion | None:
            live = regional.history.live(lambda tag: tag.inputs == mark)
            return live if live and regional.has_manifests(live.version.number) else None

        wanted = self._of(release)
        live = dict(self._each(find_live, wanted, lambda each: each.label))
        self.found = [each for each in self.found if each not in wanted or each in live]
        self._live |= {each: version for each, version in live.items() if version is not None}
        return all(live.values())

    def complete(self, release: Release, zip_path: Path) -> Iterator[PublishedVersion]:
        """Yield the versions of a release that is `unchanged` everywhere; its zip is not read."""

        def complete(regional: RegionalRelease) -> PublishedVersion:
            return regional.complete(self._live[regional], zip_path)

        yield from self._announced(complete, self._of(release))

    def publish(self, candidates: Sequence[Candidate]) -> Iterator[PublishedVersion]:
        """Publish candidates, and yield each version when it is live.

        Raises `PublishError`, before anything is uploaded, if a zip is too large for one of the
        destinations, or takes more room there than the configuration allows.
        """
        work = [(regional, each) for each in candidates for regional in self._of(each.release)]
        for regional, candidate in work:
            regional.check_size(candidate.first.manifest.zipped_size)
        work = self._with_room(work)
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
                yield from self._announced(publish, list(candidate_of))
            except BaseException:
                # The threads end with the process, wherever they are.
                for regional in candidate_of:
                    regional.abandon()
                raise

    def preview(self, candidates: Sequence[Candidate]) -> Iterator[PublishedVersion]:
        """Yield each version that would be live then, after a message for each step to it.

        Raises `PublishError` for one that takes more room than the configuration allows.
        """
        work = dict(
            self._with_room(
                [(regional, each) for each in candidates for regional in self._of(each.release)]
            )
        )

        def preview(regional: RegionalRelease) -> tuple[PublishedVersion, list[str]]:
            return regional.preview(work[regional], force=self.options.force)

        previews = dict(self._each(preview, list(work), lambda each: each.label))
        for regional in work:
            if regional in previews:
                version, steps = previews[regional]
                for step in steps:
                    self.console.info(f"{regional.label}: would {step}")
                self._tell_notes(regional)
                yield version

    def raise_failures(self) -> None:
        """Raise `PublishError` if any destination has failed."""
        if self.failed:
            done = self._wanted - len(self.failed)
            raise PublishError(
                f"{len(self.failed)} of {self._wanted} destinations failed "
                f"({', '.join(self.failed)}); {done} done",
                hint="run it again: finished destinations are not published twice",
            )

    def _with_room(
        self, work: Sequence[tuple[RegionalRelease, Candidate]]
    ) -> list[tuple[RegionalRelease, Candidate]]:
        """Return the work that there is room for: without destinations where that is not known.

        Raises `PublishError` if one of the destinations has none.
        """
        from .room import Room, find_room

        options = self.options

        def look(item: tuple[RegionalRelease, Candidate]) -> Room:
            return find_room(*item, force=options.force, allow_growth=options.allow_growth)

        rooms = dict(self._each(look, work, lambda item: item[0].label))
        found = [(item, rooms[item]) for item in work if item in rooms]
        for _, room in found:
            for warning in room.warnings:
                self.console.warning(warning)
        problems = [problem for _, room in found for problem in room.problems]
        if problems:
            raise PublishError(
                "\n".join(each.message for each in problems),
                hint="; ".join(dict.fromkeys(each.hint for each in problems if each.hint)),
            )
        return [item for item, _ in found]

    def _of(self, release: Release) -> list[RegionalRelease]:
        return [regional for regional in self.found if regional.release == release]

    def _announced(
        self,
        work: Callable[[RegionalRelease], PublishedVersion],
        releases: Sequence[RegionalRelease],
    ) -> Iterator[PublishedVersion]:
        for regional, version in self._each(work, releases, lambda each: each.label):
            self.console.info(f"{regional.label} version {version.version} {version.status}")
            self._tell_notes(regional)
            yield version

    def _tell_notes(self, regional: RegionalRelease) -> None:
        for note in regional.notes:
            self.console.warning(f"{regional.label}: {note}")

    def _each(
        self,
        work: Callable[[Item], Result],
        items: Sequence[Item],
        label: Callable[[Item], str],
    ) -> Iterator[tuple[Item, Result]]:
        """Yield each item with its result, in the order in which they finish; report failures."""

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
                self.sessions[key] = AwsSession(*key)
            return self.sessions[key]

    def _refuse_duplicates(self) -> None:
        """Raise `PublishError` if two destinations are the same, where they would race."""
        targets = [
            (each.account, each.destination.region, each.release.layer_name) for each in self.found
        ]
        for account, region, name in {each for each in targets if targets.count(each) > 1}:
            raise PublishError(
                f"`{name}` would be published twice in {region} of the account {account}",
                hint="check `accounts` and `regions` in `[tool.lambda-layer.publish]`",
            )
