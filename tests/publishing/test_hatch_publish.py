"""`hatch publish -p lambda-layer`, by the real Hatch in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.publishing.shop import HOME, Shop


def hatch(shop: Shop, *arguments: str, code: int = 0) -> tuple[str, str]:
    """Run `hatch publish -p lambda-layer` in the project; give what it prints and what it says."""
    shop.write()
    home = shop.root.parent
    environment = os.environ | {
        "HATCH_DATA_DIR": str(home / "data"),
        "HATCH_CACHE_DIR": str(home / "hatch-cache"),
        "HATCH_CONFIG": str(home / "config.toml"),
        "NO_COLOR": "1",
        "COLUMNS": "250",
    }
    for name in ("HATCH_ENV_ACTIVE", "HATCH_VERBOSE", "HATCH_QUIET"):
        environment.pop(name, None)
    (home / "config.toml").touch()
    done = subprocess.run(
        [sys.executable, "-m", "hatch", "publish", "-p", "lambda-layer", *arguments],
        cwd=shop.root,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_hatch_publishes_the_layer_and_prints_its_arn(shop: Shop) -> None:
    out, said = hatch(shop, "-o", "build=true")
    assert out == f"{shop.arn(1)}\n"
    assert f"{HOME}: {shop.name} version 1 published" in said
    out, said = hatch(shop)
    assert out == f"{shop.arn(1)}\n"
    assert "version 1 unchanged" in said
    assert len(shop.live()) == 1


def test_hatch_takes_the_options_of_the_command(shop: Shop) -> None:
    shop.run("build")
    del shop.config["s3-dir"]
    regions = "region=us-east-2,eu-west-3"
    out, said = hatch(
        shop,
        *("dist/layer.zip", "-o", "force=true", "-o", regions, "-o", "dry-run=true"),
        *("-o", "allow-growth=true"),
    )
    assert out == ""
    for region in ("us-east-2", "eu-west-3"):
        assert f"{region}: {shop.name}: would publish a version" in said
    assert shop.live() == []


def test_hatch_says_what_is_wrong(shop: Shop) -> None:
    _, said = hatch(shop, "-o", "forced=true", "-o", "build=yes", code=1)
    assert "Option `forced` is unknown (did you mean `force`?)" in said
    assert "Option `build` must be true or false, not 'yes'" in said
    assert shop.aws.requests == []
