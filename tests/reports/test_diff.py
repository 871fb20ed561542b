"""What differs between two layers, as a person and as a program reads it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from textwrap import dedent
from typing import TYPE_CHECKING, NoReturn

import pytest
from click.testing import CliRunner, Result

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import LambdaLayerError, OutputError
from hatch_lambda_layer.findings import codes
from hatch_lambda_layer.layer.manifest import LayerManifest, LayerPackage
from hatch_lambda_layer.reports.diff import LayerDifference, Side, as_json, as_text, read_side

if TYPE_CHECKING:
    from pathlib import Path

KB, MB = 1024, 1_048_576


def package(name: str, version: str, unpacked: int = 10 * KB, zipped: int = KB) -> LayerPackage:
    return LayerPackage(
        name=name,
        version=version,
        wheel=f"{name}-{version}-py3-none-any.whl",
        sha256=hashlib.sha256(f"{name} {version}".encode()).hexdigest(),
        files=3,
        unpacked_size=unpacked,
        zipped_size=zipped,
    )


def manifest(*packages: LayerPackage, digest: str = "1", zip_data: bytes = b"zip") -> LayerManifest:
    return LayerManifest(
        member="python3.13-x86_64",
        layer=None,
        runtime="python3.13",
        architecture="x86_64",
        input_digest="sha256:" + "0" * 64,
        content_digest="sha256:" + digest * 64,
        code_sha256=base64.b64encode(hashlib.sha256(zip_data).digest()).decode(),
        zipped_size=sum(each.zipped_size for each in packages),
        unpacked_size=sum(each.unpacked_size for each in packages),
        files=sum(each.files for each in packages),
        packages=packages,
        findings=(),
    )


OLD = manifest(
    package("boto3", "1.39.1", 2 * MB, 300 * KB),
    package("idna", "3.11"),
    package("six", "1.16.0", 40 * KB, 12 * KB),
)
NEW = manifest(
    package("boto3", "1.40.0", 3 * MB, 310 * KB),
    package("certifi", "2026.1.1", 300 * KB, 150 * KB),
    package("idna", "3.11"),
    digest="2",
)


def difference(old: LayerManifest, new: LayerManifest) -> LayerDifference:
    return LayerDifference(Side("old.zip", old), Side("new.zip", new))


def body(old: LayerManifest, new: LayerManifest) -> str:
    """Give the text without the two lines that name the layers."""
    return "".join(as_text(difference(old, new)).splitlines(keepends=True)[2:])


def text(golden: str) -> str:
    return dedent(golden).lstrip("\n")


def unpublished(version: str) -> NoReturn:
    raise AssertionError(version)


def write(folder: Path, name: str, found: LayerManifest, data: bytes) -> Path:
    """Write a zip with its manifest beside it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.zip"
    path.write_bytes(data)
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    intact = replace(found, zipped_size=len(data), code_sha256=digest)
    path.with_suffix(".json").write_text(intact.to_json(), encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    """Run the command in this process; a traceback fails the test."""
    result = CliRunner().invoke(main, ["diff", *(str(each) for each in arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def test_packages_that_came_went_and_changed_word_for_word() -> None:
    assert as_text(difference(OLD, NEW)) == text("""
        --- old.zip (python3.13-x86_64)
        +++ new.zip (python3.13-x86_64)
           package  from    to        unpacked   zipped
        ~  boto3    1.39.1  1.40.0     +1.0 MB   +10 KB
        +  certifi          2026.1.1   +300 KB  +150 KB
        -  six      1.16.0              -40 KB   -12 KB
        unpacked: 2.0 MB -> 3.3 MB (+1.3 MB)
        zipped: 313 KB -> 461 KB (+148 KB)
        files: 9 -> 9 (+0)
    """)


def test_a_layer_does_not_differ_from_itself() -> None:
    found = difference(OLD, OLD)

    assert found.equal
    assert found.packages == ()
    assert found.facts == {}
    assert "the content is the same\n" in as_text(found)


def test_there_and_back_is_the_same_difference_reversed() -> None:
    there, back = difference(OLD, NEW).packages, difference(NEW, OLD).packages

    assert [
        (each.name, each.old_version, each.new_version, each.unpacked_size) for each in there
    ] == [(each.name, each.new_version, each.old_version, -each.unpacked_size) for each in back]
    assert [each.kind for each in there] == ["version", "added", "removed"]
    assert [each.kind for each in back] == ["version", "removed", "added"]


def test_another_wheel_of_one_version_is_told() -> None:
    one = package("numpy", "2.3.4")
    other = replace(one, sha256="f" * 64, unpacked_size=11 * KB)

    assert "~  numpy    2.3.4  2.3.4, another wheel     +1 KB    0 KB\n" in body(
        manifest(one), manifest(other, digest="2")
    )


def test_other_files_of_one_wheel_are_told() -> None:
    one = package("numpy", "2.3.4")
    pruned = replace(one, files=1, unpacked_size=4 * KB)

    assert "~  numpy    2.3.4  2.3.4, other files     -6 KB    0 KB\n" in body(
        manifest(one), manifest(pruned, digest="2")
    )


def test_a_change_that_no_package_shows_is_told() -> None:
    found = body(OLD, replace(OLD, content_digest="sha256:" + "3" * 64))

    assert found.startswith("the packages are the same, other files or modes differ\n")


def test_another_compression_is_no_difference() -> None:
    smaller = replace(OLD.packages[0], zipped_size=1)
    other = replace(OLD, code_sha256="other", packages=(smaller, *OLD.packages[1:]))

    assert difference(OLD, other).equal
    assert body(OLD, other).startswith("the content is the same, compressed differently\n")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"runtime": "python3.14"}, "runtime: python3.13 -> python3.14"),
        ({"architecture": "arm64"}, "architecture: x86_64 -> arm64"),
    ],
)
def test_the_same_content_for_another_target_differs(change: dict[str, str], line: str) -> None:
    other = replace(OLD, **change)  # type: ignore[arg-type]

    assert not difference(OLD, other).equal
    assert line in body(OLD, other).splitlines()


