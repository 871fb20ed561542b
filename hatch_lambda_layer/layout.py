"""Paths on disk and keys on S3 of a project's layers; no other module spells them out."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ._internal.tables import table_at, value_at
from ._internal.toml import parse_toml
from .exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Layers, manifests, and the temporary files of both that a killed build leaves behind.
_MADE = r"(zip|json|verify\.json)"
_BUILT = rf"{{0}}(-.+-(x86_64|arm64))?\.{_MADE}|\.{{0}}(-.+)?\.{_MADE}\.\w+\.tmp"

_REQUIREMENTS, _POETRY, _PDM = "requirements.txt", "poetry.lock", "pdm.lock"
_UV, _PYLOCK = "uv.lock", "pylock.toml"
_MANIFESTS = {"uv": _UV, "poetry": _POETRY, "pdm": _PDM, "pip": _REQUIREMENTS, "pylock": _PYLOCK}
# Hatch's own, where no `directory` is configured.
_OUTPUT = "dist"
_FILENAME = "layer"
_FILENAME_FORM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")


@dataclass(frozen=True, slots=True, init=False)
class LayerPathLayout:
    """The paths of one project's layers.

    `dir_output` is where the layers go: by default, where Hatch would put them. `filename` begins
    the names of their files: by default, it is read from `pyproject.toml`, as `layer_filename` has
    it. `build_name` tells the work folder of one build from those of others.
    """

    path_pyproject_toml: Path
    dir_output: Path
    build_name: str = "build"
    filename: str = _FILENAME

    def __init__(
        self,
        path_pyproject_toml: Path | str,
        dir_output: Path | str | None = None,
        build_name: str = "build",
        filename: str | None = None,
    ) -> None:
        path = Path(path_pyproject_toml)
        # Without a folder, Hatch's is read from the files of the project; see `hatch_output`.
        output = hatch_output(path.parent) if dir_output is None else Path(dir_output)
        filename = layer_filename(_toml(path)) if filename is None else filename
        object.__setattr__(self, "path_pyproject_toml", path)
        object.__setattr__(self, "dir_output", output)
        object.__setattr__(self, "build_name", build_name)
        object.__setattr__(self, "filename", filename)

    @property
    def dir_project_root(self) -> Path:
        """The folder of `pyproject.toml`."""
        return self.path_pyproject_toml.parent

    @property
    def path_requirements_txt(self) -> Path:
        """The usual path of the requirements that pip reads."""
        return self.manifest_path("pip")

    @property
    def path_poetry_lock(self) -> Path:
        """The path of the lockfile of poetry."""
        return self.manifest_path("poetry")

    @property
    def path_pdm_lock(self) -> Path:
        """The path of the lockfile of pdm."""
        return self.manifest_path("pdm")

    @property
    def path_uv_lock(self) -> Path:
        """The path of the project's own lockfile of uv; that of a workspace lies further up."""
        return self.manifest_path("uv")

    @property
    def path_pylock_toml(self) -> Path:
        """The usual path of a lockfile after PEP 751."""
        return self.manifest_path("pylock")

    def manifest_path(self, tool: str) -> Path:
        """Return the path of the file in which `tool` locks; raise `ConfigError` for another tool.

        The tools are those of `tool` in `[tool.lambda-layer]`. The file need not exist.
        """
        if tool not in _MANIFESTS:
            raise ConfigError([f"Tool {tool!r} is unknown: there are {', '.join(_MANIFESTS)}"])
        return self.dir_project_root / _MANIFESTS[tool]

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
        return self.dir_output / f"{self.filename}{f'-{member}' if member else ''}.zip"

    def path_layer_manifest(self, member: str | None) -> Path:
        """Return the path of the `layer.json` beside a member's layer."""
        return self.path_layer_zip(member).with_suffix(".json")

    @property
    def short_names(self) -> frozenset[str]:
        """The names, without their endings, that the only layer of a project has or had."""
        return frozenset({self.filename, _FILENAME})

    def manifest_paths(self) -> list[Path]:
        """Return what may be a manifest in the output folder, also with an earlier `filename`."""
        return sorted(
            path
            for path in self.dir_output.glob("*.json")
            if path.stem in self.short_names or path.stem.endswith(("-x86_64", "-arm64"))
        )

    def built_paths(self) -> list[Path]:
        """Return what has the name of a layer or manifest, also of an earlier matrix."""
        if not self.dir_output.is_dir():
            return []
        pattern = re.compile(_BUILT.format(re.escape(self.filename)))
        return sorted(path for path in self.dir_output.iterdir() if pattern.fullmatch(path.name))


