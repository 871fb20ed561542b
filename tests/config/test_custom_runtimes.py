"""Runtimes that AWS does not list, described by the project."""

from __future__ import annotations

import tomllib

import pytest

from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.targets.target import Runtime

ACME = 'python = "3.14"\nglibc = "2.34"\n'


def matrix(table: str, runtime: str = "acme", name: str = "acme", more: str = "") -> Matrix:
    """Read a layer for `runtime`, with the table of the runtime `name`."""
    text = f'[tool.lambda-layer]\nruntimes = ["{runtime}"]\n{more}\n'
    return Matrix.from_pyproject(
        tomllib.loads(f'{text}[tool.lambda-layer.custom-runtimes."{name}"]\n{table}')
    )


def problem(table: str, runtime: str = "acme", name: str = "acme", more: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        matrix(table, runtime, name, more)
    return caught.value.problems[0]


def test_a_runtime_is_described_by_its_python_and_glibc() -> None:
    (member,) = matrix(ACME).members
    assert member.target.runtime == Runtime(
        id="acme", python="3.14.0", glibc=(2, 34), compatible=()
    )
    assert member.id == "acme-x86_64"
    assert member.target.platforms()[0] == "manylinux_2_34_x86_64"
    assert member.target.marker_environment()["python_full_version"] == "3.14.0"


def test_its_patch_release_may_be_named_in_either_place() -> None:
    (first,) = matrix('python = "3.14.2"\nglibc = "2.34"\n').members
    (second,) = matrix(ACME, more='python-full-version = ["3.14.2"]').members
    assert {each.target.runtime.python for each in (first, second)} == {"3.14.2"}


def test_a_runtime_that_this_version_does_not_know_yet_can_be_described() -> None:
    (member,) = matrix('python = "3.16"\nglibc = "2.40"\n', "python3.16", "python3.16").members
    assert member.target.tags()[0].interpreter == "cp316"
    assert member.target.platforms()[0] == "manylinux_2_40_x86_64"


def test_a_description_is_there_for_every_layer() -> None:
    read = matrix(ACME, more='[tool.lambda-layer.layers.ml]\nruntimes = ["python3.13"]')
    assert [each.id for each in read.members] == ["acme-x86_64", "ml-python3.13-x86_64"]


@pytest.mark.fault(3, 5)
@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ('python = "3.14"', "acme.glibc", "is missing"),
        ('glibc = "2.34"', "acme.python", "is missing"),
        ('python = "4.0"\nglibc = "2.34"', "acme.python", "a version of Python, such as '3.14'"),
        ('python = "3.14"\nglibc = "2.5"', "acme.glibc", "'2.17' or newer"),
        ('python = "3.14"\nglibc = 2.34', "acme.glibc", "not 2.34"),
        (f'{ACME}glib = "1"', "acme.glib", "is unknown (did you mean `glibc`?)"),
        (f'{ACME}compatible-runtimes = ["A B"]', "acme.compatible-runtimes[0]", "'A B'"),
    ],
)
def test_a_wrong_description_is_named_by_its_key(table: str, key: str, words: str) -> None:
    said = problem(table)
    assert said.startswith(f"Field `tool.lambda-layer.custom-runtimes.{key}` ")
    assert words in said


@pytest.mark.fault(3)
@pytest.mark.parametrize("name", ["Acme", "a/b", "-a", "a.", "a b"])
def test_the_name_of_a_runtime_has_to_fit_into_file_names(name: str) -> None:
    assert f"has the name {name!r}, which becomes part of a file name" in problem(ACME, name=name)


@pytest.mark.fault(3)
def test_a_runtime_of_lambda_can_not_be_described_anew() -> None:
    said = problem(ACME, "python3.14", "python3.14")
    assert "describes 'python3.14', which is a runtime of Lambda's own" in said


@pytest.mark.fault(3)
def test_a_description_in_the_table_of_a_layer_is_refused() -> None:
    more = "[tool.lambda-layer.layers.ml.custom-runtimes.other]\npython = '3.14'\n"
    assert problem(ACME, more=more) == (
        "Field `tool.lambda-layer.layers.ml.custom-runtimes` must be in "
        "`[tool.lambda-layer.custom-runtimes]`: it counts for the whole project"
    )


@pytest.mark.fault(5)
def test_a_described_runtime_is_one_of_those_that_are_suggested() -> None:
    assert "did you mean `acme`?" in problem(ACME, "amce")
