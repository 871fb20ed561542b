"""Where things lie on disk and on S3, and under which name: the one place that knows."""

from __future__ import annotations

import base64
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


@dataclass(frozen=True, slots=True)
class LayerS3Layout:
    """The keys of one layer's objects, all below `folder`, which ends without a slash.

    The folder is of one layer on one set of architectures: two layers never share a key.
    """

    folder: str

    def key_layer_zip(self, content_digest: str, code_sha256: str) -> str:
        """Give the key of the zip; it tells the content, and the bytes where zlibs differ."""
        bytes_mark = base64.b64decode(code_sha256).hex()[:12]
        return f"{self.folder}/layer/layer-{content_digest.partition(':')[2]}-{bytes_mark}.zip"

    def key_manifest(self, version: int, filename: str) -> str:
        """Give the key of a manifest of a version."""
        return f"{self.folder}/layer/{version:06}/{filename}"

    def key_last_manifest(self, filename: str) -> str:
        """Give the key of the newest version's manifest."""
        return f"{self.folder}/layer/last-{filename}"
