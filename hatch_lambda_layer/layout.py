"""Paths on disk and keys on S3 of a project's layers; no other module spells them out."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Layers, manifests, and the temporary files of both that a killed build leaves behind.
_BUILT = r"layer(-.*python3\.\d+-(x86_64|arm64))?\.(zip|json)|\.layer.*\.(zip|json)\.\w+\.tmp"


@dataclass(frozen=True, slots=True)
class LayerPathLayout:
    """The paths of one project's layers.

    `dir_output` is where the layers go: `dist`, or what the caller of the build asks for.
    `build_name` tells the work folder of one build from those of others.
    """

    path_pyproject_toml: Path
    dir_output: Path
    build_name: str = "build"

    @property
    def dir_project_root(self) -> Path:
        """The folder of `pyproject.toml`."""
        return self.path_pyproject_toml.parent

    @property
    def dir_build_lambda(self) -> Path:
        """The folder of everything made for Lambda; git ignores it."""
        return self.dir_project_root / "build" / "lambda"

    @property
    def dir_build_lambda_layer(self) -> Path:
        """The folder of everything made for layers."""
        return self.dir_build_lambda / "layer"

    @property
    def dir_artifacts(self) -> Path:
        """The folder in which every build has a work folder of its own."""
        return self.dir_build_lambda_layer / "artifacts"

    @property
    def dir_work(self) -> Path:
        """The work folder of one build, in which all is made that goes into its layer."""
        return self.dir_artifacts / self.build_name

    @property
    def dir_sources(self) -> Path:
        """The folder in which sources are built to wheels."""
        return self.dir_work / "sources"

    @property
    def path_included_pack(self) -> Path:
        """The file that holds the compressed `force-include` files until the layer is written."""
        return self.dir_work / "included.pack"

    @property
    def path_build_lambda_layer_zip(self) -> Path:
        """The path of the layer, where the matrix has one member."""
        return self.path_layer_zip(None)

    def path_layer_zip(self, member: str | None) -> Path:
        """Return the path of a member's layer; `None` stands for the only member of a matrix."""
        return self.dir_output / (f"layer-{member}.zip" if member else "layer.zip")

    def path_layer_manifest(self, member: str | None) -> Path:
        """Return the path of the `layer.json` beside a member's layer."""
        return self.path_layer_zip(member).with_suffix(".json")

    def built_paths(self) -> list[Path]:
        """Return the layers and manifests in the output folder, also those of an earlier matrix."""
        if not self.dir_output.is_dir():
            return []
        found = self.dir_output.iterdir()
        return sorted(path for path in found if re.fullmatch(_BUILT, path.name))


@dataclass(frozen=True, slots=True)
class LayerS3Layout:
    """The S3 keys of one layer's objects, all below `folder`, which ends without a slash.

    Each layer and set of architectures has its own folder, so that layers never share a key.
    """

    folder: str

    def key_layer_zip(self, content_digest: str, code_sha256: str) -> str:
        """Return the key of the zip, made from its content digest and its CodeSha256 (base64).

        Both are needed: different versions of zlib compress the same content to different bytes.
        """
        bytes_mark = base64.b64decode(code_sha256).hex()[:12]
        return f"{self.folder}/layer/layer-{content_digest.partition(':')[2]}-{bytes_mark}.zip"

    def key_manifest(self, version: int, filename: str) -> str:
        """Return the key of a manifest of the layer version with this number."""
        return f"{self.folder}/layer/{version:06}/{filename}"

    def key_last_manifest(self, filename: str) -> str:
        """Return the key of a manifest of the newest version."""
        return f"{self.folder}/layer/last-{filename}"
