"""A lockfile is found, is the project's own and is fresh; else the build says why not."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.exceptions import LambdaLayerError, LockfileError, MissingLockfileError
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, LockRequest, find_lockfile
from hatch_lambda_layer.lockfiles.default_index import default_index
from hatch_lambda_layer.lockfiles.protocol import Lock
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import LockedWheel, select
from tests.support.index_server import IndexServer
from tests.support.lock_factory import LockedFile, LockedPackage, UvProject, pylock, uv_project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)
TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
NEXT_PYTHON = f">={sys.version_info.major}.{sys.version_info.minor + 1}"


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    names = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
    with IndexServer() as server:
        server.add(
            *(WheelSpec(name=name) for name in names), WheelSpec(name="alpha", version="2.0")
        )
        server.add(WheelSpec(name="nohash"), advertised={})
        server.add(WheelSpec(name="md5only"), advertised={"md5": "0" * 32})
        yield server


@pytest.fixture(scope="module")
def locked_once(index: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> UvProject:
    return uv_project(
        tmp_path_factory.mktemp("once") / "app",
        index.simple_url,
        ["alpha<2"],
        optional_dependencies={"fancy": ["beta", "zeta; sys_platform == 'win32'"]},
        dependency_groups={
            "dev": ["gamma"],
            "test": ["delta"],
            "more": ["epsilon; sys_platform == 'linux'", "zeta; sys_platform == 'win32'"],
        },
        extra_toml=f'[tool.uv]\ndefault-groups = ["test"]\n\n{TABLE}',
    )


def of_user(monkeypatch: pytest.MonkeyPatch, project: UvProject) -> UvProject:
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    return project


@pytest.fixture
def project(locked_once: UvProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UvProject:
    """A fresh copy of a project that uv has locked, with uv's cache still warm."""
    copy = shutil.copytree(locked_once.directory, tmp_path / "app")
    return of_user(monkeypatch, replace(locked_once, directory=copy))


def requested(
    folder: Path, groups: tuple[str, ...] = (), extras: tuple[str, ...] = ()
) -> LockRequest:
    layout = LayerPathLayout(folder / "pyproject.toml", folder / "dist")
    return LockRequest(layout=layout, groups=groups, extras=extras)


def selected(
    folder: Path,
    groups: tuple[str, ...] = (),
    extras: tuple[str, ...] = (),
    tool: str | None = None,
) -> list[LockedWheel]:
    request = requested(folder, groups, extras)
    lockfile, path, request = find_lockfile(tool, request)
    selection = select(lockfile.read(path, request, TARGET), TARGET)
    assert selection.sources == ()
    return list(selection.wheels)


def names(
    folder: Path,
    groups: tuple[str, ...] = (),
    extras: tuple[str, ...] = (),
    tool: str | None = None,
) -> list[str]:
    return [wheel.name for wheel in selected(folder, groups, extras, tool)]


def refusal(folder: Path, *words: str, tool: str | None = None) -> LambdaLayerError:
    """Give the error, with what every fault of a lockfile owes: what happened and what to do."""
    with pytest.raises(LockfileError) as caught:
        selected(folder, tool=tool)
    assert [word for word in words if word not in str(caught.value)] == []
    assert caught.value.hint
    return caught.value


def assert_the_build_fails(folder: Path, *words: str) -> None:
    old = folder / "dist" / "layer.zip"
    old.parent.mkdir()
    old.write_bytes(b"the old layer")
    failed = CliRunner().invoke(main, ["build", str(folder)], catch_exceptions=False)
    assert failed.exit_code == 1
    assert failed.output.startswith("error: ")
    assert [word for word in words if word not in failed.output] == []
    assert {path.name: path.read_bytes() for path in old.parent.iterdir()} == {
        "layer.zip": b"the old layer"
    }


