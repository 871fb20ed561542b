"""The store: what is put in comes out as it was, or counts as absent."""

from __future__ import annotations

import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.store import Store, default_cache_dir
from hatch_lambda_layer.exceptions import CacheError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

_HOLD_TEMPORARY = """
import sys, time
from pathlib import Path
from hatch_lambda_layer._internal.store import Store

with Store(Path(sys.argv[1])).temporary() as temporary:
    temporary.file.write(b"half")
    print(temporary.folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(cache_dir: Path) -> Store:
    return Store(cache_dir)


def describe(status: os.stat_result) -> bytes:
    return f"{status.st_size} bytes".encode()


def insert(store: Store, content: bytes, key: str = "key") -> bool:
    with store.temporary() as temporary:
        temporary.file.write(content)
        return store.insert("files", key, temporary, describe)


def temporaries(store: Store) -> list[Path]:
    """Return what lies among the temporary files, without the locks of their owners."""
    found = (store.root / "v2" / "tmp").iterdir()
    return sorted(path for path in found if path.suffix != ".lock")


def kept(store: Store, kind: str) -> Path:
    """Return the only file that is kept of a kind."""
    (path,) = (store.root / "v2" / kind).glob("*/*")
    return path


@pytest.fixture
def holder(store: Store) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that is writing a temporary file, and the folder of that file."""
    argv = [sys.executable, "-c", _HOLD_TEMPORARY, str(store.root)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        yield process, path
        process.kill()


def test_bytes_are_read_as_they_were_put_in_by_kind_and_key(store: Store) -> None:
    assert store.get("kind", "key") is None
    store.put("kind", "key", b"one\ntwo\0")
    store.put("kind", "other", b"")
    assert Store(store.root).get("kind", "key") == b"one\ntwo\0"
    assert store.get("kind", "other") == b""
    assert store.get("another", "key") is None
    store.put("kind", "key", b"three")
    assert store.get("kind", "key") == b"three"
    assert temporaries(store) == []


@pytest.mark.fault(70)
@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"null",
        lambda _: b"[" * 200_000,
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + b" ",
        lambda sealed: sealed.replace(b"value", b"other"),
        lambda sealed: b"\n".join([b"0" * 64, *sealed.splitlines()[1:]]),
    ],
)
def test_bytes_that_were_changed_count_as_absent(
    store: Store, change: Callable[[bytes], bytes]
) -> None:
    store.put("kind", "key", b"the value")
    path = kept(store, "kind")
    path.write_bytes(change(path.read_bytes()))
    assert store.get("kind", "key") is None


@pytest.mark.fault(70)
def test_bytes_that_were_moved_to_another_key_count_as_absent(store: Store) -> None:
    store.put("kind", "key", b"the value")
    kept(store, "kind").rename(kept(store, "kind").with_name("kex"))
    assert store.get("kind", "kex") is None


def test_a_file_comes_with_what_is_known_of_it(store: Store) -> None:
    assert store.note("files", "key") is None
    assert insert(store, b"content")
    assert store.file("files", "key").read_bytes() == b"content"
    assert store.note("files", "key") == b"7 bytes"
    store.put_note("files", "key", b"more")
    assert Store(store.root).note("files", "key") == b"more"
    assert temporaries(store) == []


@pytest.mark.fault(71)
def test_a_file_that_is_there_is_not_replaced_in_silence(store: Store) -> None:
    assert insert(store, b"first")
    assert not insert(store, b"second one")
    assert store.file("files", "key").read_bytes() == b"first"
    assert store.note("files", "key") == b"5 bytes"
    store.discard("files", "key")
    store.discard("files", "key")  # nothing
    assert insert(store, b"second one")
    assert store.note("files", "key") == b"10 bytes"
    assert temporaries(store) == []


