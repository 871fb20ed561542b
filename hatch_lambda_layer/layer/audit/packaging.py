"""How a layer or function of another tool is packed: its size, and what nothing reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...config.layer import LAMBDA_UNPACKED_LIMIT
from ...findings import codes
from ..size import nearly_full

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...findings import Finding, Severity
    from .folder import FolderContent
    from .subject import Subject

# The folders that a runtime reads of a layer: modules, libraries, programs.
_OF_LAYERS = ("python/", "lib/", "bin/")
_OTHERS_READ = 0o4
_OTHERS_ENTER = 0o5
_SITE = re.compile(r"python/lib/(python[\d.]+)/site-packages/")


def packaging_findings(content: FolderContent, subject: Subject, name: str) -> Iterator[Finding]:
    """Yield findings about the size of what was read, and about what no function reads of it.

    `name` is that of its file or folder.
    """
    size = sum(size for path, size in content.sizes.items() if path not in content.links)
    if size > LAMBDA_UNPACKED_LIMIT:
        message = f"it unpacks to {size:,} bytes, Lambda allows {LAMBDA_UNPACKED_LIMIT:,}"
        yield codes.TOO_LARGE.finding("", message)
    else:
        yield from nearly_full(size, LAMBDA_UNPACKED_LIMIT, 0)
    yield from _nested(content)
    yield from _unread(subject)
    yield from _unreadable(content)
    # poetry-plugin-lambda-build makes layers of this kind, if nothing else is set.
    is_read = any(path.startswith(_OF_LAYERS) for path in content.sizes)
    has_modules = any(path.endswith((".py", ".so")) for path in content.sizes)
    if "layer" in name.lower() and has_modules and not is_read:
        message = f"{name} has no folder `python/`: as a layer, nothing of it could be imported"
        yield codes.NO_PYTHON_FOLDER.finding(
            name, message, hint="it was audited as a function; a layer has its modules in `python/`"
        )


def _nested(content: FolderContent) -> Iterator[Finding]:
    archives = [path for path in content.sizes if path.endswith(".zip")]
    only = len(archives) == len(content.sizes)
    for path in archives:
        if only or path.count("/") <= 1:
            message = f"`{path}` is a zip in it, which Lambda does not unpack"
            severity: Severity = "error" if only else "note"
            yield codes.ARCHIVE_INSIDE.finding(
                path, message, hint="unpack it, and verify what is in it", severity=severity
            )


def _unread(subject: Subject) -> Iterator[Finding]:
    if subject.kind != "layer":
        return
    runtime = subject.target.runtime
    own = "python{}.{}".format(*runtime.python_version)
    others = {match[1] for path in subject.paths if (match := _SITE.match(path))} - {own}
    for name in sorted(others):
        place = f"python/lib/{name}/site-packages"
        message = f"{runtime.id} does not read `{place}`"
        yield codes.UNREAD_FOLDER.finding(place, message)


def _unreadable(content: FolderContent) -> Iterator[Finding]:
    closed = []
    for path, mode in content.modes.items():
        wanted = _OTHERS_ENTER if (content.folder / path).is_dir() else _OTHERS_READ
        if mode & wanted != wanted:
            closed.append(path)
    if closed:
        more = f", and {len(closed) - 1} more like it" if len(closed) > 1 else ""
        message = f"`{closed[0]}` has mode {content.modes[closed[0]]:03o}{more}"
        hint = "a function runs as another user than the owner: `chmod -R a+rX` before it is zipped"
        yield codes.UNREADABLE_FILE.finding(closed[0], message, hint=hint)
