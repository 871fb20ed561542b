"""A layer that is too large is refused before it is fetched, if its size is clear by then."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.removal import remove_tree
from hatch_lambda_layer._internal.store import default_cache_dir
from hatch_lambda_layer.exceptions import SizeError
from hatch_lambda_layer.index.download import Downloader
from hatch_lambda_layer.wheels.selection import LockedWheel
from hatch_lambda_layer.wheels.survey import Survey
from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.source_factory import IN_TREE, sdist, write_files
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.index_server import IndexServer
    from tests.support.layer_project import Project

_NOISE = random.Random(9).randbytes(3_000_000)  # noqa: S311  # does not become smaller in a zip
MIB = 1 << 20


def wheel(name: str, packed: int = 0, unpacked: int = 0, requires: Sequence[str] = ()) -> WheelSpec:
    """Give a wheel with a file that can't be compressed, and one that nearly vanishes."""
    files = {f"{name}/noise.bin": _NOISE[:packed], f"{name}/zeros.bin": bytes(unpacked)}
    return WheelSpec(name=name, files=files, requires_dist=requires)


def lock(project: Project, *specs: WheelSpec, sizes: bool = True) -> None:
    """Lock wheels of the project's index, with their sizes or without."""
    project.index.add(*specs)
    size = "right" if sizes else None
    files = [
        LockedFile.of(each, project.index.file_url(each.filename), size=size) for each in specs
    ]
    packages = [LockedPackage(wheels=[each]) for each in files]
    project.lockfile.write_text(pylock(*packages), encoding="utf-8")


def refused(project: Project) -> str:
    with pytest.raises(SizeError) as caught:
        project.build()
    assert not project.zip.exists()
    return str(caught.value)


def fetched(index: IndexServer) -> list[str]:
    """Give the files that were fetched as a whole."""
    return [each.path for each in index.requests if "Range" not in each.headers]


@pytest.mark.fault(36)
@pytest.mark.parametrize("sizes", [True, False], ids=["lock", "server"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_wheels_that_are_larger_than_the_limit_are_refused_before_one_is_fetched(
    project: Project, *, sizes: bool, ranges: bool
) -> None:
    project.index.ranges = ranges
    specs = [wheel("one", 2_000_000), wheel("two", 2_000_000), wheel("three")]
    lock(project, *specs, sizes=sizes)
    project.configure(max_size="3 MiB")
    said = refused(project)
    assert "The layer would unpack to at least " in said
    assert "the rest was neither fetched nor built" in said
    assert [line.split()[0] for line in said.splitlines()[2:4]] in (["one", "two"], ["two", "one"])
    assert fetched(project.index) == []
    assert not sizes or project.index.requests == []


@pytest.mark.fault(36)
def test_what_unpacks_to_more_than_the_limit_is_known_from_the_directories_of_the_wheels(
    project: Project,
) -> None:
    lock(project, wheel("one", 1_200_000, 9 * MIB), wheel("two", 1_200_000, 3 * MIB))
    project.configure(max_size="9 MiB")
    assert "at least 14,98" in refused(project)
    assert fetched(project.index) == []
    assert len(project.index.requests) == 2


def test_a_directory_that_is_longer_than_the_first_guess_is_asked_for_again(
    index: IndexServer,
) -> None:
    names = {f"one/{number}-{'x' * 150}.py": b"#" for number in range(500)}
    spec = WheelSpec(name="one", files=names)
    index.add(spec)
    lone = LockedFile.of(spec, index.file_url(spec.filename))
    locked = LockedWheel("one", "1.0", spec.filename, spec.sha256, None, str(lone.url), None)
    extent = Survey(Downloader()).extents([locked])[locked]
    assert extent.size == len(spec.data)
    assert extent.members is not None
    assert dict(extent.members) == {member.path: len(member.data) for member in spec.members}
    assert len(index.requests) == 2


@pytest.mark.fault(36)
def test_what_is_pruned_does_not_count(project: Project) -> None:
    lock(project, wheel("one", 2_500_000), wheel("two", 2_500_000))
    project.configure(max_size="3 MiB", prune=["python/one/*.bin"])
    assert project.build().rebuilt
    project.configure(prune=["python/one/z*.bin"])
    project.zip.unlink()
    cold(project)
    before = len(project.index.requests)
    assert "at least 5," in refused(project)
    assert all("Range" in each.headers for each in project.index.requests[before:])


def test_where_a_server_gives_no_parts_what_prunes_is_decided_after_fetching(
    project: Project,
) -> None:
    project.index.ranges = False
    lock(project, wheel("one", 2_500_000), wheel("two", 2_500_000))
    project.configure(max_size="3 MiB", prune=["python/one/*.bin"])
    assert project.build().rebuilt


@pytest.mark.fault(36)
def test_what_is_excluded_does_not_count_and_what_only_it_needs_may_not(project: Project) -> None:
    big, needs = wheel("big", 2_500_000), wheel("needs", 10, requires=["big"])
    lock(project, big, needs, wheel("other", 2_500_000))
    table = b'[project]\nname = "app"\nversion = "1"\ndependencies = ["needs", "other"]\n'
    write_files(project.root, {"pyproject.toml": table})
    project.configure(max_size="3 MiB", exclude=["needs"])
    assert project.build().rebuilt
    project.configure(max_size="2 MiB")
    project.zip.unlink()
    cold(project)
    assert "at least 2,3" in refused(project)


@pytest.mark.fault(36)
def test_wheels_are_measured_before_a_source_is_compiled(project: Project) -> None:
    spec = wheel("one", 10, 4 * MIB)
    files = {"pyproject.toml": IN_TREE.encode(), "backend.py": b"raise SystemExit('it was run')\n"}
    name, data = sdist("slow", "1.0", files)
    source = LockedFile(filename=name, data=data, url=project.index.add_file(name, data))
    project.index.add(spec)
    file = LockedFile.of(spec, project.index.file_url(spec.filename))
    packages = [LockedPackage(sdist=source), LockedPackage(wheels=[file])]
    project.lockfile.write_text(pylock(*packages), encoding="utf-8")
    project.configure(max_size="3 MiB")
    assert "at least 4," in refused(project)
    assert project.index.path_of(name) not in fetched(project.index)


def test_a_small_layer_whose_sizes_are_locked_asks_nothing_before_it_is_fetched(
    project: Project,
) -> None:
    lock(project, wheel("one", 1000), wheel("two", 1000))
    project.build()
    assert [each.headers["Range"] for each in project.index.requests] == [None, None]


def cold(project: Project) -> None:
    """Forget the wheels: their files are others from now on."""
    remove_tree(default_cache_dir())
