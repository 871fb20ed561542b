"""Where the modules of a layer are imported: what all places have in common."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..exceptions import LambdaLayerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..targets.target import Target
    from .contents import Contents

PLACES = ("bubblewrap", "container", "folder")
# The user that Lambda runs functions as, by its ids and its entry in `/etc/passwd` there.
USER = (993, 990)
HOME = "/home/sbx_user1051"
# The folders of Lambda's file system.
MOUNTS = {"layer": "/opt", "function": "/var/task"}
RUNTIME = "/var/runtime"
# That of Lambda's own processors (Graviton2). qemu's default emulates more, ten times as slowly.
EMULATED_CPU = "neoverse-n1"


class PlaceError(LambdaLayerError):
    """Nothing can be imported on this machine as it was asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The limits of one import: `seconds` of time, `memory` in bytes."""

    seconds: float = 60.0
    memory: int = 2 << 30


class Place(Protocol):
    """A place where modules of one layer are imported.

    `name` is one of `PLACES`, `python` describes the interpreter, and `notes` say what a person has
    to know to trust a result. `path` are the folders that modules are imported from, `after` those
    that come behind the standard library, `user` who imports (`None`: whoever runs this).
    `bytecode` is a folder that one import may leave compiled modules in for the next. `has_client`
    and `has_sdk` are true where the runtime's client and its AWS SDK are there.
    """

    name: str
    python: str
    notes: tuple[str, ...]
    path: tuple[str, ...]
    after: tuple[str, ...]
    user: tuple[int, int] | None
    bytecode: str
    has_client: bool
    has_sdk: bool

    def ask(self, request: Mapping[str, object], seconds: float) -> list[dict[str, Any]]:
        """Return the importer's answer to a request, which it gives in a process of its own.

        There are no lines where it ends without an answer. Raises `PlaceError` where the place
        itself fails.
        """
        ...


def script(name: str) -> str:
    """Return the text of a script that the target's interpreter runs."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def parsed(output: bytes) -> list[dict[str, Any]]:
    """Return the lines of an answer; what a module has written between them is left out."""
    lines = []
    for line in output.splitlines():
        with suppress(ValueError):
            if isinstance(found := json.loads(line), dict):
                lines.append(found)
    return lines


def mounted(contents: Contents) -> tuple[str, ...]:
    """Return the folders that a function imports from, where Lambda has them."""
    mount = MOUNTS[contents.kind]
    return tuple(mount if root == "." else f"{mount}/{root}" for root in contents.roots)


def after(target: Target) -> tuple[str, ...]:
    """Return the folders that come behind the standard library: the runtime's own packages."""
    major, minor = target.runtime.python_version
    return (f"/var/lang/lib/python{major}.{minor}/site-packages", RUNTIME)


def variables(target: Target) -> dict[str, str]:
    """Return the variables that every function has (AWS, "Defined runtime environment variables").

    There are no credentials among them.
    """
    return {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{target.runtime.id}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_LAMBDA_FUNCTION_NAME": "import-proof",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "HOME": HOME,
        "LAMBDA_RUNTIME_DIR": RUNTIME,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
        "/var/task:/var/task/lib:/opt/lib",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "QEMU_CPU": EMULATED_CPU,
        "TZ": ":UTC",
        "_HANDLER": "app.handler",
    }


def command(python: str, request: Mapping[str, object]) -> Sequence[str]:
    """Return the command that answers a request, without a file that a sandbox would have to have.

    Neither `site-packages` nor the variables of Python itself have any effect on it, and no `.pth`
    and no `sitecustomize` of a layer is run: Lambda runs none, either.
    """
    return [python, "-I", "-S", "-c", script("_importer.py"), json.dumps(request)]
