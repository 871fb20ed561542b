"""Verifying wheels: the checks that a wheel must pass before anything of it is used.

Installers accept wheels whose RECORD is wrong, whose members are listed twice or whose local
headers contradict the central directory. A layer is copied member by member without an installer,
so all of that is verified here, once for each wheel; the cache keeps the result.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zlib
from typing import TYPE_CHECKING, BinaryIO

from .._internal.zip_format import DEFLATED
from .._internal.zip_reader import ArchiveError, ZipEntry, read_directory
from ..exceptions import WheelError
from ..targets.elf import MAGIC, ElfFile, examine
from .entry_points import console_scripts
from .members import unsafe_mode, unsafe_name
from .wheel import MAX_MEMBERS, Wheel, WheelMember, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from email.message import Message
    from pathlib import Path

    from packaging.version import Version

# Four times Lambda's limit for an unpacked function: no larger wheel fits into a layer, however
# much of it is pruned, so that zip bombs can be refused.
MAX_UNPACKED_SIZE = 4 * 262_144_000
_MAX_METADATA_SIZE = 32 * 1024 * 1024
# Without the description, which may be long.
_MAX_HEADERS_SIZE = 1 << 20
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n|\r\r")
_CHUNK = 1 << 18
# No layer can hold a larger file, so that nobody has to know what it needs.
_LARGEST_FILE = 262_144_000
# PEP 427: a hash in RECORD must be sha256 or stronger.
_RECORD_HASHES = ("sha256", "sha384", "sha512")
# PEP 427: the folders of `.data`, by where their files are installed.
_SCHEMES = ("purelib", "platlib", "headers", "scripts", "data")
# PEP 427: RECORD lists neither its own hash nor its signatures.
_UNRECORDED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_SHOWN = 5


def verify_wheel(file: Path, filename: str, sha256: str) -> Wheel:
    """Read and verify the wheel `file`; raise `WheelError` with the first fault found.

    `filename` is the name under which the wheel was published, `sha256` the hash (hexadecimal) that
    its bytes were checked against. The rules are those of PEP 427 and of PyPA's specification
    "Binary distribution format".
    """
    with file.open("rb") as stream:
        try:
            entries = read_directory(stream)
        except ArchiveError as error:
            raise WheelError(filename, error.reason, member=error.member) from error
        return _Verification(stream, filename, entries).wheel(file, sha256)


class _Verification:
    """The verification of one wheel: a method for each check, on the same open file."""

    def __init__(self, stream: BinaryIO, filename: str, entries: list[ZipEntry]) -> None:
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        self._stream = stream
        self._filename = filename
        self._native: dict[str, ElfFile] = {}
        self._packed_crc = 0  # of the compressed bytes of the member that was read last
        try:
            self._name, self._version, _, _ = parse_wheel_filename(filename)
        except InvalidWheelFilename as error:
            raise WheelError(filename, str(error)) from error
        if len(entries) > MAX_MEMBERS:
            raise self._fault(f"it has {len(entries):,} members, a layer can have {MAX_MEMBERS:,}")
        self._check_names(entries)
        self._files = {entry.name: entry for entry in entries if not entry.name.endswith("/")}
        unpacked = sum(entry.size for entry in self._files.values())
        if unpacked > MAX_UNPACKED_SIZE:
            raise WheelError(
                self._filename,
                f"it unpacks to {unpacked:,} bytes, which no layer can hold "
                f"(more than {MAX_UNPACKED_SIZE:,} is taken for a zip bomb)",
                hint="leave the package out, or use a container image instead of a layer",
            )

    def wheel(self, file: Path, sha256: str) -> Wheel:
        dist_info = self._dist_info()
        self._check_wheel_version(dist_info)
        self._check_data(dist_info)
        requires_dist = self._requires_dist(dist_info)
        record = self._record(f"{dist_info}/RECORD")
        members = tuple(self._members(record, dist_info))
        return Wheel(
            file=file,
            filename=self._filename,
            name=self._name,
            version=str(self._version),
            sha256=sha256,
            dist_info=dist_info,
            requires_dist=requires_dist,
            members=members,
            native=tuple(self._native.items()),
            launchers=self._launchers(dist_info),
        )

    def _fault(self, reason: str, member: str | None = None) -> WheelError:
        return WheelError(self._filename, reason, member=member)

    def _check_names(self, entries: Iterable[ZipEntry]) -> None:
        seen: dict[str, str] = {}
        folded: dict[str, str] = {}
        for entry in entries:
            name = entry.name
            if reason := unsafe_name(name) or unsafe_mode(entry):
                raise self._fault(reason, name)
            if name in seen:
                raise self._fault("it is in the archive twice", name)
            seen[name] = name
            key = name.lower() if name.isascii() else fold(name)
            if key in folded:
                raise self._fault(
                    f"its name differs from {folded[key]!r} only by case or Unicode form", name
                )
            folded[key] = name
        for name in seen:
            parent = name.rstrip("/")
            while "/" in parent:
                parent = parent.rpartition("/")[0]
                if parent in seen:
                    raise self._fault("it is a file, but other members lie below it", parent)

    def _dist_info(self) -> str:
        from packaging.utils import canonicalize_name

        top = sorted({name.split("/", 1)[0] for name in self._files if "/" in name})
        found = [name for name in top if name.endswith(".dist-info")]
        if len(found) != 1:
            listed = ", ".join(map(repr, found)) or "none"
            raise self._fault(f"one `.dist-info` folder is required, it has: {listed}")
        name, _, version = found[0].removesuffix(".dist-info").partition("-")
        if canonicalize_name(name) != self._name or not _equal(version, self._version):
            raise self._fault(f"its metadata folder {found[0]!r} belongs to another distribution")
        return found[0]

    def _check_wheel_version(self, dist_info: str) -> None:
        wheel = self._headers(f"{dist_info}/WHEEL")
        version = str(wheel.get("Wheel-Version", "")).strip()
        if version.partition(".")[0] != "1":
            raise self._fault(f"it has Wheel-Version {version or 'missing'!r}, only 1.x is known")

    def _check_data(self, dist_info: str) -> None:
        prefix = dist_info.removesuffix(".dist-info") + ".data/"
        for name in self._files:
            if name.startswith(prefix):
                scheme, _, path = name.removeprefix(prefix).partition("/")
                if scheme not in _SCHEMES or not path:
                    raise self._fault(f"{scheme!r} is not a folder that PEP 427 installs", name)

    def _requires_dist(self, dist_info: str) -> tuple[str, ...]:
        from packaging.utils import canonicalize_name

        path = f"{dist_info}/METADATA"
        metadata = self._headers(path)
        # The first counts where there are several, as for pip and uv.
        name, version = (metadata.get(key, "").strip() for key in ("Name", "Version"))
        if canonicalize_name(name) != self._name or not _equal(version, self._version):
            raise self._fault(f"it describes {name!r} {version!r}, another distribution", path)
        return tuple(each.strip() for each in metadata.get_all("Requires-Dist", ()))

    def _launchers(self, dist_info: str) -> tuple[tuple[str, str], ...]:
        path = f"{dist_info}/entry_points.txt"
        if path not in self._files:
            return ()
        return console_scripts(self._metadata(path).decode("utf-8", "replace"))

    def _headers(self, path: str) -> Message:
        """Read the headers of a metadata file. `packaging` takes a minute for 30,000 of them."""
        from email.parser import HeaderParser

        data = self._metadata(path)
        end = _END_OF_HEADERS.search(data)
        head = data[: end.start()] if end else data
        if len(head) > _MAX_HEADERS_SIZE:
            raise self._fault(f"its headers have {len(head):,} bytes, too many", path)
        return HeaderParser().parsestr(head.decode("utf-8", "replace"))

    def _metadata(self, path: str) -> bytes:
        entry = self._files.get(path)
        if entry is None:
            raise self._fault(f"it has no `{path}`")
        if entry.size > _MAX_METADATA_SIZE:
            raise self._fault(f"it has {entry.size:,} bytes, too many for metadata", path)
        return b"".join(self._content(entry))

    def _record(self, path: str) -> Mapping[str, tuple[str, str]]:
        """Read RECORD as a mapping from path to hash, in the alphabet of PEP 427, and size."""
        # Some writers begin it with a byte order mark, or write paths as their system has them.
        text = self._metadata(path).decode("utf-8-sig", "surrogateescape")
        record: dict[str, tuple[str, str]] = {}
        try:
            for row in csv.reader(io.StringIO(text, newline="")):
                if not row:
                    continue
                written, digest, size = row
                # The standard alphabet of base64, and padding, write the same hash.
                digest = digest.replace("+", "-").replace("/", "_").rstrip("=")
                name = "/".join(part for part in re.split(r"[/\\]", written) if part != ".")
                if record.setdefault(name, (digest, size)) != (digest, size):
                    raise self._fault(f"RECORD lists {name!r} twice, and differently", path)
        except (ValueError, csv.Error) as error:
            raise self._fault("RECORD is not a table of path, hash and size", path) from error
        return record

    def _members(
        self, record: Mapping[str, tuple[str, str]], dist_info: str
    ) -> Iterator[WheelMember]:
        exempt = {f"{dist_info}/{name}" for name in _UNRECORDED}
        wrong = [
            f"{name!r} is listed but missing"
            for name in record
            if name not in self._files
            # Installers compile again what was compiled when the wheel was made.
            and not name.endswith(("/", ".pyc"))
            and name not in exempt
        ]
        for name, entry in self._files.items():
            listed = ("", "") if name in exempt else record.get(name)
            if listed is None:
                wrong.append(f"{name!r} is not listed")
                continue
            member, fault = self._member(entry, *listed, recorded=name not in exempt)
            if fault:
                wrong.append(f"{name!r} {fault}")
            yield member
        if wrong:
            more = f", and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            raise self._fault("its RECORD is wrong: " + ", ".join(wrong[:_SHOWN]) + more)

    def _member(
        self, entry: ZipEntry, digest: str, size: str, *, recorded: bool
    ) -> tuple[WheelMember, str | None]:
        algorithm, _, expected = digest.partition("=")
        sha256 = hashlib.sha256()
        hashes = [sha256]
        if recorded and algorithm in _RECORD_HASHES[1:]:
            hashes.append(hashlib.new(algorithm))
        native = bytearray()
        for chunk in self._content(entry):
            for each in hashes:
                each.update(chunk)
            # All of it if it begins like an ELF file, else only its beginning.
            if native.startswith(MAGIC[: len(native)]) and entry.size <= _LARGEST_FILE:
                native += chunk
        if native.startswith(MAGIC):
            self._native[sha256.hexdigest()] = examine(native)
        member = WheelMember(
            path=entry.name,
            method=entry.method,
            offset=entry.data_offset,
            compressed_size=entry.compressed_size,
            size=entry.size,
            crc=entry.crc,
            sha256=sha256.hexdigest(),
            executable=bool(entry.mode & 0o111),
            packed_crc=self._packed_crc,
        )
        if not recorded:
            return member, None
        if algorithm not in _RECORD_HASHES:
            return member, f"has no sha256, sha384 or sha512 hash ({algorithm or 'none'!r})"
        got = base64.urlsafe_b64encode(hashes[-1].digest()).rstrip(b"=").decode()
        # Some tools write the same hash in hexadecimal (gmsh 4.15.2).
        if expected not in (got, hashes[-1].hexdigest()):
            return member, f"has a different hash ({algorithm}={got})"
        if size and size != str(entry.size):
            return member, f"has {entry.size} bytes, not {size!r}"
        return member, None

    def _content(self, entry: ZipEntry) -> Iterator[bytes]:
        """Yield a member's content in pieces; raise `WheelError` if its size or CRC is wrong."""
        total = crc = 0
        for piece in self._inflated(entry):
            total += len(piece)
            if total > entry.size:
                raise self._fault(f"it inflates to more than its {entry.size:,} bytes", entry.name)
            crc = zlib.crc32(piece, crc)
            yield piece
        if total != entry.size:
            raise self._fault(f"it inflates to {total:,} bytes, not {entry.size:,}", entry.name)
        if crc != entry.crc:
            raise self._fault(f"bad CRC: {crc:08x} instead of {entry.crc:08x}", entry.name)

    def _inflated(self, entry: ZipEntry) -> Iterator[bytes]:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == DEFLATED else None
        self._stream.seek(entry.data_offset)
        left = entry.compressed_size
        self._packed_crc = 0
        while left:
            chunk = self._stream.read(min(left, _CHUNK))
            if not chunk:
                raise self._fault("the archive ends in the middle of it", entry.name)
            left -= len(chunk)
            self._packed_crc = zlib.crc32(chunk, self._packed_crc)
            if inflate is None:
                yield chunk
                continue
            # A few bytes can inflate to very many: each piece is checked before the next is made.
            # A full piece may be followed by another one, even when no input is left.
            piece = b""
            while chunk or len(piece) == _CHUNK:
                try:
                    piece = inflate.decompress(chunk, _CHUNK)
                except zlib.error as error:
                    raise self._fault(
                        f"its deflate stream is broken ({error})", entry.name
                    ) from error
                yield piece
                chunk = inflate.unconsumed_tail
                if inflate.unused_data or (inflate.eof and left):
                    raise self._fault("bytes follow its deflate stream", entry.name)
        if inflate is not None and not inflate.eof:
            raise self._fault("its deflate stream ends too early", entry.name)


def _equal(text: str, version: Version) -> bool:
    from packaging.version import Version

    try:
        return Version(text) == version
    except ValueError:  # not a version, or one with more digits than Python reads
        return False