def test_another_name_of_the_layer_is_told_but_is_no_difference() -> None:
    other = replace(OLD, layer="ml")

    assert difference(OLD, other).equal
    assert "layer: none -> ml\n" in body(OLD, other)


def test_findings_that_came_and_went_are_told() -> None:
    half = codes.MISSING_LIBRARY.finding("boto3", "boto3 is alone", hint="leave it out")
    kept = codes.SHARED_KEPT.finding("six", "six stays")
    both = codes.HEADERS_LEFT_OUT.finding("greenlet 1", "headers")
    old = replace(OLD, findings=(both, half))
    new = replace(OLD, findings=(kept, both))

    assert body(old, new).splitlines()[-2:] == [
        "- warning: boto3 is alone (HLL007); leave it out",
        "+ note: six stays (HLL032)",
    ]
    assert difference(old, new).equal


def test_json_has_the_same_for_programs() -> None:
    finding = codes.MISSING_LIBRARY.finding("boto3", "alone")

    table = json.loads(as_json(difference(OLD, replace(NEW, findings=(finding,)))))

    assert table["schema"] == 1
    assert table["equal"] is False
    assert table["old"] == {
        "name": "old.zip",
        "member": "python3.13-x86_64",
        "layer": None,
        "runtime": "python3.13",
        "architecture": "x86_64",
        "content_digest": OLD.content_digest,
        "code_sha256": OLD.code_sha256,
    }
    assert table["unpacked_size"] == [OLD.unpacked_size, NEW.unpacked_size]
    assert table["files"] == [9, 9]
    assert table["packages"][1] == {
        "name": "certifi",
        "kind": "added",
        "old_version": None,
        "new_version": "2026.1.1",
        "unpacked_size": 300 * KB,
        "zipped_size": 150 * KB,
    }
    assert table["findings"] == {
        "removed": [],
        "added": [
            {
                "code": "HLL007",
                "severity": "warning",
                "place": "boto3",
                "message": "alone",
                "hint": "",
            }
        ],
    }


def test_a_zip_is_read_by_the_manifest_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, "layer", OLD, b"the zip")

    by_zip = read_side(str(path), unpublished)
    by_manifest = read_side(str(path.with_suffix(".json")), unpublished)

    assert by_zip.manifest == by_manifest.manifest
    assert by_zip.manifest.packages == OLD.packages
    assert by_zip.label == str(path)


@pytest.mark.parametrize(
    "name", ["orders-api:3", "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:layer:orders_api:12"]
)
def test_a_published_version_is_asked_for_by_its_name(name: str) -> None:
    asked = []

    def published(version: str) -> LayerManifest:
        asked.append(version)
        return NEW

    assert read_side(name, published) == Side(name, NEW)
    assert asked == [name]


def test_a_file_comes_before_a_published_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "layer", OLD, b"x")
    (tmp_path / "layer:3").write_bytes(b"x")
    (tmp_path / "layer.json").rename(tmp_path / "layer:3.json")

    assert read_side("layer:3", unpublished).manifest.packages == OLD.packages


@pytest.mark.parametrize("name", ["missing.zip", "orders-api", "orders-api:", "orders-api:x", ""])
def test_what_names_nothing_is_refused_with_what_can_be_named(name: str) -> None:
    with pytest.raises(OutputError) as caught:
        read_side(name, unpublished)

    assert "NAME:3" in str(caught.value)


def test_a_zip_without_its_manifest_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "layer", OLD, b"zip")
    path.with_suffix(".json").unlink()

    with pytest.raises(OutputError, match=r"layer\.json can't be read"):
        read_side(str(path), unpublished)


def test_a_zip_that_changed_after_its_manifest_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "layer", OLD, b"zip")
    path.write_bytes(b"piz")

    with pytest.raises(LambdaLayerError, match=r"is not the zip that layer\.json was written for"):
        read_side(str(path), unpublished)


def test_the_command_prints_the_difference(tmp_path: Path) -> None:
    old = write(tmp_path / "old", "layer", OLD, b"old")
    new = write(tmp_path / "new", "layer", NEW, b"new")

    result = run(old, new)

    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith(f"--- {old} (python3.13-x86_64)\n+++ {new} (")
    assert "\n+  certifi " in result.stdout
    assert not result.stdout.endswith("\n\n")


def test_the_command_prints_json(tmp_path: Path) -> None:
    old = write(tmp_path / "old", "layer", OLD, b"old")

    result = run("--format", "json", old, old)

    assert json.loads(result.stdout)["equal"] is True


def test_only_the_exit_code_that_was_asked_for_tells_a_difference(tmp_path: Path) -> None:
    old = write(tmp_path / "old", "layer", OLD, b"old")
    new = write(tmp_path / "new", "layer", NEW, b"new")

    assert run(old, new).exit_code == 0
    assert run("--exit-code", old, new).exit_code == 3
    assert run("--exit-code", old, old).exit_code == 0


def test_a_failure_has_another_exit_code_than_a_difference(tmp_path: Path) -> None:
    old = write(tmp_path, "layer", OLD, b"old")

    failed = run("--exit-code", old, tmp_path / "missing.zip")

    assert failed.exit_code == 1
    assert failed.stderr.startswith("error: ")
    assert failed.stdout == ""
    assert run("--exit-code", old).exit_code == 2
