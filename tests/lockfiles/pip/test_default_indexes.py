"""The indexes that pip searches, as its settings and the files name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from hatch_lambda_layer.lockfiles.pip.lockfile import PipLockfile
from tests.support.pip_project import PipProject, hashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from tests.support.index_server import IndexServer


def searched(project: PipProject) -> Sequence[str]:
    request = project.request()
    lockfile = PipLockfile()
    return lockfile.default_indexes(lockfile.find(request)[0], request)


def test_the_indexes_are_those_of_the_settings_of_pip(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("alpha\n")
    assert searched(project) == [index.simple_url]
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a:b@extra.test/simple https://x.test")
    extra = ["https://a:b@extra.test/simple", "https://x.test"]
    assert searched(project) == [index.simple_url, *extra]
    # A variable wins over a file, and `[install]` over `[global]`.
    config = project.root / "pip.conf"
    config.write_text("[install]\nindex-url = https://i.test\n[global]\nindex-url = https://g.test")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert searched(project) == [index.simple_url, *extra]
    monkeypatch.delenv("PIP_INDEX_URL")
    assert searched(project) == ["https://i.test", *extra]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    project.write("--extra-index-url https://b.test\n")
    assert searched(project) == []


def test_options_in_the_files_change_the_indexes_as_in_pip(
    project: PipProject, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "t0")
    first = index.simple_url
    for text, expected in (
        ("--extra-index-url https://b.test\n", [first, "https://b.test"]),
        ("--index-url=https://u:${TOKEN}@a.test\n", ["https://u:t0@a.test"]),
        ("--extra-index-url https://b.test\n-i https://a.test\n", ["https://a.test"]),
        ("--extra-index-url=https://b.test -ihttps://a.test", ["https://a.test", "https://b.test"]),
        ("--no-index\n--extra-index-url https://b.test\n", []),
        ("-r more.txt\n-c less.txt\n", [first, "https://m.test", "https://c.test"]),
        ("--no-index\n--find-links wheels\n", []),
        ("-i 'unclosed\n", [first]),
    ):
        project.write("--extra-index-url https://m.test\n", "more.txt")
        project.write("--extra-index-url https://c.test\n", "less.txt")
        project.write(text)
        assert searched(project) == expected, text


def test_a_layer_of_requirements_is_asked_about_where_pip_found_it(
    project: PipProject, index: IndexServer
) -> None:
    project.write(hashed(index, "alpha-1.0-py3-none-any.whl"))
    table = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
    project.write(table, "pyproject.toml")
    before = len(index.requests_for("/simple/alpha/"))
    done = CliRunner().invoke(main, ["outdated", str(project.root)])
    assert done.stdout.splitlines()[2:] == ["alpha    1.0     2.0"], done.output
    # Once by pip, once by us.
    assert len(index.requests_for("/simple/alpha/")) == before + 2
