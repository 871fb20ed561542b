"""What a person would see, for tests."""

from __future__ import annotations


class Lines:
    """A display that keeps what it shows at its verbosity."""

    def __init__(self, verbosity: int = 0) -> None:
        self.verbosity = verbosity
        self.lines: list[str] = []

    def display_info(self, message: str = "") -> None:
        if self.verbosity >= 0:
            self.lines.append(message)

    def display_warning(self, message: str = "") -> None:
        if self.verbosity >= -1:
            self.lines.append(message)

    def display_debug(self, message: str = "", level: int = 1) -> None:
        if self.verbosity >= level:
            self.lines.append(message)

    @property
    def text(self) -> str:
        """Everything that was shown."""
        return "\n".join(self.lines)

    @property
    def warnings(self) -> list[str]:
        """The warnings that were shown."""
        return [line for line in self.lines if line.startswith("warning: ")]
