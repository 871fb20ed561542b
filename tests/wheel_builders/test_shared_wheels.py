"""A wheel that one machine has built is taken by others, if all that decides it is equal."""

from __future__ import annotations

import hashlib
import platform
import sys
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.wheels.shared_cache import open_shared_cache
from tests.support.elf_factory import ElfSpec
from tests.support.fleet import ACCOUNT, PREFIX, Fleet
from tests.support.source_factory import copying_project
from tests.support.wheel_factory import WheelSpec
from tests.support.workshop import OWN, RUNTIME, TARGET, Workshop, packed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hatch_lambda_layer.wheels.selection import LockedSource
    from tests.support.aws_server import Aws

PURE = WheelSpec(name="lib", files={"lib.py": b"A = 1\n"})
OWN_TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
NATIVE = WheelSpec(
    name="lib",
    tag=f"{OWN_TAG}-{OWN_TAG}-linux_x86_64",
    root_is_purelib=False,
    files={"lib.so": ElfSpec().data},
)
BUILDING = "Building package `lib 1.0` (from its sdist)"

pytestmark = pytest.mark.skipif(OWN != RUNTIME, reason="the target is not this Python's own")


@pytest.fixture
def fleet(tmp_path: Path, aws: Aws, server: str) -> Fleet:
    return Fleet(tmp_path / "fleet", aws, server)


def machine(fleet: Fleet, name: str) -> Workshop:
    """Give a machine with an empty disk."""
    root = fleet.root / name
    root.mkdir(parents=True)
    workshop = Workshop(root)
    workshop.shown.verbosity = 1
    workshop.shared = open_shared_cache(fleet.environment, Console(workshop.shown))
    return workshop


def source(workshop: Workshop, wheel: WheelSpec, **files: bytes) -> LockedSource:
    """Give a source that is built to a wheel, the same on every machine."""
    named = {name.replace("_", "."): data for name, data in files.items()}
    return packed(workshop.root, copying_project(wheel) | named, "lib")


def build(workshop: Workshop, wheel: WheelSpec = PURE, **files: bytes) -> bool:
    """Build a source, check its wheel, and return whether that took a build."""
    workshop.shown.lines.clear()
    found = workshop.build(source(workshop, wheel, **files), TARGET)
    assert found.file.read_bytes() == wheel.data
    return BUILDING in workshop.shown.lines


def test_what_one_machine_has_built_no_other_builds(fleet: Fleet) -> None:
    with fleet.aws.watch() as first:
        assert build(machine(fleet, "first"))
    assert [each.call for each in first] == ["POST sts", "GET s3", "PUT s3"]
    put = first[-1]
    assert put.headers["if-none-match"] == "*"
    assert put.headers["x-amz-expected-bucket-owner"] == ACCOUNT
    assert put.headers["x-amz-meta-sha256"] == PURE.sha256
    assert put.headers["x-amz-meta-filename"] == PURE.filename
    assert put.path.startswith(f"/{fleet.bucket}/{PREFIX}/v1/built/")

    second = machine(fleet, "second")
    with fleet.aws.watch() as requests:
        assert not build(second)
    assert [each.call for each in requests] == ["POST sts", "GET s3"]
    assert requests[-1].headers["x-amz-expected-bucket-owner"] == ACCOUNT
    assert requests[-1].path == put.path

    with fleet.aws.watch() as requests:
        assert not build(second)
    assert requests == []


def test_native_code_that_was_built_on_a_machine_stays_there(fleet: Fleet) -> None:
    # Compilers and libraries of a machine can't all be named in a key.
    for name in ("first", "second"):
        with fleet.aws.watch() as requests:
            assert build(machine(fleet, name), NATIVE)
        assert [each.method for each in requests if each.service == "s3"] == ["GET"]


def test_another_source_setting_or_platform_is_another_key(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build(machine(fleet, "first"))
    assert build(machine(fleet, "changed"), changed_txt=b"")
    with monkeypatch.context() as patch:
        patch.setenv("CFLAGS", "-O3")
        assert build(machine(fleet, "flags"))
    with monkeypatch.context() as patch:
        patch.setattr(platform, "machine", lambda: "riscv64")
        assert build(machine(fleet, "riscv"))
    assert not build(machine(fleet, "equal"))
    assert len(fleet.objects()) == 4


@pytest.mark.fault(220)
def test_a_build_goes_on_without_the_cache(fleet: Fleet) -> None:
    fleet.s3.delete_bucket(Bucket=fleet.bucket)
    workshop = machine(fleet, "first")
    assert build(workshop)
    (warning,) = workshop.shown.warnings
    assert "no such bucket" in warning
    with fleet.aws.watch() as requests:
        assert build(workshop, changed_txt=b"")
    assert requests == []


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


OTHER = WheelSpec(name="other")
HIDDEN = WheelSpec(name="lib", files={"lib.so": ElfSpec().data})
CHANGED: dict[str, tuple[bytes, dict[str, str], Sequence[str]]] = {
    "bytes": (b"!" + PURE.data, {"sha256": PURE.sha256, "filename": PURE.filename}, ["sha256"]),
    "no metadata": (PURE.data, {}, ["sha256"]),
    "no filename": (PURE.data, {"sha256": PURE.sha256}, ["not the wheel that it should be"]),
    "path": (
        PURE.data,
        {"sha256": PURE.sha256, "filename": f"../../{PURE.filename}"},
        ["not the wheel that it should be"],
    ),
    "no wheel": (b"x", {"sha256": sha256(b"x"), "filename": PURE.filename}, ["should be"]),
    "another package": (
        OTHER.data,
        {"sha256": OTHER.sha256, "filename": OTHER.filename},
        ["other 1.0"],
    ),
    "native code": (
        HIDDEN.data,
        {"sha256": HIDDEN.sha256, "filename": HIDDEN.filename},
        ["another kind of code"],
    ),
}


@pytest.mark.fault(222)
@pytest.mark.parametrize("name", CHANGED)
def test_an_object_that_was_changed_is_built_anew(fleet: Fleet, name: str) -> None:
    data, metadata, words = CHANGED[name]
    build(machine(fleet, "first"))
    (key,) = fleet.objects()
    fleet.replace(key, data, **metadata)
    second = machine(fleet, "second")
    assert build(second)
    (warning,) = second.shown.warnings
    assert [each for each in words if each not in warning] == [], warning
    assert key.removeprefix(f"{PREFIX}/") in warning
    assert build(machine(fleet, "third"))
