"""Which pip is called, and which can't be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# Imported late elsewhere, and lies where pip does: see `without_pip`.
import packaging.requirements
import packaging.utils  # noqa: F401
import platformdirs  # noqa: F401
import pytest

if TYPE_CHECKING:
    from tests.support.pip_project import PipProject

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
    started = tmp_path / "started"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    (packages,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (pip,) = {each for each in sys.path if Path(each, "pip", "__main__.py").is_file()}
    (packages / "other.pth").write_text(
        f"{pip}\nimport pathlib; pathlib.Path({str(started)!r}).touch()\n"
    )
    without_pip(monkeypatch, tmp_path / "bin")
    program = tmp_path / "bin" / "pip"
    program.write_text(script.format(python=tmp_path / "env" / "bin" / "python"))
    program.chmod(0o755)
    project.write("alpha\n")
    assert project.names() == {"alpha"}
    assert started.exists()


def test_a_pip_that_does_not_tell_its_interpreter_is_an_error(
    project: PipProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pip(monkeypatch, tmp_path / "bin")
    program = tmp_path / "bin" / "pip3"
    program.write_text("#!/bin/sh\necho nothing\n")
    program.chmod(0o755)
    project.write("alpha\n")
    assert str(project.failure()).startswith(f"`{program} debug` does not name its interpreter")


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
