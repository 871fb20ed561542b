"""The readers of bytes that others write, each behind the door by which a build comes to it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest import mock

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.process import redact
from hatch_lambda_layer._internal.text import one_line, safe
from hatch_lambda_layer._internal.zip_listing import EndReader, list_files
from hatch_lambda_layer._internal.zip_reader import ArchiveError, read_directory
from hatch_lambda_layer.build.opening import open_project
from hatch_lambda_layer.config.project import direct_requirements
from hatch_lambda_layer.config.publish import PublishConfig
from hatch_lambda_layer.exceptions import LambdaLayerError
from hatch_lambda_layer.index.netrc import read_netrc
from hatch_lambda_layer.index.pages import read_links
from hatch_lambda_layer.layer.dependency_graph import DependencyGraph, Node
from hatch_lambda_layer.layer.manifest import LayerManifest
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest, default_index
from hatch_lambda_layer.lockfiles.pdm import freshness as pdm_freshness
from hatch_lambda_layer.lockfiles.pdm import lockfile as pdm
from hatch_lambda_layer.lockfiles.pip.requirements import RequirementsFiles
from hatch_lambda_layer.lockfiles.poetry import freshness as poetry_freshness
from hatch_lambda_layer.lockfiles.poetry import lockfile as poetry
from hatch_lambda_layer.lockfiles.uv import export as uv
from hatch_lambda_layer.publishing.descriptions import VersionTag
from hatch_lambda_layer.publishing.outputs import read_layer_versions
from hatch_lambda_layer.targets.elf import ElfFile, examine
from hatch_lambda_layer.targets.loading import misfits
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheel_builders.beside import named_beside
from hatch_lambda_layer.wheel_builders.native import has_native_code
from hatch_lambda_layer.wheel_builders.unpacking import unpack
from hatch_lambda_layer.wheel_builders.versioning import reads_repository
from hatch_lambda_layer.wheels.outdated import check_release, find_releases, locked_version
from hatch_lambda_layer.wheels.selection import LockedWheel, select
from hatch_lambda_layer.wheels.verify import verify_wheel
from hatch_lambda_layer.wheels.wheel import Wheel, read_member
from tests.support.displays import Lines

from . import samples
from .engine import Target as Fuzzed
from .samples import CUT, DEMO, PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from hatch_lambda_layer.lockfiles.protocol import Lock

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
_EXPORTED = (
    b'lock-version = "1.0"\ncreated-by = "uv"\n[[packages]]\nname = "lib"\n'
    b'directory = { path = "lib" }\nmarker = "sys_platform == \'linux\'"\n'
)
_PROJECT = b'[project]\nname = "app"\nversion = "1"\n'


def read_zip(data: bytes, _folder: Path) -> None:
    """Read the directory of a zip archive; the error of this reader is its own."""
    try:
        entries = read_directory(io.BytesIO(data))
    except ArchiveError:
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [each.name for each in entries] == [each.orig_filename for each in archive.filelist]


def read_end(data: bytes, _folder: Path) -> None:
    """List the files of a zip from its end, as those of another's layer; its error is its own."""
    fetched = []

    def fetch(start: int, stop: int) -> bytes:
        fetched.append(stop - start)
        return data[start:stop]

    with contextlib.suppress(ArchiveError):
        files = list_files(io.BufferedReader(EndReader(fetch, len(data))))
        assert all(size >= 0 for size in files.values())
    assert sum(fetched) <= len(data)


def read_wheel(data: bytes, folder: Path) -> None:
    """Verify a wheel; what is accepted has to be what any other program finds in it."""
    path = folder / DEMO.filename
    path.write_bytes(data)
    wheel = verify_wheel(path, DEMO.filename, "0" * 64)
    with zipfile.ZipFile(path) as archive:
        for member in wheel.members:
            content = read_member(wheel, member)
            assert content == archive.read(member.path)
            assert hashlib.sha256(content).hexdigest() == member.sha256


def read_record(data: bytes, folder: Path) -> None:
    """Verify a wheel with this RECORD."""
    read_wheel(replace(DEMO, record=data).data, folder)


def read_metadata(data: bytes, folder: Path) -> None:
    """Verify a wheel with this METADATA."""
    read_wheel(replace(DEMO, dist_info_files={"METADATA": data}).data, folder)


def read_wheel_file(data: bytes, folder: Path) -> None:
    """Verify a wheel with this WHEEL."""
    read_wheel(replace(DEMO, dist_info_files={"WHEEL": data}).data, folder)


def read_library(data: bytes, _folder: Path) -> None:
    """Read and judge a shared library; what is kept of it comes back as it was."""
    elf = examine(data)
    misfits(elf, TARGET)
    kept = json.dumps(elf.to_row())
    assert ElfFile.from_row(json.loads(kept)) == elf
    assert len(kept) < 8 * len(data) + 10_000_000


def read_html(data: bytes, _folder: Path) -> None:
    """Read a page of an index, for all its files and for one."""
    _read_page(data, "text/html")


