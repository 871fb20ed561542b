"""The requirements of the packages in a lockfile, as far as it tells them.

A layer that leaves a package out then needs neither the package nor its metadata to tell what
nobody else requires.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._internal.store import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .walk import Need


class LockedDependencies:
    """The requirements (PEP 508) of each package, by its normalised name and its version.

    Those of its extras have markers, as in the metadata of a wheel.
    """

    def __init__(self, packages: Iterable[tuple[str, str, Sequence[str]]]) -> None:
        self._found: dict[str, dict[str, Sequence[str]]] = {}
        for name, version, requirements in packages:
            self._found.setdefault(name, {})[version] = requirements

    def of(self, name: str, version: str | None) -> tuple[str, ...] | None:
        """Return the requirements of a package; `None` where the lockfile does not have it.

        A folder may be locked without a version.
        """
        versions = self._found.get(name)
        if versions is None:
            return None
        if version in versions:
            return tuple(versions[version])
        return tuple(dict.fromkeys(each for one in versions.values() for each in one))

    def encode(self) -> bytes:
        """Return them as bytes, to be kept."""
        return json.dumps(self._found).encode()

    @classmethod
    def decode(cls, data: bytes) -> LockedDependencies | None:
        """Read what `encode` has made; `None` for anything else."""
        try:
            found = json.loads(data)
            return cls(
                (str(name), str(version), [str(each) for each in requirements])
                for name, versions in found.items()
                for version, requirements in versions.items()
            )
        except UNREADABLE:
            return None


def requirement_text(need: Need, extra: str = "") -> str:
    """Return the requirement (PEP 508) of a package, or of one of its extras."""
    return joined(need.name, need.extras, need.marker, extra)


def joined(name: str, extras: Iterable[str], marker: str | None, extra: str = "") -> str:
    """Return the requirement (PEP 508) with these parts, which counts with `extra` only."""
    from .pylock_text import all_of

    asked = f"[{','.join(sorted(extras))}]" if extras else ""
    markers = all_of(marker or None, f'extra == "{extra}"' if extra else None)
    return f"{name}{asked}" + (f" ; {markers}" if markers else "")
