"""A source whose wheel tells with which distributions it was built."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from zipfile import ZipFile

if TYPE_CHECKING:
    from pathlib import Path

_BACKEND = """\
import base64, hashlib, importlib.metadata, json, pathlib, zipfile

NAME = {name!r}
REQUIRES = {requires!r}


def get_requires_for_build_wheel(config_settings=None):
    return {dynamic!r}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    found = {{each.name: each.version for each in importlib.metadata.distributions()}}
    info = f"{{NAME}}-1.0.dist-info"
    needs = "".join(f"Requires-Dist: {{each}}\\n" for each in REQUIRES)
    files = {{
        f"{{NAME}}_made_with.json": json.dumps(found),
        f"{{NAME}}_origin.txt": pathlib.Path("origin.txt").read_text(),
        f"{{info}}/METADATA": f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: 1.0\\n{{needs}}",
        f"{{info}}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }}
    record = f"{{info}}/RECORD,,\\n"
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{{path}},sha256={{digest.decode()}},{{len(text.encode())}}\\n"
    name = f"{{NAME}}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        for path, text in {{**files, f"{{info}}/RECORD": record}}.items():
            wheel.writestr(zipfile.ZipInfo(path), text)
    return name
"""


def making_project(
    *build_requires: str,
    name: str = "made",
    requires: tuple[str, ...] = (),
    dynamic: tuple[str, ...] = (),
    origin: str = "here",
    more: str = "",
) -> dict[str, bytes]:
    """Return the files of a project that needs these distributions, by default `maker`."""
    needed = json.dumps(build_requires or ["maker"])
    table = f'[build-system]\nrequires = {needed}\nbuild-backend = "backend"\nbackend-path = ["."]'
    project = f'[project]\nname = "{name}"\nversion = "1.0"\ndependencies = {json.dumps(requires)}'
    backend = _BACKEND.format(name=name, requires=list(requires), dynamic=list(dynamic))
    return {
        "pyproject.toml": f"{table}\n{project}\n{more}\n".encode(),
        "backend.py": backend.encode(),
        "origin.txt": origin.encode(),
    }


def made_with(path: Path, name: str = "made") -> dict[str, str]:
    """Return the distributions, with their versions, that the one in a zip was built with."""
    with ZipFile(path) as archive:
        (member,) = (each for each in archive.namelist() if each.endswith(f"{name}_made_with.json"))
        found: dict[str, str] = json.loads(archive.read(member))
        return found