def package(name: str, marker: str | None = None) -> LockedPackage:
    spec = WheelSpec(name=name)
    return LockedPackage(
        wheels=[LockedFile.of(spec, f"https://index.example.test/{spec.filename}")], marker=marker
    )


def write(folder: Path, text: str | bytes, name: str = "pylock.toml") -> Path:
    content = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(content)
    (folder / "pyproject.toml").write_text(TABLE, encoding="utf-8")
    return folder


@pytest.mark.fault(7)
@pytest.mark.parametrize(
    ("tool", "words"),
    [
        (
            None,
            [
                *(f"`{lockfile.filename}`" for lockfile in LOCKFILES.values()),
                "`uv lock`, `poetry lock` or `pdm lock`",
            ],
        ),
        ("uv", ["`uv.lock` is missing", "`uv lock`"]),
        ("poetry", ["`poetry.lock` is missing", "`poetry lock`"]),
        ("pdm", ["`pdm.lock` is missing", "`pdm lock`"]),
        ("pip", ["`requirements.txt` is missing", f"`{LOCKFILES['pip'].command}`"]),
        ("pylock", ["`pylock.toml` is missing", "--format pylock.toml -o pylock.toml`"]),
    ],
)
def test_a_missing_lockfile_is_named_with_the_command_that_makes_it(
    tmp_path: Path, tool: str | None, words: list[str]
) -> None:
    error = refusal(tmp_path, *words, str(tmp_path), tool=tool)
    assert ("uv.lock" in str(error)) is (tool in (None, "uv"))


@pytest.mark.fault(7)
@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm", "pip", "pylock"])
def test_each_tool_finds_its_own_lockfile_and_no_other(tmp_path: Path, tool: str) -> None:
    lockfile = LOCKFILES[tool]
    path = tmp_path / lockfile.filename
    path.touch()
    for named in (None, tool):
        assert find_lockfile(named, requested(tmp_path)) == (lockfile, path, requested(tmp_path))
    for other in LOCKFILES.keys() - {tool}:
        with pytest.raises(MissingLockfileError) as caught:
            find_lockfile(other, requested(tmp_path))
        assert f"`{LOCKFILES[other].filename}` is missing" in caught.value.message
        assert f"`{LOCKFILES[other].command}`" in (caught.value.hint or "")


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm", "pylock"])
def test_without_an_index_in_the_lock_the_default_is_that_of_uv(tmp_path: Path, tool: str) -> None:
    found = LOCKFILES[tool].default_indexes(tmp_path / "x.lock", requested(tmp_path))
    assert found == (default_index(tmp_path),)


@pytest.mark.fault(8)
def test_of_two_kinds_of_lockfile_none_is_guessed(project: UvProject) -> None:
    write(project.directory, pylock(package("other")))
    words = ["more than one lockfile", "`uv.lock` (uv)", "`pylock.toml` (pylock)", "`tool`"]
    refusal(project.directory, *words)
    assert_the_build_fails(project.directory, *words)


@pytest.mark.fault(8)
def test_the_tool_that_is_named_decides_between_two_kinds(project: UvProject) -> None:
    (project.directory / "pylock.toml").write_text(pylock(package("other")), encoding="utf-8")
    assert names(project.directory, tool="uv") == ["alpha"]
    assert names(project.directory, tool="pylock") == ["other"]


@pytest.mark.fault(8)
@pytest.mark.parametrize("tool", [None, "pylock"])
def test_of_several_named_pylocks_none_is_guessed(tmp_path: Path, tool: str | None) -> None:
    write(tmp_path, pylock(), "pylock.dev.toml")
    write(tmp_path, pylock(), "pylock.lambda.toml")
    refusal(tmp_path, "`pylock.dev.toml` (pylock), `pylock.lambda.toml` (pylock)", tool=tool)


