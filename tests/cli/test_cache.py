"""The commands `cache dir`, `size` and `prune`, and the limit that builds keep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer._internal.pruning import parse_age, parse_size, prune, sizes
from hatch_lambda_layer._internal.store import Store, default_cache_dir
from hatch_lambda_layer.cli.main import main
from tests.support.layer_project import ALPHA, BETA, Project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index_server import IndexServer

DAY = 86_400
_USE = """
import sys
from pathlib import Path
from hatch_lambda_layer._internal.store import Store

store = Store(Path(sys.argv[1]))
with store.in_use():
    assert store.get("kind", sys.argv[2]) is not None
    print("used", flush=True)
    sys.stdin.read()
"""

_PRUNE = """
import sys
from pathlib import Path
from hatch_lambda_layer._internal.pruning import prune
from hatch_lambda_layer._internal.store import Store

print("on", flush=True)
while True:
    prune(Store(Path(sys.argv[1])), limit=0)
"""


@pytest.fixture
def store(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", str(cache_dir))
    return Store(cache_dir)


@pytest.fixture
def project(tmp_path: Path, index: IndexServer) -> Project:
    root = tmp_path / "app"
    root.mkdir()
    made = Project(root, index)
    made.lock()
    return made


def run(*arguments: str, code: int = 0) -> str:
    found = CliRunner().invoke(main, ["cache", *arguments])
    assert found.exit_code == code, found.output
    return found.output


def put(store: Store, key: str, *, days: float, size: int = 1000) -> None:
    """Put something in that was last used some days ago."""
    store.put("kind", key, bytes(size))
    (path,) = store.root.glob(f"*/kind/*/{key}")
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def keys(store: Store) -> list[str]:
    return sorted(entry.path.name for entry in store.entries())


def test_the_folder_is_printed(store: Store) -> None:
    assert run("dir") == f"{store.root}\n"
    assert not store.root.exists()


def test_an_empty_cache_has_no_size(store: Store) -> None:
    assert run("size") == "0 KB in all\n"
    assert run("prune", "--older-than", "1d").startswith("0 entries removed")


def test_the_size_of_each_kind(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.build()
    found = json.loads(run("size", "--format", "json"))
    assert found["kinds"]["wheels"]["entries"] == 2
    on_disk = sum(
        path.stat().st_size
        for kind in found["kinds"]
        for path in (store.root / "v2" / kind).rglob("*")
        if path.is_file()
    )
    assert found["size"] == on_disk == sum(each["size"] for each in found["kinds"].values())
    assert found["limit"] is None
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_SIZE", "2 GiB")
    assert run("size").splitlines()[-1].endswith(" of 2048.0 MB in all")


def test_what_was_not_used_for_long_is_removed(store: Store) -> None:
    for key, days in (("old", 40), ("new", 2)):
        put(store, key, days=days)
    assert run("prune", "--older-than", "30d", "-n").startswith("1 entry would be removed, 2 KB")
    assert keys(store) == ["new", "old"]
    assert run("prune", "--older-than", "30d").startswith("1 entry removed")
    assert keys(store) == ["new"]
    assert list((store.root / "v2" / "tmp").iterdir()) == []


def test_reading_counts_as_use(store: Store) -> None:
    put(store, "read", days=40)
    assert store.get("kind", "read") == bytes(1000)
    prune(store, age=DAY)
    assert keys(store) == ["read"]


def test_the_least_used_goes_until_it_fits(store: Store) -> None:
    for number in range(5):
        put(store, f"k{number}", days=10 - number)
    each = sizes(store)["kind"].size // 5
    run("prune", "--max-size", str(2 * each))
    assert keys(store) == ["k3", "k4"]
    assert prune(store, limit=2 * each).entries == 0


@pytest.mark.fault(242)
def test_what_a_running_process_has_used_stays(store: Store) -> None:
    for key in ("used", "unused"):
        put(store, key, days=40)
    user = subprocess.Popen(
        [sys.executable, "-c", _USE, str(store.root), "used"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with user:
        assert user.stdout
        assert user.stdout.readline() == "used\n"
        assert "in use" in run("prune", "--max-size", "0")
        assert keys(store) == ["used"]
        assert user.stdin
        user.stdin.close()
    assert user.returncode == 0
    run("prune", "--max-size", "0")
    assert keys(store) == []


@pytest.mark.fault(242)
def test_what_is_used_after_it_was_listed_stays(store: Store) -> None:
    put(store, "key", days=40)
    (listed,) = store.entries()
    assert store.get("kind", "key") is not None
    assert not store.remove(listed)
    assert store.get("kind", "key") == bytes(1000)
    (listed,) = store.entries()
    assert store.remove(listed)
    assert store.get("kind", "key") is None


@pytest.mark.fault(242)
def test_a_build_goes_on_while_its_wheels_are_pruned(store: Store, project: Project) -> None:
    wheels = [WheelSpec(name=f"w{number}") for number in range(6)]
    project.lock(ALPHA, BETA, *wheels)
    project.build()
    pruner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _PRUNE,
            str(store.root),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert pruner.stdout
        assert pruner.stdout.readline() == "on\n"
        for _ in range(12):
            project.zip.unlink()
            assert project.build().rebuilt
        assert pruner.poll() is None
    finally:
        pruner.kill()
        pruner.communicate()


def test_a_build_keeps_the_limit_and_what_it_needs(
    store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "stranger", days=3)
    project.build()
    assert "stranger" in keys(store)
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_SIZE", "1 KB")
    project.zip.unlink()
    project.build()
    assert "stranger" not in keys(store)
    assert project.build().rebuilt is False


@pytest.mark.fault(243)
@pytest.mark.parametrize(
    "option", [("--older-than", "30"), ("--older-than", "-1d"), ("--max-size", "big")]
)
def test_what_can_not_be_read_is_refused(store: Store, option: tuple[str, str]) -> None:
    assert "such as" in run("prune", *option, code=2)


@pytest.mark.fault(243)
def test_a_limit_that_can_not_be_read_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_CACHE_SIZE", "plenty")
    assert "HATCH_LAMBDA_LAYER_CACHE_SIZE: 'plenty' is not a size" in run("size", code=1)
    assert run("prune", code=1)


def test_one_of_both_has_to_be_named(store: Store) -> None:
    assert "name --older-than, --max-size" in run("prune", code=2)


def test_ages_and_sizes() -> None:
    assert [parse_age(each) for each in ("90m", "12h", "1.5d", "2 w")] == [
        5400,
        43_200,
        129_600,
        1_209_600,
    ]
    assert [parse_size(each) for each in ("0", "1 KB", "1.5MiB", "2G", "1 tib")] == [
        0,
        1000,
        3 << 19,
        2_000_000_000,
        1 << 40,
    ]
    assert default_cache_dir().is_absolute()
