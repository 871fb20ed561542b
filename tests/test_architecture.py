"""Folders in their order: one may know earlier ones, and each outside world has one door."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import hatch_lambda_layer
from hatch_lambda_layer.config.layer import TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = "hatch_lambda_layer"
PACKAGE = Path(hatch_lambda_layer.__file__).parent
TESTS = Path(__file__).parent

# A folder may import those of the lines above its own, and so may the modules beside the folders.
ORDER = """
    exceptions
    findings
    _internal
    layout
    targets
    config
    aws
    index
    lockfiles
    wheels
    wheel_builders
    layer
    import_proof
    reports
    build
    publishing
    api
    hatch cli
    hooks __main__
"""
RANK = {room: rank for rank, line in enumerate(ORDER.splitlines()) for room in line.split()}
# The package itself, whose names are those of the API.
RANK_OF_PACKAGE = len(ORDER.splitlines())

# Names that a signature needs and no call.
TYPED = {("hooks", "hatch"), ("exceptions", "findings")}

# The one door to each outside world.
DOORS = {
    "boto3": {"aws"},
    "botocore": {"aws"},
    "click": {"cli"},
    "hatch": {"hatch"},
    "hatchling": {"hatch", "hooks"},
    "http": {"index"},
    "importlib": {""},
    "keyring": {"index"},
    "multiprocessing": set(),
    "pty": set(),
    "requests": {"index"},
    "rich": {"_internal"},
    "s3pathlib": {"aws"},
    "subprocess": {"_internal"},
    "tarfile": {"wheel_builders"},
    "truststore": {"index"},
    "urllib3": {"index"},
    "zipfile": {"_internal", "wheel_builders"},
}

# What takes long to import.
LIBRARIES = ("requests", "rich", "boto3", "botocore", "urllib3", "truststore", "packaging", "hatch")

# Scripts that other interpreters run: nobody imports them, and they go through no door of ours.
SCRIPTS = {
    "_internal._supervisor",
    "import_proof._importer",
    "import_proof._metadata",
    "import_proof._probe",
    "wheel_builders.container._driver",
    "wheel_builders._logged",
    "wheel_builders._stand_in",
}


class Edge(NamedTuple):
    """One import: `source` knows `target`, a room of the package or a module from outside."""

    source: str
    target: str
    inside: bool
    typing_only: bool


@cache
def modules() -> dict[str, str]:
    """Give the text of every module of the package by its dotted name below the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name in SCRIPTS:
            continue
        found[name] = path.read_text(encoding="utf-8")
    return found


def _room(name: str) -> str:
    return name.partition(".")[0]


def imports(name: str, text: str, rooms: set[str]) -> Iterator[Edge]:
    """Give the imports of the module `name`, wherever in it they stand."""
    tree = ast.parse(text)
    checking = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    room = _room(name)
    for node in ast.walk(tree):
        for target in _targets(name, node, rooms):
            first, _, rest = target.partition(".")
            inside = first == NAME
            known = rest.partition(".")[0] if inside else first
            # What is no room of the package is a value of its `__init__`.
            if not inside or (known != room and known in {_room(each) for each in rooms}):
                yield Edge(room, known, inside, typing_only=id(node) in checking)


