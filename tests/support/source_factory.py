"""Sources for tests: archives of any quality, projects with backends of their own, repositories.

The backends here need nothing that would have to be installed: they lie in the source (PEP 517's
`backend-path`) and use the standard library alone.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import io
import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatch_lambda_layer.wheels.selection import LockedSource
from tests.support.system_parts import MissingPart
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

IN_TREE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'

_COPYING_BACKEND = """\
import pathlib, shutil

def build_wheel(folder, config_settings=None, metadata_directory=None):
    (wheel,) = pathlib.Path().glob("*.whl")
    shutil.copy(wheel, folder)
    return wheel.name
"""

# Its wheel has one module, whose `FACTS` are what a build script can find out.
_TELLING_BACKEND = """\
import base64, hashlib, json, os, pathlib, subprocess, sys, zipfile

NAME, VERSION, TAG = {name!r}, {version!r}, {tag!r}


def said(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def parents():
    found, pid = [], os.getpid()
    while pid > 1 and os.path.exists(f"/proc/{{pid}}/stat"):
        found.append(pathlib.Path(f"/proc/{{pid}}/cmdline").read_text().split("\\0"))
        pid = int(pathlib.Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def facts():
    home = pathlib.Path.home()
    return {{
        "environment": dict(os.environ),
        "parents": parents(),
        "home": sorted(str(each.relative_to(home)) for each in home.rglob("*")),
        "folder": os.getcwd(),
        "stdin": sys.stdin.read(),
        "files": sorted(str(each) for each in pathlib.Path().rglob("*") if each.parts[0] != ".git"),
        "above": sorted(path.name for path in pathlib.Path("..").iterdir()),
        "python": list(sys.version_info[:2]),
        "describe": said("git", "describe", "--tags", "--always", "--dirty", "--long"),
        "status": said("git", "status", "--porcelain"),
        "git": said("git", "config", "--list", "--show-origin"),
    }}


def get_requires_for_build_wheel(config_settings=None):
    print("asked on stdout")
    print("asked on stderr", file=sys.stderr)
    return []


def build_wheel(folder, config_settings=None, metadata_directory=None):
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    files = {{
        f"{{NAME}}.py": f"FACTS = {{json.dumps(facts())!r}}\\n",
        f"{{info}}/METADATA": f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n",
        f"{{info}}/WHEEL": f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {{TAG}}\\n",
    }}
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{{path}},sha256={{digest.decode()}},{{len(text.encode())}}\\n"
    files[f"{{info}}/RECORD"] = record + f"{{info}}/RECORD,,\\n"
    name = f"{{NAME}}-{{VERSION}}-{{TAG}}.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(zipfile.ZipInfo(path), text)
    return name
"""


def copying_project(wheel: WheelSpec) -> dict[str, bytes]:
    """A project that is built to exactly this wheel, whichever it is."""
    return {
        "pyproject.toml": IN_TREE.encode(),
        "backend.py": _COPYING_BACKEND.encode(),
        wheel.filename: wheel.data,
    }


def telling_project(
    name: str = "teller", version: str = "1.0", tag: str = "py3-none-any"
) -> dict[str, bytes]:
    """A project whose wheel tells what its backend could see."""
    backend = _TELLING_BACKEND.format(name=name, version=version, tag=tag)
    return {"pyproject.toml": IN_TREE.encode(), "backend.py": backend.encode()}


def told(module: bytes) -> dict[str, Any]:
    """What a telling project's module tells."""
    scope: dict[str, Any] = {}
    exec(module.decode(), scope)  # noqa: S102  # of our own making
    facts: dict[str, Any] = json.loads(scope["FACTS"])
    return facts


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write a project into a folder and give the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def tar_gz(members: Iterable[tarfile.TarInfo | tuple[str, bytes]]) -> bytes:
    """A tar archive of files and of members with any header, compressed."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            name, data = member
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def sdist(name: str, version: str, files: Mapping[str, bytes]) -> tuple[str, bytes]:
    """A source distribution's filename and bytes; `PKG-INFO` is added where it is missing."""
    top = f"{name}-{version}"
    info = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n".encode()
    members = {"PKG-INFO": info, **files}
    return f"{top}.tar.gz", tar_gz((f"{top}/{path}", data) for path, data in members.items())


def zipped(members: Sequence[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """A zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def locked_source(
    kind: str, location: Path | str, name: str = "teller", **options: Any
) -> LockedSource:
    """Give a source as a lockfile names it; an archive on disk gets its sha256."""
    fields: dict[str, Any] = {**dict.fromkeys(LockedSource._fields), "wheels": ()}
    fields |= {"name": name, "kind": kind, "location": str(location), "reason": "a test"}
    if kind in ("sdist", "archive") and "sha256" not in options and "://" not in str(location):
        with open(location, "rb") as file:
            options["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    return LockedSource(**fields | options)


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder as nobody in particular, and give its output."""
    own = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "a@example.test" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_DATE": "2020-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")},
    }
    config = ["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *config, *arguments],
        cwd=folder,
        env=own,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def repository(folder: Path, files: Mapping[str, bytes], tag: str | None = None) -> str:
    """Make a folder a repository with one commit of these files, and give the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    return commit(folder, files, tag)


def commit(folder: Path, files: Mapping[str, bytes], tag: str | None = None) -> str:
    """Commit these files to a repository, and give the commit."""
    write_files(folder, files)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "x")
    if tag is not None:
        git(folder, "tag", "--annotate", "--message", "x", tag)
    return git(folder, "rev-parse", "HEAD")


def installed_wheels(*names: str) -> list[WheelSpec]:
    """Distributions of the running environment with what they require, packed into wheels again.

    Build backends for an index on loopback: the code is what is installed.
    """
    from packaging.requirements import Requirement

    found: dict[str, WheelSpec] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower()
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise MissingPart(f"{name} is not installed beside the tests") from None
        found[name] = _packed(distribution)
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return list(found.values())


def _packed(distribution: importlib.metadata.Distribution) -> WheelSpec:
    files: dict[str, bytes] = {}
    info: dict[str, bytes | None] = {}
    for path in distribution.files or ():
        top, _, rest = path.as_posix().partition("/")
        if top == ".." or "__pycache__" in path.parts:
            continue
        if not top.endswith(".dist-info"):
            files[path.as_posix()] = Path(path.locate()).read_bytes()
        elif rest not in ("METADATA", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
            info[rest] = Path(path.locate()).read_bytes()
    return WheelSpec(
        name=distribution.name,
        version=distribution.version,
        files=files,
        dist_info_files=info,
        requires_dist=distribution.requires or (),
        requires_python=_requires_python(distribution),
    )


def _requires_python(distribution: importlib.metadata.Distribution) -> str | None:
    found = distribution.metadata.json.get("requires_python")
    return found if isinstance(found, str) else None
