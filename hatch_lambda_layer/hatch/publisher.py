"""`hatch publish -p lambda-layer`: the same as `hatch-lambda-layer publish`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatch.publish.plugin.interface import PublisherInterface

from .._internal.console import Console
from .._internal.errors import reported
from .._internal.text import safe
from ..build.opening import open_project
from ..config.publish import PublishConfig
from ..config.reader import nearest
from ..exceptions import ConfigError, backticked
from ..publishing.project import ProjectPublication
from ..publishing.rollout import Rollout, RolloutOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..exceptions import LambdaLayerError

_FLAGS = ("build", "dry-run", "force", "take-over", "allow-growth", "stale")
_TEXTS = ("region", "profile")
# Options that Hatch adds for publishers that ask for passwords.
_OF_HATCH = ("no_prompt", "initialize_auth")


class LambdaLayerPublisher(PublisherInterface):
    """Hatch's publisher for layer versions; options are given as `-o build=true`."""

    PLUGIN_NAME = "lambda-layer"

    def publish(self, artifacts: list[str], options: dict[str, Any]) -> None:
        """Publish the zips in `artifacts`, or those of the project where none is named."""
        with reported(self.app):
            flags, texts = _read(options)
            overrides: dict[str, object] = {}
            if "region" in texts:
                overrides["regions"] = texts["region"].split(",")
            if "profile" in texts:
                overrides["profile"] = texts["profile"]
            build = open_project(Path(self.root), Console(self.app))
            publication = ProjectPublication(
                build=build,
                configs=PublishConfig.from_pyproject(build.pyproject, overrides),
                rollout=Rollout(
                    console=build.console,
                    on_failure=self._tell,
                    options=RolloutOptions(
                        force=flags["force"],
                        take_over=flags["take-over"],
                        allow_growth=flags["allow-growth"],
                    ),
                ),
                dry_run=flags["dry-run"],
                stale=flags["stale"],
            )
            zips = [Path(each) for each in artifacts]
            with publication.told_when_interrupted():
                for version in publication.run(build.matrix.members, zips, builds=flags["build"]):
                    if not flags["dry-run"]:
                        self.app.display(version.arn)

    def _tell(self, label: str, error: LambdaLayerError) -> None:
        self.app.display_error(safe(f"error: {label}: {error}"))


def _read(options: Mapping[str, Any]) -> tuple[dict[str, bool], dict[str, str]]:
    """Parse the options given with `-o`; raise `ConfigError` with all that is wrong with them."""
    given = {key: str(value) for key, value in options.items() if key not in _OF_HATCH}
    known = (*_FLAGS, *_TEXTS)
    problems = [
        f"Option `{key}` is unknown{nearest(key, known)}: there are {backticked(known)}"
        for key in given
        if key not in known
    ]
    problems += [
        f"Option `{key}` must be true or false, not {given[key]!r}"
        for key in _FLAGS
        if given.get(key, "true") not in {"true", "false"}
    ]
    if problems:
        raise ConfigError(problems)
    return (
        {key: given.get(key) == "true" for key in _FLAGS},
        {key: given[key] for key in _TEXTS if key in given},
    )
