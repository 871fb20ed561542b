"""Opening a project's folder for a build: its `pyproject.toml`, if any, read without Hatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.toml import parse_toml
from ..config.matrix import Matrix
from ..exceptions import ConfigError
from ..layout import LayerPathLayout, hatch_output, with_hatch_toml
from ..targets.target import runtimes
from .location import locate_project
from .project import ProjectBuild

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .._internal.console import Console

# Keys of `[tool.lambda-layer]` that no layer has for its own alone.
_TABLES = ("layers", "indexes", "custom-runtimes", "filename", "publish")


def open_project(
    path: Path | None,
    console: Console,
    *,
    output: Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> ProjectBuild:
    """Read the project in the folder `path`; its layers go to `output`, by default to Hatch's.

    With `None`, it is in the current folder, or in one around it. `overrides` are keys of
    `[tool.lambda-layer]` that replace those in the file, or stand for it where there is none.
    Raises `ConfigError` where there is no project, or `pyproject.toml` is not valid.
    """
    overrides = overrides or {}
    has_lockfile = not overrides.keys().isdisjoint(("lockfile", "requirements"))
    project = locate_project(path, has_lockfile=has_lockfile)
    root = project.path
    pyproject_path = root / "pyproject.toml"
    pyproject = with_hatch_toml(root, _read(pyproject_path, overrides))
    pyproject = _with_tables(pyproject, overrides)
    of_layers = {key: value for key, value in overrides.items() if key not in _TABLES}
    matrix = Matrix.from_pyproject(pyproject, of_layers)
    if not project.is_evident:
        console.info(str(project))
    dir_output = output.absolute() if output else hatch_output(root, pyproject)
    return ProjectBuild(
        matrix=matrix,
        layout=LayerPathLayout(pyproject_path, dir_output, filename=matrix.filename),
        pyproject=pyproject,
        console=console,
    )


def _read(path: Path, overrides: Mapping[str, object]) -> dict[str, object]:
    """Return the content of `pyproject.toml`; what has to be in it may be in `overrides`."""
    try:
        return parse_toml(path.read_bytes())
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path} is not UTF-8: {error}"]) from error
    except ValueError as error:
        raise ConfigError([f"{path} is not valid TOML: {error}"]) from error
    except FileNotFoundError as error:
        if "runtimes" in overrides:
            return {}
        problem = (
            f"{path.parent} has no pyproject.toml, whose `[tool.lambda-layer]` names the Lambda "
            f"runtime: build with `--runtime {next(iter(runtimes()))}`, for example"
        )
        raise ConfigError([problem]) from error
    except OSError as error:
        raise ConfigError([f"{path} can't be read: {error.strerror}"]) from error


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
