"""What `import hatch_lambda_layer` offers, and how it is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hatch_lambda_layer
from hatch_lambda_layer import exceptions

OUTSIDE = Path(__file__).parent / "outside"
# As the page on the API names them.
NAMES = {
    "build_layers",
    "publish_layers",
    "compare_layers",
    "BuiltLayer",
    "PublishedVersion",
    "LayerDifference",
    "LayerManifest",
    "LayerManifestManager",
    "LayerPathLayout",
    "LayerS3Layout",
    "Credentials",
    "Finding",
    "BuildFailures",
}
ERRORS = {
    name
    for name, value in vars(exceptions).items()
    if isinstance(value, type) and issubclass(value, exceptions.LambdaLayerError)
}


def test_every_name_is_there_and_can_be_listed() -> None:
    assert set(hatch_lambda_layer.__all__) == NAMES | ERRORS
    assert set(dir(hatch_lambda_layer)) >= NAMES | ERRORS | {"__version__", "__all__"}
    for name in hatch_lambda_layer.__all__:
        value = getattr(hatch_lambda_layer, name)
        assert value.__name__ == name
        assert value.__doc__


def test_every_error_is_one_that_a_caller_can_catch() -> None:
    assert issubclass(hatch_lambda_layer.BuildFailures, hatch_lambda_layer.LambdaLayerError)
    assert hatch_lambda_layer.ConfigError is exceptions.ConfigError


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'hatch_lambda_layer' has no attribute 'build_layer'"):
        hatch_lambda_layer.build_layer  # type: ignore[attr-defined]  # noqa: B018
    code = "from hatch_lambda_layer import build_layer"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: cannot import name 'build_layer'" in done.stderr


def test_all_names_are_imported_by_a_star() -> None:
    code = "from hatch_lambda_layer import *; print(build_layers.__module__, LambdaLayerError)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("hatch_lambda_layer.api.build <class")


def _mypy(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--show-traceback"]
    return subprocess.run(
        [*command, "--cache-dir", str(tmp_path / "cache"), "--config-file", "", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_type_checker_sees_the_api_from_outside(tmp_path: Path) -> None:
    done = _mypy(OUTSIDE, tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "wrong.py").write_text(
        "import hatch_lambda_layer\n"
        "from hatch_lambda_layer import build_layers\n"
        "hatch_lambda_layer.build_layer()\n"
        "build_layers(layers=5)\n"
        "path: str = build_layers()[0].zip_path\n",
        encoding="utf-8",
    )
    lines = _mypy(wrong, tmp_path).stdout.splitlines()
    assert [line.rpartition("[")[2] for line in lines if "error:" in line] == [
        "attr-defined]",
        "arg-type]",
        "assignment]",
    ]


@pytest.mark.parametrize("arguments", [["--version"], ["build", "--help"], ["nonsense"]])
def test_the_module_is_the_command(arguments: list[str]) -> None:
    module = [sys.executable, "-m", "hatch_lambda_layer"]
    command = [str(Path(sys.executable).with_name("hatch-lambda-layer"))]
    one, two = (
        subprocess.run([*each, *arguments], capture_output=True, text=True, check=False)
        for each in (module, command)
    )
    assert (one.returncode, one.stdout, one.stderr) == (two.returncode, two.stdout, two.stderr)
    assert "hatch-lambda-layer" in one.stdout + one.stderr
