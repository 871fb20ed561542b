"""A project's folder as a build: `pyproject.toml`, read without Hatch."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

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
    """Read the project in a folder; its layers go to `output`, which is `dist` if it is `None`.

    `overrides` are keys of `[tool.lambda-layer]` that count instead of what it says. Raises
    `ConfigError` where `pyproject.toml` is missing or wrong.
    """
    root = path.absolute()
    pyproject_path = root / "pyproject.toml"
    try:
        pyproject = tomllib.loads(pyproject_path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{pyproject_path} is not valid TOML: {error}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{pyproject_path} is not UTF-8: {error}"]) from error
    except OSError as error:
        raise ConfigError([f"{pyproject_path} can't be read: {error.strerror}"]) from error
    return ProjectBuild(
        matrix=Matrix.from_pyproject(pyproject, overrides),
        layout=LayerPathLayout(pyproject_path, output.absolute() if output else root / "dist"),
        pyproject=pyproject,
        console=console,
    )
