"""Importing a layer that is on disk, whoever has made it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from .._internal.store import Store, default_cache_dir
from ..exceptions import LambdaLayerError, OutputError
from ..import_proof.comparison import of_manifest
from ..import_proof.guess import target_of
from ..import_proof.proof import prove_imports
from ..import_proof.provenance import is_made_here
from ..import_proof.report import proof_path, record
from ..layer.archive import write_text
from ..layer.manifest import LayerManifest
from ..wheels.cache import WheelCache

if TYPE_CHECKING:
    from pathlib import Path

    from .._internal.console import Console
    from ..import_proof.opening import Wishes
    from ..import_proof.places import Limits
    from ..import_proof.report import ImportReport


def prove_layer(
    layer: Path,
    console: Console,
    *,
    runtime: str | None,
    architecture: str | None,
    wishes: Wishes,
    limits: Limits,
) -> ImportReport:
    """Import everything of a zip or a folder, and return the report.

    That of a zip is also written beside it. Raises `LambdaLayerError` where nothing can be
    imported.
    """
    store = Store(default_cache_dir())
    manifest = wheels = None
    if layer.is_file():
        manifest = LayerManifest.read_intact(layer.with_suffix(".json"), layer)
        if is_made_here(store, _sha256(layer)):
            wishes = replace(wishes, trusted=True)
            wheels = of_manifest(manifest, WheelCache(store)) if manifest else None
    target = target_of(layer, manifest, runtime, architecture)
    report = prove_imports(layer, target, console, wishes=wishes, limits=limits, wheels=wheels)
    if report.code_sha256 is not None:
        path = proof_path(layer)
        try:
            write_text(path, record(path, report))
        except OutputError as error:
            console.warning(error.message)
    return report


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LambdaLayerError(f"{path} can't be read: {error.strerror}") from error
