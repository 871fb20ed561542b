"""The build hook of the wheel: `hatch build` and `uv build` write the layer beside the wheel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

from .._internal.console import Console
from .._internal.errors import reported
from .._internal.text import safe
from ..build.project import ProjectBuild
from ..config.layer import Matrix
from ..exceptions import ConfigError, LambdaLayerError, MissingLockfileError
from ..layout import LayerPathLayout, with_hatch_toml

_SWITCH = "HATCH_LAMBDA_LAYER"


class LambdaLayerBuildHook(BuildHookInterface[BuilderConfig]):
    """Builds the layers after a wheel, unless the wheel is built only to be installed."""

    PLUGIN_NAME = "lambda-layer"
    _has_cleaned = False

    def clean(self, versions: list[str]) -> None:  # noqa: ARG002
        """Remove the layers beside the wheel."""
        if self.target_name == "wheel":
            # Hatch does not say whether a build follows, after which the new ones would be there.
            with reported(self.app):
                self._project_build(None).clean()
            self._has_cleaned = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Build every member of the matrix, with the finished wheel if `include-project` is set."""
        with reported(self.app):
            if not self._is_wanted(version):
                return
            build = self._project_build(Path(artifact_path))
            members = build.matrix.members
            outcome = build.outcome(members, cleaned=self._has_cleaned)
            try:
                with outcome.told_when_interrupted():
                    for _ in build.build_all(members, self._say_failure):
                        pass
            except MissingLockfileError as error:
                raise self._explained(error) from error

    def _say_failure(self, member: str, error: LambdaLayerError) -> None:
        self.app.display_error(safe(f"error: {member}: {error}"))

    def _explained(self, error: MissingLockfileError) -> LambdaLayerError:
        """Return the error; for a wheel built from an sdist, with a hint to put the lockfile in."""
        if not (Path(self.root) / "PKG-INFO").exists():
            return error
        return MissingLockfileError(
            error.message,
            hint="the wheel is built from the sdist: put the lockfile into it, with `include` in "
            "`[tool.hatch.build.targets.sdist]`, for example `include = ['/src', '/uv.lock']`",
        )

    def _is_wanted(self, version: str) -> bool:
        # A hook that is configured for every target runs for the sdist and for our own target too.
        if self.target_name != "wheel" or version != "standard":
            return False
        switch = os.environ.get(_SWITCH, "")
        if switch not in ("", "0", "1"):
            raise ConfigError([f"{_SWITCH} must be 0 or 1, not {switch!r}"])
        return switch == "1" or (switch == "" and not self._is_installing())

    def _is_installing(self) -> bool:
        """Return whether an installer builds the wheel, and will discard what lies beside it.

        pip sets a variable for the processes it starts, uv builds in a folder of its cache.
        """
        return "PIP_BUILD_TRACKER" in os.environ or "builds-v0" in Path(self.directory).parts

    def _project_build(self, project_wheel: Path | None) -> ProjectBuild:
        root = Path(self.root)
        matrix = Matrix.from_pyproject(with_hatch_toml(root, self.metadata.config))
        folder = root / self.directory
        return ProjectBuild(
            matrix=matrix,
            layout=LayerPathLayout(root / "pyproject.toml", folder, filename=matrix.filename),
            pyproject=self.metadata.config,
            console=Console(self.app),
            project_wheel=project_wheel,
        )
