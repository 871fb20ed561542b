"""Errors of this project for pip's failures; pip's own output stays in the message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...exceptions import LambdaLayerError, LockfileError, SelectionError, ToolError
from . import _runner as runner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...targets.target import Target

INSTALL_PIP = "install `hatch-lambda-layer[pip]`, or put pip on the PATH"
# Printed by pip when a build backend fails, or when its requirements can't be installed.
_BUILD_FAILED = "subprocess-exited-with-error"
_ALLOW_SOURCES = 'allow sources with `build = "local"`'


def nothing_found(said: str) -> str | None:
    """Return the requirement for which pip found nothing; `None` where it failed otherwise."""
    match = re.search(r"No matching distribution found for (\S[^\n]*)", said)
    # A build that lacks a requirement prints the same line, beside `_BUILD_FAILED`.
    return match[1].strip() if match and _BUILD_FAILED not in said else None


def explained(
    said: str, unanswered: Mapping[str, str], log: str, names: Sequence[str], target: Target
) -> LambdaLayerError:
    """Return the error for pip's output `said`, which `names` and `target` led to.

    `unanswered` has the index pages that pip could not read, by URL, with the reasons. `log` is
    the text of pip's log, which is empty unless it found nothing for a requirement.
    """
    if match := re.search(rf"{re.escape(runner.PREFIX)}(\S+) ?(.*)", said):
        return _refused(match[1], match[2])
    said, hint = said.strip(), None
    if wanted := nothing_found(said):
        if files := _passed_over(log, wanted):
            return SelectionError(
                f"No wheel of `{wanted}` fits {target.id}; the index has\n" + "\n".join(files),
                hint=f"pin a version that has a wheel for this runtime, or {_ALLOW_SOURCES}",
            )
        hint = _advice(list(unanswered.values()))
        if unanswered:
            lines = [f"- {url}: {answer}" for url, answer in unanswered.items()]
            said = "\n".join([said, "", "What the indexes answered:", *lines])
    elif _BUILD_FAILED in said:
        hint = (
            "to read what a source requires, pip runs its build backend without your variables "
            "and keys, and with wheels only; if it needs more, choose a version that has a wheel"
        )
    elif "not a supported wheel on this platform" in said:
        hint = f"this platform is {target.id}"
    return ToolError(f"pip install --requirement {' '.join(names)}", said, hint=hint)


def no_markers(detail: str) -> LockfileError:
    """Return the error for a pip that would lock what fits this machine, not the target."""
    return LockfileError(
        f"This pip can't be made to evaluate environment markers for the target: {detail}",
        hint="use another version of pip, and tell the maintainers of hatch-lambda-layer",
    )


def _refused(word: str, about: str) -> LambdaLayerError:
    """Return the error for a word of the runner and the detail that follows it."""
    if word == runner.NO_PIP:
        return LockfileError(f"Requirements need pip, and {about} has none", hint=INSTALL_PIP)
    if word == runner.OLD_PIP:
        return LockfileError(
            f"Requirements need pip 22.2 or newer, this is pip {about}",
            hint=f"update pip, or {INSTALL_PIP}",
        )
    if word == runner.NO_MARKERS:
        return no_markers(about)
    # pip's words, such as `demo @ URL from URL (from -r requirements.txt (line 1))`.
    source, _, origin = about.partition(" (from ")
    source = re.sub(r"( @ \S+) from \S+$", r"\1", source)
    where = f" ({origin[:-1].removeprefix('-r ')})" if origin else ""
    return SelectionError(
        f"`{source}`{where} is a source, not a wheel: pip would have to run its build backend to "
        "read what it requires",
        hint=f"name a wheel instead, or {_ALLOW_SOURCES}",
    )


def _passed_over(log: str, wanted: str) -> list[str]:
    """Return a line for each file of `wanted` that an index has and that pip could not use."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

    try:
        requirement = Requirement(wanted)
    except InvalidRequirement:
        return []
    lines = []
    for reason, url in re.findall(r"Skipping link: (.*?): (\w+://\S+)", log):
        filename = url.partition("#")[0].rpartition("/")[2]
        is_wheel = filename.endswith(".whl")
        try:
            name, version, *_ = (parse_wheel_filename if is_wheel else parse_sdist_filename)(
                filename
            )
        except ValueError:
            continue
        if name == canonicalize_name(requirement.name) and requirement.specifier.contains(
            version, prereleases=True
        ):
            python = re.search(r"Requires-Python (.*)", reason)
            needs = f", for Python {python[1]}" if python else ""
            lines.append(f"- {filename}{needs}{'' if is_wheel else ', a source'}")
    return sorted(set(lines))


def _advice(answers: Sequence[str]) -> str:
    if any(re.match(r"40[13] ", answer) for answer in answers):
        return "set the right credentials of the index in pip's settings or in netrc"
    if all(answer.startswith("404 ") for answer in answers):
        return "check its name and version; `pip config list` shows which indexes pip asks"
    return "check the network, then try again; `pip config list` shows which indexes pip asks"
