"""Requirements files are resolved by pip as if it ran in the Lambda runtime."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import packaging.requirements  # see `without_pip`
import packaging.utils
import platformdirs  # noqa: F401  # see `without_pip`
import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.config.indexes import PrivateIndex
from hatch_lambda_layer.exceptions import LambdaLayerError, LockfileError
from hatch_lambda_layer.index.auth import IndexAccess
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import LOCKFILES, Lock, LockRequest, find_lockfile
from hatch_lambda_layer.lockfiles.pip.lockfile import PipLockfile
from hatch_lambda_layer.lockfiles.pip.report import pylock_text
from hatch_lambda_layer.lockfiles.pip.requirements import RequirementsFiles, _lines
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import select
from tests.support.index_server import IndexServer, Status
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CANARY = "c4n4ry"
X86_64 = Target(runtimes()["python3.13"], Architecture.X86_64)
# Of these two, one at least has another Python than the host, and one another machine.
ARM64 = Target(runtimes()["python3.12"], Architecture.ARM64)
OLDER = Target(runtimes()["python3.11"], Architecture.X86_64)

MARKERS = {
    "on-x86": "platform_machine == 'x86_64'",
    "on-arm": "platform_machine == 'aarch64'",
    "since-313": "python_version >= '3.13'",
    "before-313": "python_full_version < '3.13'",
    "on-linux": "sys_platform == 'linux' and os_name == 'posix'",
    "on-windows": "platform_system == 'Windows'",
    "on-mac": "sys_platform == 'darwin'",
    "on-cpython": "implementation_name == 'cpython'",
    # pip has the same release and version of the operating system as the selection: none.
    "on-this-kernel": "platform_release != '' and platform_version != ''",
}
EXPECTED = {
    X86_64: {"on-x86", "since-313", "on-linux", "on-cpython"},
    ARM64: {"on-arm", "before-313", "on-linux", "on-cpython"},
}

# A build backend that needs nothing, and that tells what it was run with.
BACKEND = """
import json, os, pathlib
NAME, VERSION, REQUIRES, TOLD = {facts!r}
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    pathlib.Path(TOLD).write_text(json.dumps(dict(os.environ)))
    info = pathlib.Path(folder, f"{{NAME.replace('-', '_')}}-{{VERSION}}.dist-info")
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {{NAME}}", f"Version: {{VERSION}}"]
    lines += [f"Requires-Dist: {{each}}" for each in REQUIRES]
    (info / "METADATA").write_text("\\n".join(lines) + "\\n")
    return info.name
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
def build_wheel(*_, **__):
    raise SystemExit("nobody has asked for a wheel")
