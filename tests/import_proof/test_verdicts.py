"""A layer that the product built, with every kind of module: what is said of each.

It is built and imported once, for all tests.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer._internal.store import Store
from hatch_lambda_layer.import_proof.comparison import of_manifest
from hatch_lambda_layer.import_proof.opening import Wishes
from hatch_lambda_layer.import_proof.proof import prove_imports
from hatch_lambda_layer.wheels.cache import WheelCache
from tests.import_proof.conftest import QUICK, RUNTIME, TARGET, by_name
from tests.support.displays import Lines
from tests.support.elf_factory import ElfSpec
from tests.support.index_server import IndexServer
from tests.support.layer_project import Project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hatch_lambda_layer.import_proof.report import ImportReport, ModuleVerdict

pytestmark = pytest.mark.usefixtures("working")

SECRET = "canary-7Hq2"
# Each is a wheel of its own, with one module.
MODULES = {
    "sound": "import json\n",
    "hanging": "import time\nprint('waiting for ever', flush=True)\ntime.sleep(600)\n",
    "hungry": "held = []\nwhile True:\n    held.append(bytes(range(256)) * 40_000)\n",
    "networked": "import socket\nsocket.create_connection(('192.0.2.1', 80), 2)\n",
    "optional": "import not_a_module_of_anybody\n",
    "gomp": "import ctypes\nctypes.CDLL('libgomp.so.1')\n",
    "leaving": "raise SystemExit(3)\n",
    "ending": "import os\nos._exit(3)\n",
    "crashing": "import os, signal\nprint('a last word')\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "forging": 'print(\'{"step": "forging", "error": null}\')\nraise ValueError(\'forged\')\n',
    "windowed": "import winreg\n",
    "chatty": "while True:\n    print('x' * 1000)\n",
    # It leaves a process behind that keeps every pipe open.
    "forking": "import os, time\nif not os.fork():\n    time.sleep(600)\n",
    # It must not be there before it is imported: Lambda runs none that is in a layer.
    "sitecustomize": "",
    "usercustomize": "",
    "looking": """
import os, pathlib, sys
assert "sitecustomize" not in sys.modules and "usercustomize" not in sys.modules
assert sys.argv == ["/var/runtime/bootstrap.py"], sys.argv
assert not [value for value in os.environ.values() if "canary" in value]
assert os.listdir(pathlib.Path.home()) == []
assert os.getuid() == 993, os.getuid()
assert sys.path[0].startswith("/opt/python"), sys.path
for folder in ("/opt/python", "/var/task", pathlib.Path.home()):
    try:
        pathlib.Path(folder, "written").write_text("")
    except OSError:
        continue
    raise AssertionError(folder)
pathlib.Path("/tmp/written").write_text("")
exit
""",
    "seeing": """
import os, pathlib
assert sorted(os.listdir("/")) == sorted(
    "bin dev etc home lib lib64 opt proc sbin tmp usr var".split()), os.listdir("/")
