"""Building layers from Python."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..build.opening import open_project
from .arguments import choose_members
from .display import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..build.pipeline import BuiltLayer
    from .display import Display

SCHEMA = 1


def build_layers(
    project: Path | str = ".",
    *,
    layers: Sequence[str] = (),
    members: Sequence[str] = (),
    output: Path | str | None = None,
    overrides: Mapping[str, object] | None = None,
    display: Display = None,
) -> list[BuiltLayer]:
    """Build the layers of the project in a folder, and return them in the order of the matrix.

    `layers` and `members` choose some of them, by default all are built. `output` is the folder for
    the layers, by default the one that Hatch would use. `overrides` are keys of
    `[tool.lambda-layer]` with the values that replace those of the file, for every layer.
    `display` is called with each line of text about the progress, or is a console of rich.

    Raises `LambdaLayerError`. If one of several layers fails, the others are still built, and
    `BuildFailures` is raised, which has them.
    """
    lines = Lines(display)
    build = open_project(
        Path(project),
        lines.console(),
        output=None if output is None else Path(output),
        overrides=overrides,
    )
    wanted = choose_members(build.matrix, layers, members)
    return list(build.build_all(wanted, lines.display_failure))


def built_as_json(layers: Iterable[BuiltLayer]) -> str:
    """Return built layers as JSON, schema 1; each `manifest` is what its `layer.json` has."""
    entries = [
        {
            **asdict(each),
            "zip_path": str(each.zip_path),
            "manifest": json.loads(each.manifest.to_json()),
        }
        for each in layers
    ]
    return json.dumps({"schema": SCHEMA, "layers": entries}, indent=2, ensure_ascii=False) + "\n"
