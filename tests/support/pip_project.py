"""Requirements files that are resolved against a loopback index, and what that index has."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import packaging.utils
import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.build.source_metadata import SourceReader
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.exceptions import LambdaLayerError
from hatch_lambda_layer.index.auth import IndexAccess
from hatch_lambda_layer.layout import LayerPathLayout
from hatch_lambda_layer.lockfiles import Lock, LockRequest
from hatch_lambda_layer.lockfiles.build_settings import BuildSettings
from hatch_lambda_layer.lockfiles.pip.lockfile import PipLockfile
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.cache import WheelCache
from hatch_lambda_layer.wheels.selection import select
from tests.support.displays import Lines
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.index_server import IndexServer


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

# A build backend that needs nothing, and whose wheel tells what it was run with.
BACKEND = """
import base64, hashlib, json, os, pathlib, zipfile
NAME, VERSION, REQUIRES = {facts!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    stem = f"{{NAME.replace('-', '_')}}-{{VERSION}}"
    lines = ["Metadata-Version: 2.1", f"Name: {{NAME}}", f"Version: {{VERSION}}"]
    lines += [f"Requires-Dist: {{each}}" for each in REQUIRES]
    # As setuptools does, which the user's own folder must not show.
    pathlib.Path(f"{{NAME}}.egg-info").mkdir()
    home = [str(each) for each in pathlib.Path.home().rglob("*")]
    told = json.dumps({{"environment": dict(os.environ), "home": home}})
    files = {{
        "told.json": told,
        f"{{stem}}.dist-info/METADATA": "\\n".join(lines) + "\\n",
        f"{{stem}}.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
        "Tag: py3-none-any\\n",
    }}
    record = f"{{stem}}.dist-info/RECORD,,\\n"
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{{path}},sha256={{digest.decode()}},{{len(text.encode())}}\\n"
    name = f"{{stem}}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        for path, text in {{**files, f"{{stem}}.dist-info/RECORD": record}}.items():
            wheel.writestr(zipfile.ZipInfo(path), text)
    return name
"""


def spec(name: str, tag: str = "py3-none-any", version: str = "1.0", **facts: Any) -> WheelSpec:
    return WheelSpec(name=name, version=version, tag=tag, **facts)


def serve(server: IndexServer) -> None:
    """Add what the requirements of the tests name."""
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


class PipProject:
    """A folder with requirements files, and the settings of a user whose only index is ours.

    Wheels that are built go into a cache in the folder `told`.
    """

    def __init__(self, root: Path, told: Path) -> None:
        self.root = root
        self.told = told
        for each in (root, told):
            each.mkdir(parents=True, exist_ok=True)

    def write(self, text: str, name: str = "requirements.txt") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def request(self, *names: str, **asked: Any) -> LockRequest:
        layout = LayerPathLayout(self.root / "pyproject.toml", self.root / "dist")
        return LockRequest(layout=layout, requirements=names, **asked)

    def lock(
        self,
        *names: str,
        target: Target = X86_64,
        sources: bool = False,
        access: IndexAccess | None = None,
    ) -> Lock:
        lockfile = PipLockfile()
        access = access or IndexAccess()
        request = self.request(*names, build=sources, access=access)
        reader = SourceReader(
            layout=request.layout, cache=self._cache(), console=Console(Lines()), access=access
        )
        table = {"tool": {"lambda-layer": {"runtimes": [target.runtime.id]}}}
        (config,) = Matrix.from_pyproject(table).layers
        request = replace(
            request, read_source=partial(reader.metadata, config, target, BuildSettings)
        )
        (path,) = lockfile.find(request)
        return lockfile.read(path, request, target)

    def _cache(self) -> WheelCache:
        return WheelCache(Store(self.told))

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

    def backends(self) -> dict[str, str]:
        """What the backends that ran have told, by the name of their source."""
        found = {}
        for path in self.told.rglob("*"):
            if not (path.is_file() and zipfile.is_zipfile(path)):
                continue
            with zipfile.ZipFile(path) as wheel:
                if "told.json" in wheel.namelist():
                    info = next(each for each in wheel.namelist() if each.endswith("/METADATA"))
                    name = info.rpartition("-1.0.dist-info/")[0].replace("_", "-")
                    found[name] = wheel.read("told.json").decode()
        return found

    def source(self, name: str, *, folder: str, requires: Sequence[str] = ()) -> dict[str, bytes]:
        """Write a source with a backend into a folder, and give its files."""
        facts = (name, "1.0", list(requires))
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


def hashed(index: IndexServer, *filenames: str) -> str:
    lines = []
    for filename in filenames:
        name, version, *_ = packaging.utils.parse_wheel_filename(filename)
        sha256 = index.files[filename].hashes["sha256"]
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{sha256}\n")
    return "".join(lines)
