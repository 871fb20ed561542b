"""`layer.json`: what is in a layer, the three digests, and whether anything has changed.

`input_digest` identifies what the content is made from, `lock_digest` what of that a lockfile and
the configuration say, `content_digest` the content itself, and
`code_sha256` the bytes of the zip (base64, as Lambda and Terraform write it).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from ..exceptions import LambdaLayerError, OutputError
from ..findings import SEVERITIES, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..config.matrix import Member
    from ..wheels.wheel import Wheel
    from .archive import WrittenArchive
    from .tree import LayerTree

SCHEMA = 2
# Those that can be read: of 1, findings had other codes, and neither severity nor place.
_READABLE = (1, SCHEMA)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerPackage:
    """A distribution in a layer; sizes in bytes, `sha256` (hexadecimal) that of its wheel.

    `zipped_size` counts the compressed content without the headers of the zip.
    """

    name: str
    version: str
    wheel: str
    sha256: str
    files: int
    unpacked_size: int
    zipped_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerManifest:
    """The content of a `layer.json`, which describes the zip beside it; sizes in bytes.

    `project` is the normalised name of the project that made it, `None` where that has none.
    `member` is the id in the matrix, `layer` the name of the layer, `None` for the unnamed one.
    `code_sha256` is base64; the other digests are `sha256:` and 64 hexadecimal digits.
    """

    project: str | None = None
    member: str
    layer: str | None
    runtime: str
    architecture: str
    lock_digest: str | None = None
    input_digest: str
    content_digest: str
    code_sha256: str
    zipped_size: int
    unpacked_size: int
    files: int
    packages: tuple[LayerPackage, ...]
    findings: tuple[Finding, ...]

    def to_json(self) -> str:
        """Return the text of the `layer.json`; equal manifests have equal text."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> LayerManifest:
        """Parse the text of a `layer.json`; raise `LambdaLayerError` where it is not valid."""
        try:
            table: dict[str, Any] = json.loads(text)
            schema = table.pop("schema")
            if schema not in _READABLE or isinstance(schema, bool):
                raise LambdaLayerError(
                    f"The manifest has schema {schema}, only {SCHEMA} and older are known",
                    hint="read it with the version of hatch-lambda-layer that wrote it",
                )
            packages = tuple(_typed(LayerPackage, package) for package in table.pop("packages"))
            read = _finding if schema == SCHEMA else _former_finding
            findings = tuple(map(read, table.pop("findings")))
            return _typed(cls, {**table, "packages": packages, "findings": findings})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise LambdaLayerError(f"The manifest is not a valid `layer.json`: {error}") from error

    @classmethod
    def read(cls, path: Path) -> LayerManifest:
        """Read the `layer.json` at `path`; raise `LambdaLayerError`, naming it, if that fails."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise OutputError(
                f"{path} can't be read: {error.strerror}",
                hint="a build writes a `layer.json` beside the zip: keep them together",
            ) from error
        except UnicodeDecodeError as error:
            raise LambdaLayerError(f"{path}: {error}") from error
        except LambdaLayerError as error:
            raise LambdaLayerError(f"{path}: {error.message}", hint=error.hint) from error

    @classmethod
    def beside(cls, zip_path: Path) -> LayerManifest:
        """Read the `layer.json` beside a zip; raise `LambdaLayerError` where there is none."""
        path = zip_path.with_suffix(".json")
        if zip_path.suffix != ".zip" and not path.exists():
            raise LambdaLayerError(
                f"{zip_path} is not a layer: the name of one ends with `.zip`",
                hint="name a zip that a build has written, such as `dist/layer.zip`",
            )
        return cls.read(path)

    @classmethod
    def read_intact(cls, path: Path, zip_path: Path) -> LayerManifest | None:
        """Read a `layer.json`; return `None` if it can't be read or its zip has changed."""
        try:
            found = cls.from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, LambdaLayerError):
            return None
        return found if found.describes(zip_path) else None

    def is_of(self, project: str | None, member: str) -> bool:
        """Return whether `project` has made the layer.

        Where the manifest does not name its project, that is so for the same member of the matrix.
        """
        return self.project == project or (self.project is None and self.member == member)

    def describes(self, zip_path: Path) -> bool:
        """Return whether the zip still has the bytes that this manifest was written for."""
        try:
            if zip_path.stat().st_size != self.zipped_size:
                return False
            with zip_path.open("rb") as file:
                return _base64(hashlib.file_digest(file, "sha256").digest()) == self.code_sha256
        except OSError:
            return False


def input_digest(facts: object) -> str:
    """Return the digest of `facts`: everything that decides a layer's content, fit for JSON."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def content_digest(tree: LayerTree) -> str:
    """Return the digest of a settled tree: its paths, modes, sizes and uncompressed contents."""
    lines = "".join(
        f"{entry.path}\0{entry.mode:o}\0{entry.size}\0{entry.sha256}\n" for entry in tree
    )
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def describe(
    member: Member,
    inputs: str,
    tree: LayerTree,
    wheels: Iterable[Wheel],
    archive: WrittenArchive,
    findings: Iterable[Finding],
    project: str | None = None,
    lock: str | None = None,
) -> LayerManifest:
    """Return the manifest of a layer that has been written.

    `inputs` is its input digest, `lock` its lock digest.
    """
    return LayerManifest(
        project=project,
        member=member.id,
        layer=member.config.name,
        runtime=member.target.runtime.id,
        architecture=member.target.architecture.value,
        lock_digest=lock,
        input_digest=inputs,
        content_digest=content_digest(tree),
        code_sha256=_base64(bytes.fromhex(archive.sha256)),
        zipped_size=archive.size,
        unpacked_size=tree.unpacked_size,
        files=len(tree.entries),
        packages=tuple(packages(tree, wheels)),
        findings=tuple(findings),
    )


def packages(tree: LayerTree, wheels: Iterable[Wheel]) -> Iterable[LayerPackage]:
    """Yield the files and sizes that each wheel has in the tree, sorted by name."""
    sums: dict[str, list[int]] = {}
    for entry in tree:
        total = sums.setdefault(entry.owner, [0, 0, 0])
        total[0] += 1
        total[1] += entry.size
        total[2] += entry.compressed_size
    for wheel in sorted(wheels, key=lambda wheel: wheel.name):
        files, unpacked, zipped = sums.get(wheel.name, (0, 0, 0))
        yield LayerPackage(
            name=wheel.name,
            version=wheel.version,
            wheel=wheel.filename,
            sha256=wheel.sha256,
            files=files,
            unpacked_size=unpacked,
            zipped_size=zipped,
        )


def _typed(kind: type[T], table: dict[str, Any]) -> T:
    """Build a value of a dataclass; raise `TypeError` where a string or number is required."""
    for field in fields(kind):  # type: ignore[arg-type]
        wanted = {"str": str, "int": int}.get(str(field.type), object)
        if field.name in table and type(table[field.name]) is not wanted and wanted is not object:
            raise TypeError(f"`{field.name}` must be of type {field.type}")
    return kind(**table)


def _finding(table: dict[str, Any]) -> Finding:
    if table["severity"] not in SEVERITIES:
        raise ValueError(f"`severity` must be one of {', '.join(SEVERITIES)}")
    return _typed(Finding, table)


def _former_finding(table: dict[str, Any]) -> Finding:
    """Read a finding of schema 1, which had a word and a message."""
    from ..findings.codes import FORMER

    code = FORMER.get(table["code"])
    return _typed(
        Finding,
        {
            "place": "",
            **table,
            "code": code.id if code else table["code"],
            "severity": code.severity if code else "warning",
        },
    )


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
