"""`hatch build -t lambda-layer`: the matrix as the versions of a Hatch build target."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hatchling.builders.config import BuilderConfig
from hatchling.builders.plugin.interface import BuilderInterface
from hatchling.plugin.manager import PluginManager

from .._internal.console import Console
from .._internal.errors import abort, reported
from .._internal.text import safe
from ..build.project import BuildFailures, ProjectBuild
from ..config.matrix import Matrix
from ..exceptions import ConfigError, LambdaLayerError, backticked
from ..layer.archive import check_folder
from ..layout import LayerPathLayout, with_hatch_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from ..build.outcome import Outcome
    from ..build.pipeline import BuiltLayer
    from ..config.matrix import Member


class LambdaLayerBuilder(BuilderInterface[BuilderConfig, PluginManager]):
    """Builds `layer.zip` as a target of Hatch; each member of the matrix is a version."""

    PLUGIN_NAME = "lambda-layer"
    # Whoever calls `clean` outside of a build wants it done.
    _removes_at_once = True

    def get_version_api(self) -> dict[str, Callable[..., str]]:
        """Return the function that builds each member of the matrix, by the id of the member."""
        return {member.id: partial(self._build_member, member) for member in self._matrix.members}

    def build(self, **options: Any) -> Generator[str, None, None]:
        """Build the requested members, and yield the path of each zip; a failure stops no other."""
        clean = options.pop("clean", None)
        with reported(self.app):
            known = self.get_version_api()
            versions = options.pop("versions", None) or self._configured_versions(list(known))
            if unknown := sorted(set(versions) - set(known)):
                raise ConfigError(
                    [
                        f"Version `{version}` is not in the matrix of `[tool.lambda-layer]`, which "
                        f"has {', '.join(f'`{name}`' for name in known)}"
                        for version in unknown
                    ]
                )
        self._removes_at_once = bool(options.get("clean_only"))
        errors: dict[str, LambdaLayerError] = {}
        self._built: list[BuiltLayer] = []
        for number, version in enumerate(versions):
            artifacts: list[str] = []
            with reported(self.app):
                try:
                    check_folder(Path(self.root, options.get("directory") or self.config.directory))
                    artifacts += super().build(
                        versions=[version], clean=clean if number == 0 else False, **options
                    )
                except LambdaLayerError as error:
                    if len(versions) == 1:
                        raise
                    self.app.display_error(safe(f"error: {version}: {error}"))
                    errors[version] = error
            yield from artifacts
        for output in self._outputs.values():
            output.project.warn_of_patterns()
        if errors:
            abort(self.app, BuildFailures(errors, self._built))
        for output in self._outputs.values() if self._built else ():
            with reported(self.app), output.outcome.told_when_interrupted():
                built = [each for each in self._matrix.members if each.id in versions]
                output.project.remove_leftovers(built)
                if output.project.anew:
                    output.project.clean_except([each.zip_path for each in self._built])

    def clean(self, directory: str, versions: list[str]) -> None:  # noqa: ARG002
        """Remove the layers from `directory`; in a build, only when the new ones are there."""
        project = self._output(directory).project
        project.anew = True
        if self._removes_at_once:
            with reported(self.app):
                project.clean()

    def _configured_versions(self, known: Sequence[str]) -> list[str]:
        """Return the versions that the table of the target names, by default all."""
        try:
            return self.config.versions
        except (TypeError, ValueError) as error:
            raise ConfigError(
                [f"{error}; the matrix of `[tool.lambda-layer]` has {backticked(known)}"]
            ) from error

    def _build_member(self, member: Member, directory: str, **_build_data: Any) -> str:
        output = self._output(directory)
        with output.outcome.told_when_interrupted():
            built = output.project.build(member)
        self._built.append(built)
        return str(built.zip_path)

    @cached_property
    def _matrix(self) -> Matrix:
        with reported(self.app):
            return Matrix.from_pyproject(with_hatch_toml(Path(self.root), self.metadata.config))

    @cached_property
    def _outputs(self) -> dict[Path, _Output]:
        return {}

    def _output(self, directory: str) -> _Output:
        # Hatch calls once for each member; this holds what the members in one folder share.
        folder = Path(self.root, directory)
        if folder not in self._outputs:
            path = Path(self.root, "pyproject.toml")
            project = ProjectBuild(
                matrix=self._matrix,
                layout=LayerPathLayout(path, folder, filename=self._matrix.filename),
                pyproject=self.metadata.config,
                console=Console(self.app),
            )
            self._outputs[folder] = _Output(project, project.outcome(self._matrix.members))
        return self._outputs[folder]


class _Output(NamedTuple):
    """The build of the layers in one folder, and what is to be said where it is interrupted."""

    project: ProjectBuild
    outcome: Outcome
