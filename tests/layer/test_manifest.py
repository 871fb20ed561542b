"""`layer.json` and the three digests: what changes them, and what must not."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
import zlib
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.exceptions import LambdaLayerError
from hatch_lambda_layer.findings import Finding, codes
from hatch_lambda_layer.layer.archive import WrittenArchive, write_archive
from hatch_lambda_layer.layer.manifest import (
    LayerManifest,
    LayerPackage,
    content_digest,
    describe,
    input_digest,
    packages,
)
from hatch_lambda_layer.layer.placement import place
from hatch_lambda_layer.layer.tree import Entry, LayerTree
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.verify import verify_wheel
from tests.support.wheel_factory import Member, WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.wheels.wheel import Wheel

MATRIX = Matrix.from_pyproject(
    {"tool": {"lambda-layer": {"runtimes": ["python3.13"], "architectures": ["arm64"]}}}
)
(MEMBER,) = MATRIX.members
TARGET = Target(runtimes()["python3.13"], Architecture.ARM64)
DATE = datetime(1980, 1, 1, tzinfo=UTC)
ALPHA = WheelSpec(name="alpha", files={"alpha/__init__.py": b"A = 1\n" * 100})
BETA = WheelSpec(name="Beta.Two", version="2.1", files={"beta/__init__.py": b"caf\xc3\xa9"})

ZIP = b"what stands for a zip"
MANIFEST = LayerManifest(
    member="python3.13-arm64",
    layer=None,
    runtime="python3.13",
    architecture="arm64",
    input_digest="sha256:" + "1" * 64,
    content_digest="sha256:" + "2" * 64,
    code_sha256=base64.b64encode(hashlib.sha256(ZIP).digest()).decode(),
    zipped_size=len(ZIP),
    unpacked_size=5678,
    files=9,
    packages=(
        LayerPackage(
            name="alpha",
            version="1.0",
            wheel="alpha-1.0-py3-none-any.whl",
            sha256="a" * 64,
            files=4,
            unpacked_size=5000,
            zipped_size=1000,
        ),
    ),
    findings=(
        Finding(
            code="HLL013", severity="warning", place="alpha 1.0", message="caf\u00e9", hint="go"
        ),
    ),
)


def file(path: str, content: bytes = b"", *, executable: bool = False) -> Entry:
    return Entry.made(f"python/{path}", "demo", content, executable=executable)


def digest(*entries: Entry) -> str:
    return content_digest(LayerTree(entries).settled())


def layer(folder: Path, *specs: WheelSpec) -> tuple[LayerTree, list[Wheel]]:
    wheels = [verify_wheel(spec.write(folder), spec.filename, spec.sha256) for spec in specs]
    entries = [entry for wheel in wheels for entry in place(wheel, TARGET)[0]]
    return LayerTree(tuple(entries)).settled(), wheels


def changed(**change: object) -> str:
    table: dict[str, Any] = {"schema": 2, **asdict(MANIFEST), **change}
    return json.dumps({key: value for key, value in table.items() if value is not ...})


def test_a_manifest_survives_json() -> None:
    text = MANIFEST.to_json()

    assert LayerManifest.from_json(text) == MANIFEST
    assert LayerManifest.from_json(text).to_json() == text


def test_findings_of_schema_1_are_read_by_their_words() -> None:
    words = [
        {"code": "left-out", "message": "headers"},
        {"code": "nearly-full", "message": "93 %"},
        {"code": "unheard-of", "message": "what?"},
    ]
    old = json.loads(changed(findings=words)) | {"schema": 1}
    manifest = LayerManifest.from_json(json.dumps(old))
    assert [(each.code, each.severity, each.message) for each in manifest.findings] == [
        ("HLL017", "note", "headers"),
        ("HLL020", "warning", "93 %"),
        ("unheard-of", "warning", "what?"),
    ]
    assert json.loads(manifest.to_json())["schema"] == 2


@pytest.mark.parametrize(
    "change", [{"severity": "fatal"}, {"severity": None}, {"place": 3}, {"hint": None}]
)
def test_a_finding_that_is_not_one_is_refused(change: dict[str, object]) -> None:
    finding = asdict(MANIFEST.findings[0]) | change
    with pytest.raises(LambdaLayerError, match="not a valid"):
        LayerManifest.from_json(changed(findings=[finding]))


def test_the_json_has_its_schema_first_and_is_readable() -> None:
    text = MANIFEST.to_json()

    assert text.startswith('{\n  "schema": 2,\n  "project": null,\n  "member": "python3.13-arm64"')
    assert text.endswith("}\n")
    assert "caf\u00e9" in text
    assert set(json.loads(text)) == {"schema", *asdict(MANIFEST)}


@pytest.mark.parametrize("schema", [0, 3, 99, "1", True, None])
def test_another_schema_is_refused_with_its_number(schema: object) -> None:
    with pytest.raises(LambdaLayerError) as caught:
        LayerManifest.from_json(changed(schema=schema))

    assert f"schema {schema}, only 2 and older are known" in str(caught.value)
    assert "version of hatch-lambda-layer" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("null", id="null"),
        pytest.param("3", id="number"),
        pytest.param("[]", id="list"),
        pytest.param("{}", id="no-key"),
        pytest.param('"text"', id="string"),
        pytest.param("{'schema': 1}", id="no-json"),
        pytest.param(MANIFEST.to_json()[:-20], id="cut"),
        pytest.param("<<<<<<< HEAD\n" + MANIFEST.to_json(), id="merge-conflict"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param(changed(member=...), id="key-missing"),
        pytest.param(changed(extra=1), id="key-too-many"),
        pytest.param(changed(packages=None), id="packages-null"),
        pytest.param(changed(packages=[{"name": "alpha"}]), id="package-too-short"),
        pytest.param(changed(packages=["alpha"]), id="package-a-string"),
        pytest.param(changed(findings=7), id="findings-a-number"),
        pytest.param(changed(zipped_size="1234"), id="size-a-string"),
        pytest.param(changed(unpacked_size=None), id="size-null"),
        pytest.param(changed(code_sha256=5), id="digest-a-number"),
        pytest.param(
            changed(packages=[asdict(replace(MANIFEST.packages[0], version=1))]),  # type: ignore[arg-type]
            id="version-a-number",
        ),
    ],
)
def test_any_other_text_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(LambdaLayerError) as caught:
        LayerManifest.from_json(text)

    assert "layer.json" in str(caught.value)
    (tmp_path / "layer.zip").write_bytes(ZIP)
    (tmp_path / "layer.json").write_text(text, encoding="utf-8")
    assert LayerManifest.read_intact(tmp_path / "layer.json", tmp_path / "layer.zip") is None


@pytest.mark.parametrize(
    "kind", ["intact", "no-manifest", "folder", "latin-1", "no-zip", "zip-changed", "zip-longer"]
)
def test_a_manifest_is_read_while_its_zip_is_intact(kind: str, tmp_path: Path) -> None:
    path, zip_path = tmp_path / "layer.json", tmp_path / "layer.zip"
    changed_zip = {"no-zip": None, "zip-changed": ZIP[::-1], "zip-longer": ZIP + b"\0"}
    if (data := changed_zip.get(kind, ZIP)) is not None:
        zip_path.write_bytes(data)
    if kind == "folder":
        path.mkdir()
    elif kind != "no-manifest":
        path.write_bytes(MANIFEST.to_json().encode("latin-1" if kind == "latin-1" else "utf-8"))

    found = LayerManifest.read_intact(path, zip_path)

    assert found == (MANIFEST if kind == "intact" else None)


def test_a_manifest_describes_the_zip_it_was_written_for_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    tree, wheels = layer(tmp_path, ALPHA)
    archive = write_archive(tree, path, DATE)
    manifest = describe(MEMBER, "sha256:0", tree, wheels, archive, [])
    data = path.read_bytes()

    assert manifest.describes(path)
    for other in (data[:-1], data + b"\0", data[:99] + bytes([data[99] ^ 1]) + data[100:], b""):
        path.write_bytes(other)
        assert not manifest.describes(path)
    path.unlink()
    assert not manifest.describes(path)
    path.mkdir()
    assert not manifest.describes(path)


def test_a_manifest_says_what_is_in_the_zip(tmp_path: Path) -> None:
    tree, wheels = layer(tmp_path, BETA, ALPHA)
    archive = write_archive(tree, tmp_path / "layer.zip", DATE)
    finding = codes.UNUSED_PATTERN.finding("prune", "nothing")

    manifest = describe(MEMBER, "sha256:0", tree, wheels, archive, [finding])

    with zipfile.ZipFile(tmp_path / "layer.zip") as written:
        infos = written.infolist()
    data = (tmp_path / "layer.zip").read_bytes()
    assert manifest == LayerManifest(
        member="python3.13-arm64",
        layer=None,
        runtime="python3.13",
        architecture="arm64",
        input_digest="sha256:0",
        content_digest=content_digest(tree),
        code_sha256=base64.b64encode(hashlib.sha256(data).digest()).decode(),
        zipped_size=len(data),
        unpacked_size=sum(info.file_size for info in infos),
        files=8,
        packages=manifest.packages,
        findings=(finding,),
    )
    assert [(each.name, each.version) for each in manifest.packages] == [
        ("alpha", "1.0"),
        ("beta-two", "2.1"),
    ]
    for package, spec in zip(manifest.packages, (ALPHA, BETA), strict=True):
        own = [info for info in infos if info.filename.split("/")[1].startswith(package.name[:4])]
        assert package.wheel == spec.filename
        assert package.sha256 == spec.sha256
        assert package.files == len(own) == 4
        assert package.unpacked_size == sum(info.file_size for info in own)
        assert package.zipped_size == sum(info.compress_size for info in own)


def test_a_manifest_says_which_layer_of_the_matrix_it_is_of() -> None:
    table = {"runtimes": ["python3.12"], "layers": {"web": {"architectures": ["arm64"]}}}
    written = WrittenArchive(size=0, sha256="")
    found = [
        describe(member, "", LayerTree(()), [], written, [])
        for member in Matrix.from_pyproject({"tool": {"lambda-layer": table}}).members
    ]

    assert [(each.member, each.layer, each.runtime, each.architecture) for each in found] == [
        ("python3.12-x86_64", None, "python3.12", "x86_64"),
        ("web-python3.12-arm64", "web", "python3.12", "arm64"),
    ]
    assert LayerManifest.from_json(found[1].to_json()) == found[1]


def test_a_package_of_which_nothing_is_left_is_listed_with_nothing(tmp_path: Path) -> None:
    tree, wheels = layer(tmp_path, ALPHA, BETA)
    tree = tree.only(lambda entry: entry.owner != "alpha")

    alpha, beta = packages(tree, wheels)

    assert (alpha.name, alpha.files, alpha.unpacked_size, alpha.zipped_size) == ("alpha", 0, 0, 0)
    assert beta.files == 4


def test_the_content_digest_is_what_the_documentation_says() -> None:
    entries = (file("b.py", b"two", executable=True), file("a.py", b"one"))

    lines = b"".join(
        b"python/%s\x00%s\x003\x00%s\n" % (name, mode, hashlib.sha256(content).hexdigest().encode())
        for name, mode, content in [(b"a.py", b"100644", b"one"), (b"b.py", b"100755", b"two")]
    )
    assert digest(*entries) == f"sha256:{hashlib.sha256(lines).hexdigest()}"


def test_the_content_digest_changes_with_path_mode_and_content() -> None:
    digests = {
        digest(file("a.py", b"one")),
        digest(file("b.py", b"one")),
        digest(file("a.py", b"two")),
        digest(file("a.py", b"")),
        digest(file("a.py", b"one"), file("b.py", b"")),
        digest(file("a.py", b"one", executable=True)),
        digest(),
    }

    assert len(digests) == 7


def test_the_content_digest_ignores_compression_owner_and_place(tmp_path: Path) -> None:
    content = b"text " * 1000
    entry = file("a.txt", content)
    deflated = entry._replace(
        owner="another",
        method=8,
        source=tmp_path / "elsewhere.whl",
        offset=77,
        compressed_size=len(zlib.compress(content)),
    )

    assert digest(entry) == digest(deflated)


def test_a_wheel_that_is_compressed_otherwise_gives_the_same_content_digest(tmp_path: Path) -> None:
    stored = Member("alpha/__init__.py", b"A = 1\n" * 100, 0)
    trees = []
    for name, spec in (("one", ALPHA), ("two", replace(ALPHA, files={"x": stored}))):
        (tmp_path / name).mkdir()
        trees.append(layer(tmp_path / name, spec)[0])

    assert content_digest(trees[0]) == content_digest(trees[1])
    assert write_archive(trees[0], tmp_path / "1.zip", DATE) != write_archive(
        trees[1], tmp_path / "2.zip", DATE
    )


def test_the_input_digest_does_not_depend_on_the_order_of_keys() -> None:
    one = {"target": "a", "prune": ["x", "y"], "nested": {"b": 1, "a": None}}
    two = {"nested": {"a": None, "b": 1}, "prune": ("x", "y"), "target": "a"}

    assert input_digest(one) == input_digest(two)
    assert input_digest(one).startswith("sha256:")


@pytest.mark.parametrize(
    "other",
    [
        {"prune": ["y", "x"], "time": "1980"},
        {"prune": ["x"], "time": "1980"},
        {"prune": ["xy"], "time": "1980"},
        {"prune": ["x", "y"], "time": "1981"},
        {"prune": ["x", "y"]},
        {"prune": ["x", "y"], "time": None},
        {"prune": ["x", "y"], "time": "1980", "more": []},
    ],
)
def test_the_input_digest_changes_with_every_fact(other: dict[str, object]) -> None:
    assert input_digest(other) != input_digest({"prune": ["x", "y"], "time": "1980"})


def test_the_code_hash_is_the_one_that_lambda_writes(tmp_path: Path) -> None:
    archive = WrittenArchive(size=3, sha256=hashlib.sha256(b"zip").hexdigest())

    manifest = describe(MEMBER, "", LayerTree(()), [], archive, [])

    # What `printf zip | openssl dgst -sha256 -binary | base64` prints.
    assert manifest.code_sha256 == "SnD+mqZDbgLC3qNA+9HjUuTvLYzmylKtJdS5VHH8i/I="
