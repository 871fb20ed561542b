"""Whose the layers in an output folder are: several projects may share one.

Their manifests say it. No project replaces or removes the layer of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import LambdaLayerError, OutputError
from ..layer.manifest import LayerManifest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from ..layout import LayerPathLayout


def refuse_anothers(zip_path: Path, project: str | None, member: str) -> None:
    """Raise `OutputError` if the layer at `zip_path` is not that of `project`.

    `member` is the id of what is to be built there.
    """
    manifest = _manifest(zip_path)
    if manifest is None or manifest.is_of(project, member):
        return
    whose = f"the project `{manifest.project}`" if manifest.project else "another project"
    raise OutputError(
        f"{zip_path} is the layer of {whose}, so it is not replaced",
        hint='give the layers of this project another name, such as `filename = "{project}-layer"` '
        "in `[tool.lambda-layer]`, or another folder: `directory` in "
        "`[tool.hatch.build.targets.lambda-layer]`, or `--output-dir`; a layer that nobody needs "
        "any more can be removed",
    )


def is_anothers(path: Path, project: str | None) -> bool:
    """Return whether a layer, or its manifest, at `path` is known to be of another project."""
    manifest = _manifest(path)
    return manifest is not None and manifest.project not in (None, project)


def leftovers(
    layout: LayerPathLayout, project: str | None, built: Collection[Path]
) -> Iterator[Path]:
    """Yield the layers in the output folder that `project` has made, other than those just `built`.

    A layer that has been changed since, or has been given a name that no build gives, is left
    alone. So is that of a project without a name, in a folder that it may share with others.
    """
    if project is None and not layout.dir_output.is_relative_to(layout.dir_project_root):
        return
    for path in layout.manifest_paths():
        zip_path = path.with_suffix(".zip")
        manifest = None if zip_path in built else _manifest(path)
        if manifest is None or manifest.project != project:
            continue
        named = path.stem in layout.short_names or path.stem.endswith(f"-{manifest.member}")
        if named and (manifest.describes(zip_path) or not zip_path.exists()):
            yield zip_path


def _manifest(path: Path) -> LayerManifest | None:
    try:
        return LayerManifest.read(path.with_suffix(".json"))
    except LambdaLayerError:
        return None
