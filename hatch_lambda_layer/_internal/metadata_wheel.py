"""Wheels that have metadata and nothing else: all that a resolver reads of a source."""

from __future__ import annotations

import zipfile
from email.parser import BytesParser
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class MetadataWheel(NamedTuple):
    """A wheel without modules: its path, and the name and version in its metadata."""

    path: Path
    name: str
    version: str


def write_metadata_wheel(folder: Path, metadata: bytes) -> MetadataWheel:
    """Write a wheel with this METADATA (core metadata) into `folder`."""
    from packaging.utils import canonicalize_name

    headers = BytesParser().parsebytes(metadata, headersonly=True)
    name, version = canonicalize_name(headers["Name"]), str(headers["Version"]).strip()
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    info = f"{stem}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return MetadataWheel(path, name, version)
