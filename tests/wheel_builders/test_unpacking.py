"""Archives of sources are unpacked within bounds, whatever their headers say."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import BuildError
from hatch_lambda_layer.wheel_builders.unpacking import unpack
from tests.support.peak import peak_of

if TYPE_CHECKING:
    from pathlib import Path

UNPACK = """
from pathlib import Path
from hatch_lambda_layer.exceptions import BuildError
from hatch_lambda_layer.wheel_builders.unpacking import unpack
try:
    unpack(Path(argv[0]), Path(argv[1]), "package `x`")
except BuildError as error:
    print(error)
"""


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    """Return the header of a member that need not follow."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def global_headers() -> bytes:
    """Return headers for all members, each of them with other keys and of an allowed size."""
    blocks = []
    for number in range(40):
        keys = (b"19 %07d=%07d\n" % (number * 50_000 + n, n) for n in range(50_000))
        data = b"".join(keys)
        blocks.append(header(tarfile.XGLTYPE, len(data)) + data + bytes(-len(data) % 512))
        blocks.append(header(tarfile.REGTYPE, 0, f"x{number}"))
    return b"".join(blocks)


def sparse_map() -> bytes:
    """Return a member in pieces, as many as its data says."""
    records = b"".join(
        (
            b"22 GNU.sparse.major=1\n",
            b"22 GNU.sparse.minor=0\n",
            b"26 GNU.sparse.realsize=10\n",
        )
    )
    data = records + bytes(-len(records) % 512)
    return header(tarfile.XHDTYPE, len(records)) + data + header(tarfile.REGTYPE, 1 << 30)


# Each begins an archive that goes on with as many zeros as the second says, or the digits `1`.
HUGE_HEADERS = {
    "pax": (header(tarfile.XHDTYPE, 1 << 30), b"\0", 1024),
    "global pax": (header(tarfile.XGLTYPE, 1 << 30), b"\0", 1024),
    "many global pax": (global_headers(), b"\0", 0),
    "name": (header(tarfile.GNUTYPE_LONGNAME, 1 << 30), b"a", 1024),
    "link": (header(tarfile.GNUTYPE_LONGLINK, 1 << 30), b"a", 1024),
    "pieces": (sparse_map(), b"1", 200),
    "headers of headers": (header(tarfile.XHDTYPE, 0) * 100_000, b"\0", 0),
    "hard link to nowhere": (
        header(tarfile.LNKTYPE, 0, "y") + header(tarfile.XHDTYPE, 1 << 30),
        b"\0",
        1024,
    ),
}


@pytest.mark.fault(82)
@pytest.mark.skipif(sys.platform == "win32", reason="`resource` is of POSIX")
@pytest.mark.parametrize("form", ["tar", "tar.gz"])
@pytest.mark.parametrize(("head", "filler", "mib"), HUGE_HEADERS.values(), ids=HUGE_HEADERS)
def test_headers_of_any_size_take_little_memory(
    tmp_path: Path, head: bytes, filler: bytes, mib: int, form: str
) -> None:
    path = tmp_path / "x"
    with gzip.open(path, "wb", 1) if form == "tar.gz" else path.open("wb") as file:
        file.write(head)
        for _ in range(mib if form == "tar.gz" else min(mib, 300)):
            file.write(filler * (1 << 20))
    printed, peak = peak_of(UNPACK, path, tmp_path / "out")
    path.unlink()
    assert "is refused" in printed
    assert "Traceback" not in printed
    assert peak < 128 << 20


@pytest.mark.fault(82)
def test_a_zip_whose_directory_is_huge_is_refused(tmp_path: Path) -> None:
    entry = b"PK\x01\x02" + bytes(42)
    for count, said in ((800_000, "directory has 36,800,000 bytes"), (200_001, "200,000 members")):
        directory = entry * count
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, len(directory), 4, 0)
        path = tmp_path / f"{count}.zip"
        path.write_bytes(b"PK\x03\x04" + directory + end)
        printed, peak = peak_of(UNPACK, path, tmp_path / f"out {count}")
        assert said in printed
        assert peak < 128 << 20


def archive(folder: Path, *members: tuple[str, bytes, str | bytes]) -> Path:
    """Return a tar of members: a name, a kind, and where it leads or what is in it."""
    path = folder / "x.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind, value in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            data = value if isinstance(value, bytes) else b""
            info.size = len(data)
            info.linkname = value if isinstance(value, str) else ""
            tar.addfile(info, io.BytesIO(data))
    return path


FILE, HARD, SOFT = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE
ONE, SAME, OTHER = ("x/a", FILE, b"a"), ("x/b", FILE, b"a"), ("x/b", FILE, b"b")


@pytest.mark.parametrize(
    "members",
    [
        # As GNU tar writes `tar cf x.tar x/a x/a` where `x/a` has a second name.
        [ONE, ("x/a", HARD, "x/a")],
        [ONE, ("x/b", HARD, "x/a"), ("x/b", HARD, "x/a")],
        [ONE, ("x/b", SOFT, "a"), ("x/b", SOFT, "a")],
        [ONE, SAME, ("x/b", HARD, "x/a")],
        [ONE, ONE, SAME, SAME],
    ],
)
def test_members_that_occur_twice_and_say_the_same_are_accepted(
    tmp_path: Path, members: list[tuple[str, bytes, str | bytes]]
) -> None:
    out = unpack(archive(tmp_path, *members), tmp_path / "out", "package `x`")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        name.removeprefix("x/"): b"a" for name, _, _ in members
    }


def test_what_gnu_tar_makes_of_a_file_that_is_named_twice_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_bytes(b"a")
    (tmp_path / "x" / "b").hardlink_to(tmp_path / "x" / "a")
    names = ["x/a", "x/a", "x/b", "x/b"]
    subprocess.run(["tar", "cf", "x.tar", *names], cwd=tmp_path, check=True)
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert [each.islnk() for each in tar] == [False, True, True, True]
    out = unpack(tmp_path / "x.tar", tmp_path / "out", "package `x`")
    assert sorted(path.name for path in out.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    "members",
    [
        [ONE, OTHER, ("x/b", HARD, "x/a")],
        [ONE, SAME, ("x/b", SOFT, "a")],
        [ONE, ("x/b", SOFT, "a"), ("x/b", SOFT, "c")],
        [ONE, ("x/b", SOFT, "a"), ("x/b", HARD, "x/a")],
        [ONE, ("x/b", SOFT, "a"), ("x/b", FILE, b"a")],
        [ONE, ("x/b", HARD, "x/a"), ("x/b/c", FILE, b"a")],
        [ONE, ("x/a", HARD, "../x/a")],
        [("x/b", SOFT, "../../etc"), ("x/b", SOFT, "../../etc")],
    ],
)
def test_members_that_occur_twice_and_differ_stay_refused(
    tmp_path: Path, members: list[tuple[str, bytes, str | bytes]]
) -> None:
    with pytest.raises(BuildError, match="is refused"):
        unpack(archive(tmp_path, *members), tmp_path / "out", "package `x`")
