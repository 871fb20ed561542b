"""Hatch's tables for our target and hook: they have Hatch's keys, not those of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.tables import table_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_PLUGIN = "lambda-layer"
# What hatchling's `BuilderConfig` reads of a target's table, and what it reads of a hook's.
TARGET_KEYS = frozenset(
    {
        "artifacts",
        "dependencies",
        "dev-mode-dirs",
        "dev-mode-exact",
        "directory",
        "exclude",
        "force-include",
        "hooks",
        "ignore-vcs",
        "include",
        "only-include",
        "only-packages",
        "packages",
        "reproducible",
        "require-runtime-dependencies",
        "require-runtime-features",
        "skip-excluded-dirs",
        "sources",
        "versions",
    }
)
HOOK_KEYS = frozenset(
    {
        "dependencies",
        "enable-by-default",
        "require-runtime-dependencies",
        "require-runtime-features",
    }
)


def misplaced_keys(pyproject: Mapping[str, object], own: Collection[str]) -> Iterator[str]:
    """Yield a problem for each key of Hatch's tables for this plugin that Hatch does not have.

    `own` are the keys of `[tool.lambda-layer]`. Hatch itself ignores unknown keys in silence.
    """
    for name, table, known in _tables(table_at(pyproject, "tool", "hatch", "build")):
        for key in table:
            if key in known:
                continue
            if key in own:
                yield f"Field `{name}.{key}` is not read there: move it to `[tool.{_PLUGIN}]`"
            else:
                yield (
                    f"Field `{name}.{key}` is unknown: Hatch has no such key there, and the keys "
                    f"of a layer belong to `[tool.{_PLUGIN}]`"
                )


def _tables(
    build: Mapping[str, object],
) -> Iterator[tuple[str, Mapping[str, object], Collection[str]]]:
    """Yield the name and content of each table that Hatch has for this plugin, and its keys."""
    prefix = "tool.hatch.build"
    targets = table_at(build, "targets")
    yield f"{prefix}.targets.{_PLUGIN}", table_at(targets, _PLUGIN), TARGET_KEYS
    yield f"{prefix}.hooks.{_PLUGIN}", table_at(build, "hooks", _PLUGIN), HOOK_KEYS
    for target in targets:
        hook = table_at(targets, target, "hooks", _PLUGIN)
        yield f"{prefix}.targets.{target}.hooks.{_PLUGIN}", hook, HOOK_KEYS
