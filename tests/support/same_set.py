"""One set of dependencies, written for every tool: groups, extras, and markers of all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.support.index_server import IndexServer

_PLATFORMS = ("manylinux_2_17_x86_64", "manylinux_2_17_aarch64", "macosx_11_0_arm64", "win_amd64")

WHEELS = (
    # The development group always needs `shim`, the project on old Pythons only.
    WheelSpec(name="alpha", requires_dist=["shim; python_version < '3.12'"]),
    WheelSpec(name="tester", requires_dist=["shim"]),
    WheelSpec(name="shim"),
    WheelSpec(name="winonly"),
    WheelSpec(name="oldonly"),
    WheelSpec(name="armonly"),
    WheelSpec(
        name="optioned",
        requires_dist=["speedy; extra == 'fast'", "unused; extra == 'slow'"],
        extra_metadata="Provides-Extra: fast\nProvides-Extra: slow\n",
    ),
    WheelSpec(name="speedy"),
    WheelSpec(name="unused"),
    WheelSpec(name="clicky", requires_dist=["colors"]),
    WheelSpec(name="colors"),
    WheelSpec(name="sphinxy"),
    *(
        WheelSpec(name="native", version="2.0", tag=f"{python}-{python}-{platform}")
        for python in ("cp311", "cp313")
        for platform in _PLATFORMS
    ),
)

_PROJECT = """\
[project]
name = "app"
version = "1.0"
requires-python = ">=3.10,<3.15"
dependencies = [
  "alpha",
  "native",
  "optioned[fast]",
  "winonly; sys_platform == 'win32'",
  "oldonly; python_version < '3.12'",
  "armonly; platform_machine == 'aarch64'",
]

[project.optional-dependencies]
cli = ["clicky"]

[dependency-groups]
dev = ["tester", { include-group = "docs" }]
docs = ["sphinxy"]
"""

_INDEX = {
    "uv": '[[tool.uv.index]]\nurl = "{url}"\ndefault = true\n',
    "poetry": "[tool.poetry]\npackage-mode = false\n\n"
    '[[tool.poetry.source]]\nname = "loop"\nurl = "{url}"\npriority = "primary"\n',
    "pdm": "[tool.pdm]\ndistribution = false\n\n"
    '[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\nverify_ssl = false\n',
}


def serve(index: IndexServer) -> None:
    """Put the wheels on an index."""
    index.add(*WHEELS)


def pyproject(tool: str, url: str, project: str = _PROJECT) -> str:
    """Give the `pyproject.toml` for `uv`, `poetry` or `pdm`, whose only index is at `url`."""
    return f"{project}\n{index_table(tool, url)}"


def index_table(tool: str, url: str) -> str:
    """Give the tables that tell the tool of its only index."""
    return _INDEX[tool].format(url=url)


def expected(
    python: str, machine: str, *, groups: Collection[str] = (), extras: Collection[str] = ()
) -> set[str]:
    """Give the names of what is needed on `python` (such as `3.13`) and `machine`."""
    names = {"alpha", "native", "optioned", "speedy"}
    if python in ("3.10", "3.11"):
        names |= {"oldonly", "shim"}
    if machine == "arm64":
        names |= {"armonly"}
    if "cli" in extras:
        names |= {"clicky", "colors"}
    if "dev" in groups:
        names |= {"tester", "shim", "sphinxy"}
    if "docs" in groups:
        names |= {"sphinxy"}
    return names
