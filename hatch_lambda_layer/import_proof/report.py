"""The report on the imports of a layer: values, their JSON, and the file beside the layer."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SCHEMA = 1
# `nowhere`: the same import fails without the layer, too.
Verdict = Literal["imported", "failed", "nowhere"]
_SLOWEST = 10
# The proofs of earlier zips stay for comparison; nobody compares with more.
_MOST_PROOFS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleVerdict:
    """The result of one import; `seconds` and `memory` (the process's peak, in bytes) are measured.

    `kind` is `module` for what is at the top, `package` for one that holds extension modules, or
    `extension`. `reason` is a word for why it failed, `message` a sentence, `place` the line in the
    layer where it was raised; all are empty for what was imported. `compared` is true when the
    import was tried without the layer as well. `extensions` counts those that were imported with a
    package.
    """

    name: str
    kind: str
    verdict: Verdict
    seconds: float
    memory: int
    reason: str = ""
    message: str = ""
    place: str = ""
    compared: bool = False
    extensions: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributionVerdict:
    """The result of reading a distribution; `error` is empty where everything could be."""

    name: str
    version: str
    entry_points: int
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """The proof of one layer on one target.

    `place` is where the modules were imported (`bubblewrap`, `container` or `folder`), `python` the
    interpreter, `notes` what to know of both. `code_sha256` is that of the zip, `None` for a
    folder.
    `client` is true where the metadata was read through the runtime's client.
    """

    target: str
    code_sha256: str | None
    place: str
    python: str
    client: bool
    notes: tuple[str, ...]
    seconds: float
    modules: tuple[ModuleVerdict, ...]
    distributions: tuple[DistributionVerdict, ...]

    @property
    def failed(self) -> tuple[ModuleVerdict, ...]:
        """The imports that fail in this layer only."""
        return tuple(each for each in self.modules if each.verdict == "failed")

    @property
    def nowhere(self) -> tuple[ModuleVerdict, ...]:
        """The imports that fail without the layer as well."""
        return tuple(each for each in self.modules if each.verdict == "nowhere")

    @property
    def unreadable(self) -> tuple[DistributionVerdict, ...]:
        """The distributions whose metadata can't be read."""
        return tuple(each for each in self.distributions if each.error)

    @property
    def is_proof(self) -> bool:
        """Whether nothing has failed that the layer is to blame for."""
        return not self.failed and not self.unreadable

    @property
    def slowest(self) -> tuple[ModuleVerdict, ...]:
        """The ten slowest modules that were imported, the slowest first."""
        imported = [
            each for each in self.modules if each.verdict == "imported" and each.kind == "module"
        ]
        return tuple(sorted(imported, key=lambda each: -each.seconds)[:_SLOWEST])

    def to_table(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return asdict(self)


def proof_path(zip_path: Path) -> Path:
    """Return the path of the measurements beside a layer."""
    return zip_path.with_suffix(".verify.json")


def recorded(path: Path, code_sha256: str) -> bool:
    """Return whether the file at `path` has a proof of the zip, in which nothing has failed."""
    found = _read(path).get(code_sha256)
    return isinstance(found, dict) and found.get("is_proof") is True


def record(path: Path, report: ImportReport) -> str:
    """Return the text of the file at `path` with the report added to it."""
    table = {"is_proof": report.is_proof, **report.to_table()}
    proofs = {key: value for key, value in _read(path).items() if key != report.code_sha256}
    proofs[str(report.code_sha256)] = table
    newest = dict(list(proofs.items())[-_MOST_PROOFS:])
    return json.dumps({"schema": SCHEMA, "proofs": newest}, indent=2, ensure_ascii=False) + "\n"


def totals(verdicts: Iterable[ModuleVerdict]) -> dict[Verdict, int]:
    """Return how many imports there are of each verdict."""
    found: dict[Verdict, int] = {"imported": 0, "failed": 0, "nowhere": 0}
    for each in verdicts:
        found[each.verdict] += 1
    return found


def _read(path: Path) -> dict[str, Any]:
    """Return the proofs in a file; none where it is missing or not valid."""
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        table = json.loads(path.read_text(encoding="utf-8"))
        if table.get("schema") == SCHEMA and isinstance(table.get("proofs"), dict):
            return dict(table["proofs"])
    return {}
