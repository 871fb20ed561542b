"""The command `doctor` and AWS: the identity, and where its credentials come from."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hatch_lambda_layer.cli.main import main
from tests.support.layer_project import ALPHA
from tests.support.lock_factory import locked, pylock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.publishing.shop import Shop
    from tests.support.index_server import IndexServer


def identity(root: Path, code: int) -> tuple[str, str]:
    found = CliRunner().invoke(main, ["doctor", str(root), "--format", "json"])
    assert found.exit_code == code, found.output
    (check,) = (each for each in json.loads(found.stdout)["checks"] if each["section"] == "AWS")
    return check["state"], check["text"]


@pytest.mark.fault(247)
def test_the_identity_and_where_its_credentials_come_from(
    shop: Shop,  # AWS of the tests
    index: IndexServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "api"
    root.mkdir()
    index.add(ALPHA)
    package = replace(locked(ALPHA, index.file_url(ALPHA.filename)), index=index.simple_url)
    (root / "pylock.toml").write_text(pylock(package), encoding="utf-8")
    table = '[project]\nname = "api"\n[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
    publish = '[tool.lambda-layer.publish]\nregions = ["eu-west-1"]\n'
    (root / "pyproject.toml").write_text(table + publish, encoding="utf-8")
    state, text = identity(root, 0)
    assert state == "ok"
    assert text.startswith("account 123456789012, credentials from ")
    assert text.endswith(", eu-west-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    state, text = identity(root, 1)
    assert (state, "Unable to locate credentials" in text) == ("missing", True)
    # A project that does not publish needs none.
    (root / "pyproject.toml").write_text(table, encoding="utf-8")
    assert identity(root, 0)[0] == "note"
