"""Opening a project's folder for a build: its `pyproject.toml`, read without Hatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.toml import parse_toml
from ..config.layer import Matrix
from ..exceptions import ConfigError
from ..layout import LayerPathLayout
from .project import ProjectBuild

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .._internal.console import Console


def open_project(
    path: Path,
    console: Console,
    *,
    output: Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> ProjectBuild:
    """Read the project in the folder `path`; its layers go to `output`, by default to `dist`.

    `overrides` are keys of `[tool.lambda-layer]` that replace those in the file. Raises
    `ConfigError` where `pyproject.toml` is missing or not valid.
    """
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
    return ProjectBuild(
        matrix=Matrix.from_pyproject(pyproject, overrides),
        layout=LayerPathLayout(pyproject_path, output.absolute() if output else root / "dist"),
        pyproject=pyproject,
        console=console,
    )
