"""The settings of uv about building sources: https://docs.astral.sh/uv/reference/settings/."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._internal.tables import array_at, strings_at, table_at
from .build_settings import (
    ALL,
    BuildConstraint,
    BuildSettings,
    ExtraRequirement,
    NoBuild,
    requirement_text,
    words,
)
from .constraint_files import read_constraint_files
from .uv_settings import all_settings, is_on, project_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from .uv_settings import Settings

_ALL = "UV_NO_BUILD"
_SOME = "UV_NO_BUILD_PACKAGE"
_CONSTRAINTS = "UV_BUILD_CONSTRAINT"


def uv_build_settings(
    folder: Path, first_party: Callable[[], Collection[str]] = tuple, *, pip: bool = False
) -> BuildSettings:
    """Return the settings of uv for `folder`; with `pip`, also those of `uv pip`.

    `first_party` returns the folders that uv builds in any case. Raises `LockfileError` for a file
    that is not valid.
    """
    settings = list(all_settings(folder))
    named = words(os.environ.get(_CONSTRAINTS), None) if pip else []
    found = [*_of_variables(), *_of_files(settings), *(_of_uv_pip(settings) if pip else ())]
    own = first_party() if found else ()
    rules = (NoBuild.read(where, names, first_party=own) for where, names in found)
    return BuildSettings(
        no_build=tuple(rules),
        constraints=(*_constraints(folder, settings), *read_constraint_files(folder, named)),
        extra=tuple(_extra(settings)),
        folder=folder,
    )


def _constraints(folder: Path, settings: Sequence[Settings]) -> Iterator[BuildConstraint]:
    key = "build-constraint-dependencies"
    # Beside a `uv.toml`, the project's own table still says what uv locks with.
    tables = {each.place: each for each in (*settings, *project_settings(folder))}
    for table, place in tables.values():
        for each in array_at(table, key):
            text, hashes = each, []
            if isinstance(each, dict):
                text, hashes = each.get("requirement"), strings_at(each, "hashes")
            words_of_line = [requirement_text(text, f"`{key}` in {place}")]
            words_of_line += [f"--hash={each}" for each in hashes]
            yield BuildConstraint(" ".join(words_of_line))


def _extra(settings: Sequence[Settings]) -> Iterator[ExtraRequirement]:
    from packaging.utils import canonicalize_name

    key = "extra-build-dependencies"
    for table, place in settings:
        for name in table_at(table, key):
            for each in array_at(table, key, name):
                facts = each if isinstance(each, dict) else {"requirement": each}
                text = requirement_text(facts.get("requirement"), f"`{key}.{name}` in {place}")
                as_locked = facts.get("match-runtime") is True
                yield ExtraRequirement(canonicalize_name(name), text, as_locked)


def _of_variables() -> Iterator[tuple[str, Sequence[str]]]:
    if is_on(_ALL):
        yield f"the variable `{_ALL}`", [ALL]
    if names := words(os.environ.get(_SOME), None):
        yield f"the variable `{_SOME}`", names


def _of_files(settings: Sequence[Settings]) -> Iterator[tuple[str, Sequence[str]]]:
    chosen = next((each for each in settings if "no-build" in each.table), None)
    if chosen and chosen.table["no-build"] is True:
        yield f"`no-build` in {chosen.place}", [ALL]
    for table, place in settings:
        if names := words(table.get("no-build-package")):
            yield f"`no-build-package` in {place}", names


def _of_uv_pip(settings: Sequence[Settings]) -> Iterator[tuple[str, Sequence[str]]]:
    for each, place in settings:
        table = table_at(each, "pip")
        if table.get("no-build") is True:
            yield f"`pip.no-build` in {place}", [ALL]
        if names := words(table.get("only-binary")):
            yield f"`pip.only-binary` in {place}", names
