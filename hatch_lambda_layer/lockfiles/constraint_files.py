"""Files with build constraints, which are written like requirements files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .._internal.process import redact
from ..exceptions import LockfileError
from .build_settings import BuildConstraint, requirement_text
from .pip.requirements import RequirementsFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def read_constraint_files(folder: Path, names: Sequence[str]) -> Iterator[BuildConstraint]:
    """Yield the constraints in files, whose names are relative to `folder`.

    Raises `LockfileError` for a file that can't be read, or a line that is not a requirement.
    """
    if not names:
        return
    files = RequirementsFiles(folder, (), names, os.environ)
    if files.problems:
        raise LockfileError(
            f"The build constraints can't be read: {redact('; '.join(files.problems))}",
            hint="mend the file, or unset the variable that names it",
        )
    for line in files.lines:
        text = requirement_text(line.text, f"The build constraints ({line.where})")
        yield BuildConstraint(" ".join([text, *(f"--hash={each}" for each in line.hashes)]))
