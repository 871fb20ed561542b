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
from ..config.matrix import Matrix
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
            if reason := self._reason_against(version):
                self.app.display_debug(f"no layer is built: {reason}")
                return
            self.app.display_debug(safe(f"layers go beside the wheel: {self.directory}"))
            build = self._project_build(Path(artifact_path))
            members = build.matrix.members
            outcome = build.outcome(members, cleaned=self._has_cleaned)
            try:
                with outcome.told_when_interrupted():
                    for built in build.build_all(members, self._say_failure):
                        self.app.display_info(safe(str(built.zip_path)))
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

    def _reason_against(self, version: str) -> str | None:
        """Return why no layer is built with this wheel; `None` if one is."""
        # A hook that is configured for every target runs for the sdist and for our own target too.
        if self.target_name != "wheel":
            return f"the hook runs for wheels, not for the target {self.target_name}"
        if version != "standard":
            return f"an {version} wheel is not kept"
        switch = os.environ.get(_SWITCH, "")
        if switch not in ("", "0", "1"):
            raise ConfigError([f"{_SWITCH} must be 0 or 1, not {switch!r}"])
        if switch == "0":
            return f"{_SWITCH} is 0"
        installer = None if switch == "1" else self._installer()
        return installer and f"{installer}; {_SWITCH}=1 builds one all the same"

    def _installer(self) -> str | None:
        """Return who builds the wheel elsewhere than where it is kept, and will move it away.

        What lies beside it is lost then. pip and tox set variables for the processes they start,
        uv builds in a folder of its cache.
        """
        folder = Path(self.directory)
        if "PIP_BUILD_TRACKER" in os.environ:
            return "pip builds the wheel, and takes nothing else from its folder"
        if "builds-v0" in folder.parts:
            return "uv builds the wheel to install it"
        tox = os.environ.get("TOX_WORK_DIR")
        if tox and folder.absolute().is_relative_to(tox):
            return "tox builds the wheel to install it"
        return None

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
