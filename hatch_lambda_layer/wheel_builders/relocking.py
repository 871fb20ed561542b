"""The command that locks versions which have wheels for a target, ready to be pasted."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..targets.target import Target

# The versions of glibc (2.x) that `uv pip compile --python-platform` supports.
_GLIBC_MINORS = (17, 28, *range(31, 41))


class Relocking(NamedTuple):
    """How a project locks: the `command`, and the groups and extras of the layer."""

    command: str = "uv lock"
    groups: Sequence[str] = ()
    extras: Sequence[str] = ()

    def hint(self, names: Sequence[str], target: Target) -> str:
        """Return the way to versions of the packages `names` that have wheels for a target.

        uv finds them with the constraints of the project where it has the lock; for other tools it
        lists the newest ones there are. The command is one for a POSIX shell.
        """
        only = [word for name in names for word in ("--only-binary", name)]
        finding = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", *only]
        major, minor = target.runtime.python_version
        finding += ["--python-version", f"{major}.{minor}"]
        finding += ["--python-platform", uv_platform(target)]
        if self.command != "uv lock":
            listing = f"printf '%s\\n' {shlex.join(names)} | {shlex.join(finding)} --no-deps -"
            return f"`{listing}` lists versions that have wheels: lock these, with `{self.command}`"
        finding += [word for name in self.groups for word in ("--group", name)]
        finding += [word for name in self.extras for word in ("--extra", name)]
        pattern = shlex.quote(f"^({'|'.join(names)})==")
        chosen = f"grep -E {pattern} | sed 's/^/-P /'"
        return (
            f"`uv lock $({shlex.join(finding)} pyproject.toml | {chosen})` locks versions that "
            "have wheels"
        )


def uv_platform(target: Target) -> str:
    """Return the value of uv's `--python-platform` that is nearest to a target, and not newer."""
    minor = max(each for each in _GLIBC_MINORS if each <= target.runtime.glibc[1])
    return f"{target.architecture.machine}-manylinux_2_{minor}"
