"""Publishing layers from Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..build.opening import open_project
from ..config.publish import PublishConfig
from ..publishing.project import ProjectPublication
from ..publishing.rollout import Rollout, RolloutOptions
from .arguments import choose_members, publish_overrides, several
from .display import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..publishing.published_version import PublishedVersion
    from .display import Display


def publish_layers(
    project: Path | str = ".",
    *,
    zips: Sequence[Path | str] = (),
    build: bool = False,
    layers: Sequence[str] = (),
    members: Sequence[str] = (),
    regions: Sequence[str] = (),
    profile: str | None = None,
    dry_run: bool = False,
    stale: bool = False,
    allow_growth: bool = False,
    display: Display = None,
) -> list[PublishedVersion]:
    """Publish the layers of the project in a folder where they have changed, and return them.

    `zips` are the layers to publish, a folder stands for those in it; by default they are those of
    the project, or of the `layers` and `members` that are named. With `build`, what is not live is
    built first; without it, the project's own layers must be what its lockfile says, unless `stale`
    is set. With `allow_growth`, they may have grown by more than `max-growth`. `regions` and
    `profile` are instead of those in `[tool.lambda-layer.publish]`. With `dry_run` nothing is
    published: the versions that would be have no number. `display` is called with each line of text
    about the progress, or is a console of rich.

    As with the command, `layer-versions.json` is written beside the layers, and the outputs of a
    step of GitHub Actions.

    Raises `LambdaLayerError`; if a destination fails, the others are still published. Raises
    `ValueError` for `zips` together with `build`, `layers` or `members`.
    """
    if zips and (build or layers or members):
        raise ValueError("`zips` can't be combined with `build`, `layers` or `members`")
    lines = Lines(display)
    opened = open_project(Path(project), lines.console())
    options = RolloutOptions(allow_growth=allow_growth)
    publication = ProjectPublication(
        build=opened,
        configs=PublishConfig.from_pyproject(opened.pyproject, publish_overrides(regions, profile)),
        rollout=Rollout(opened.console, lines.display_failure, options),
        dry_run=dry_run,
        stale=stale,
    )
    wanted = choose_members(opened.matrix, layers, members)
    return list(publication.run(wanted, [Path(each) for each in several(zips)], builds=build))
