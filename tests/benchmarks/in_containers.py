"""One package that has only a native sdist, beside wheels, against `sam build --use-container`.

Both over the same socket, in the same image: the tests' own, with what sam runs in it.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from tests.support.container_engine import RUNTIME, container_engine, image_name
from tests.support.system_parts import cached, fetch

from . import results
from .measure import BenchmarkError, Contender, clean_environment, say
from .programs import Programs
from .recipes import Caches
from .sets import SETS, write_project

if TYPE_CHECKING:
    from tests.support.container_engine import ContainerEngine

    from .session import Session

PEER = "`sam build --use-container`, which makes no zip; it keeps no downloads and no wheels"
# C code, without a library of the system, and no wheel for Linux.
SDIST_ONLY = "crcmod"
_IMAGE = "localhost/benchmark:1"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_BUILDERS = ("aws-lambda-builders==1.68.0", "pip", "setuptools", "wheel")
_LAYER = f"""
[tool.lambda-layer]
runtimes = ["{RUNTIME}"]
build = "container"

[tool.lambda-layer.container]
engine = "docker"
image = "{_IMAGE}"
"""
_TEMPLATE = f"""\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: src
      CompatibleRuntimes: [{RUNTIME}]
    Metadata:
      BuildMethod: {RUNTIME}
"""
# What sam starts in a build image, and the certificates that this machine trusts.
_PREPARE = """
set -e
packages=/usr/local/lib/{runtime}/dist-packages
mkdir -p /usr/local/bin /etc/ssl/certs "$packages"
cp -r /builders/. "$packages"
cp /certificates {certificates}
printf '#!/usr/bin/%s\\nfrom aws_lambda_builders.__main__ import main\\nmain()\\n' {runtime} \\
  > /usr/local/bin/lambda-builders
chmod 755 /usr/local/bin/lambda-builders
"""


def in_containers(session: Session) -> None:
    """Measure MEDIUM with the sdist: its wheel not built yet, built before, and nothing cached.

    Raises `BenchmarkError` and `MissingPart`.
    """
    say("containers: making the image")
    engine = container_engine()
    if not engine.has(_IMAGE):
        _make_image(engine)
    case = "MEDIUM and a native sdist"
    folder = session.folder / "containers"
    folder.mkdir(exist_ok=True)
    with engine.socket(folder) as environment:
        ours = _project(folder / "tool")
        sam = _sam(folder / "sam", ours, environment)
        caches = Caches(session.folder / "caches-containers")
        say(f"{case}: filling the caches")
        kept = _tool(ours, caches, environment)
        kept.run()
        sam.run()
        states = {results.KEPT: None, results.BUILT: "built", results.EMPTY: ""}
        for state, forget in states.items():
            tool = _tool(ours, caches, environment, forget)
            found = session.run(state, case, (tool, sam))
            session.rows += results.times(state, case, found[tool.name], found[sam.name])


def _tool(
    project: Path, caches: Caches, environment: dict[str, str], forget: str | None = None
) -> Contender:
    """Build with this tool; `forget` is a part of its cache, or all of all caches where empty."""

    def reset() -> None:
        shutil.rmtree(project / "dist", ignore_errors=True)
        if forget == "":
            caches.clear()
        elif forget is not None:
            for part in caches.root.glob(f"tool/*/{forget}"):
                shutil.rmtree(part)

    return Contender(
        name="tool",
        commands=[[sys.executable, "-m", "hatchling", "build", "-t", "lambda-layer"]],
        cwd=project,
        env={**caches.env, **environment},
        reset=reset,
        layer=project / "dist" / "layer.zip",
    )


def _sam(folder: Path, project: Path, environment: dict[str, str]) -> Contender:
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "template.yaml").write_text(_TEMPLATE, encoding="utf-8")
    # Without hashes: sam builds wheels of its own before it installs.
    export = [find_uv_bin(), "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project"]
    export += ["--no-hashes", "--python", sys.executable, "-o"]
    _run([*export, str(folder / "src" / "requirements.txt")], project)
    command = [str(Programs().sam), "build", "--use-container", "--skip-pull-image"]
    return Contender(
        name="sam",
        commands=[[*command, "--build-image", _IMAGE]],
        cwd=folder,
        env=clean_environment(SAM_CLI_TELEMETRY="0", **environment),
        reset=lambda: shutil.rmtree(folder / ".aws-sam", ignore_errors=True),
    )


def _project(folder: Path) -> Path:
    write_project(folder, "containers", (*SETS["MEDIUM"], SDIST_ONLY), _LAYER)
    _run([find_uv_bin(), "lock", "--quiet", "--python", sys.executable], folder)
    return folder


def _make_image(engine: ContainerEngine) -> None:
    builders = cached(_BUILDERS[0], _install_builders)
    certificates = ssl.get_default_verify_paths().cafile or _CERTIFICATES
    name = f"benchmark-{Path.cwd().name}"
    mounts = [f"{builders}:/builders:ro", f"{certificates}:/certificates:ro"]
    engine.podman(
        *("run", "--name", name, *(part for mount in mounts for part in ("-v", mount))),
        *("--entrypoint", "/bin/sh", image_name("x86_64"), "-c"),
        _PREPARE.format(runtime=RUNTIME, certificates=_CERTIFICATES),
    )
    try:
        variables = [f"ENV {each}={_CERTIFICATES}" for each in ("PIP_CERT", "SSL_CERT_FILE")]
        changes = [part for variable in variables for part in ("--change", variable)]
        engine.podman("commit", "--quiet", *changes, name, _IMAGE)
    finally:
        engine.podman("rm", "--force", name)


def _install_builders(folder: Path) -> None:
    version = RUNTIME.removeprefix("python")
    aim = ["--target", str(folder), "--python-version", version, "--python-platform", "linux"]
    install = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
    fetch([*install, *aim, *_BUILDERS])


def _run(argv: list[str], folder: Path) -> None:
    done = subprocess.run(
        argv, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"`{' '.join(argv)}` failed:\n{done.stderr}")
