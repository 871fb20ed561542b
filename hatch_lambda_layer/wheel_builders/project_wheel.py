"""`include-project`: the project's own wheel, built by hatchling in this process."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ..exceptions import ConfigError, LambdaLayerError

if TYPE_CHECKING:
    from pathlib import Path

    from ..targets.target import Target
    from ..wheels.wheel import Wheel


def build_project_wheel(root: Path, pyproject: dict[str, object], directory: Path) -> Path:
    """Build the project's wheel into `directory` and give its path.

    Raises `ConfigError` when the project is not built by hatchling.
    """
    system = pyproject.get("build-system")
    backend = system.get("build-backend") if isinstance(system, dict) else None
    if backend != "hatchling.build":
        raise ConfigError(
            [
                (
                    "Field `tool.lambda-layer.include-project` needs `hatchling.build` as the "
                    f"project's build-backend, not {backend!r}"
                )
            ]
        )
    from hatchling.builders.wheel import WheelBuilder

    builder = WheelBuilder(str(root))
    # The layer's own hook would build the layer again, which builds the wheel again.
    builder.config.hook_config.pop("lambda-layer", None)
    try:
        (artifact,) = builder.build(directory=str(directory), versions=["standard"])
    except Exception as error:  # the project's own build hooks run here, and may raise anything
        raise LambdaLayerError(
            f"The project's own wheel can't be built: {type(error).__name__}: {error}",
            hint="`hatch build -t wheel` shows more",
        ) from error
    return directory.joinpath(artifact)


def read_project_wheel(path: Path, target: Target) -> Wheel:
    """Prove the project's wheel and check that it fits the target."""
    from packaging.utils import parse_wheel_filename

    from ..wheels.verify import prove

    tags = parse_wheel_filename(path.name)[-1]
    if tags.isdisjoint(target.tags()):
        raise LambdaLayerError(
            f"The project's own wheel `{path.name}` does not fit {target.id}",
            hint="build it for Lambda's platform, or set `include-project = false`",
        )
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return prove(path, path.name, sha256)
