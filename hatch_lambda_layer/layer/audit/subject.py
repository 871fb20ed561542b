"""The layer or function that an audit is about, whether it was built here or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ...config.matrix import Member
    from ...targets.elf import ElfFile
    from ...targets.target import Target
    from ...wheels.wheel import Wheel
    from ..composition import Composition

# Lambda's LD_LIBRARY_PATH, as far as it leads into a layer and into a function.
_LIBRARY_FOLDERS = {"layer": ("lib/",), "function": ("", "lib/")}


class Distribution(NamedTuple):
    """An installed distribution: `name` is normalised, `launchers` are its console scripts.

    `built` is true for one that was built on this machine.
    """

    name: str
    version: str
    requires_dist: tuple[str, ...]
    launchers: tuple[str, ...] = ()
    built: bool = False

    @property
    def title(self) -> str:
        """Name and version, for messages."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The files of a layer or a function (`kind`), and what is known of them.

    `paths` are those below `/opt` or `/var/task`, `links` those of symbolic links with what they
    lead to. `native` has the facts about each ELF file, `owners` the name of the distribution that
    a native file belongs to, both by path. `allowed` are distributions that may be missing.
    """

    target: Target
    paths: tuple[str, ...]
    native: Mapping[str, ElfFile]
    owners: Mapping[str, str]
    distributions: tuple[Distribution, ...]
    links: Mapping[str, str]
    kind: str = "layer"
    allowed: frozenset[str] = frozenset()

    @property
    def folder(self) -> str:
        """The folder that Lambda unpacks it to."""
        return "/opt" if self.kind == "layer" else "/var/task"

    @property
    def library_folders(self) -> tuple[str, ...]:
        """The folders in it that are on LD_LIBRARY_PATH."""
        return _LIBRARY_FOLDERS[self.kind]

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The folders in it that are on `sys.path`, the first one first."""
        if self.kind == "function":
            return ("",)
        major, minor = self.target.runtime.python_version
        return (f"python/lib/python{major}.{minor}/site-packages/", "python/")

    @cached_property
    def importable(self) -> Sequence[tuple[str, str]]:
        """Each path that is below a root, with the rest of it."""
        return [
            (path, path[len(root) :])
            for path in self.paths
            # The first root that has it counts.
            for root in [next(filter(path.startswith, self.roots), None)]
            if root is not None
        ]

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """Name and version of each distribution, by its name."""
        return {each.name: each.title for each in self.distributions}


def layer_subject(
    member: Member, made: Composition, wheels: Iterable[Wheel], built: Collection[str]
) -> Subject:
    """Return a composed layer as what is audited; `built` are names of wheels from this machine."""
    from ..dependency_graph import canonical

    native = {
        entry.path: (elf, entry.owner)
        for entry in made.tree
        if (elf := made.native.get(entry.sha256)) is not None
    }
    here = canonical(built)
    return Subject(
        target=member.target,
        paths=tuple(entry.path for entry in made.tree),
        native={path: elf for path, (elf, _) in native.items()},
        owners={path: owner for path, (_, owner) in native.items()},
        distributions=tuple(
            Distribution(
                name=wheel.name,
                version=wheel.version,
                requires_dist=wheel.requires_dist,
                launchers=tuple(name for name, _ in wheel.launchers),
                built=wheel.name in here,
            )
            for wheel in wheels
        ),
        links={},
        allowed=frozenset(canonical(member.config.allow_missing)),
    )
