"""The limits of a layer's size, on trees and through whole builds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.layer import LAMBDA_UNPACKED_LIMIT
from hatch_lambda_layer.exceptions import SizeError
from hatch_lambda_layer.layer.tree import Entry, LayerTree
from hatch_lambda_layer.wheels.verify import verify_wheel
from tests.support.displays import Lines
from tests.support.layer_project import Project, stamps
from tests.support.limits import check
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.wheels.wheel import Wheel

# Named so that the order of names is not the order of sizes.
TWELVE = [
    WheelSpec(name=f"pkg-{(number * 7) % 12:02}", files={f"m{number}.py": b"#" * number * 10_000})
    for number in range(1, 13)
]


def tree_of(size: int) -> LayerTree:
    """Give a tree of one file that claims to have this size."""
    return LayerTree((Entry.made("python/a.py", "a", b"")._replace(size=size),))


def verified(spec: WheelSpec, folder: Path) -> Wheel:
    return verify_wheel(spec.write(folder), spec.filename, spec.sha256)


@pytest.mark.fault(36)
@pytest.mark.parametrize(
    ("size", "share"),
    [
        (1, None),
        (LAMBDA_UNPACKED_LIMIT * 4 // 5, None),
        (LAMBDA_UNPACKED_LIMIT * 4 // 5 + 1, "80%"),
        (LAMBDA_UNPACKED_LIMIT * 9 // 10, "90%"),
        (LAMBDA_UNPACKED_LIMIT, "100%"),
    ],
)
def test_a_layer_above_four_fifths_of_the_limit_is_warned_of(size: int, share: str | None) -> None:
    findings = check(tree_of(size))
    expected = [] if share is None else [("HLL020", share)]
    assert [(each.code, each.message.split()[3]) for each in findings] == expected
    assert all("262,144,000 bytes" in each.message for each in findings)


@pytest.mark.fault(36)
def test_one_byte_above_the_limit_is_an_error() -> None:
    message = "unpacks to 262,144,001 bytes, but at most 262,144,000 are allowed"
    with pytest.raises(SizeError, match=message):
        check(tree_of(LAMBDA_UNPACKED_LIMIT + 1))


@pytest.mark.fault(36)
def test_the_ten_largest_packages_are_named_the_largest_first(tmp_path: Path) -> None:
    wheels = [verified(spec, tmp_path) for spec in TWELVE]
    entries = [
        Entry.made(f"python/{member.path}", wheel.name, b"")._replace(size=member.size)
        for wheel in wheels
        for member in wheel.members
    ]
    with pytest.raises(SizeError) as caught:
        check(LayerTree(tuple(entries)), wheels, max_size=100_000)
    _, header, *rows = caught.value.message.splitlines()
    assert header.split() == ["package", "version", "unpacked"]
    assert [row.split()[0] for row in rows] == [spec.name for spec in reversed(TWELVE[2:])]
    assert rows[0].split() == ["pkg-00", "1.0", "118", "KB"]
    assert caught.value.hint == (
        "raise `max-size`: Lambda allows 262,144,000 bytes with the function; "
        "100,000 bytes can't be reached with what the project itself asks for: that alone takes "
        "767 KB, `pkg-00` 118 KB of them"
    )


@pytest.mark.fault(38)
def test_an_empty_tree_is_an_error_that_says_where_to_look() -> None:
    with pytest.raises(SizeError, match="The layer is empty") as caught:
        check(LayerTree(()))
    for option in ("`groups`", "`extras`", "`prune`", "`include-project = true`"):
        assert option in str(caught.value)


@pytest.mark.fault(38)
def test_a_layer_that_exclude_has_emptied_says_so(project: Project) -> None:
    project.lock(*TWELVE[:2])
    project.configure(exclude=[each.name for each in TWELVE[:2]])
    with pytest.raises(SizeError) as caught:
        project.build()
    names = ", ".join(sorted(each.name for each in TWELVE[:2]))
    assert caught.value.message.endswith(f"`exclude` leaves out all that is locked: {names}")
    assert "groups" not in str(caught.value)


@pytest.mark.fault(35)
def test_a_zip_holds_65534_files_and_no_more() -> None:
    entry = Entry.made("python/a.py", "a", b"")
    most = LayerTree((entry,) * 65_534)
    assert check(most) == []
    with pytest.raises(SizeError, match="has 65,535 files, but a zip holds at most 65,534"):
        check(LayerTree((*most.entries, entry)))


@pytest.mark.fault(36)
def test_a_build_that_grows_too_large_fails_and_leaves_the_old_layer(project: Project) -> None:
    project.lock(TWELVE[0])
    project.configure(max_size="400 kB")
    project.build()
    before = stamps(project.zip, project.json)
    project.lock(*TWELVE)
    with pytest.raises(SizeError, match="400,000 are allowed") as caught:
        project.build()
    assert [row.split()[0] for row in caught.value.message.splitlines()[2:]] == [
        spec.name for spec in reversed(TWELVE[2:])
    ]
    assert stamps(project.zip, project.json) == before


@pytest.mark.fault(36)
def test_a_nearly_full_layer_is_built_with_a_warning(project: Project) -> None:
    project.lock(TWELVE[-1])
    project.configure(max_size=130_000)
    display = Lines()
    project.build(display)
    message = "the layer takes 93% of the 130,000 bytes allowed, unpacked"
    (finding,) = json.loads(project.json.read_text("utf-8"))["findings"]
    assert (finding["code"], finding["severity"]) == ("HLL020", "warning")
    assert finding["message"] == message
    assert f"warning: {message} (HLL020); {finding['hint']}" in display.lines


@pytest.mark.fault(36)
def test_the_functions_own_size_is_left_free() -> None:
    (finding,) = check(tree_of(170), max_size=250, function_size=50)
    assert finding.message == (
        "the layer takes 85% of the 200 bytes allowed, unpacked, which leaves 50 for the function"
    )
    assert check(tree_of(160), max_size=250, function_size=50) == []
    (finding,) = check(tree_of(240), max_size=250, function_size=50)
    assert finding.message.startswith("the layer takes 120%")


@pytest.mark.fault(36)
def test_a_lower_limit_is_checked_although_the_layer_is_there(project: Project) -> None:
    project.lock(TWELVE[0])
    size = project.build().manifest.unpacked_size
    before = stamps(project.zip, project.json)
    project.configure(max_size=size - 1)
    with pytest.raises(SizeError, match=f"{size:,} bytes, but at most {size - 1:,} are allowed"):
        project.build()
    assert stamps(project.zip, project.json) == before


@pytest.mark.fault(36)
def test_the_warning_of_a_full_layer_follows_the_limit_of_today(project: Project) -> None:
    project.lock(TWELVE[0])
    size = project.build().manifest.unpacked_size
    roomy_json = project.json.read_bytes()
    project.configure(max_size=size)
    full = Lines()
    project.build(full)
    assert f"warning: the layer takes 100% of the {size:,} bytes allowed, unpacked" in full.text
    project.configure(max_size=size * 10)
    roomy = Lines()
    project.build(roomy)
    assert "warning" not in roomy.text
    assert project.json.read_bytes() == roomy_json


@pytest.mark.fault(38)
@pytest.mark.parametrize("emptied", ["lockfile", "prune"])
def test_an_empty_layer_is_an_error_and_leaves_the_old_one(project: Project, emptied: str) -> None:
    plain = WheelSpec(name="plain")
    project.lock(plain)
    project.build()
    before = stamps(project.zip, project.json)
    if emptied == "lockfile":
        project.lockfile.write_text('lock-version = "1.0"\ncreated-by = "t"\npackages = []\n')
    else:
        # Metadata always stays, so a pattern alone empties only what has none.
        project.lockfile.write_text('lock-version = "1.0"\ncreated-by = "t"\npackages = []\n')
        (project.root / "notes.txt").write_text("notes")
        project.configure(force_include={"notes.txt": "notes.txt"}, prune=["*.txt"])
    with pytest.raises(SizeError, match="The layer is empty"):
        project.build()
    assert stamps(project.zip, project.json) == before
