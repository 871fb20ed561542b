"""The audit of a layer or function that is on disk, whoever has made it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .._internal.scratch import scratch_folder
from ..exceptions import LambdaLayerError
from ..import_proof.guess import target_of
from ..import_proof.unpacking import unpack_layer
from ..layer.audit import audit
from ..layer.audit.folder import read_folder
from ..layer.audit.packaging import packaging_findings
from ..layer.audit.report import AuditReport
from ..layer.manifest import LayerManifest

if TYPE_CHECKING:
    from pathlib import Path

    from ..layer.audit.folder import FolderContent


def audit_layer(path: Path, *, runtime: str | None, architecture: str | None) -> AuditReport:
    """Audit a zip or a folder; nothing of it is run.

    Runtime and architecture are those that are named, else those of the manifest beside a zip, else
    what the content tells. Raises `LambdaLayerError` where it can't be read, or nothing tells.
    """
    if path.is_dir():
        return _audited(path, read_folder(path), None, runtime, architecture)
    if not path.exists():
        raise LambdaLayerError(f"{path} does not exist")
    manifest = LayerManifest.read_intact(path.with_suffix(".json"), path)
    with scratch_folder() as work:
        folder = work / "unpacked"
        modes = {
            file.relative_to(folder).as_posix(): mode
            for file, mode in unpack_layer(path, folder).items()
        }
        content = replace(read_folder(folder), modes=modes)
        return _audited(path, content, manifest, runtime, architecture)


def _audited(
    path: Path,
    content: FolderContent,
    manifest: LayerManifest | None,
    runtime: str | None,
    architecture: str | None,
) -> AuditReport:
    if manifest is None:
        runtime = runtime or content.runtime
        architecture = architecture or content.machine
    target = target_of(path, manifest, runtime, architecture)
    subject = content.subject(target)
    findings = (*audit(subject), *packaging_findings(content, subject, path.resolve().name))
    return AuditReport(kind=content.kind, target=target, findings=findings)
