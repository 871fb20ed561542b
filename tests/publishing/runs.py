"""Publications as processes and threads of their own, for faults and races."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.aws.session import AwsSession
from hatch_lambda_layer.build.opening import open_project
from hatch_lambda_layer.config.publish import PublishConfig
from hatch_lambda_layer.exceptions import LambdaLayerError
from hatch_lambda_layer.publishing.project import ProjectPublication
from hatch_lambda_layer.publishing.rollout import Rollout
from tests.support.displays import Lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hatch_lambda_layer.publishing.published_version import PublishedVersion

# Long enough for moto on a busy machine, short enough to wait for what never comes.
_SECONDS_FOR_ANSWER = 0.4


@dataclass
class Run:
    """A publication of the layer in a project under another name."""

    root: Path
    name: str
    errors: list[str] = field(default_factory=list)
    pause: Callable[[float], None] = lambda _seconds: None
    dry_run: bool = False

    def publish(self, session: AwsSession) -> list[PublishedVersion]:
        """Publish in this thread; what fails is kept in `errors`."""
        text = (self.root / "pyproject.toml").read_text("utf-8")
        pyproject = tomllib.loads(text)
        pyproject["tool"]["lambda-layer"]["publish"]["layer-name"] = self.name
        console = Console(Lines())
        publication = ProjectPublication(
            build=open_project(self.root, console),
            configs=PublishConfig.from_pyproject(pyproject),
            rollout=Rollout(
                console=console,
                on_failure=lambda label, error: self.errors.append(f"{label}: {error}"),
                pause=self.pause,
                sessions={(None, None): session},
            ),
            dry_run=self.dry_run,
        )
        try:
            return list(publication.from_zips([self.root / "dist" / "layer.zip"]))
        except LambdaLayerError as error:
            self.errors.append(str(error))
            return []


def warm_session(region: str, timeout: float | None = _SECONDS_FOR_ANSWER) -> AwsSession:
    """Make a session whose clients all exist: they ask where AWS_ENDPOINT_URL leads now."""
    session = AwsSession(timeout=timeout)
    assert session.find_account(region)
    for client in (session.layers, session.layers_once, session.s3, session.ssm):
        client(region)
    return session
