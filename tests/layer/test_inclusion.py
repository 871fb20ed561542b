"""`force-include`: files of the project that go into the layer as they are."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.exceptions import ConfigError, LambdaLayerError
from hatch_lambda_layer.layer.inclusion import IncludedFile, find_included, pack
from hatch_lambda_layer.layer.tree import Entry, LayerTree

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
# Root reads everything: what it may not read, it is asked for as somebody else.
CHILD = f"""
import os, sys
from pathlib import Path
from hatch_lambda_layer.layer.inclusion import find_included
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
try:
    found = find_included(Path(sys.argv[1]), [("src", "python/src")])
except Exception as error:
    print(type(error).__name__, error)
else:
    print("found", sorted(each.path for each in found))
"""


@pytest.fixture
def project() -> Iterator[Path]:
    """Give a project that every user may enter, unlike pytest's own folders."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "src").mkdir()
        yield root


def find_in_child(root: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-c", CHILD, str(root)],
        capture_output=True,
        check=False,
        text=True,
        timeout=5,
    )
    return result.stdout


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"content of {name}\n", encoding="utf-8")


def found(root: Path, *pairs: tuple[str, str]) -> list[str]:
    return [each.path for each in find_included(root, pairs)]


def packed(files: list[IncludedFile], path: Path) -> list[Entry]:
    with path.open("wb") as file:
        return pack(files, path, file, {})


def settled(root: Path, *pairs: tuple[str, str]) -> LayerTree:
    """Give the part of a layer's tree that `pairs` bring."""
    entries = packed(find_included(root, pairs), root / "included.pack")
    return LayerTree(tuple(entries)).settled()


