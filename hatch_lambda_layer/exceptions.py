"""The exceptions of this package: one family, each with a message, a hint and its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .findings import Finding


def quoted(output: str) -> str:
    """Return what another program wrote, each of its lines marked as not our own."""
    lines = output.replace("\r\n", "\n").strip("\n").rstrip().split("\n")
    return "\n".join(f"| {line}".rstrip() for line in lines) if any(lines) else ""


def backticked(names: Iterable[str]) -> str:
    """Return names for a sentence: in backticks, with commas between them."""
    return ", ".join(f"`{name}`" for name in names)


class LambdaLayerError(Exception):
    """A failure that the user can act on.

    `message` says what happened and where, `hint` what to do about it. The edges (the Hatch
    plugins and the command line) print `str(error)` and exit with `exit_code`.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n\nhint: {self.hint}" if self.hint else self.message


class ConfigError(LambdaLayerError):
    """`[tool.lambda-layer]` is wrong; `problems` holds every one of its errors."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class LockfileError(LambdaLayerError):
    """The lockfile is missing, ambiguous, stale or unreadable."""


class MissingLockfileError(LockfileError):
    """There is no lockfile."""


class ToolError(LambdaLayerError):
    """A program that was called failed; `output` is what it printed, without credentials."""

    def __init__(self, program: str, output: str, *, hint: str | None = None) -> None:
        super().__init__(f"`{program}` failed:\n{quoted(output)}", hint=hint)
        self.program = program
        self.output = output


class ToolTimeoutError(ToolError):
    """A program that was called has not ended in time; it was killed with all it had started."""

    def __init__(self, program: str, said: str, seconds: float) -> None:
        limit = f"it was ended, since it was not done after {seconds:.0f} seconds"
        super().__init__(program, f"{said.rstrip()}\n{limit}".lstrip())
        self.said = said.strip()


class SelectionError(LambdaLayerError):
    """The lockfile has no wheel that fits the target for some package."""


class BuildError(LambdaLayerError):
    """A source could not be built to a wheel, or its wheel does not fit the target."""

    # The name of the source, where a build of the lock's sources has failed.
    package: str | None = None


class DownloadError(LambdaLayerError):
    """A file could not be fetched, or is not the one that the lockfile names."""


class CredentialsError(LambdaLayerError):
    """The credentials of an index are incomplete or unavailable, or a tool can't take them."""


class OriginError(LambdaLayerError):
    """A package is not from the index that it has to come from."""


class WheelError(LambdaLayerError):
    """A wheel is broken or hostile; nothing of it was used."""

    def __init__(
        self,
        filename: str,
        reason: str,
        *,
        member: str | None = None,
        hint: str = "the wheel itself is at fault: tell its maintainers, or pin another version",
    ) -> None:
        # Names in a hostile archive may hold control characters: never print them raw.
        where = f", member {member!a}" if member is not None else ""
        super().__init__(f"Wheel `{filename}` is refused{where}: {reason}", hint=hint)
        self.filename = filename
        self.reason = reason
        self.member = member


class ConflictError(LambdaLayerError):
    """Two owners claim one path of the layer with different content."""


class SizeError(LambdaLayerError):
    """The layer is empty, or larger than Lambda or the configuration allows."""


class AuditError(LambdaLayerError):
    """The layer would not work on its target, or not as its table wants it; `findings` say why."""

    def __init__(self, message: str, *, hint: str | None, findings: Sequence[Finding]) -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)


class CacheError(LambdaLayerError):
    """The cache could not be written."""


class OutputError(LambdaLayerError):
    """The layer could not be written; what was there before is untouched."""


class Interrupted(BaseException):
    """The end of the work by a signal; no failure, and nothing that handles one handles it.

    What has become of the work so far is added with `add_note`, by whoever knows.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__("Interrupted")
        self.exit_code = exit_code

    def __str__(self) -> str:
        notes = "; ".join(getattr(self, "__notes__", ()))
        return f"Interrupted: {notes}" if notes else "Interrupted"


class ExclusionError(LambdaLayerError):
    """`exclude` takes away what the rest needs, or splits a family; `problems` has each case."""

    def __init__(self, problems: Sequence[str], *, hint: str) -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = tuple(problems)


class PublishError(LambdaLayerError):
    """Something could not be published, or AWS refused it."""