def read_json(data: bytes, _folder: Path) -> None:
    """Read a page of an index, for all its files and for one."""
    _read_page(data, "application/vnd.pypi.simple.v1+json")


def _read_page(data: bytes, kind: str) -> None:
    for filename in (None, DEMO.filename):
        for link in read_links(PAGE, {"Content-Type": kind}, data, filename):
            assert isinstance(link.filename, str)
            assert isinstance(link.url, str)
            assert all(value is None or isinstance(value, str) for value in link[2:])


def read_pylock(data: bytes, folder: Path) -> None:
    """Read and select from a `pylock.toml`, which is also what `uv export` gives."""
    _select(_locked("pylock", data, folder))


def read_uv_lock(data: bytes, folder: Path) -> None:
    """Compare a `uv.lock` with the project in the second part; not what uv exports."""
    lock, _, project = data.partition(CUT)
    with mock.patch.object(uv, "export", return_value=_EXPORTED), _no_uv():
        _select(_locked("uv", lock, folder, project))


def read_poetry_lock(data: bytes, folder: Path) -> None:
    """Read and select from a `poetry.lock`, with its project in the second part."""
    _read_judged("poetry", poetry, poetry_freshness, data, folder)


def read_pdm_lock(data: bytes, folder: Path) -> None:
    """Read and select from a `pdm.lock`, with its project in the second part."""
    _read_judged("pdm", pdm, pdm_freshness, data, folder)


def _read_judged(
    tool: str, module: ModuleType, freshness: ModuleType, data: bytes, folder: Path
) -> None:
    """Read a lock that is judged as it is, then one that counts as fresh."""
    lock, _, project = data.partition(CUT)
    with mock.patch.object(module, "_asked", return_value=None), _no_uv():
        with suppress(LambdaLayerError):
            _locked(tool, lock, folder, project)
        with mock.patch.object(freshness, "is_fresh", return_value=True):
            _select(_locked(tool, lock, folder, project))


@contextmanager
def _no_uv() -> Iterator[None]:
    # To start a process for each input would leave time for few of them.
    with mock.patch.object(default_index, "default_index", return_value=PAGE):
        yield


def _locked(tool: str, data: bytes, folder: Path, project: bytes = _PROJECT) -> Lock:
    layout = LayerPathLayout(folder / "pyproject.toml", folder / "dist")
    layout.path_pyproject_toml.write_bytes(project)
    lockfile = LOCKFILES[tool]
    path = folder / lockfile.filename
    path.write_bytes(data)
    return lockfile.read(path, LockRequest(layout=layout), TARGET)


def _select(lock: Lock) -> None:
    for wheel in select(lock, TARGET).wheels:
        assert not set(wheel.filename) & set("/\\\0"), wheel.filename
        assert len(bytes.fromhex(wheel.sha256)) == 32


def read_requirements(data: bytes, folder: Path) -> None:
    """Read a requirements file, and the second part as one that it may include."""
    main, _, other = data.partition(CUT)
    (folder / "main.txt").write_bytes(main)
    (folder / "other.txt").write_bytes(other)
    files = RequirementsFiles(folder, ["main.txt"], ["other.txt"], {"X": "secret"})
    files.indexes(["https://index.example/simple"])


def read_logins(data: bytes, folder: Path) -> None:
    """Read a netrc file."""
    path = folder / "netrc"
    path.write_bytes(data)
    for login in read_netrc({"NETRC": str(path)}).values():
        assert all(isinstance(each, str) for each in login)


def read_layer_manifest(data: bytes, folder: Path) -> None:
    """Read a `layer.json`; what is accepted can be written again."""
    path = folder / "layer.json"
    path.write_bytes(data)
    manifest = LayerManifest.read(path)
    assert LayerManifest.from_json(manifest.to_json()) == manifest


def read_versions(data: bytes, folder: Path) -> None:
    """Read a `layer-versions.json`."""
    path = folder / "layer-versions.json"
    path.write_bytes(data)
    read_layer_versions(path)


def read_description(data: bytes, _folder: Path) -> None:
    """Read the Description of a layer version; the tag in it is at its end, and whole."""
    text = data.decode("utf-8", "replace")
    if tag := VersionTag.of(text):
        assert text.endswith(tag.describe(""))


def read_pyproject(data: bytes, folder: Path) -> None:
    """Open a project, and read what it publishes and what it requires."""
    (folder / "pyproject.toml").write_bytes(data)
    project = open_project(folder, Console(Lines()))
    PublishConfig.from_pyproject(project.pyproject)
    direct_requirements(project.pyproject, ["dev"], ["x"])


def read_requires_dist(data: bytes, folder: Path) -> None:
    """Follow the dependencies of wheels, one line for each."""
    lines = tuple(data.decode("utf-8", "replace").splitlines())
    wheel = Wheel(
        file=folder,
        filename=DEMO.filename,
        name="demo",
        version="1.0",
        sha256="0" * 64,
        dist_info=DEMO.dist_info,
        requires_dist=lines,
        members=(),
    )
    graph = DependencyGraph([wheel, replace(wheel, name="other", requires_dist=())], TARGET)
    assert graph.roots([]) <= graph.reach([Node("demo"), Node("demo", "x"), Node("other")])