def _targets(name: str, node: ast.AST, rooms: set[str]) -> list[str]:
    """Return the full names that a statement of the module `name` imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    is_folder = any(each.startswith(f"{name}.") for each in rooms)
    package = [NAME, *name.split(".")] if is_folder else [NAME, *name.split(".")[:-1]]
    base = package[: len(package) + 1 - node.level] if node.level else []
    start = ".".join([*base, *filter(None, [node.module])])
    return [f"{start}.{alias.name}" for alias in node.names]


def edges(sources: Mapping[str, str]) -> list[Edge]:
    return [edge for name, text in sources.items() for edge in imports(name, text, set(sources))]


@cache
def real_edges() -> list[Edge]:
    return edges(modules())


def backward(sources: Mapping[str, str]) -> list[str]:
    rank = {**RANK, "": RANK_OF_PACKAGE}
    return sorted(
        f"{edge.source} imports {edge.target}"
        for edge in edges(sources)
        if edge.inside
        and rank.get(edge.target, 0) >= rank.get(edge.source, -1)
        and not (edge.typing_only and (edge.source, edge.target) in TYPED)
    )


def test_every_module_has_its_place_in_the_order() -> None:
    rooms = {_room(name) for name in modules()} - {""}
    assert rooms == set(RANK)
    assert len(RANK) == len(ORDER.split())


def test_no_module_imports_one_that_comes_later() -> None:
    assert backward(modules()) == []


def test_only_the_entrances_are_imported_by_nobody() -> None:
    # An entry point of pyproject.toml names one, Python the other; any other would be dead.
    imported = {edge.target for edge in real_edges() if edge.inside}
    assert set(RANK) - imported == {"hooks", "__main__"}


def test_of_the_package_itself_modules_know_the_version_only() -> None:
    # Its other names are those of the API: whoever imported them would load what lies above.
    found = {
        target.removeprefix(f"{NAME}.")
        for name, text in modules().items()
        for node in ast.walk(ast.parse(text))
        for target in _targets(name, node, set(modules()))
        if re.fullmatch(rf"{NAME}\.\w+", target)
    }
    assert found - set(RANK) == {"__version__"}


@pytest.mark.parametrize(
    ("source", "text", "found"),
    [
        ("wheels.cache", "from ..layer.tree import LayerTree", True),
        ("wheels.cache", "from ..layer import tree", True),
        ("wheels.cache", "from .. import layer", True),
        ("wheels.cache", "import hatch_lambda_layer.layer.tree", True),
        ("wheels.cache", "from hatch_lambda_layer.layer.tree import LayerTree", True),
        ("wheels.cache", "from hatch_lambda_layer.layer import tree", True),
        ("wheels.cache", "def f():\n    from ..layer.tree import LayerTree", True),
        (
            "wheels.cache",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..layer import tree",
            True,
        ),
        ("lockfiles.pip.uv_call", "from ...wheels.cache import WheelCache", True),
        ("lockfiles.pip.uv_call", "from ... import wheels", True),
        ("lockfiles", "from ..wheels.cache import WheelCache", True),
        ("layout", "from .targets.target import Target", True),
        ("hatch.builder", "from ..cli import main", True),
        ("layer.tree", "from ..wheels.wheel import fold", False),
        ("layer.tree", "from .pruning import prune", False),
        ("lockfiles.pip.uv_call", "from ...layout import LayerPathLayout", False),
        ("wheels.cache", "from .. import __version__", False),
        ("wheels.cache", "import layer", False),
        ("hooks", "if TYPE_CHECKING:\n    from .hatch.builder import x", False),
        ("hatch.builder", "from ..hooks import x", True),
    ],
)
def test_a_backward_edge_would_be_noticed(source: str, text: str, *, found: bool) -> None:
    sources = dict.fromkeys(modules(), "")
    sources[source] = text
    assert bool(backward(sources)) is found


@pytest.mark.parametrize(("member", "other"), list(permutations(TOOLS, 2)))
def test_the_members_of_a_family_do_not_know_each_other(member: str, other: str) -> None:
    names = [
        name
        for module, text in modules().items()
        if f"{module}.".startswith(f"lockfiles.{member}.")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
        for name in [node.module, *(alias.name for alias in node.names)]
    ]
    assert "Lock" in names
    assert other not in {str(name).partition(".")[0] for name in names}


@pytest.mark.parametrize("module", DOORS)
def test_only_one_door_leads_to_each_outside_world(module: str) -> None:
    users = {each.source for each in real_edges() if not each.inside and each.target == module}
    assert users == DOORS[module]


def test_no_door_is_built_from_strings() -> None:
    for name, text in modules().items():
        calls = {
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call)
        }
        hidden = {"__import__", "eval", "exec", "os.system", "os.popen", "os.fork", "os.execv"}
        assert calls & hidden == set(), name
        assert "shell=True" not in text, name


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("", {*LIBRARIES, "click", "importlib.metadata"} | {f"{NAME}.{room}" for room in RANK}),
        ("api.build", {*LIBRARIES, "click", f"{NAME}.publishing", f"{NAME}.aws"}),
        ("api.publish", {*LIBRARIES, "click", f"{NAME}.aws.session"}),
        ("api.manifest_manager", {*LIBRARIES, "click", f"{NAME}.publishing"}),
        ("api.compare", {*LIBRARIES, "click", f"{NAME}.publishing", f"{NAME}.aws.session"}),
        # A build that has nothing to do pays for every one of these.
        (
            "hatch.builder",
            {"requests", "rich", "click", "boto3", "urllib3", "truststore", "asyncio"},
        ),
        ("hatch.build_hook", {"requests", "rich", "click", "boto3", "urllib3", "truststore"}),
        ("hooks", {"requests", "rich", "click", "boto3", f"{NAME}.build"}),
        ("cli.publish", {"boto3", "botocore", "s3pathlib", "rich", "hatch"}),
        (
            "cli.main",
            {
                f"{NAME}.cli.publish",
                "botocore",
                "requests",
                "rich",
                "boto3",
                "urllib3",
                "truststore",
                "hatchling",
            },
        ),
    ],
)
def test_importing_an_entrance_does_not_import_what_it_may_never_need(
    module: str, absent: set[str]
) -> None:
    name = f"{NAME}.{module}".rstrip(".")
    code = f"import sys, {name}; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert name in loaded
    assert loaded & absent == set()


# The field begins docstrings with Return, Read, Write, Build, Check, Raise or Yield, or a noun.
UNUSUAL = ("Give ", "Say ", "Tell ", "Have ", "What ")


def test_docstrings_begin_as_those_of_the_field_do() -> None:
    found = [
        f"{name}: {docstring.splitlines()[0]}"
        for name, text in modules().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if (docstring := ast.get_docstring(node)) and docstring.startswith(UNUSUAL)
    ]
    assert found == []


# A module or function that is longer does two things; what is here says why it does not.
LONG = {"cli.publish.publish": "most of it are its options"}
MODULE_LINES, FUNCTION_LINES = 350, 45


def test_no_module_and_no_function_is_long() -> None:
    found = {
        name: len(text.splitlines())
        for name, text in modules().items()
        if len(text.splitlines()) > MODULE_LINES
    }
    for name, text in modules().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    found[f"{name}.{node.name}"] = lines
    assert found.keys() == LONG.keys()


def test_the_package_itself_imports_nothing() -> None:
    # The command can see to signals only after that.
    code = (
        f"import sys; before = {{*sys.modules}}; import {NAME}\n"
        "print(*{*sys.modules} - before, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [NAME]


# In pieces, so that this file may be read by its own test.
HOSTS = ("pypi" + ".org", "pypi.python" + ".org", "python" + "hosted", "pypi" + ".io")
WORKPLACES = ("work", "root", "home", "Users", "tmp/w")
# The user that Lambda runs functions as has a home, too.
PERSONAL = re.compile(
    r"(?<![\w.})\]*~-])(?:[A-Za-z]:)?/(?:" + "|".join(WORKPLACES) + r")/(?!sbx_user)[\w.]"
)
SKIPPED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


def texts() -> list[Path]:
    return [
        path
        for folder in (PACKAGE, TESTS)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not SKIPPED.intersection(path.relative_to(folder).parts)
    ]


def test_no_file_names_the_host_of_a_registry() -> None:
    found = [
        f"{path.name}: {host}"
        for path in texts()
        for host in HOSTS
        if host in path.read_text(encoding="utf-8", errors="replace").lower()
    ]
    assert found == []


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = [
        f"{path.name}: {match.group()}"
        for path in texts()
        for match in PERSONAL.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_the_folders_of_machines_are_told_from_paths_of_a_layer() -> None:
    slash = "/"
    assert PERSONAL.search(f'"{slash}root{slash}.pyenv"')
    assert PERSONAL.search(f"cd {slash}work{slash}main")
    assert PERSONAL.search(f"C:{slash}Users{slash}me")
    others = "build/work/x, {root}/home/x, https://host.test/root/x, ~" + f"{slash}work{slash}x"
    assert not PERSONAL.search(others)
