"""Requirements of a built wheel that name a place on this machine.

poetry-core writes a path dependency as `lib @ file:///…`, below the folder that it is built in. The
lockfile says which package that is, so the name alone is enough, and is the same on every machine.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from typing import TYPE_CHECKING

from ..wheels.wheel import read_member

if TYPE_CHECKING:
    from pathlib import Path

    from ..wheels.wheel import Wheel

# The place in a requirement (PEP 508): a URL of a file, or what backends let pass as one.
_PLACE = r"[ \t]*@[ \t]*(?:file:|\.{0,2}/)\S*"
_NAME = r"[\w.-]+(?:[ \t]*\[[^\]]*\])?"
_REQUIREMENT = re.compile(f"({_NAME}){_PLACE}", re.ASCII)
_HEADER = re.compile(
    rf"^(Requires-Dist:[ \t]*{_NAME}){_PLACE}".encode(), re.ASCII | re.IGNORECASE | re.MULTILINE
)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


def names_places(wheel: Wheel) -> bool:
    """Return whether a requirement of a verified wheel names a place on this machine."""
    return any(_REQUIREMENT.match(requirement) for requirement in wheel.requires_dist)


def write_without_places(wheel: Wheel, path: Path) -> None:
    """Write a verified wheel to `path`, with the names alone in such requirements."""
    metadata, record = (f"{wheel.dist_info}/{name}" for name in ("METADATA", "RECORD"))
    members = {member.path: member for member in wheel.members}
    changed = _with_names_alone(read_member(wheel, members[metadata]))
    made = {metadata: changed, record: _record(wheel, metadata, changed)}
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if member.executable else 0o100644) << 16
            content = made[name] if name in made else read_member(wheel, member)
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)


def _with_names_alone(metadata: bytes) -> bytes:
    end = _END_OF_HEADERS.search(metadata)
    headers = metadata[: end.start()] if end else metadata
    return _HEADER.sub(rb"\1", headers) + metadata[len(headers) :]


def _record(wheel: Wheel, metadata: str, content: bytes) -> bytes:
    sums = {member.path: (member.sha256, member.size) for member in wheel.members}
    sums[metadata] = (hashlib.sha256(content).hexdigest(), len(content))
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    for path, (sha256, size) in sums.items():
        if path == f"{wheel.dist_info}/RECORD":
            write((path, "", ""))
        else:
            digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode()
            write((path, f"sha256={digest}", size))
    return text.getvalue().encode()