@pytest.mark.fault(71)
def test_what_is_known_of_a_file_is_of_the_file_that_was_inserted(store: Store) -> None:
    seen: list[os.stat_result] = []

    def see(status: os.stat_result) -> bytes:
        seen.append(status)
        return b""

    with store.temporary() as temporary:
        temporary.file.write(b"content")
        assert store.insert("files", "key", temporary, see)
    now = store.file("files", "key").stat()
    (then,) = seen
    assert (then.st_ino, then.st_ctime_ns, then.st_mtime_ns) == (
        now.st_ino,
        now.st_ctime_ns,
        now.st_mtime_ns,
    )


@pytest.mark.fault(74)
def test_our_folders_are_private(store: Store) -> None:
    nested = Store(store.root / "made" / "on the way")
    nested.put("kind", "key", b"")
    insert(nested, b"content")
    folders = [path for path in [nested.root, *nested.root.rglob("*")] if path.is_dir()]
    assert len(folders) > 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


@pytest.mark.fault(74)
@pytest.mark.parametrize(
    ("mode", "trusted"), [(0o700, True), (0o755, True), (0o775, False), (0o777, False)]
)
@pytest.mark.parametrize("part", [".", "v2"])
def test_nothing_is_read_where_others_can_write(
    store: Store, part: str, mode: int, *, trusted: bool
) -> None:
    assert store.trusted
    store.put("kind", "key", b"value")
    insert(store, b"content")
    (store.root / part).chmod(mode)
    again = Store(store.root)
    assert again.trusted is trusted
    assert again.get("kind", "key") == (b"value" if trusted else None)
    assert again.note("files", "key") == (b"7 bytes" if trusted else None)


def test_a_store_whose_folder_is_a_file_is_empty(store: Store) -> None:
    store.root.touch()
    assert store.get("kind", "key") is None
    assert store.note("files", "key") is None
    store.put("kind", "key", b"value")
    store.sweep()


@pytest.mark.fault(75)
def test_what_can_not_be_kept_is_not_kept(store: Store) -> None:
    store.put("kind", "key", b"value")
    # A file where a folder should be: what holds even for root, whom no permission keeps out.
    shutil.rmtree(store.root / "v2" / "tmp")
    (store.root / "v2" / "tmp").touch()
    store.put("kind", "key", b"another")
    store.put_note("files", "key", b"another")
    store.sweep()
    assert store.get("kind", "key") == b"value"
    with pytest.raises(CacheError):
        insert(store, b"content")


def test_a_temporary_file_goes_with_its_block(store: Store) -> None:
    with store.temporary() as temporary:
        assert temporaries(store) == [temporary.folder]
    assert temporaries(store) == []
    with pytest.raises(ZeroDivisionError), store.temporary():
        raise ZeroDivisionError
    assert temporaries(store) == []


@pytest.mark.fault(41)
def test_a_sweep_removes_what_has_no_owner_any_more(
    store: Store, holder: tuple[subprocess.Popen[str], Path]
) -> None:
    process, theirs = holder
    with store.temporary() as ours:
        store.sweep()
        assert sorted(temporaries(store)) == sorted([ours.folder, theirs])
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert theirs.exists()
        store.sweep()
        assert temporaries(store) == [ours.folder]


@pytest.mark.fault(40)
@pytest.mark.parametrize("blocked", [".", "v2", "v2/tmp", "v2/files"])
def test_a_cache_that_can_not_be_written_is_reported(store: Store, blocked: str) -> None:
    # A file where a folder should be: what holds even for root, whom no permission keeps out.
    path = store.root / blocked
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(CacheError, match="can't be written") as caught:
        insert(store, b"")
    assert str(store.root) in str(caught.value)
    assert "HATCH_LAMBDA_LAYER_CACHE_DIR" in str(caught.value)


def test_the_folder_is_the_one_that_the_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", "some/where")
    assert default_cache_dir() == tmp_path / "some" / "where"


def test_the_folder_is_else_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HATCH_LAMBDA_LAYER_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_dir().name == "hatch-lambda-layer"
    assert tmp_path in default_cache_dir().parents
