"""The requirements of the project itself, where a line such as `-e .[extra]` stands for it."""

from __future__ import annotations

from email.parser import BytesParser
from typing import TYPE_CHECKING

from ..._internal.tables import strings_at, table_at
from ..._internal.toml import parse_toml
from ...exceptions import LockfileError
from .lines import normal
from .requirements import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ...targets.target import Target
    from .sources import Sources

_WHERE = "pyproject.toml"


def project_lines(
    root: Path, extras: Iterable[str], target: Target, sources: Sources
) -> list[Line]:
    """Return the requirements of the project in `root` and of these of its extras, as lines.

    Where `pyproject.toml` does not have them, the project is built to read them. Raises
    `LambdaLayerError`.
    """
    try:
        project = table_at(parse_toml((root / _WHERE).read_bytes()), "project")
    except FileNotFoundError:
        project = {}
    except (OSError, ValueError) as error:
        raise LockfileError(f"`{root / _WHERE}` can't be read: {error}") from error
    wanted = {normal(each) for each in extras}
    dynamic = {"dependencies", *(["optional-dependencies"] if wanted else [])}
    if project and dynamic.isdisjoint(strings_at(project, "dynamic")):
        return [Line(text, _WHERE) for text in _static(project, wanted)]
    # Without a version: the project's own does not matter here.
    metadata = sources.metadata({"directory": {"path": "."}}, ".", _WHERE)
    return [Line(text, _WHERE) for text in _built(metadata, wanted, target)]


def project_name(folder: Path) -> str:
    """Return the name that the `pyproject.toml` of a folder has, empty where it has none."""
    try:
        content = parse_toml((folder / _WHERE).read_bytes())
    except (OSError, ValueError):
        return ""
    tables = (table_at(content, "project"), table_at(content, "tool", "poetry"))
    names = [table.get("name") for table in tables]
    return normal(next((each for each in names if isinstance(each, str)), ""))


def _static(project: Mapping[str, object], extras: set[str]) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    optional = table_at(project, "optional-dependencies")
    by_name = {normal(name): strings_at(optional, name) for name in optional}
    own = normal(str(project.get("name", "")))
    yield from strings_at(project, "dependencies")
    waiting, seen = sorted(extras), set[str]()
    while waiting:
        extra = waiting.pop(0)
        if extra in seen:
            continue
        seen.add(extra)
        for text in by_name.get(extra, ()):
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                yield text  # it is reported where lines are read
                continue
            if normal(requirement.name) == own:
                # An extra that combines others requires the project itself, with those extras.
                waiting += sorted(map(normal, requirement.extras))
            else:
                yield text


def _built(metadata: bytes, extras: set[str], target: Target) -> Iterator[str]:
    from packaging.requirements import Requirement

    environment = {key: str(value) for key, value in target.marker_environment().items()}
    headers = BytesParser().parsebytes(metadata, headersonly=True)
    own = normal(headers["Name"])
    for text in headers.get_all("Requires-Dist", []):
        requirement = Requirement(text)
        marker, requirement.marker = requirement.marker, None
        if normal(requirement.name) == own:
            continue
        if marker is None or any(
            marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)
        ):
            yield str(requirement)
