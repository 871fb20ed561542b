"""Which formats of a package's files count: `--only-binary` and `--no-binary`, as in pip."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Formats:
    """Names whose files must be wheels, and names whose files must be sources.

    `options` are `--only-binary` and `--no-binary` with their values, in order: a later one takes
    a name away from the other. `places` are those of `--only-binary`, in the words of messages.
    """

    def __init__(self, options: Iterable[tuple[str, str]], places: Iterable[str] = ()) -> None:
        self._only: dict[str, set[str]] = {"--only-binary": set(), "--no-binary": set()}
        self._places = " and ".join(places) or "`--only-binary`"
        for option, value in options:
            self._add(option, value)

    def explained(self, name: str) -> str:
        """Return, as the end of a sentence, what leaves out the sources of a package, if any."""
        if self.allow(name, is_wheel=False):
            return ""
        return f"; {self._places} forbids building one"

    def allow(self, name: str, *, is_wheel: bool) -> bool:
        """Return whether a wheel, or a source, of the package `name` counts."""
        wheels, sources = self._only["--only-binary"], self._only["--no-binary"]
        # A name goes before `:all:`.
        for each in (name, ":all:"):
            if each in wheels:
                return is_wheel
            if each in sources:
                return not is_wheel
        return True

    def _add(self, option: str, value: str) -> None:
        from packaging.utils import canonicalize_name

        target = self._only[option]
        other = next(names for key, names in self._only.items() if key != option)
        for word in value.split(","):
            if word == ":all:":
                # As in pip, it takes back all that was said before.
                target.clear()
                other.clear()
                target.add(word)
            elif word == ":none:":
                target.clear()
            elif word.strip():
                name = canonicalize_name(word.strip())
                other.discard(name)
                target.add(name)