def problems(root: Path, *pairs: tuple[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        find_included(root, pairs)
    return caught.value.problems


def test_a_file_gets_the_path_that_it_is_given(tmp_path: Path) -> None:
    write(tmp_path, "config/app.toml")

    (included,) = find_included(tmp_path, [("config/app.toml", "python/settings.toml")])

    assert included == IncludedFile(
        file=tmp_path / "config/app.toml",
        path="python/settings.toml",
        executable=False,
        sha256=hashlib.sha256(b"content of config/app.toml\n").hexdigest(),
    )


def test_a_folder_brings_everything_below_it(tmp_path: Path) -> None:
    write(tmp_path, "src/b.txt", "src/deep/er/a.txt", "src/.hidden", "src/with space.txt")
    (tmp_path / "src/empty").mkdir()

    assert found(tmp_path, ("src", "python/cfg")) == [
        "python/cfg/.hidden",
        "python/cfg/b.txt",
        "python/cfg/deep/er/a.txt",
        "python/cfg/with space.txt",
    ]


def test_the_files_of_all_pairs_are_sorted_together(tmp_path: Path) -> None:
    write(tmp_path, "one/z", "one/a", "two/m")

    assert found(tmp_path, ("one", "b"), ("two", "a")) == ["a/m", "b/a", "b/z"]


def test_an_absolute_source_in_the_project_is_taken(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/a.txt")

    assert found(tmp_path, (str(tmp_path / "elsewhere"), "x")) == ["x/a.txt"]


@pytest.fixture
def neighbour(tmp_path: Path) -> Path:
    """A project beside a file that is not its own."""
    write(tmp_path, "secret/key.pem", "project/pyproject.toml", "project/data/a.txt")
    return tmp_path / "project"


@pytest.mark.fault(90)
@pytest.mark.parametrize("source", ["{secret}", "{secret}/key.pem", "../secret", "~/key.pem"])
def test_what_lies_outside_of_the_project_is_refused_unless_it_is_allowed(
    neighbour: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = neighbour.parent / "secret"
    monkeypatch.setenv("HOME", str(secret))
    monkeypatch.setenv("USERPROFILE", str(secret))
    pair = source.format(secret=secret), "python/x"
    (problem,) = problems(neighbour, pair)
    assert problem.startswith(f"Field `tool.lambda-layer.force-include.{pair[0]!r}` leads to ")
    assert str(secret.resolve() / "key.pem") in problem
    assert "`force-include-outside = true`" in problem
    assert len(find_included(neighbour, [pair], outside=True)) == 1


@pytest.mark.fault(90)
@pytest.mark.parametrize("linked", ["file", "folder", "folder above"])
def test_a_link_that_leads_out_of_the_project_is_refused(neighbour: Path, linked: str) -> None:
    secret = neighbour.parent / "secret"
    if linked == "file":
        (neighbour / "data" / "key").symlink_to(secret / "key.pem")
    elif linked == "folder":
        (neighbour / "data" / "keys").symlink_to(secret)
    else:
        shutil.rmtree(neighbour / "data")
        (neighbour / "data").symlink_to(secret)
    (problem,) = problems(neighbour, ("data", "python/data"))
    assert str(secret.resolve() / "key.pem") in problem


@pytest.mark.fault(90)
def test_a_link_that_stays_in_the_project_is_followed(neighbour: Path) -> None:
    (neighbour / "data" / "link").symlink_to("../pyproject.toml")
    assert found(neighbour, ("data", "d")) == ["d/a.txt", "d/link"]


@pytest.mark.fault(90)
@pytest.mark.parametrize("around", ["repository", "workspace"])
def test_the_repository_or_workspace_around_a_project_counts_as_its_own(
    neighbour: Path, around: str
) -> None:
    pair = ("../secret/key.pem", "python/key")
    problems(neighbour, pair)
    if around == "repository":
        (neighbour.parent / ".git").mkdir()
    else:
        text = '[tool.uv]\nworkspace = { members = ["project"] }\n'
        (neighbour.parent / "pyproject.toml").write_text(text)
    assert found(neighbour, pair) == ["python/key"]


@pytest.mark.parametrize(
    "name",
    ["__pycache__/a.cpython-313.pyc", ".git/config", ".hg/x", ".svn/x", ".DS_Store"],
)
def test_what_hatch_leaves_out_of_folders_is_left_out(name: str, tmp_path: Path) -> None:
    write(tmp_path, "src/a.py", f"src/{name}", f"src/deep/{name}")

    assert found(tmp_path, ("src", "python")) == ["python/a.py"]


def test_every_missing_source_is_named(tmp_path: Path) -> None:
    first, second = problems(tmp_path, ("gone", "a"), ("also/gone.txt", "b"))

    assert "force-include" in first
    assert "'gone'" in first
    assert str(tmp_path / "gone") in first
    assert "missing" in first
    assert str(tmp_path / "also/gone.txt") in second


@pytest.mark.parametrize("source", ["n" * 300, "~nobody-of-that-name/x"])
def test_a_source_that_no_system_has_is_missing(source: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, (source, "a"))

    assert "missing" in problem


@pytest.mark.parametrize(
    ("mode", "executable"),
    [(0o644, False), (0o600, False), (0o755, True), (0o700, True), (0o611, False)],
)
def test_the_owners_bit_makes_a_file_executable(
    mode: int,
    executable: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    write(tmp_path, "tool")
    (tmp_path / "tool").chmod(mode)

    (included,) = find_included(tmp_path, [("tool", "bin/tool")])

    assert included.executable is executable


@pytest.mark.fault(46)
def test_the_umask_changes_nothing(tmp_path: Path) -> None:
    entries = []
    for umask in (0o000, 0o022, 0o077):
        previous = os.umask(umask)
        try:
            root = tmp_path / f"{umask:o}"
            write(root, "src/a.txt", "src/b/c.txt")
            files = find_included(root, [("src", "python")])
            made = packed(files, root / "included.pack")
        finally:
            os.umask(previous)
        entries.append([entry._replace(source=b"") for entry in made])

    assert entries[0] == entries[1] == entries[2]


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "real/deep/a.txt")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/folder").symlink_to(tmp_path / "real")
    (tmp_path / "src/file.txt").symlink_to("../real/deep/a.txt")
    (tmp_path / "link").symlink_to("src")

    assert found(tmp_path, ("link", "python")) == ["python/file.txt", "python/folder/deep/a.txt"]


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/broken").symlink_to("nowhere")

    (problem,) = problems(tmp_path, ("src", "python"))

    assert problem.startswith(f"{tmp_path / 'src/broken'} can't be read: ")


@pytest.mark.parametrize("loops", [1, 2])
def test_links_in_a_circle_are_an_error_and_no_endless_walk(loops: int, project: Path) -> None:
    write(project, "src/a.txt")
    for number in range(loops):
        (project / f"src/loop{number}").symlink_to(".")

    message = find_in_child(project)

    assert message.startswith("ConfigError")
    assert "src/loop" in message


def test_a_pipe_is_an_error_and_nobody_waits_for_it(project: Path) -> None:
    os.mkfifo(project / "src/pipe")

    message = find_in_child(project)

    assert message.startswith("ConfigError")
    assert "src/pipe" in message


@pytest.mark.fault(44)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_may_not_be_read_is_named_and_never_left_out_in_silence(
    kind: str, project: Path
) -> None:
    write(project, "src/open.txt", "src/locked/secret.txt")
    locked = project / ("src/locked/secret.txt" if kind == "file" else "src/locked")
    locked.chmod(0)

    message = find_in_child(project)
    locked.chmod(0o700)

    assert message.startswith("ConfigError")
    assert f"{locked} can't be read: Permission denied" in message


@pytest.mark.fault(23, 34)
@pytest.mark.parametrize("name", [b"bad\xff.txt", b"back\\slash.txt", b"new\nline.txt", b"\x1b[m"])
def test_a_name_that_no_layer_can_have_is_refused(name: bytes, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "src") + b"/" + name)).write_bytes(b"")

    with pytest.raises(LambdaLayerError) as caught:
        settled(tmp_path, ("src", "python"))

    assert str(caught.value).replace("\n", "").isprintable()


def test_packed_files_can_be_read_back_from_the_pack(tmp_path: Path) -> None:
    contents = {
        "empty.txt": b"",
        "small.txt": b"small",
        "text.txt": b"many words " * 200_000,
        "noise.bin": b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(50_000)),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "small.txt").chmod(0o755)
    files = find_included(tmp_path, [(name, f"python/{name}") for name in contents])

    entries = packed(files, tmp_path / "included.pack")

    whole = (tmp_path / "included.pack").read_bytes()
    assert sum(entry.compressed_size for entry in entries) == len(whole)
    for entry in entries:
        content = contents[entry.path.removeprefix("python/")]
        stored = whole[entry.offset : entry.offset + entry.compressed_size]
        assert zlib.decompress(stored, -15) == content
        assert (entry.size, entry.crc) == (len(content), zlib.crc32(content))
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
        assert entry.source == tmp_path / "included.pack"
        assert entry.owner == "force-include"
    assert [entry.path for entry in entries if entry.executable] == ["python/small.txt"]


@pytest.mark.parametrize("change", ["same-size", "longer", "emptied", "gone"])
def test_a_file_that_changes_between_hash_and_pack_is_refused(change: str, tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    files = find_included(tmp_path, [("a.txt", "python/a.txt")])
    before = (tmp_path / "a.txt").read_bytes()
    if change == "gone":
        (tmp_path / "a.txt").unlink()
    else:
        after = {"same-size": before[::-1], "longer": before * 2, "emptied": b""}[change]
        (tmp_path / "a.txt").write_bytes(after)

    with pytest.raises(ConfigError) as caught:
        packed(files, tmp_path / "included.pack")

    assert str(tmp_path / "a.txt") in str(caught.value)
    assert ("changed while" in str(caught.value)) is (change != "gone")


@pytest.mark.fault(33)
def test_two_sources_for_one_path_are_refused_unless_they_are_equal(tmp_path: Path) -> None:
    write(tmp_path, "one/a.txt", "two/a.txt")
    assert len(settled(tmp_path, ("one", "python"), ("one/a.txt", "python/a.txt")).entries) == 1

    with pytest.raises(LambdaLayerError) as caught:
        settled(tmp_path, ("one", "python"), ("two", "python"))

    assert "`python/a.txt`" in str(caught.value)
    assert "force-include" in str(caught.value)
