"""A workspace of uv, and edits of it that a seed decides: most make its lock stale, some do not."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.lock_factory import toml

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("alpha", "beta", "gamma", "delta")
SPECIFIERS = ("", ">=1", ">=1.0,<3", "<3,>=1.0", "!=1.5", "~=1.0", "==1.*")
MARKERS = (
    "",
    "sys_platform == 'linux'",
    "platform_system == 'Linux'",
    "platform_system == 'Windows'",
    "sys_platform == 'win32' or sys_platform == 'darwin'",
    "sys_platform != 'linux'",
    "python_version >= '3.9'",
    "python_version < '3.13'",
    "python_full_version < '3.13' and platform_machine == 'x86_64'",
    "platform_python_implementation == 'CPython'",
)
PYTHONS = (">=3.11", ">=3.11,<4", ">=3.11.0", ">=3.10", ">=3.11.1", ">=3.11,!=3.12.0", "~=3.11")
ENVIRONMENTS: tuple[list[str], ...] = (
    [],
    ["sys_platform == 'linux'"],
    ["platform_system == 'Linux'"],
    ["sys_platform == 'linux'", "sys_platform == 'win32'"],
)
BACKEND = {"requires": ["hatchling"], "build-backend": "hatchling.build"}

EDITS: list[Callable[[Workspace, random.Random], None]] = []


@dataclass
class Workspace:
    """The `pyproject.toml` of each folder, relative to that of the root."""

    projects: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def root(self) -> dict[str, Any]:
        return self.projects["."]

    @property
    def uv(self) -> dict[str, Any]:
        found: dict[str, Any] = self.root["tool"]["uv"]
        return found

    def any(self, rng: random.Random) -> dict[str, Any]:
        return self.projects[rng.choice(sorted(self.projects))]

    def write(self, folder: Path) -> None:
        for name, project in self.projects.items():
            path = folder / name / "pyproject.toml"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = "".join(f"{key} = {toml(value)}\n" for key, value in project.items())
            path.write_text(text, encoding="utf-8")


def workspace(first: str, second: str) -> Workspace:
    """Give the workspace before any edit, with the indexes at two URLs."""
    root: dict[str, Any] = {
        "project": {
            "name": "app",
            "version": "1.0",
            "requires-python": ">=3.11",
            "dependencies": ["alpha<2; platform_system == 'Windows'", "Beta", "one[fast]", "ext"],
            "optional-dependencies": {"fancy": ["gamma>=1"], "all": ["app[fancy]"]},
        },
        "dependency-groups": {
            "dev": ["delta", {"include-group": "test"}],
            "test": ["gamma; python_version < '3.14'"],
            "empty": [],
        },
        "tool": {
            "uv": {
                "workspace": {"members": ["packages/*", "packages/one/inner"]},
                "sources": {
                    "one": {"workspace": True},
                    "beta": [{"index": "second", "marker": "sys_platform == 'linux'"}],
                    "ext": {"path": "../ext"},
                },
                "index": [
                    {"name": "first", "url": first, "default": True},
                    {"name": "second", "url": second, "explicit": True},
                ],
                "constraint-dependencies": ["gamma<9"],
                "override-dependencies": ["delta>=0"],
                "exclude-dependencies": ["zeta"],
                "build-constraint-dependencies": ["hatchling<9"],
                "conflicts": [[{"extra": "fancy"}, {"group": "dev"}]],
                "dependency-metadata": [{"name": "delta", "version": "1.0", "requires-dist": []}],
            }
        },
    }
    one: dict[str, Any] = {
        "project": {
            "name": "one",
            "version": "1.0",
            "requires-python": ">=3.11",
            "dependencies": ["alpha"],
            "optional-dependencies": {"fast": ["beta>=1"]},
        },
        "build-system": BACKEND,
    }
    two: dict[str, Any] = {"project": {"name": "two", "version": "1.0", "dependencies": ["gamma"]}}
    ext: dict[str, Any] = {
        "project": {"name": "ext", "version": "1.0", "dependencies": ["delta"]},
        "dependency-groups": {"dev": ["alpha"]},
    }
    # Between it and the root lies `one`: the sources that the root names do not count for it.
    inner: dict[str, Any] = {
        "project": {"name": "inner", "version": "1.0", "dependencies": ["one", "beta", "ext"]},
        "tool": {"uv": {"sources": {"ext": {"path": "../../../../ext"}}}},
    }
    members = {"packages/one": one, "packages/one/inner": inner, "packages/two": two}
    projects = {".": root, **members, "../ext": ext}
    return Workspace(copy.deepcopy(projects))


def edited(before: Workspace, rng: random.Random) -> tuple[Workspace, str]:
    """Give a copy with one edit, or two, and their names."""
    after = copy.deepcopy(before)
    chosen = rng.sample(EDITS, rng.choice((1, 1, 1, 2)))
    for edit in chosen:
        edit(after, rng)
    return after, ", ".join(edit.__name__ for edit in chosen)


def edit(
    function: Callable[[Workspace, random.Random], None],
) -> Callable[[Workspace, random.Random], None]:
    EDITS.append(function)
    return function


def requirement(rng: random.Random) -> str:
    name = rng.choice((*NAMES, "Delta", "GAMMA"))
    marker = rng.choice(MARKERS)
    return f"{name}{rng.choice(SPECIFIERS)}" + (f" ; {marker}" if marker else "")


def lists(project: dict[str, Any]) -> list[list[Any]]:
    """Give every list of requirements of a project."""
    fields = project["project"]
    found = [fields["dependencies"], *fields.get("optional-dependencies", {}).values()]
    return [*found, *project.get("dependency-groups", {}).values()]


@edit
def add_requirement(ws: Workspace, rng: random.Random) -> None:
    rng.choice(lists(ws.any(rng))).append(requirement(rng))


@edit
def remove_requirement(ws: Workspace, rng: random.Random) -> None:
    chosen = rng.choice([each for each in lists(ws.any(rng)) if each])
    chosen.pop(rng.randrange(len(chosen)))


@edit
def change_requirement(ws: Workspace, rng: random.Random) -> None:
    chosen = rng.choice([each for each in lists(ws.any(rng)) if each])
    chosen[rng.randrange(len(chosen))] = requirement(rng)


def rewrite(ws: Workspace, changes: dict[str, str]) -> None:
    """Write requirements otherwise, as text."""
    for project in ws.projects.values():
        for each in lists(project):
            for number, text in enumerate(each):
                if isinstance(text, str):
                    for old, new in changes.items():
                        text = text.replace(old, new)  # noqa: PLW2901
                    each[number] = text


@edit
def same_meaning(ws: Workspace, rng: random.Random) -> None:
    ways = [
        {"platform_system == 'Windows'": "sys_platform == 'win32'"},
        {"platform_system == 'Windows'": "platform_system == 'Windows' and python_version >= '3'"},
        {"python_version < '3.14'": "python_full_version < '3.14'"},
        {"python_version < '3.14'": "python_version <= '3.13'"},
        {"Beta": "beta", "alpha": "ALPHA", "gamma>=1": "gamma >= 1.0"},
        {"alpha<2": "alpha <2.0"},
    ]
    rewrite(ws, rng.choice(ways))


@edit
def other_meaning(ws: Workspace, rng: random.Random) -> None:
    ways = [
        {"platform_system == 'Windows'": "sys_platform == 'cygwin'"},
        {"platform_system == 'Windows'": "sys_platform == 'win32' and python_version >= '3.12'"},
        {"python_version < '3.14'": "python_version < '3.13'"},
        {"alpha<2": "alpha<=2"},
    ]
    rewrite(ws, rng.choice(ways))


@edit
def reorder(ws: Workspace, rng: random.Random) -> None:
    for each in lists(ws.root):
        rng.shuffle(each)
    ws.uv["index"].reverse()


@edit
def extras(ws: Workspace, rng: random.Random) -> None:
    found = ws.projects["packages/one"]["project"]["optional-dependencies"]
    if rng.random() < 0.5:
        found["more"] = rng.choice(([], ["gamma"]))
    else:
        found["Fast"] = found.pop("fast")


@edit
def groups(ws: Workspace, rng: random.Random) -> None:
    found = ws.root["dependency-groups"]
    way = rng.randrange(5)
    if way == 0:
        found["new"] = rng.choice(([], ["gamma"]))
    elif way == 1:
        del found["empty"]
    elif way == 2:
        found["empty"] = [{"include-group": "test"}]
    elif way == 3:
        found["dev"] = ["delta", *found["test"]]
    else:
        found["dev"].pop()


@edit
def old_groups(ws: Workspace, rng: random.Random) -> None:
    ws.uv["dev-dependencies"] = rng.choice((["delta"], ["alpha"], []))


@edit
def group_pythons(ws: Workspace, rng: random.Random) -> None:
    pythons = rng.choice((">=3.11", ">=3.12", ">=3.10"))
    ws.uv["dependency-groups"] = {rng.choice(("dev", "test")): {"requires-python": pythons}}


@edit
def pythons(ws: Workspace, rng: random.Random) -> None:
    ws.any(rng)["project"]["requires-python"] = rng.choice(PYTHONS)


@edit
def settings(ws: Workspace, rng: random.Random) -> None:
    ways: list[tuple[str, Any]] = [
        ("constraint-dependencies", ["gamma<9", "alpha<9"]),
        ("constraint-dependencies", ["Gamma <9"]),
        ("constraint-dependencies", []),
        ("override-dependencies", ["delta>=0", "gamma>=1"]),
        ("override-dependencies", ["delta>=0.0"]),
        ("override-dependencies", ["delta"]),
        ("exclude-dependencies", ["zeta", "eta"]),
        ("exclude-dependencies", ["Zeta"]),
        ("exclude-dependencies", ["zeta", "gamma"]),
        ("constraint-dependencies", ["gamma<9", "eta<9"]),
        ("override-dependencies", ["delta>=0", "eta<9"]),
        ("exclude-dependencies", []),
        ("build-constraint-dependencies", ["hatchling<8"]),
        ("build-constraint-dependencies", ["hatchling<9"]),
        ("environments", rng.choice(ENVIRONMENTS)),
        ("required-environments", rng.choice(ENVIRONMENTS)),
        ("resolution", rng.choice(("highest", "lowest", "lowest-direct"))),
        ("prerelease", rng.choice(("allow", "if-necessary-or-explicit", "disallow"))),
        ("fork-strategy", rng.choice(("fewest", "requires-python"))),
        ("conflicts", []),
        ("conflicts", [[{"group": "dev"}, {"extra": "fancy"}]]),
        ("conflicts", [[{"extra": "fancy"}, {"group": "empty"}]]),
        ("conflicts", [[{"package": "app", "extra": "fancy"}, {"group": "dev"}]]),
        ("package", True),
        ("package", False),
        ("required-version", ">=0.1"),
        ("dependency-metadata", []),
    ]
    key, value = rng.choice(ways)
    ws.uv[key] = value


@edit
def metadata(ws: Workspace, rng: random.Random) -> None:
    (entry,) = ws.uv["dependency-metadata"] or [{"name": "delta"}]
    ways: list[dict[str, Any]] = [
        {"requires-dist": ["gamma ; python_version < '3.12'"]},
        {"requires-dist": []},
        {"version": "1.0"},
        {"requires-python": ">=3.8"},
        {"name": "Delta"},
        {"name": "zeta"},
    ]
    ws.uv["dependency-metadata"] = [entry | rng.choice(ways)]


@edit
def sources(ws: Workspace, rng: random.Random) -> None:
    ways: list[dict[str, Any]] = [
        {"beta": [{"index": "second"}]},
        {"beta": {"index": "second", "marker": "platform_system == 'Linux'"}},
        {"beta": {"index": "second", "marker": "sys_platform == 'win32'"}},
        {"beta": {"index": "first"}},
        {"gamma": {"index": "second"}},
        {"gamma": {"index": "second", "group": "test"}},
        {"gamma": {"index": "second", "extra": "fancy"}},
        {"ext": {"path": "../ext", "editable": True}},
        {"ext": {"path": "../ext", "editable": False}},
        {"ext": {"path": "../ext", "package": False}},
        {"ext": {"path": "./packages/../../ext"}},
        {"one": {"workspace": True, "editable": False}},
        {"one": {"workspace": True, "editable": True}},
        {"two": {"workspace": True}},
    ]
    ws.uv["sources"] |= rng.choice(ways)


@edit
def no_source(ws: Workspace, rng: random.Random) -> None:
    del ws.uv["sources"]["beta"]


@edit
def indexes(ws: Workspace, rng: random.Random) -> None:
    found = ws.uv["index"]
    way = rng.randrange(5)
    if way == 0:
        found.append({"name": "third", "url": "http://127.0.0.1:9/simple"})
    elif way == 1:
        found[0]["url"] = "http://127.0.0.1:9/simple"
    elif way == 2:
        found[0]["name"] = "renamed"
    elif way == 3:
        found[1]["explicit"] = False
    else:
        # What was the default is not named any more.
        del found[0]


@edit
def members(ws: Workspace, rng: random.Random) -> None:
    way = rng.randrange(8)
    if way == 0:
        ws.projects["packages/three"] = {"project": {"name": "three", "version": "1.0"}}
        ws.projects["packages/three"]["project"]["dependencies"] = []
    elif way == 1:
        ws.uv["workspace"]["exclude"] = ["packages/two"]
    elif way == 2:
        ws.uv["workspace"]["exclude"] = ["packages/nothing"]
    elif way == 3:
        ws.uv["workspace"]["members"] = ["packages/one", "./packages/t*"]
    elif way == 4:
        ws.projects["packages/two"]["build-system"] = BACKEND
    elif way == 5:
        ws.projects["packages/one"].pop("build-system")
    elif way == 6:
        ws.projects["packages/two"]["project"]["name"] = "Two"
    else:
        ws.projects["packages/two"]["project"]["name"] = "renamed"