def test_the_plain_pylock_goes_before_named_ones_and_one_named_one_will_do(tmp_path: Path) -> None:
    write(tmp_path, pylock(package("named")), "pylock.lambda.toml")
    # PEP 751: the name has no dot; and a folder is no lockfile.
    write(tmp_path, pylock(package("dotted")), "pylock.a.b.toml")
    (tmp_path / "pylock.folder.toml").mkdir()
    assert names(tmp_path) == ["named"]
    write(tmp_path, pylock(package("plain")))
    assert names(tmp_path) == ["plain"]


STALE = {
    "dependency added": ('"alpha<2"', '"alpha<2", "beta"'),
    "dependency removed": ('"alpha<2"', ""),
    "unknown dependency": ('"alpha<2"', '"alpha<2", "unheard-of"'),
    "bound raised": ("alpha<2", "alpha>=2"),
    "bound that nothing fulfils": ("alpha<2", "alpha>=99"),
    "requires-python lowered": (">=3.11", ">=3.10"),
    "requires-python raised": (">=3.11", NEXT_PYTHON),
    "group changed": ("gamma", "beta"),
    "group that nothing fulfils": ('"gamma"', '"gamma>=99"'),
    "group added": ("[dependency-groups]", '[dependency-groups]\nnew = ["beta"]'),
    "extra changed": ('"beta"', '"delta"'),
}


