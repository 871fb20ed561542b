"""What an index says of a locked release: yanked, gone, or older than another that fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from packaging.version import Version

from hatch_lambda_layer.index.pages import Link
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.outdated import (
    Checked,
    check_release,
    find_releases,
    locked_version,
)
from hatch_lambda_layer.wheels.selection import LockedSource, LockedWheel

X86_64 = Target(runtimes()["python3.13"], Architecture.X86_64)
INDEX = "https://someone:secret@index.test/simple"
PURE = "py3-none-any"


def link(version: str, tag: str = PURE, yanked: str | None = None, python: str = "") -> Link:
    name = f"alpha-{version}.tar.gz" if tag == "sdist" else f"alpha-{version}-{tag}.whl"
    return Link(name, f"https://index.test/{name}", yanked, None, python or None)


def wheel(version: str = "1.0") -> LockedWheel:
    name = f"alpha-{version}-{PURE}.whl"
    return LockedWheel("alpha", version, name, "0" * 64, None, f"https://x.test/{name}", INDEX)


def sdist(location: str, version: str | None = "1.0") -> LockedSource:
    return LockedSource("alpha", version, "sdist", location, "0" * 64, None, None, INDEX, "")


def check(locked: LockedWheel | LockedSource, *links: Link, **options: Any) -> Checked:
    version = locked_version(locked)
    assert version is not None
    releases = find_releases(links, "alpha", version)
    return check_release(
        locked, version, releases, X86_64, index=INDEX, **({"sources": True} | options)
    )


UP_TO_DATE = Checked(
    name="alpha",
    version="1.0",
    index="https://****@index.test/simple",
    listed=True,
    yanked=None,
    newest=None,
    source_only=False,
    unfitting=None,
)


def test_a_release_that_is_the_newest_is_up_to_date() -> None:
    found = check(wheel(), link("0.9"), link("1.0"), link("1.0", "sdist"))
    assert found == UP_TO_DATE
    assert not found.outdated


def test_of_the_newer_releases_the_newest_is_named() -> None:
    found = check(wheel(), link("1.10"), link("1.9"), link("1.0"))
    assert found == replace(UP_TO_DATE, newest="1.10")
    assert found.outdated


@pytest.mark.parametrize("reason", ["it deletes files", ""])
@pytest.mark.fault(15)
def test_a_yanked_release_is_told_with_its_reason(reason: str) -> None:
    found = check(wheel(), link("1.0", yanked=reason), link("1.0", "sdist", reason))
    assert found == replace(UP_TO_DATE, yanked=reason)
    assert found.outdated


def test_the_file_that_is_locked_decides_whether_it_is_yanked() -> None:
    other = "cp313-cp313-manylinux_2_17_x86_64"
    assert check(wheel(), link("1.0"), link("1.0", other, "broken")) == UP_TO_DATE
    assert check(wheel(), link("1.0", yanked="bad"), link("1.0", other)).yanked == "bad"
    # Where the very file is not listed, all of the release must be yanked.
    assert check(wheel(), link("1.0", other, "bad"), link("1.0", "sdist")).yanked is None
    assert check(wheel(), link("1.0", other, "bad"), link("1.0", "sdist", "")).yanked == "bad"


@pytest.mark.parametrize(
    "location",
    [
        "https://x.test/files/alpha-1.0.tar.gz?token=x#sha256=0",
        "https://x.test/files/alpha%2D1.0.tar.gz",
        "index+https://x.test/simple/alpha/#alpha-1.0.tar.gz",
    ],
)
def test_an_sdist_is_found_by_its_name(location: str) -> None:
    for version in ("1.0", None):
        found = check(sdist(location, version), link("1.0"), link("1.0", "sdist", "bad"))
        assert found.yanked == "bad"


def test_a_release_that_the_index_lists_no_more_is_told() -> None:
    found = check(wheel(), link("0.9"))
    assert found == replace(UP_TO_DATE, listed=False)
    assert found.outdated


def test_a_newer_release_that_is_yanked_does_not_count() -> None:
    found = check(wheel(), link("1.0"), link("2.0", yanked=""), link("1.1"), link("3.0", yanked=""))
    assert found == replace(UP_TO_DATE, newest="1.1")


def test_a_prerelease_counts_only_where_one_is_locked() -> None:
    assert check(wheel(), link("1.0"), link("2.0rc1"), link("2.0.dev1")) == UP_TO_DATE
    found = check(wheel("2.0b1"), link("2.0b1"), link("2.0rc1"))
    assert found.newest == "2.0rc1"


@pytest.mark.parametrize(
    "files",
    [
        [link("2.0", "cp312-cp312-manylinux_2_17_x86_64")],
        [link("2.0", "cp313-cp313-manylinux_2_17_aarch64")],
        [link("2.0", "cp313-cp313-win_amd64")],
        [link("2.0", python=">=3.14"), link("2.0", "sdist", python="<3.13")],
    ],
)
def test_a_newer_release_without_a_file_for_the_target_is_marked(files: list[Link]) -> None:
    found = check(wheel(), link("1.0"), link("1.1"), *files)
    assert found == replace(UP_TO_DATE, newest="1.1", unfitting="2.0")
    alone = check(wheel(), link("1.0"), *files)
    assert alone == replace(UP_TO_DATE, unfitting="2.0")
    # There is no other release to lock.
    assert not alone.outdated


def test_a_newer_release_that_has_only_a_source_is_marked_where_sources_are_built() -> None:
    links = [link("1.0"), link("2.0", "cp313-cp313-win_amd64"), link("2.0", "sdist")]
    assert check(wheel(), *links) == replace(UP_TO_DATE, newest="2.0", source_only=True)
    assert check(wheel(), *links, sources=False) == replace(UP_TO_DATE, unfitting="2.0")


def test_a_python_that_is_not_a_specifier_counts_for_nothing() -> None:
    assert check(wheel(), link("1.0"), link("2.0", python="3.6 or so")).newest == "2.0"


def test_variants_of_one_release_are_not_newer_than_each_other() -> None:
    variants = [link(f"{version}+{local}") for version in ("1.0", "2.0") for local in ("cpu", "cu")]
    assert check(wheel("2.0+cpu"), *variants, link("2.0")).newest is None
    assert check(wheel("1.0+cpu"), *variants, link("2.0")).newest == "2.0+cpu"


def test_files_of_other_projects_and_kinds_are_left_out() -> None:
    names = ["alpha-2.0.egg", "alpha-2.0.exe", "alpha-x-py3-none-any.whl", "\x1b.whl", ""]
    names += ["beta-2.0-py3-none-any.whl", "alpha-beta-2.0.tar.gz", "alpha-2.0.tar.gz.asc"]
    links = [Link(name, f"https://x.test/{name}", None) for name in names]
    assert find_releases([*links, link("0.1")], "alpha", Version("1.0")) == {}


def test_a_version_that_nobody_locked_is_not_guessed() -> None:
    assert locked_version(sdist("https://x.test/latest.tar.gz", None)) is None