build_editable = build_wheel
"""


def spec(name: str, tag: str = "py3-none-any", version: str = "1.0", **facts: Any) -> WheelSpec:
    return WheelSpec(name=name, version=version, tag=tag, **facts)


@pytest.fixture(scope="module")
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        server.add(*(spec(name) for name in ("alpha", "beta", "gamma", *MARKERS)))
        server.add(spec("alpha", version="2.0"))
        server.add(spec("app", requires_dist=[f"{name}; {MARKERS[name]}" for name in MARKERS]))
        server.add(spec("deep", requires_dist=["app"]))
        server.add(
            spec(
                "extras",
                requires_dist=["beta; extra == 'more' and python_version < '3.13'"],
                extra_metadata="Provides-Extra: more\n",
            )
        )
        for tag in ("manylinux_2_17_x86_64", "manylinux2014_aarch64"):
            server.add(*(spec("native", f"cp{v}-cp{v}-{tag}") for v in (311, 312, 313)))
        server.add(*(spec("oldest", f"cp{v}-cp{v}-manylinux1_x86_64") for v in (311, 313)))
        server.add(spec("stable", "cp39-abi3-manylinux_2_28_x86_64.manylinux_2_28_aarch64"))
        server.add(spec("newest", "cp313-cp313-manylinux_2_34_x86_64", version="2.0"))
        server.add(spec("newest", "cp311-cp311-manylinux_2_34_x86_64", version="2.0"))
        server.add(spec("newest", "cp311-cp311-manylinux_2_26_x86_64", version="1.0"))
        server.add(spec("too-new", "cp313-cp313-manylinux_2_35_x86_64"))
        server.add(spec("for-mac", "cp313-cp313-macosx_11_0_arm64"))
        server.add(spec("for-python4", requires_python=">=4"))
        server.add(spec("for-this-one", requires_python=">=3.13.1", version="2.0"))
        server.add(spec("for-this-one"))
        server.add(spec("taken-back"), yanked="it deletes files")
        server.add(spec("unhashed"), advertised={})
        yield server


class PipProject:
    """A folder with requirements files, and the settings of a user whose only index is ours."""

    def __init__(self, root: Path, told: Path) -> None:
        self.root = root
        self.told = told

    def write(self, text: str, name: str = "requirements.txt") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def request(self, *names: str, **asked: Any) -> LockRequest:
        layout = LayerPathLayout(self.root / "pyproject.toml", self.root / "dist")
        return LockRequest(layout=layout, requirements=names, **asked)

    def lock(self, *names: str, target: Target = X86_64, sources: bool = False) -> Lock:
        lockfile = PipLockfile()
        request = self.request(*names, build=sources)
        (path,) = lockfile.find(request)
        return lockfile.read(path, request, target)

    def names(self, *names: str, target: Target = X86_64) -> set[str]:
        """What the lock selects for the target it was made for: that all of it fits is part."""
        selection = select(self.lock(*names, target=target), target)
        assert selection.sources == ()
        return {wheel.name for wheel in selection.wheels}

    def filenames(self, target: Target = X86_64) -> set[str]:
        return {wheel.filename for wheel in select(self.lock(target=target), target).wheels}

    def failure(self, *, target: Target = X86_64, sources: bool = False) -> LambdaLayerError:
        with pytest.raises(LambdaLayerError) as raised:
            self.lock(target=target, sources=sources)
        return raised.value

    def source(self, name: str, *, folder: str, requires: Sequence[str] = ()) -> dict[str, bytes]:
        """Write a source with a backend into a folder, and give its files."""
        facts = (name, "1.0", list(requires), str(self.told))
        pyproject = (
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        )
        files = {"pyproject.toml": pyproject, "backend.py": BACKEND.format(facts=facts)}
        for path, text in files.items():
            self.write(text, f"{folder}/{path}")
        return {path: text.encode() for path, text in files.items()}

    def sdist(self, name: str, *, requires: Sequence[str] = ()) -> bytes:
        files = self.source(name, folder=f"{name}-1.0", requires=requires)
        shutil.rmtree(self.root / f"{name}-1.0")
        files["PKG-INFO"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for path, content in files.items():
                member = tarfile.TarInfo(f"{name}-1.0/{path}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return stream.getvalue()

    def repository(self, name: str, *, folder: str, requires: Sequence[str] = ()) -> str:
        """Make a git repository with one tagged commit, and give the commit."""
        self.source(name, folder=folder, requires=requires)
        return git(self.root / folder)


def git(folder: Path) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "x"], ["tag", "v1"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def project(index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PipProject:
    for name in [name for name in os.environ if name.startswith(("PIP_", "GIT_"))]:
        monkeypatch.delenv(name)
    refused = "http://127.0.0.1:9"
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index.simple_url,
        "PIP_CACHE_DIR": str(tmp_path / "pip-cache"),
        "PIP_RETRIES": "0",
        "HOME": str(tmp_path / "home"),
        "HTTP_PROXY": refused,
        "HTTPS_PROXY": refused,
        "NO_PROXY": "127.0.0.1,localhost",
        "SECRET": CANARY,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "app"
    root.mkdir()
    return PipProject(root, tmp_path / "told.json")


def hashed(index: IndexServer, *filenames: str) -> str:
    lines = []
    for filename in filenames:
        name, version, *_ = packaging.utils.parse_wheel_filename(filename)
        sha256 = index.files[filename].hashes["sha256"]
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{sha256}\n")
    return "".join(lines)


# Markers


@pytest.mark.parametrize("target", EXPECTED, ids=lambda target: target.id)
def test_markers_of_the_file_are_those_of_the_target(project: PipProject, target: Target) -> None:
    project.write("".join(f"{name} ; {marker}\n" for name, marker in MARKERS.items()))
    assert project.names(target=target) == EXPECTED[target]


@pytest.mark.parametrize("target", EXPECTED, ids=lambda target: target.id)
def test_markers_of_dependencies_are_those_of_the_target(
    project: PipProject, target: Target
) -> None:
    project.write("deep\n")
    assert project.names(target=target) == {"deep", "app"} | EXPECTED[target]


@pytest.mark.parametrize(("target", "more"), [(X86_64, set()), (ARM64, {"beta"})])
def test_markers_of_extras_are_those_of_the_target(
    project: PipProject, target: Target, more: set[str]
) -> None:
    project.write("extras[more]\n")
    assert project.names(target=target) == {"extras"} | more


def test_the_python_that_counts_is_the_target_s(project: PipProject) -> None:
    project.write("for-this-one\n")
    versions = {
        target: [wheel.version for wheel in select(project.lock(target=target), target).wheels]
        for target in (X86_64, ARM64)
    }
    assert versions == {X86_64: ["2.0"], ARM64: ["1.0"]}
    project.write("for-python4\n")
    assert "- for_python4-1.0-py3-none-any.whl, for Python >=4\n" in str(project.failure())


FAKE_PIP = {
    "old": {"__init__": '__version__ = "21.3.1"'},
    "other-markers": {"__init__": '__version__ = "99.0"'},
    "other-evaluation": {
        "__init__": '__version__ = "99.0"',
        "_vendor/packaging/markers": "class Marker:\n"
        "    def __init__(self, text): pass\n"
        "    def evaluate(self, environment=None): return True\n",
    },
    "own-environment": {
        "__init__": '__version__ = "99.0"',
        "_vendor/packaging/markers": "class Marker:\n"
        "    def __init__(self, text): self.text = text\n"
        "    def evaluate(self, environment=None): return '==' in self.text\n",
        "__main__": "import json, sys\n"
        "path = sys.argv[sys.argv.index('--report') + 1]\n"
        "report = {'install': [], 'environment': {'sys_platform': 'host'}}\n"
        "open(path, 'w').write(json.dumps(report))\n",
    },
    # It has its own idea of what markers are about, as long as nothing else is said.
    "to-come": {
        "__init__": '__version__ = "99.0"',
        "_vendor/packaging/markers": "class Marker:\n"
        "    def __init__(self, text): self.words = text.split(None, 2)\n"
        "    def evaluate(self, environment=None):\n"
        "        name, operator, value = self.words\n"
        "        return ((environment or {}).get(name) == value[1:-1]) == (operator == '==')\n",
        "__main__": "import json, sys\n"
        "from pip._vendor.packaging import markers\n"
        "path = sys.argv[sys.argv.index('--report') + 1]\n"
        "report = {'install': [], 'environment': markers.default_environment()}\n"
        "open(path, 'w').write(json.dumps(report))\n",
    },
    "killed": {
        "__init__": '__version__ = "99.0"',
        "_vendor/packaging/markers": "class Marker:\n"
        "    def __init__(self, text): self.text = text\n"
        "    def evaluate(self, environment=None): return '==' in self.text\n",
        "__main__": "import os\nos.kill(os.getpid(), 9)\n",
    },
}


def use_fake_pip(monkeypatch: pytest.MonkeyPatch, folder: Path, pip: str) -> None:
    """Have the interpreter find a pip that no test could install."""
    for name, text in FAKE_PIP[pip].items():
        path = folder / "pip" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in (folder / "pip").rglob("*/"):
        (path / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    ("pip", "said"),
    [
        ("old", "Requirements need pip 22.2 or newer, this is pip 21.3.1"),
        ("other-markers", "This pip can't be made to evaluate environment markers"),
        ("other-evaluation", "This pip can't be made to evaluate environment markers"),
        ("own-environment", "it reports {'sys_platform': 'host'}"),
        ("killed", "it was ended by signal 9"),
    ],
)
def test_a_pip_that_can_t_answer_for_the_target_is_an_error(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pip: str, said: str
) -> None:
    use_fake_pip(monkeypatch, tmp_path / "fake", pip)
    project.write("alpha\n")
    assert said in str(project.failure())


def test_a_pip_to_come_will_do_if_it_can_answer_for_the_target(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_fake_pip(monkeypatch, tmp_path / "fake", "to-come")
    project.write("alpha\n")
    assert project.names() == set()


# Platforms


@pytest.mark.parametrize(
    ("target", "filenames"),
    [
        (
            X86_64,
            {
                "native-1.0-cp313-cp313-manylinux_2_17_x86_64.whl",
                "oldest-1.0-cp313-cp313-manylinux1_x86_64.whl",
                "newest-2.0-cp313-cp313-manylinux_2_34_x86_64.whl",
                "stable-1.0-cp39-abi3-manylinux_2_28_x86_64.manylinux_2_28_aarch64.whl",
            },
        ),
        (
            OLDER,
            {
                "native-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
                "oldest-1.0-cp311-cp311-manylinux1_x86_64.whl",
                "newest-1.0-cp311-cp311-manylinux_2_26_x86_64.whl",
            },
        ),
        (
            ARM64,
            {
                "native-1.0-cp312-cp312-manylinux2014_aarch64.whl",
                "stable-1.0-cp39-abi3-manylinux_2_28_x86_64.manylinux_2_28_aarch64.whl",
            },
        ),
    ],
)
def test_the_whole_list_of_platforms_counts(
    project: PipProject, target: Target, filenames: set[str]
) -> None:
    project.write("".join(f"{filename.partition('-')[0]}\n" for filename in filenames))
    assert project.filenames(target) == filenames


@pytest.mark.fault(16)
@pytest.mark.parametrize("name", ["for-mac", "too-new"])
def test_wheels_that_do_not_fit_are_an_error_that_lists_them(
    project: PipProject, index: IndexServer, name: str
) -> None:
    project.write(f"{name}==1.0\n")
    (filename,) = [each for each in index.files if each.startswith(name.replace("-", "_"))]
    assert str(project.failure()) == (
        f"No wheel of `{name}==1.0` fits python3.13-x86_64; the index has\n- {filename}\n\n"
        "hint: pin a version that has a wheel for this runtime, or allow sources with "
        '`build = "local"`'
    )


def test_a_wheel_named_by_its_url_that_does_not_fit_is_an_error(
    project: PipProject, index: IndexServer
) -> None:
    project.write(f"for-mac @ {index.file_url('for_mac-1.0-cp313-cp313-macosx_11_0_arm64.whl')}\n")
    said = str(project.failure())
    assert "for_mac-1.0-cp313-cp313-macosx_11_0_arm64.whl is not a supported wheel" in said
    assert "hint: this platform is python3.13-x86_64" in said


# Hashes


def test_hashes_in_the_file_are_locked_without_a_warning(
    project: PipProject, index: IndexServer
) -> None:
    filename = "alpha-1.0-py3-none-any.whl"
    project.write(hashed(index, filename))
    lock = project.lock()
    assert lock.warnings == ()
    (wheel,) = select(lock, X86_64).wheels
    assert wheel.sha256 == index.files[filename].hashes["sha256"]
    assert wheel.location == index.file_url(filename)


@pytest.mark.fault(13)
def test_a_wrong_hash_is_an_error(project: PipProject) -> None:
    project.write(f"alpha==1.0 --hash=sha256:{'0' * 64}\n")
    said = str(project.failure())
    assert "DO NOT MATCH THE HASHES" in said
    assert "0" * 64 in said
    assert "update the hashes only if you know why" in said


@pytest.mark.parametrize(
    ("rest", "said"),
    [("beta==1.0\n", "beta==1.0"), ("deep==1.0 --hash=sha256:{deep}\n", "app")],
)
@pytest.mark.fault(10)
def test_one_hash_asks_for_all_of_them(
    project: PipProject, index: IndexServer, rest: str, said: str
) -> None:
    sha256 = index.files["deep-1.0-py3-none-any.whl"].hashes["sha256"]
    project.write(hashed(index, "alpha-1.0-py3-none-any.whl") + rest.format(deep=sha256))
    failure = str(project.failure())
    assert said in failure
    assert "--require-hashes" in failure
    assert "the files have hashes for some of what python3.13-x86_64 needs, not for all" in failure
    assert "--universal --python-version 3.13 --generate-hashes" in failure


def test_without_hashes_those_of_the_index_are_locked_with_a_warning(
    project: PipProject, index: IndexServer
) -> None:
    project.write("alpha<2\n")
    lock = project.lock()
    (wheel,) = select(lock, X86_64).wheels
    assert wheel.sha256 == index.files["alpha-1.0-py3-none-any.whl"].hashes["sha256"]
    (warning,) = lock.warnings
    assert warning == (
        "There are no hashes in `requirements.txt`: the layer can change although the project "
        f"does not; lock with hashes, as with `{PipLockfile.command}`"
    )


@pytest.mark.fault(10)
def test_what_nobody_gives_a_hash_of_is_locked_by_its_bytes_or_refused(
    project: PipProject, index: IndexServer
) -> None:
    project.write("unhashed\n")
    # Whether pip has to fetch the wheel for its metadata depends on its version.
    try:
        lock = project.lock()
    except LockfileError as error:
        assert "The index has no hash of `unhashed`" in str(error)  # noqa: PT017
        assert "--hash=sha256:" in str(error)  # noqa: PT017
    else:
        (wheel,) = select(lock, X86_64).wheels
        assert wheel.sha256 == spec("unhashed").sha256
    project.write(f"unhashed==1.0 --hash=sha256:{spec('unhashed').sha256}\n")
    (wheel,) = select(project.lock(), X86_64).wheels
    assert wheel.sha256 == spec("unhashed").sha256


# Files


def test_nested_files_and_constraints_are_read_relative_to_their_file(project: PipProject) -> None:
    project.write("-r requirements/base.txt\n")
    project.write("--requirement more/extra.txt\n-climits.txt\nalpha\n", "requirements/base.txt")
    project.write("beta\n", "requirements/more/extra.txt")
    project.write("alpha<2\ngamma==1.0\n", "requirements/limits.txt")
    assert project.filenames() == {"alpha-1.0-py3-none-any.whl", "beta-1.0-py3-none-any.whl"}


def test_all_files_that_requirements_names_are_read(project: PipProject) -> None:
    project.write("alpha\n", "requirements/base.txt")
    project.write("beta\n", "requirements/prod.txt")
    project.write("gamma\n")
    names = ("requirements/base.txt", "requirements/prod.txt")
    lockfile, path = find_lockfile("pip", project.request(*names))
    assert lockfile.tool == "pip"
    assert path == project.root / "requirements/base.txt"
    assert project.names(*names) == {"alpha", "beta"}


@pytest.mark.fault(7)
def test_a_file_that_is_missing_is_an_error_that_names_it(project: PipProject) -> None:
    with pytest.raises(LockfileError, match=r"`requirements\.txt` is missing"):
        find_lockfile("pip", project.request())
    project.write("alpha\n")
    with pytest.raises(LockfileError, match=r"`prod\.txt` is missing .* `requirements` names it"):
        find_lockfile("pip", project.request("requirements.txt", "prod.txt"))
    project.write("-r nowhere.txt\n")
    assert "nowhere.txt" in str(project.failure())


@pytest.mark.fault(11)
def test_the_markers_of_a_merge_conflict_are_an_error(project: PipProject) -> None:
    project.write("-r base.txt\n")
    project.write("<<<<<<< ours\nalpha==1.0\n=======\nalpha==2.0\n>>>>>>> theirs\n", "base.txt")
    assert "base.txt` has the markers of a merge conflict in line 1" in str(project.failure())


@pytest.mark.fault(12)
def test_order_line_ends_and_a_byte_order_mark_change_nothing(project: PipProject) -> None:
    path = project.write("beta\nalpha\n")
    plain = project.lock()
    path.write_bytes(b"\xef\xbb\xbf# sorted\r\nalpha\r\nbeta\r\n")
    assert project.lock().text == plain.text


def test_a_wheel_named_by_its_url_is_locked_by_its_url(
    project: PipProject, index: IndexServer
) -> None:
    url = index.file_url("deep-1.0-py3-none-any.whl")
    project.write(f"deep @ {url} ; python_version >= '3'\n")
    found = {wheel.name: wheel.location for wheel in select(project.lock(), X86_64).wheels}
    assert found["deep"] == url
    assert "on-linux" in found


def test_a_local_wheel_is_locked_by_its_path(project: PipProject) -> None:
    folder = project.root / "wheels"
    folder.mkdir()
    direct = spec("local", requires_dist=["other"])
    direct.write(folder)
    spec("other").write(folder)
    project.write(f"./wheels/{direct.filename}\n--find-links wheels\n")
    lock = project.lock()
    assert str(project.root) not in lock.text.decode()
    assert {
        (wheel.name, wheel.sha256, wheel.location) for wheel in select(lock, X86_64).wheels
    } == {(each.name, each.sha256, str(folder / each.filename)) for each in (direct, spec("other"))}


def test_a_file_without_requirements_locks_nothing(project: PipProject) -> None:
    project.write("# nothing yet\n")
    assert project.names() == set()


@pytest.mark.fault(45)
def test_any_path_will_do_and_nothing_is_written_there(
    index: IndexServer, project: PipProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    odd = PipProject(tmp_path / "-a b'ü" / "c", tmp_path / "told.json")
    odd.write("-r 'mör e.txt'\n")
    odd.write(hashed(index, "alpha-1.0-py3-none-any.whl"), "mör e.txt")
    before = sorted(odd.root.rglob("*"))
    assert odd.names() == {"alpha"}
    assert sorted(odd.root.rglob("*")) == before
    assert list(temporary.iterdir()) == []


def test_modules_of_the_project_do_not_stand_in_for_those_of_pip(project: PipProject) -> None:
    for name in ("pip", "json", "subprocess", "packaging", "typing"):
        project.write("raise SystemExit('hijacked')\n", f"{name}.py")
    project.write("alpha\n")
    assert project.names() == {"alpha"}


def test_groups_and_extras_are_an_error_that_says_what_pip_has_instead(project: PipProject) -> None:
    path = project.write("alpha\n")
    for asked in ({"groups": ("dev",)}, {"extras": ("fast",)}):
        with pytest.raises(LockfileError, match="has no groups and no extras") as raised:
            PipLockfile().read(path, project.request(**asked), X86_64)
        assert "name a file for each in `requirements`" in str(raised.value)


# The settings of the user


def test_the_configuration_of_pip_is_in_force(
    project: PipProject, index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = {index.simple_url}\nuser = true\n")
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    project.write("alpha\n", "limits.txt")
    project.write("alpha<2\n", "limits.txt")
    monkeypatch.setenv("PIP_CONSTRAINT", "limits.txt")
    project.write("alpha\n")
    assert project.filenames() == {"alpha-1.0-py3-none-any.whl"}


def test_settings_that_are_about_installing_do_no_harm(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = {
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_USER": "1",
        "PIP_PREFIX": str(tmp_path / "prefix"),
        "PIP_TARGET": str(tmp_path / "target"),
        "PIP_ROOT": str(tmp_path / "root"),
        "PIP_PLATFORM": "win_amd64",
        "PIP_ABI": "cp310",
        "PIP_NO_BINARY": ":all:",
        "PIP_VERBOSE": "3",
        "PIP_LOG": str(tmp_path / "pip.log"),
        "PIP_PYTHON": str(tmp_path / "nowhere"),
        "PIP_REQUIREMENT": str(tmp_path / "nowhere.txt"),
        "PIP_USE_FEATURE": "fast-deps inprocess-build-deps",
        "FORCE_COLOR": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    project.write("native\n")
    assert project.names() == {"native"}
    assert not any((tmp_path / name).exists() for name in ("prefix", "target", "root"))


@pytest.mark.fault(15)
def test_a_yanked_release_is_a_warning_with_its_reason(project: PipProject) -> None:
    project.write("taken-back==1.0\n")
    assert "taken-back 1.0 was yanked: it deletes files" in project.lock().warnings


def test_an_extra_that_is_not_there_is_a_warning(project: PipProject) -> None:
    project.write("alpha[nothing]\n")
    assert "alpha 2.0 does not provide the extra 'nothing'" in project.lock().warnings


# Failures


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "set the right credentials of the index"),
        (403, "set the right credentials of the index"),
        (404, "check its name and version"),
        (429, "check the network"),
        (500, "check the network"),
    ],
)
def test_what_the_index_answered_is_in_the_error(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, status: int, hint: str
) -> None:
    with IndexServer() as server:
        server.always("/simple/private/", Status(status))
        monkeypatch.setenv("PIP_INDEX_URL", server.simple_url.replace("//", f"//user:{CANARY}@"))
        project.write("private==1.0\n")
        said = str(project.failure())
        page = f"{server.url}/simple/private/"
    assert "No matching distribution found for private==1.0" in said
    assert f"What the indexes answered:\n| - {page}: " in said
    assert str(status) in said
    assert hint in said
    assert CANARY not in said


@pytest.mark.fault(59)
def test_an_index_that_does_not_answer_for_a_name_is_a_warning(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IndexServer(user="user", password=CANARY) as private:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", private.simple_url)
        project.write("alpha\n")
        warnings = project.lock().warnings
        page = f"{private.simple_url}alpha/"
    assert any(each.startswith(f"pip could not read {page} (401") for each in warnings)


@pytest.mark.fault(59)
@pytest.mark.parametrize("hashed", [True, False])
def test_a_private_index_that_does_not_answer_for_a_name_is_an_error(
    project: PipProject, *, hashed: bool
) -> None:
    digest = f" --hash=sha256:{spec('alpha').sha256}" if hashed else ""
    project.write(f"alpha==1.0{digest}\n")
    with IndexServer(hostname="localhost", user="user", password=CANARY) as private:
        access = IndexAccess([PrivateIndex(name="acme", url=private.simple_url)])
        request = project.request(access=access)
        (path,) = PipLockfile().find(request)
        with pytest.raises(
            LockfileError, match=r"^pip could not read .* of the private index `acme`: 401"
        ) as caught:
            PipLockfile().read(path, request, X86_64)
        assert "HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD" in str(caught.value.hint)
        # That it does not have the name is an answer.
        private.credentials = None
        assert PipLockfile().read(path, request, X86_64).resolved is not hashed


@pytest.mark.fault(57)
def test_the_password_of_an_index_is_in_nothing_that_is_locked_or_said(
    project: PipProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with IndexServer(user="user", password=CANARY) as private:
        private.add(spec("alpha"))
        private.add(spec("beta"), yanked="no")
        monkeypatch.setenv("PIP_INDEX_URL", private.simple_url_with_credentials)
        url = private.file_url("alpha-1.0-py3-none-any.whl").replace("//", f"//user:{CANARY}@")
        project.write(f"alpha @ {url}\nbeta==1.0\n")
        lock = project.lock()
        assert {wheel.name for wheel in select(lock, X86_64).wheels} == {"alpha", "beta"}
        assert CANARY not in lock.text.decode()
        assert CANARY not in "".join(lock.warnings)
        project.write(f"gamma\n--extra-index-url {private.simple_url_with_credentials}\n")
        assert CANARY not in str(project.failure())


@pytest.mark.parametrize(
    ("url", "locked"),
    [
        (f"https://user:{CANARY}@example.com/r", "https://example.com/r"),
        (f"https://{CANARY}@example.com/r", "https://example.com/r"),
        ("ssh://git@example.com/r", "ssh://git@example.com/r"),
    ],
)
def test_credentials_in_a_report_are_not_locked(tmp_path: Path, url: str, locked: str) -> None:
    info = {"url": url, "vcs_info": {"vcs": "git", "commit_id": "0" * 40}}
    report = {"install": [{"metadata": {"name": "A_b"}, "download_info": info}]}
    (package,) = (
        Lock(
            path=tmp_path / "requirements.txt",
            command="",
            text=pylock_text(report, tmp_path, tmp_path / "src"),
        )
        .parse()
        .packages
    )
    assert package.name == "a-b"
    assert package.vcs is not None
    assert package.vcs.url == locked


def without_pip(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Take pip away from where this package looks for it beside itself."""
    # What is imported late, and lies where pip does, has been imported above.
    entries = [each for each in sys.path if not Path(each, "pip").is_dir()]
    monkeypatch.setattr(sys, "path", entries)
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))