assert sorted(os.listdir("/usr")) == ["bin", "lib64", "sbin"]
assert os.listdir("/home") == ["sbx_user1051"]
# bubblewrap, the importer, and its child.
assert len([path for path in os.listdir("/proc") if path.isdigit()]) <= 3
import ctypes.util
assert ctypes.util.find_library("z") == "libz.so.1"
assert ctypes.util.find_library("gomp") is None
""",
}
LOST = WheelSpec(
    name="lost",
    files={
        "lost/__init__.py": b"from . import part\n",
        "lost/part.py": b"",
        "lost/__main__.py": b"raise SystemExit\n",
    },
)
SPREAD = WheelSpec(
    name="spread",
    files={"spread/deep/kept/__init__.py": b"", "spread/deep/single.py": b""},
    entry_points="[console_scripts]\nspread = spread.deep.single:main\n[x]\ny = spread.deep.kept\n",
)
NATIVE = WheelSpec(
    name="native",
    files={
        "native/__init__.py": b"",
        "native/_needing.abi3.so": ElfSpec(libraries=["libgomp.so.1"]).data,
        "native/_robbed.abi3.so": ElfSpec(libraries=["libown.so.1"], runpath="$ORIGIN").data,
        "native/libown.so.1": ElfSpec(soname="libown.so.1").data,
        "native/libother.so": ElfSpec().data,
        "native/inner/__init__.py": b"",
        "native/inner/_needing.abi3.so": ElfSpec(libraries=["libnobody-has.so.1"]).data,
    },
)


@pytest.fixture(scope="module")
def shown() -> Lines:
    return Lines()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, shown: Lines) -> Iterator[ImportReport]:
    """What came of the layer."""
    root = tmp_path_factory.mktemp("layer")
    with pytest.MonkeyPatch.context() as patched, IndexServer() as index:
        patched.setenv("NO_PROXY", "*")
        patched.setenv("HATCH_LAMBDA_LAYER_CACHE_DIR", str(root / "cache"))
        patched.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patched.setenv("UV_OFFLINE", "1")
        project = Project(root, index)
        project.configure(runtimes=[RUNTIME], prune=["**/lost/part.py", "**/libown.so.1"])
        project.configure(architectures=[TARGET.architecture.value])
        wheels = [
            WheelSpec(name=name, files={f"{name}.py": text.encode()})
            for name, text in MODULES.items()
        ]
        project.lock(*wheels, LOST, SPREAD, NATIVE)
        built = project.build()
        yield prove_imports(
            built.zip_path,
            TARGET,
            Console(shown),
            wishes=Wishes(place="bubblewrap"),
            limits=QUICK,
            wheels=of_manifest(built.manifest, WheelCache(Store(root / "cache"))),
        )


@pytest.fixture(scope="module")
def verdicts(report: ImportReport) -> Mapping[str, ModuleVerdict]:
    return by_name(report)


def test_every_top_level_module_has_a_verdict(verdicts: Mapping[str, ModuleVerdict]) -> None:
    tops = {name for name, each in verdicts.items() if each.kind == "module"}
    assert tops == {*MODULES, "lost", "native", "spread.deep.kept", "spread.deep.single"}


@pytest.mark.fault(120, 122)
@pytest.mark.parametrize(
    ("name", "verdict", "reason", "words"),
    [
        ("sound", "imported", "", ""),
        ("looking", "imported", "", ""),
        ("seeing", "imported", "", ""),
        ("forking", "imported", "", ""),
        ("sitecustomize", "imported", "", ""),
        ("spread.deep.kept", "imported", "", ""),
        ("native", "imported", "", ""),
        ("lost", "failed", "exception", "ImportError: cannot import name 'part'"),
        ("gomp", "failed", "library", "libgomp.so.1: cannot open shared object file"),
        ("optional", "nowhere", "missing", "No module named 'not_a_module_of_anybody'"),
        ("windowed", "nowhere", "missing", "No module named 'winreg'"),
        ("networked", "nowhere", "network", "there is no network"),
        ("leaving", "nowhere", "exception", "SystemExit: 3"),
        ("ending", "nowhere", "exit", "its process ended with exit 3"),
        ("crashing", "nowhere", "signal", "signal 11"),
        ("forging", "nowhere", "exception", "ValueError: forged"),
        ("hanging", "nowhere", "deadline", "deadline: waiting for ever"),
        ("chatty", "nowhere", "deadline", "deadline: xxx"),
        ("hungry", "nowhere", "memory", "more memory than the limit"),
    ],
)
def test_verdict(
    verdicts: Mapping[str, ModuleVerdict], name: str, verdict: str, reason: str, words: str
) -> None:
    found = verdicts[name]
    assert (found.verdict, found.reason) == (verdict, reason), found
    assert words in found.message
    assert found.compared is (verdict != "imported")


@pytest.mark.fault(121)
def test_a_library_that_the_image_lacks_is_hidden_although_this_machine_may_have_it(
    report: ImportReport, verdicts: Mapping[str, ModuleVerdict]
) -> None:
    for name in ("native._needing", "native.inner._needing"):
        assert verdicts[name].kind == "extension"
        assert verdicts[name].reason == "library"
        assert "cannot open shared object file" in verdicts[name].message
        # Whatever this machine has, no wheel has the library: the layer is not to blame.
        assert verdicts[name].verdict == "nowhere"
    # Where a whole module fails, a function that needs it does.
    assert verdicts["gomp"].verdict == "failed"
    # A wheel has this one, and the layer has lost it.
    assert verdicts["native._robbed"].verdict == "failed"
    (note,) = [note for note in report.notes if "are not in the runtime's image" in note]
    assert "gomp" not in note


def test_a_process_that_is_killed_has_been_measured(
    verdicts: Mapping[str, ModuleVerdict],
) -> None:
    assert 3 <= verdicts["hanging"].seconds < 10
    assert QUICK.memory < verdicts["hungry"].memory < 2 * QUICK.memory
    assert 0 < verdicts["sound"].seconds < 1
    assert 5 << 20 < verdicts["sound"].memory < 50 << 20


def test_the_place_of_an_exception_is_a_line_of_the_layer(
    verdicts: Mapping[str, ModuleVerdict],
) -> None:
    assert verdicts["lost"].place == "/opt/python/lost/__init__.py:1"
    assert verdicts["optional"].place == "/opt/python/optional.py:1"


def test_every_distribution_is_read(report: ImportReport) -> None:
    names = {each.name for each in report.distributions}
    assert names == {*MODULES, "lost", "native", "spread"}
    assert report.unreadable == ()
    assert {each.entry_points for each in report.distributions if each.name == "spread"} == {2}


def test_the_slowest_are_those_that_took_longest(report: ImportReport) -> None:
    modules = [each for each in report.modules if each.kind == "module"]
    times = sorted((each.seconds for each in modules if each.verdict == "imported"), reverse=True)
    assert [each.seconds for each in report.slowest] == times[:10]
    assert not report.is_proof


def test_it_is_said_where_and_that_failures_are_tried_again(
    report: ImportReport, shown: Lines
) -> None:
    assert report.place == "bubblewrap"
    assert f"in a sandbox of bubblewrap, with Python {RUNTIME[6:]}." in shown.text
    assert "imports failed: trying them without the layer" in shown.text
    assert SECRET not in shown.text
    assert not os.path.exists("/tmp/written")  # noqa: PTH110, S108
