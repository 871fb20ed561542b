"""Placing the members of a wheel in a layer.

PEP 427 installs a wheel's root and the folders of its `.data` to different places. In a layer:

- the root, `purelib` and `platlib` go to `python/`, which Lambda puts on `sys.path`
- `data` goes to `python/`, too, as with `pip install --target`
- `scripts` go to `python/bin/`, with `#!python` replaced by the path of Lambda's interpreter
- `headers` are left out with a finding, since nothing is compiled on Lambda
"""

from __future__ import annotations

import base64
import csv
import io
from typing import TYPE_CHECKING

from ..findings import codes
from ..wheels.wheel import read_member
from .tree import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..findings import Finding
    from ..targets.target import Target
    from ..wheels.wheel import Wheel, WheelMember

ROOT = "python/"
FOLDERS = {"purelib": "", "platlib": "", "data": "", "scripts": "bin/"}


def place(wheel: Wheel, target: Target) -> tuple[list[Entry], list[Finding]]:
    """Return the entries of `wheel` in a layer, and a finding on headers that are left out."""
    prefix = wheel.dist_info.removesuffix(".dist-info") + ".data/"
    plain = [member for member in wheel.members if not member.path.startswith(prefix)]
    moved = [member for member in wheel.members if member.path.startswith(prefix)]
    entries = [_copied(wheel, member, member.path) for member in plain]
    if not moved:
        return entries, []
    headers = []
    for member in moved:
        folder, _, path = member.path.removeprefix(prefix).partition("/")
        if folder == "headers":
            headers.append(member.path)
        elif folder == "scripts":
            entries.append(_script(wheel, member, f"{FOLDERS[folder]}{path}", target))
        else:
            entries.append(_copied(wheel, member, f"{FOLDERS[folder]}{path}"))
    findings = []
    if headers:
        title = f"{wheel.name} {wheel.version}"
        more = f" and {len(headers) - 1} more" if len(headers) > 1 else ""
        message = (
            f"{title}: its headers, which only a compiler needs, were left out ({headers[0]}{more})"
        )
        findings.append(codes.HEADERS_LEFT_OUT.finding(title, message))
    return list(_with_record(wheel, entries)), findings


def _copied(wheel: Wheel, member: WheelMember, path: str) -> Entry:
    return Entry(
        path=ROOT + path,
        owner=wheel.name,
        executable=member.executable,
        method=member.method,
        source=wheel.file,
        offset=member.offset,
        compressed_size=member.compressed_size,
        size=member.size,
        crc=member.crc,
        sha256=member.sha256,
        packed_crc=member.packed_crc,
    )


def _script(wheel: Wheel, member: WheelMember, path: str, target: Target) -> Entry:
    """Build a script's entry as installers do: executable, run by the target's Python."""
    content = read_member(wheel, member)
    if not content.startswith(b"#!python"):
        return _copied(wheel, member, path)._replace(executable=True)
    rest = content.partition(b"\n")[2]
    shebang = f"#!/var/lang/bin/{target.runtime.interpreter}\n".encode()
    return Entry.made(ROOT + path, wheel.name, shebang + rest, executable=True)


def _with_record(wheel: Wheel, entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the entries, with RECORD rewritten for their places in the layer (PEP 376)."""
    record = f"{ROOT}{wheel.dist_info}/RECORD"
    rows = []
    for entry in entries:
        if entry.path == record:
            rows.append((f"{wheel.dist_info}/RECORD", "", ""))
            continue
        yield entry
        digest = base64.urlsafe_b64encode(bytes.fromhex(entry.sha256)).rstrip(b"=").decode()
        rows.append((entry.path.removeprefix(ROOT), f"sha256={digest}", str(entry.size)))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(sorted(set(rows)))
    yield Entry.made(record, wheel.name, text.getvalue().encode())