@pytest.mark.fault(9)
@pytest.mark.parametrize("cache", ["warm", "cold"])
@pytest.mark.parametrize("change", STALE)
def test_a_stale_lock_fails_at_once_and_asks_no_index(
    project: UvProject,
    index: IndexServer,
    change: str,
    cache: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if cache == "cold":
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cold"))
    text = project.pyproject.read_text(encoding="utf-8")
    assert STALE[change][0] in text
    project.pyproject.write_text(text.replace(*STALE[change]), encoding="utf-8")
    lock = project.lockfile.read_bytes()
    asked = (index.connections, len(index.requests))
    began = time.monotonic()
    refusal(project.directory, f"`{project.lockfile}` is stale", "lock again with `uv lock`")
    assert time.monotonic() - began < 5
    assert (index.connections, len(index.requests)) == asked
    assert project.lockfile.read_bytes() == lock


@pytest.mark.fault(9)
@pytest.mark.parametrize("setting", ["UV_FROZEN", "UV_LOCKED", "UV_NO_SYNC"])
def test_no_setting_makes_a_stale_lock_pass(
    project: UvProject, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, "1")
    text = project.pyproject.read_text(encoding="utf-8")
    project.pyproject.write_text(text.replace("alpha<2", "alpha<1.5"), encoding="utf-8")
    assert_the_build_fails(
        project.directory, "uv.lock` is stale", "hint: lock again with `uv lock`"
    )


@pytest.mark.fault(10)
def test_a_lock_with_md5_only_is_refused(
    index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = uv_project(tmp_path / "app", index.simple_url, ["md5only"], extra_toml=TABLE)
    of_user(monkeypatch, project)
    refusal(project.directory, "`md5only-1.0-py3-none-any.whl`", "no sha256", "only md5")
    assert_the_build_fails(project.directory, "md5only-1.0-py3-none-any.whl", "only md5")


@pytest.mark.fault(10)
def test_a_lock_without_hashes_is_refused(
    index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = of_user(monkeypatch, uv_project(tmp_path / "app", index.simple_url, ["nohash"]))
    assert "sha256" not in project.lockfile.read_text(encoding="utf-8")
    refusal(project.directory, str(project.lockfile), "nohash-1.0-py3-none-any.whl", "hash")


UNREADABLE = {
    "conflict": (
        b"\n[[package]]\n",
        b"\n<<<<<<< HEAD\n[[package]]\n",
        ["merge conflict in line 5"],
    ),
    "end of a conflict": (b"[[package]]\n", b">>>>>>> main\n", ["merge conflict in line 5"]),
    "future version": (b"version = 1\n", b"version = 99\n", ["unsupported schema version", "v99"]),
    "cut off": (b'source = { registry = "', b"source = { regis\x22", ["Failed to parse"]),
    "wrong type": (b'requires-python = ">=3.11"', b"requires-python = 3", ["Failed to parse"]),
    "no text": (b'name = "alpha"', b'name = "\xff"', ["UTF-8"]),
}


@pytest.mark.fault(11)
@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_broken_uv_lock_is_named_with_the_reason(project: UvProject, fault: str) -> None:
    old, new, words = UNREADABLE[fault]
    text = project.lockfile.read_bytes()
    assert old in text
    project.lockfile.write_bytes(text.replace(old, new, 1))
    refusal(project.directory, str(project.lockfile), *words)
    assert_the_build_fails(project.directory, str(project.lockfile), "hint: ")


HEAD = 'lock-version = "1.0"\ncreated-by = "tests"\n'
VALID = pylock(package("demo"))


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (VALID.replace("[[packages]]", "<<<<<<< HEAD\n[[packages]]"), ["merge conflict in line"]),
        (VALID + ">>>>>>> main\n", ["merge conflict in line"]),
        (pylock(lock_version="2.0"), ["version 2.0", "not supported"]),
        (pylock(lock_version="banana"), ["'banana'", "lock-version"]),
        (HEAD, ["Missing required value", "packages"]),
        (HEAD + "packages = 5", ["int", "packages"]),
        (HEAD + 'packages = ["demo"]', ["packages[0]"]),
        (VALID.replace('name = "demo"', 'name = "De_mo"', 1), ["package `De_mo`", "normalized"]),
        (VALID + "packages = [", ["not valid TOML", "(at "]),
        (b"\xff\xfe", ["not valid TOML", "utf-8"]),
        ("", ["Missing required value"]),
    ],
)
def test_a_broken_pylock_is_named_with_the_reason(
    tmp_path: Path, text: str | bytes, words: list[str]
) -> None:
    refusal(write(tmp_path, text), str(tmp_path / "pylock.toml"), *words)


@pytest.mark.fault(12)
@pytest.mark.parametrize("kind", ["uv.lock", "pylock.toml"])
@pytest.mark.parametrize("form", ["CRLF", "BOM", "both", "re-ordered"])
def test_the_form_of_a_lock_changes_nothing(
    project: UvProject, tmp_path: Path, kind: str, form: str
) -> None:
    folder, path = project.directory, project.lockfile
    if kind == "pylock.toml":
        folder = write(tmp_path, project.export_pylock())
        path = folder / kind
    expected, text = selected(folder), path.read_bytes()
    assert expected
    if form == "re-ordered":
        heading = b"[[package]]" if kind == "uv.lock" else b"[[packages]]"
        first, *rest = text.split(heading)
        text = heading.join([first, *(each.rstrip() + b"\n\n" for each in reversed(rest))])
    if form in ("CRLF", "both"):
        text = text.replace(b"\n", b"\r\n")
    if form in ("BOM", "both"):
        text = b"\xef\xbb\xbf" + text
    assert path.read_bytes() != text or form == "re-ordered"
    path.write_bytes(text)
    assert selected(folder) == expected


@pytest.mark.parametrize(
    ("groups", "extras", "expected"),
    [
        # Neither `dev`, uv's own default, nor what `default-groups` says.
        ((), (), ["alpha"]),
        (("dev",), (), ["alpha", "gamma"]),
        (("test",), (), ["alpha", "delta"]),
        (("more",), (), ["alpha", "epsilon"]),
        ((), ("fancy",), ["alpha", "beta"]),
        (("dev", "more"), ("fancy",), ["alpha", "beta", "epsilon", "gamma"]),
        (("Dev",), ("Fancy",), ["alpha", "beta", "gamma"]),
    ],
)
def test_only_the_groups_and_extras_that_are_asked_for_get_in(
    project: UvProject, groups: tuple[str, ...], extras: tuple[str, ...], expected: list[str]
) -> None:
    assert names(project.directory, groups, extras) == expected


@pytest.mark.parametrize(
    ("groups", "extras", "expected"),
    [
        # The default groups of the file come first, as PEP 751 has it.
        ((), (), ["base", "default"]),
        (("other",), (), ["base", "default", "other"]),
        (("usual",), (), ["base", "default"]),
        ((), ("fancy",), ["base", "default", "fancy"]),
        (("other",), ("fancy",), ["base", "default", "fancy", "other"]),
        (("Other",), ("Fancy",), ["base", "default", "fancy", "other"]),
    ],
)
def test_the_groups_of_a_pylock_are_added_to_its_default_groups(
    tmp_path: Path, groups: tuple[str, ...], extras: tuple[str, ...], expected: list[str]
) -> None:
    text = pylock(
        package("base"),
        package("default", "'usual' in dependency_groups"),
        package("other", "'other' in dependency_groups"),
        package("fancy", "'fancy' in extras"),
        extras=["fancy"],
        dependency_groups=["usual", "other"],
        default_groups=["usual"],
    )
    assert names(write(tmp_path, text), groups, extras) == expected


@pytest.mark.parametrize("kind", ["uv.lock", "pylock.toml"])
@pytest.mark.parametrize(("groups", "extras"), [(("nope",), ()), ((), ("nope",))])
def test_an_unknown_group_or_extra_is_named(
    project: UvProject,
    tmp_path: Path,
    kind: str,
    groups: tuple[str, ...],
    extras: tuple[str, ...],
) -> None:
    text = pylock(package("demo"), extras=["fancy"], dependency_groups=["dev"])
    folder = project.directory if kind == "uv.lock" else write(tmp_path, text)
    with pytest.raises(LambdaLayerError, match=r"(?i)(group|extra) `nope`"):
        selected(folder, groups, extras)


@pytest.mark.parametrize("group", ["--all-groups", "-o", "a b", "$(x)"])
def test_a_group_is_never_taken_for_an_option(project: UvProject, group: str) -> None:
    with pytest.raises(LambdaLayerError):
        selected(project.directory, (group,))


@pytest.mark.parametrize(
    "setting",
    [
        "UV_FROZEN=1",
        "UV_LOCKED=1",
        "UV_OFFLINE=1",
        "UV_NO_DEV=1",
        "UV_DEV=1",
        "UV_NO_GROUP=dev",
        "UV_NO_DEFAULT_GROUPS=1",
        "UV_PYTHON=3.99",
        "UV_PROJECT=../another",
        "UV_WORKING_DIR=../another",
        "RUST_LOG=debug",
    ],
)
def test_what_the_environment_says_to_uv_changes_nothing(
    project: UvProject, index: IndexServer, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = project.directory.parent / "another"
    uv_project(another, index.simple_url, ["zeta"], dependency_groups={"dev": []})
    monkeypatch.setenv(*setting.split("="))
    assert names(project.directory, ("dev",)) == ["alpha", "gamma"]


def test_a_lock_that_was_kept_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "poetry.lock"
    lock = Lock(path=path, command="poetry lock", text="ü = 1\n".encode(), warnings=("one", "two"))
    assert Lock.decode(lock.encode(), path) == replace(lock, folder=tmp_path)
    # The same files in another place make the same lock.
    lock = replace(lock, folder=tmp_path / "app", required=("alpha", "beta"))
    moved = replace(lock, path=tmp_path / "x" / "uv.lock", folder=tmp_path / "x" / "app")
    assert Lock.decode(lock.encode(), moved.path) == moved


@pytest.mark.fault(70)
@pytest.mark.parametrize("data", [b"", b"[", b"null", b'["a", 5, []]', b"\xff", b"[" * 200_000])
def test_what_is_not_a_lock_counts_as_absent(data: bytes, tmp_path: Path) -> None:
    assert Lock.decode(data, tmp_path) is None
