"""Layers on disk that are no longer what the lockfile says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import (
    LambdaLayerError,
    LockfileError,
    OriginError,
    PublishError,
    SelectionError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..build.project import ProjectBuild
    from ..config.matrix import Member
    from .releases import Artifact

_HINT = "publish with `--build`, which builds them first; `--stale` publishes them as they are"


def refuse_stale(build: ProjectBuild, artifacts: Mapping[Member, Artifact]) -> None:
    """Raise `PublishError` for layers whose lockfile or configuration has changed since.

    So does a lockfile that is not valid. Where it is missing, does not fix versions, or its tool is
    not there to read it, the layers count as they are.
    """
    stale = []
    for member, artifact in artifacts.items():
        # `None` is in manifests of versions that did not know it.
        if (then := artifact.manifest.lock_digest) is None:
            continue
        try:
            now = build.lock_digest(member)
        except (LockfileError, SelectionError, OriginError) as error:
            raise PublishError(
                f"{artifact.zip_path} can't be compared with the lockfile: {error.message}",
                hint=f"{error.hint + '; then ' if error.hint else ''}{_HINT}",
            ) from error
        except LambdaLayerError as error:
            build.console.warning(
                f"{artifact.zip_path.name} can't be compared with the lockfile: {error.message}"
            )
            continue
        if now not in (None, then):
            stale.append(artifact.zip_path.name)
    if stale:
        was = "was" if len(stale) == 1 else "were"
        raise PublishError(
            f"{', '.join(stale)} {was} built from another lockfile or configuration than those "
            "there are now",
            hint=_HINT,
        )