def test_no_pip_is_an_error(
    project: PipProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pip(monkeypatch, tmp_path / "bin")
    project.write("alpha\n")
    assert str(project.failure()) == (
        "Requirements need pip, and none was found\n\n"
        "hint: install `hatch-lambda-layer[pip]`, or put pip on the PATH"
    )


@pytest.mark.parametrize(
    "script",
    [
        "#!{python}\nraise SystemExit('nobody starts this')\n",
        "#!/bin/sh\nexec '{python}' -m pip \"$@\"\n",
    ],
    ids=["script", "shim"],
)
def test_the_pip_on_the_path_runs_with_its_own_interpreter(
    project: PipProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    # An environment whose interpreter finds the pip of this one, and notes that it was started.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    (packages,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (pip,) = {each for each in sys.path if Path(each, "pip", "__main__.py").is_file()}
    (packages / "other.pth").write_text(
        f"{pip}\nimport pathlib; pathlib.Path({str(project.told)!r}).touch()\n"
    )
    without_pip(monkeypatch, tmp_path / "bin")
    program = tmp_path / "bin" / "pip"
    program.write_text(script.format(python=tmp_path / "env" / "bin" / "python"))
    program.chmod(0o755)
    project.write("alpha\n")
    assert project.names() == {"alpha"}
    assert project.told.exists()


def test_a_pip_that_does_not_tell_its_interpreter_is_an_error(
    project: PipProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pip(monkeypatch, tmp_path / "bin")
    program = tmp_path / "bin" / "pip3"
    program.write_text("#!/bin/sh\necho nothing\n")
    program.chmod(0o755)
    project.write("alpha\n")
    assert str(project.failure()).startswith(f"`{program} debug` does not name its interpreter")


def test_another_pip_on_the_path_makes_another_key(
    project: PipProject, index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pip(monkeypatch, tmp_path / "bin")
    program = tmp_path / "bin" / "pip"
    program.touch(0o755)
    project.write(hashed(index, "alpha-1.0-py3-none-any.whl"))
    first = PipLockfile().key(project.root, project.request(), X86_64)
    assert PipLockfile().key(project.root, project.request(), X86_64) == first
    os.utime(program, (0, 0))
    assert PipLockfile().key(project.root, project.request(), X86_64) not in (None, first)


def test_an_interpreter_without_pip_is_an_error(
    project: PipProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    without_pip(monkeypatch, tmp_path / "bin")
    program = tmp_path / "bin" / "pip"
    program.write_text(f"#!{tmp_path}/env/bin/python\n")
    program.chmod(0o755)
    project.write("alpha\n")
    assert str(project.failure()).startswith(
        f"Requirements need pip, and {tmp_path}/env/bin/python has none"
    )


# Sources


def sourced(index: IndexServer, project: PipProject) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """Give, by kind, a requirement that is a source and what it is locked as."""
    index.add_file(
        "only_source-1.0.tar.gz", content := project.sdist("only-source", requires=["deep"])
    )
    project.source("below", folder="repository/deeper/still", requires=["deep"])
    commit = project.repository("in-git", folder="repository", requires=["deep"])
    project.source("in-folder", folder="folder", requires=["deep"])
    repository = (project.root / "repository").as_uri()
    sha256 = index.files["only_source-1.0.tar.gz"].hashes["sha256"]
    assert content
    url = index.file_url("only_source-1.0.tar.gz")
    below = {"commit": commit, "location": repository, "subdirectory": "deeper/still"}
    archive = {"sha256": sha256, "location": url}
    folder = {"location": str(project.root / "folder")}
    vcs = {"commit": commit, "location": repository}
    return {
        "sdist": ("only-source==1.0", archive),
        "archive": (f"only-source @ {url}", archive),
        "directory": ("./folder", folder),
        "directory, editable": ("-e ./folder", folder),
        "vcs": (f"git+{repository}@v1#egg=in-git", vcs),
        "vcs, editable": (f"-e git+{repository}@v1#egg=in-git", vcs),
        "vcs, below": (f"git+{repository}@v1#egg=below&subdirectory=deeper/still", below),
        "vcs, below, editable": (
            f"-e git+{repository}@v1#egg=below&subdirectory=deeper/still",
            below,
        ),
    }


KINDS = ["sdist", "archive", "directory", "directory, editable", "vcs", "vcs, editable"]


@pytest.mark.fault(19, 21, 58)
@pytest.mark.parametrize("kind", [*KINDS, "vcs, below", "vcs, below, editable"])
def test_a_source_is_locked_and_its_backend_sees_no_secret(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    requirement, expected = sourced(index, project)[kind]
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url.replace("//", f"//user:{CANARY}@"))
    monkeypatch.setenv("SETUPTOOLS_SCM_PRETEND_VERSION", "1.0")
    project.write(f"{requirement}\n")
    selection = select(project.lock(sources=True), X86_64)
    (source,) = selection.sources
    assert source.kind == kind.partition(",")[0]
    assert {key: getattr(source, key) for key in expected} == expected
    assert {wheel.name for wheel in selection.wheels} == {"deep", "app"} | EXPECTED[X86_64]
    told = project.told.read_text()
    assert CANARY not in told
    assert os.environ["HOME"] not in told
    assert "SETUPTOOLS_SCM_PRETEND_VERSION" in told


@pytest.mark.fault(21)
@pytest.mark.parametrize("kind", KINDS)
def test_no_backend_is_run_where_sources_are_not_allowed(
    project: PipProject, index: IndexServer, kind: str
) -> None:
    requirement, _ = sourced(index, project)[kind]
    project.write(f"alpha\n{requirement}\n")
    said = str(project.failure())
    assert not project.told.exists()
    name = {"s": "only-source", "a": "only-source", "d": "folder", "v": "in-git"}[kind[0]]
    assert name in said
    assert 'build = "local"' in said
    if kind == "sdist":
        assert "the index has\n- only_source-1.0.tar.gz, a source\n" in said
    else:
        assert "(requirements.txt (line 2)) is a source, not a wheel" in said


def test_a_file_that_asks_for_sources_does_not_get_them_either(
    project: PipProject, index: IndexServer
) -> None:
    sourced(index, project)
    project.write("--no-binary only-source\nonly-source\n")
    assert "is a source, not a wheel" in str(project.failure())
    assert not project.told.exists()


def test_an_older_wheel_goes_before_a_newer_source(project: PipProject, index: IndexServer) -> None:
    index.add(spec("mixed", version="0.9"))
    index.add_file("mixed-1.0.tar.gz", project.sdist("mixed"))
    project.write("mixed\n")
    assert [each.version for each in select(project.lock(sources=True), X86_64).wheels] == ["0.9"]
    assert not project.told.exists()


@pytest.mark.fault(58)
def test_what_a_source_requires_to_be_built_is_never_built_itself(
    project: PipProject, index: IndexServer
) -> None:
    index.add_file("backend_source-1.0.tar.gz", project.sdist("backend-source"))
    project.write("[build-system]\nrequires = ['backend-source']\n", "folder/pyproject.toml")
    project.write("./folder\n")
    said = str(project.failure(sources=True))
    assert "No matching distribution found for backend-source" in said
    assert not project.told.exists()


def test_what_a_backend_says_when_it_fails_is_in_the_error(project: PipProject) -> None:
    project.source("in-folder", folder="folder")
    project.write("raise RuntimeError('I want a compiler')\n", "folder/backend.py")
    project.write("./folder\n")
    said = str(project.failure(sources=True))
    assert "RuntimeError: I want a compiler" in said
    assert "hint: to read what a source requires" in said


@pytest.mark.fault(57)
@pytest.mark.fault(58)
def test_what_a_private_source_requires_is_from_there_and_its_backend_sees_no_password(
    project: PipProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME", "user")
    monkeypatch.setenv("HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD", CANARY)
    with IndexServer(hostname="localhost", user="user", password=CANARY) as private:
        private.add(spec("helper"))
        sdist = project.sdist("secret-source", requires=["beta"])
        private.add_file("secret_source-1.0.tar.gz", sdist)
        # Its own index, which ends what was said of others before.
        public = os.environ["PIP_INDEX_URL"]
        project.write(f"--index-url {public}\nsecret-source\n./folder\n")
        project.source("in-folder", folder="folder")
        pyproject = project.root / "folder" / "pyproject.toml"
        text = pyproject.read_text(encoding="utf-8")
        text = text.replace("requires = []", 'requires = ["helper"]')
        pyproject.write_text(text, encoding="utf-8")
        access = IndexAccess([PrivateIndex(name="acme", url=private.simple_url)])
        request = project.request(access=access, build=True)
        (path,) = PipLockfile().find(request)
        selection = select(PipLockfile().read(path, request, X86_64), X86_64)
        assert private.requests_for(private.path_of("helper-1.0-py3-none-any.whl"))
    assert {each.name for each in selection.all} == {"secret-source", "in-folder", "beta"}
    told = project.told.read_text()
    assert CANARY not in told
    assert "NETRC" not in told


@pytest.mark.fault(57)
def test_pip_starts_pip_without_the_password_of_an_index_among_its_arguments(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A backend from the index: every process that pip starts notes its arguments.
    arguments = tmp_path / "arguments"
    (tmp_path / "note").mkdir()
    (tmp_path / "note" / "sitecustomize.py").write_text(
        "import os, sys\n"
        f"with open({str(arguments)!r}, 'a') as file: print(*sys.orig_argv, file=file)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "note"))
    with IndexServer(user="user", password=CANARY) as private:
        files = project.source("in-folder", folder="folder")
        private.add(spec("a-backend", files={"a_backend.py": files["backend.py"]}))
        project.write(
            '[build-system]\nrequires = ["a-backend"]\nbuild-backend = "a_backend"\n',
            "folder/pyproject.toml",
        )
        monkeypatch.setenv("PIP_INDEX_URL", private.simple_url_with_credentials)
        project.write("./folder\n")
        (source,) = select(project.lock(sources=True), X86_64).sources
    assert source.name == "in-folder"
    assert CANARY not in project.told.read_text()
    noted = arguments.read_text()
    assert "a-backend" in noted
    assert CANARY not in noted


# The key of what can be kept


def test_the_key_is_the_same_as_long_as_nothing_that_decides_has_changed(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.write("-r base.txt\n-c limits.txt\n")
    project.write(hashed(index, "alpha-1.0-py3-none-any.whl"), "base.txt")
    project.write("alpha<2\n", "limits.txt")
    config = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))

    def key(target: Target = X86_64, *, sources: bool = False) -> str:
        path = project.root / "requirements.txt"
        found = PipLockfile().key(path, project.request(build=sources), target)
        assert found is not None
        return found

    first = key()
    monkeypatch.setenv("UNRELATED", "x")
    project.write("unrelated\n", "other.txt")
    # A password that changes every few hours must not make every build resolve anew.
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url.replace("//", f"//user:{CANARY}@"))
    with_password = key()
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url.replace("//", "//user:another@"))
    assert key() == with_password
    monkeypatch.setenv("PIP_INDEX_URL", index.simple_url)
    assert key() == first
    changed = {key(ARM64), key(sources=True)}
    project.write("--find-links ${FOLDER}\n-c limits.txt\n-r base.txt\n")
    for folder in ("wheels", "others"):
        monkeypatch.setenv("FOLDER", folder)
        changed.add(key())
    project.write("-r base.txt\n-c limits.txt\n")
    assert key() == first
    project.write("alpha<3\n", "limits.txt")
    changed.add(key())
    config.write_text("[global]\nextra-index-url = http://127.0.0.1:9/simple\n")
    changed.add(key())
    monkeypatch.setenv("PIP_TIMEOUT", "1")
    changed.add(key())
    assert len(changed | {first}) == 8


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("alpha==1.0 --hash=sha256:00\n", True),
        ("alpha==1.0 \\\n  # ends it\n  --hash=sha256:00\n", False),
        ("alpha==1.0 ; python_version > '3' \\\n --hash sha256:00 \\\n --hash=sha256:11", True),
        ("--index-url http://127.0.0.1/simple\n--require-hashes\n# nothing\n", True),
        ("-rother.txt\n", True),
        ("-r other.txt # --hash=sha256:00\n", True),
        ("--constraint=free.txt\nalpha==1.0 --hash=sha256:00\n", True),
        ("alpha==1.0\n", False),
        ("alpha==1.0 # --hash=sha256:00\n", False),
        ("alpha==1.0 --hash=sha256:00\nbeta==1.0\n", False),
        ("-r free.txt\n", False),
        ("-r http://127.0.0.1/other.txt\n", False),
        ("-r missing.txt\n", False),
        ("-e ./folder\n", False),
        ("--something-new\n", False),
        ("-r 'unclosed\n", False),
        ("-r ${NAME}.txt\n", True),
        ("-r ${NOTHING}.txt\n", False),
        ("-r requirements.txt\nalpha==1.0 --hash=sha256:00\n", True),
    ],
)
def test_only_files_that_leave_nothing_open_have_a_key(
    project: PipProject, monkeypatch: pytest.MonkeyPatch, text: str, *, settled: bool
) -> None:
    monkeypatch.setenv("NAME", "other")
    project.write(text)
    project.write("beta==1.0 --hash=sha256:00\n", "other.txt")
    project.write("gamma\n", "free.txt")
    assert (PipLockfile().key(project.root, project.request(), X86_64) is not None) is settled


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_requirements_files_are_read_in_the_encodings_that_pip_knows(
    tmp_path: Path, encoding: str
) -> None:
    text = "-r nested.txt\nalpha==1.0 --hash=sha256:00\n"
    (tmp_path / "requirements.txt").write_text(text, encoding=encoding)
    (tmp_path / "nested.txt").write_text("# é\n", encoding=encoding)
    files = RequirementsFiles(tmp_path, ["requirements.txt"], [], {})
    assert [path.name for path in files.texts] == ["requirements.txt", "nested.txt"]
    assert files.has_hashes
    assert files.is_settled


def test_a_file_whose_name_is_too_long_is_missing(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"-r {'n' * 300}\n", encoding="utf-8")
    assert not RequirementsFiles(tmp_path, ["requirements.txt"], [], {}).is_settled
    (tmp_path / "pyproject.toml").touch()
    layout = LayerPathLayout(tmp_path / "pyproject.toml", tmp_path / "dist")
    request = LockRequest(layout=layout, requirements=("n" * 300,))
    with pytest.raises(LockfileError, match="is missing"):
        LOCKFILES["pip"].find(request)


def test_a_comment_ends_a_line_whatever_is_before_it(tmp_path: Path) -> None:
    lines = ["alpha \t# c", "beta#no", "  # c \\", "gamma \\", "# c \\", "delta\\", "-r x # c"]
    (tmp_path / "requirements.txt").write_text("\n".join(lines), encoding="utf-8")
    assert list(_lines((tmp_path / "requirements.txt").read_bytes())) == [
        "alpha",
        "beta#no",
        "gamma",
        "delta-r x",
    ]


def test_the_files_are_those_that_pip_itself_reads(project: PipProject, index: IndexServer) -> None:
    project.write("-r a/one.txt\n--constraint 'a/two words.txt'\n-ra/three.txt\n")
    project.write("-r ../four.txt\n", "a/one.txt")
    for name in ("a/two words.txt", "a/three.txt", "four.txt"):
        project.write("alpha\n", name)
    ours = RequirementsFiles(project.root, ["requirements.txt"], [], {}).texts
    for path in ours:
        text = path.read_text()
        # Each is read by pip: what it can't understand in there is named with the file.
        path.write_text("=broken=\n")
        assert re.search(rf"{re.escape(path.name)}\W", str(project.failure())), path
        path.write_text(text)
    assert len(ours) == 5


@pytest.fixture
def uv_resolved(project: PipProject, index: IndexServer) -> Callable[[Target], set[str]]:
    from uv import find_uv_bin

    def resolved(target: Target) -> set[str]:
        argv = [find_uv_bin(), "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
        argv += ["--default-index", index.simple_url, "--no-config", "--no-cache"]
        argv += ["--python", sys.executable]  # which saves uv the search for one
        argv += ["--python-version", target.runtime.python, "--python-platform"]
        argv += [f"{target.architecture.machine}-manylinux_2_34", "requirements.txt"]
        done = subprocess.run(
            argv,
            cwd=project.root,
            check=True,
            capture_output=True,
            text=True,
        )
        return {line.partition("==")[0] for line in done.stdout.split()}

    return resolved


@pytest.mark.parametrize("target", EXPECTED, ids=lambda target: target.id)
def test_uv_resolves_the_same_for_the_target(
    project: PipProject, uv_resolved: Callable[[Target], set[str]], target: Target
) -> None:
    project.write("deep\nnative\nextras[more]\n")
    # uv knows no release or version of the operating system, and takes a marker on it for true.
    assert project.names(target=target) == uv_resolved(target) - {"on-this-kernel"}


# The indexes that pip searches


def searched(project: PipProject) -> Sequence[str]:
    request = project.request()
    lockfile = PipLockfile()
    return lockfile.default_indexes(lockfile.find(request)[0], request)


def test_the_indexes_are_those_of_the_settings_of_pip(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("alpha\n")
    assert searched(project) == [index.simple_url]
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a:b@extra.test/simple https://x.test")
    extra = ["https://a:b@extra.test/simple", "https://x.test"]
    assert searched(project) == [index.simple_url, *extra]
    # A variable wins over a file, and `[install]` over `[global]`.
    config = project.root / "pip.conf"
    config.write_text("[install]\nindex-url = https://i.test\n[global]\nindex-url = https://g.test")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert searched(project) == [index.simple_url, *extra]
    monkeypatch.delenv("PIP_INDEX_URL")
    assert searched(project) == ["https://i.test", *extra]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    project.write("--extra-index-url https://b.test\n")
    assert searched(project) == []


def test_options_in_the_files_change_the_indexes_as_in_pip(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "t0")
    first = index.simple_url
    for text, expected in (
        ("--extra-index-url https://b.test\n", [first, "https://b.test"]),
        ("--index-url=https://u:${TOKEN}@a.test\n", ["https://u:t0@a.test"]),
        ("--extra-index-url https://b.test\n-i https://a.test\n", ["https://a.test"]),
        ("--extra-index-url=https://b.test -ihttps://a.test", ["https://a.test", "https://b.test"]),
        ("--no-index\n--extra-index-url https://b.test\n", []),
        ("-r more.txt\n-c less.txt\n", [first, "https://m.test", "https://c.test"]),
        ("--no-index\n--find-links wheels\n", []),
        ("-i 'unclosed\n", [first]),
    ):
        project.write("--extra-index-url https://m.test\n", "more.txt")
        project.write("--extra-index-url https://c.test\n", "less.txt")
        project.write(text)
        assert searched(project) == expected, text


def test_a_layer_of_requirements_is_asked_about_where_pip_found_it(
    project: PipProject, index: IndexServer
) -> None:
    project.write(hashed(index, "alpha-1.0-py3-none-any.whl"))
    table = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
    project.write(table, "pyproject.toml")
    before = len(index.requests_for("/simple/alpha/"))
    done = CliRunner().invoke(main, ["outdated", str(project.root)])
    assert done.stdout.splitlines()[2:] == ["alpha    1.0     2.0"], done.output
    # Once by pip, once by us.
    assert len(index.requests_for("/simple/alpha/")) == before + 2
