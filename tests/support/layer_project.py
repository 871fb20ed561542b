"""A project whose layer is built in this process, from a lockfile against a loopback index."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from zipfile import ZipFile

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.build.project import ProjectBuild
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.layout import LayerPathLayout
from tests.support.displays import Lines
from tests.support.lock_factory import locked, pylock
from tests.support.source_factory import IN_TREE, write_files
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from hatch_lambda_layer.build.pipeline import BuiltLayer
    from tests.support.index_server import IndexServer

ALPHA = WheelSpec(name="alpha", files={"alpha/__init__.py": b"A = 1\n", "alpha/a.pyi": b"A: int\n"})
BETA = WheelSpec(name="beta", version="2.1")

# It packs `app`; nothing has to be installed for it.
_BACKEND = """\
import base64, hashlib, pathlib, zipfile

INFO = "app-1.dist-info"


def build_wheel(folder, config_settings=None, metadata_directory=None):
    files = {str(path): path.read_bytes() for path in sorted(pathlib.Path("app").rglob("*.py"))}
    files[f"{INFO}/METADATA"] = b"Metadata-Version: 2.1\\nName: app\\nVersion: 1\\n"
    files[f"{INFO}/WHEEL"] = b"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    record = f"{INFO}/RECORD,,\\n"
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\\n"
    with zipfile.ZipFile(pathlib.Path(folder, "app-1-py3-none-any.whl"), "w") as wheel:
        for path, data in {**files, f"{INFO}/RECORD": record.encode()}.items():
            wheel.writestr(path, data)
    return "app-1-py3-none-any.whl"
"""


@dataclass
class Project:
    """A project that locks wheels of one index; every build reads it anew, as a process would."""

    root: Path
    index: IndexServer
    wheels: tuple[WheelSpec, ...] = (ALPHA, BETA)
    table: dict[str, object] = field(default_factory=lambda: {"runtimes": ["python3.13"]})

    def lock(self, *wheels: WheelSpec) -> None:
        self.wheels = wheels or self.wheels
        self.index.add(*(each for each in self.wheels if each.filename not in self.index.files))
        packages = [
            replace(locked(each, self.index.file_url(each.filename)), index=self.index.simple_url)
            for each in self.wheels
        ]
        self.lockfile.write_text(pylock(*packages), encoding="utf-8")

    @property
    def lockfile(self) -> Path:
        return self.root / "pylock.toml"

    @property
    def zip(self) -> Path:
        return self.root / "dist" / "layer.zip"

    @property
    def json(self) -> Path:
        return self.zip.with_suffix(".json")

    def configure(self, **options: object) -> None:
        self.table |= {key.replace("_", "-"): value for key, value in options.items()}

    def make_package(self, code: str) -> None:
        """Have a package of its own, which a backend beside it builds at once."""
        files = {
            "app/__init__.py": code,
            "pyproject.toml": f'{IN_TREE}[project]\nname = "app"\nversion = "1"\n',
            "backend.py": _BACKEND,
        }
        write_files(self.root, {name: text.encode() for name, text in files.items()})

    def project_build(self, display: Lines) -> ProjectBuild:
        path = self.root / "pyproject.toml"
        pyproject = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
        pyproject["tool"] = {"lambda-layer": self.table}
        matrix = Matrix.from_pyproject(pyproject)
        return ProjectBuild(
            matrix=matrix,
            layout=LayerPathLayout(path, self.root / "dist", filename=matrix.filename),
            pyproject=pyproject,
            console=Console(display),
        )

    def build_all(self, display: Lines | None = None) -> list[BuiltLayer]:
        build = self.project_build(display or Lines())
        return [build.build(member) for member in build.matrix.members]

    def build(self, display: Lines | None = None) -> BuiltLayer:
        (built,) = self.build_all(display)
        assert built.zip_path == self.zip
        return built


def names(path: Path) -> list[str]:
    """Give the names in a zip that is sound."""
    with ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def stamps(*paths: Path) -> list[tuple[int, int, bytes]]:
    """Give what changes when a file is written."""
    return [(p.stat().st_mtime_ns, p.stat().st_ino, p.read_bytes()) for p in paths]