def hatch_output(root: Path, pyproject: Mapping[str, object] | None = None) -> Path:
    """Return the folder into which Hatch puts the layers of the project in `root`.

    That is `directory` of `[tool.hatch.build.targets.lambda-layer]`, else of `[tool.hatch.build]`,
    else `dist`; the tables of `hatch.toml` replace those of `pyproject.toml`, as Hatch has it.
    `pyproject` is the content of `pyproject.toml`, which is read if it is `None`. Raises
    `ConfigError` if one of these files is not valid.
    """
    if pyproject is None:
        pyproject = _toml(root / "pyproject.toml")
    build = table_at(with_hatch_toml(root, pyproject), "tool", "hatch", "build")
    target = table_at(build, "targets", "lambda-layer")
    directory = target.get("directory", build.get("directory", _OUTPUT))
    if not isinstance(directory, str):
        raise ConfigError([f"Hatch's `directory` must be a path, not {directory!r}"])
    return Path(os.path.normpath(root / directory))


def project_name(pyproject: Mapping[str, object]) -> str | None:
    """Return the normalised name of the project, of `[project]` or of poetry's table."""
    for keys in (("project", "name"), ("tool", "poetry", "name")):
        if isinstance(name := value_at(pyproject, *keys), str) and name:
            # PEP 503. `packaging` takes a warm build longer to import than all of this.
            return re.sub(r"[-_.]+", "-", name).lower()
    return None


def layer_filename(pyproject: Mapping[str, object]) -> str:
    """Return what begins the names of the layers' files: `filename` of `[tool.lambda-layer]`.

    `{project}` in it stands for the name of the project. Raises `ConfigError`.
    """
    value = value_at(pyproject, "tool", "lambda-layer", "filename")
    if value is None:
        return _FILENAME
    field = "Field `tool.lambda-layer.filename`"
    project = project_name(pyproject)
    if isinstance(value, str) and "{project}" in value and project is None:
        raise ConfigError([f"{field} has `{{project}}` in it, but there is no `project.name`"])
    if isinstance(value, str):
        filename = value.replace("{project}", project or "")
        if _FILENAME_FORM.fullmatch(filename):
            return filename
    raise ConfigError(
        [
            (
                f"{field} must be the name of a file without its ending, of letters, digits and "
                f". _ + - only, such as '{{project}}-layer', not {value!r}"
            )
        ]
    )


def with_hatch_toml(root: Path, pyproject: Mapping[str, object]) -> dict[str, object]:
    """Return `pyproject.toml` with its tables of Hatch replaced by those of `hatch.toml`.

    Raises `ConfigError` if `hatch.toml` is not valid.
    """
    if not (own := _toml(root / "hatch.toml")):
        return {**pyproject}
    hatch = {**table_at(pyproject, "tool", "hatch"), **own}
    return {**pyproject, "tool": {**table_at(pyproject, "tool"), "hatch": hatch}}


def _toml(path: Path) -> dict[str, object]:
    """Return the content of a TOML file; an empty table where there is none."""
    try:
        return parse_toml(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError([f"{path} can't be read: {error}"]) from error


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
        return f"{self.prefix_layer_zip}{content_digest.partition(':')[2]}-{bytes_mark}.zip"

    @property
    def prefix_layer_zip(self) -> str:
        """The beginning of the keys of all zips."""
        return f"{self.folder}/layer/layer-"

    def key_manifest(self, version: int, filename: str) -> str:
        """Return the key of a manifest of the layer version with this number."""
        return f"{self.folder}/layer/{version:06}/{filename}"

    def key_last_manifest(self, filename: str) -> str:
        """Return the key of a manifest of the newest version."""
        return f"{self.folder}/layer/last-{filename}"