def compare_releases(data: bytes, _folder: Path) -> None:
    """Look in a page of an index for what is newer than a locked wheel."""
    links = read_links(PAGE, {"Content-Type": "application/json"}, data)
    locked = LockedWheel("demo", "1.0", DEMO.filename, "0" * 64, None, PAGE, PAGE)
    version = locked_version(locked)
    assert version is not None
    releases = find_releases(links, "demo", version)
    check_release(locked, version, releases, TARGET, index=PAGE, sources=True)


def read_build_system(data: bytes, folder: Path) -> None:
    """Read how a source is built, and what can be told of it before."""
    for name in ("pyproject.toml", "setup.py", "Cargo.toml"):
        (folder / name).write_bytes(data)
    reads_repository(folder)
    named_beside(folder, folder.parent)
    has_native_code(folder, "demo 1.0")


def unpack_source(data: bytes, folder: Path) -> None:
    """Unpack a source archive; nothing may lie outside the folder afterwards."""
    archive, unpacked = folder / "archive", folder / "unpacked"
    archive.write_bytes(data)
    before = set(folder.iterdir())
    try:
        unpack(archive, unpacked, "demo 1.0")
    finally:
        others = set(folder.iterdir()) - before - {unpacked}
        shutil.rmtree(unpacked, ignore_errors=True)
    assert not others


def show_message(data: bytes, _folder: Path) -> None:
    """Make a text from outside fit for a terminal and a CI runner."""
    text = redact(data.decode("utf-8", "surrogateescape"))
    shown = safe(text)
    assert safe(shown) == shown
    assert not any(line.lstrip().startswith("::") for line in shown.split("\n"))
    assert "\n" not in one_line(text)


_TOML = tuple(b'= [[ ]] [ ] { } "" \'\' """ \\u0000 true 1979-05-27 nan inf'.split(b" "))
_LOCK = (
    *_TOML,
    *b"packages wheels sdist archive vcs directory hashes sha256 marker index".split(),
    *(b"environments", b"requires-python", b"lock-version", b"python_version", b"===", b"~="),
)
_JSON = (*b"null true [] {} NaN 1e999 -0".split(), b'"\\ud800"', b'"a": ', b"[" * 2000, b'{"a":')
_ZIP = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08")
_RECORD = (b",", b"sha256=", b"sha512=", b"md5=", b"./", b".pyc", b"RECORD")
_HEADER = (b"\nName: demo", b"\nVersion: 1.0", b"\nRequires-Dist: ", b"\n\n", b"=?utf-8?b?")
_HTML = tuple(b"<a href=' &#x110000; &lt <![ <!-- --> <base </script <style> data-yanked".split())

TARGETS = {
    each.name: each
    for each in (
        Fuzzed("zip", read_zip, samples.wheels, _ZIP),
        Fuzzed("end", read_end, samples.wheels, _ZIP),
        Fuzzed("wheel", read_wheel, samples.wheels, _ZIP),
        Fuzzed("record", read_record, samples.records, _RECORD),
        Fuzzed("metadata", read_metadata, samples.metadata, _HEADER),
        Fuzzed("wheel-file", read_wheel_file, samples.wheel_files, _HEADER),
        Fuzzed("elf", read_library, samples.elf_files),
        Fuzzed("html", read_html, samples.html_pages, _HTML),
        Fuzzed("json", read_json, samples.json_pages, _JSON),
        Fuzzed("pylock", read_pylock, samples.pylocks, _LOCK),
        Fuzzed("uv", read_uv_lock, samples.uv_locks, _LOCK),
        Fuzzed("poetry", read_poetry_lock, samples.poetry_locks, _LOCK),
        Fuzzed("pdm", read_pdm_lock, samples.pdm_locks, _LOCK),
        Fuzzed("requirements", read_requirements, samples.requirements, (b"-r ", b"\\\n", b" #")),
        Fuzzed("netrc", read_logins, samples.netrcs, (b"machine", b"login", b"macdef", b"default")),
        Fuzzed("layer-json", read_layer_manifest, samples.layer_manifests, _JSON),
        Fuzzed("layer-versions", read_versions, samples.layer_versions, _JSON),
        Fuzzed("description", read_description, samples.descriptions),
        Fuzzed("pyproject", read_pyproject, samples.pyprojects, _TOML),
        Fuzzed("requires-dist", read_requires_dist, samples.requires_dist, _LOCK),
        Fuzzed("releases", compare_releases, samples.json_pages, _JSON),
        Fuzzed("build-system", read_build_system, samples.build_systems, _TOML),
        Fuzzed(
            "source", unpack_source, samples.sources, (b"ustar", b"path=", b"GNU.sparse", *_ZIP)
        ),
        Fuzzed("message", show_message, samples.messages, (b"::", b"##[", b"@", b"://")),
    )
}
