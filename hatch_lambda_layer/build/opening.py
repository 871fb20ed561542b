"""Opening a project's folder for a build: its `pyproject.toml`, read without Hatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.toml import parse_toml
from ..config.matrix import Matrix
from ..exceptions import ConfigError
from ..layout import LayerPathLayout, hatch_output, with_hatch_toml
from .project import ProjectBuild

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .._internal.console import Console

# Keys of `[tool.lambda-layer]` that no layer has for its own alone.
_TABLES = ("layers", "indexes", "custom-runtimes", "filename", "publish")


def open_project(
    path: Path,
    console: Console,
    *,
    output: Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> ProjectBuild:
    """Read the project in the folder `path`; its layers go to `output`, by default to Hatch's.

    `overrides` are keys of `[tool.lambda-layer]` that replace those in the file. Raises
    `ConfigError` where `pyproject.toml` is missing or not valid.
    """
    overrides = overrides or {}
    root = path.absolute()
    pyproject_path = root / "pyproject.toml"
    try:
        pyproject = parse_toml(pyproject_path.read_bytes())
    except UnicodeDecodeError as error:
        raise ConfigError([f"{pyproject_path} is not UTF-8: {error}"]) from error
    except ValueError as error:
        raise ConfigError([f"{pyproject_path} is not valid TOML: {error}"]) from error
    except OSError as error:
        raise ConfigError([f"{pyproject_path} can't be read: {error.strerror}"]) from error
    pyproject = _with_tables(with_hatch_toml(root, pyproject), overrides)
    of_layers = {key: value for key, value in overrides.items() if key not in _TABLES}
    dir_output = output.absolute() if output else hatch_output(root, pyproject)
    matrix = Matrix.from_pyproject(pyproject, of_layers)
    return ProjectBuild(
        matrix=matrix,
        layout=LayerPathLayout(pyproject_path, dir_output, filename=matrix.filename),
        pyproject=pyproject,
        console=console,
    )


def _with_tables(
    pyproject: dict[str, object], overrides: Mapping[str, object]
) -> dict[str, object]:
    """Return the content of `pyproject.toml` with those of its `_TABLES` that are overridden."""
    given = {key: overrides[key] for key in _TABLES if key in overrides}
    tool = pyproject.get("tool", {})
    table = tool.get("lambda-layer", {}) if isinstance(tool, dict) else None
    if not given or not isinstance(table, dict) or not isinstance(tool, dict):
        return pyproject
    return {**pyproject, "tool": {**tool, "lambda-layer": {**table, **given}}}
