"""Audit and import proof as parts of a build, of a layer before it is there, or of a current one.

What was measured goes into `layer.verify.json`, never into `layer.json`: equal layers have equal
manifests.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from .. import __version__
from .._internal.store import UNREADABLE
from ..findings import Finding
from ..import_proof.report import proof_path, record, recorded
from ..layer import archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .._internal.store import Store
    from ..config.matrix import Member
    from ..import_proof.comparison import Wheels
    from ..layer.composition import Composition
    from ..layer.manifest import LayerManifest
    from ..wheels.wheel import Wheel
    from .inputs import BuildContext, BuildInputs

# Of what the store keeps.
_KIND = "audits"


def audited_layer(
    store: Store, inputs: BuildInputs, made: Composition, wheels: Sequence[Wheel]
) -> Sequence[Finding]:
    """Return the findings of the audit of a layer; those of equal inputs are kept.

    To read requirements takes longer than all the rest, and needs modules that no warm build has.
    """
    if inputs.member.config.verify == "none":
        return ()
    # What was built here may come out differently from the same source.
    facts = [__version__, inputs.digest, sorted(inputs.built_names), [w.sha256 for w in wheels]]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    kept = store.get(_KIND, key)
    if kept is not None:
        with suppress(*UNREADABLE):
            return [Finding(**each) for each in json.loads(kept)]
    from ..layer.audit import audit
    from ..layer.audit.subject import layer_subject

    found = audit(layer_subject(inputs.member, made, wheels, inputs.built_names))
    store.put(_KIND, key, json.dumps([asdict(each) for each in found]).encode())
    return found


def is_to_be_proved(member: Member, zip_path: Path, code_sha256: str) -> bool:
    """Return whether a layer that is current has yet to be imported."""
    return member.config.verify == "import" and not recorded(proof_path(zip_path), code_sha256)


def prove_current(
    member: Member, manifest: LayerManifest, zip_path: Path, context: BuildContext
) -> None:
    """Import a layer that is current; raise the errors of `prove_new`."""
    from ..import_proof.comparison import of_manifest

    _prove(member, zip_path, zip_path, context, of_manifest(manifest, context.cache))


def prove_new(
    member: Member, new: Path, zip_path: Path, context: BuildContext, wheels: Iterable[Wheel]
) -> None:
    """Import the layer in the zip `new`, which will be at `zip_path`.

    Raises `AuditError` where something can't be imported that the layer is to blame for, and
    `LambdaLayerError` where nothing can be imported; then nothing is written.
    """
    from ..import_proof.comparison import of_wheels

    _prove(member, new, zip_path, context, of_wheels(wheels))


def _prove(
    member: Member, layer: Path, zip_path: Path, context: BuildContext, wheels: Wheels
) -> None:
    from ..import_proof.opening import Wishes
    from ..import_proof.outcome import import_findings
    from ..import_proof.proof import prove_imports
    from ..reports.imports import as_text

    console = context.console
    # It is made of wheels that the user has locked, so that it needs no sandbox.
    wishes = Wishes(trusted=True)
    report = prove_imports(layer, member.target, console, wishes=wishes, wheels=wheels)
    console.info(as_text(report).rstrip())
    for finding in member.config.findings.checked(import_findings(report)):
        if finding.is_note:
            console.detail(str(finding))
        else:
            console.warning(finding.text)
    path = proof_path(zip_path)
    archive.write_text(path, record(path, report))
