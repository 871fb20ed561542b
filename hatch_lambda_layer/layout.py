"""Where things lie on disk, and under which name: the one place that knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Also what a killed build has left.
_BUILT = r"layer(-.*python3\.\d+-(x86_64|arm64))?\.(zip|json)|\.layer.*\.(zip|json)\.\w+\.tmp"


@dataclass(frozen=True, slots=True)
class LayerPathLayout:
    """The paths of one project's layers.

    `dir_output` is where the layers go: `dist`, or what the caller of the build asks for.
    """

    path_pyproject_toml: Path
    dir_output: Path

    @property
    def dir_project_root(self) -> Path:
        """The folder of `pyproject.toml`."""
        return self.path_pyproject_toml.parent

    @property
    def dir_build_lambda(self) -> Path:
        """The folder of everything made for Lambda; it ignores itself in git."""
        return self.dir_project_root / "build" / "lambda"

    @property
    def dir_build_lambda_layer(self) -> Path:
        """The work folder of a build."""
        return self.dir_build_lambda / "layer"

    @property
    def dir_artifacts(self) -> Path:
        """Where the project's own wheel is made before it goes into the layer."""
        return self.dir_build_lambda_layer / "artifacts"

    @property
    def dir_sources(self) -> Path:
        """Where sources are built to wheels."""
        return self.dir_artifacts / "sources"

    @property
    def path_included_pack(self) -> Path:
        """Where `force-include` files wait, compressed, for the layer to be written."""
        return self.dir_artifacts / "included.pack"

    @property
    def path_build_lambda_layer_zip(self) -> Path:
        """The layer, where the matrix has one member."""
        return self.path_layer_zip(None)

    def path_layer_zip(self, member: str | None) -> Path:
        """Give the layer of a member of the matrix; `None` where there is only one."""
        return self.dir_output / (f"layer-{member}.zip" if member else "layer.zip")

    def path_layer_manifest(self, member: str | None) -> Path:
        """Give the `layer.json` beside the layer."""
        return self.path_layer_zip(member).with_suffix(".json")

    def built_paths(self) -> list[Path]:
        """Give the layers and manifests in the output folder, of this matrix or an older one."""
        if not self.dir_output.is_dir():
            return []
        found = self.dir_output.iterdir()
        return sorted(path for path in found if re.fullmatch(_BUILT, path.name))
