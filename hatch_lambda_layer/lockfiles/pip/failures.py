"""What pip's failures are about, in the words of this project; pip's own stay in the message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...exceptions import LambdaLayerError, LockfileError, SelectionError, ToolError
from . import _runner as runner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...targets.target import Target

INSTALL_PIP = "install `hatch-lambda-layer[pip]`, or put pip on the PATH"
# What pip says when a build backend fails, or what that requires can't be installed.
_BUILD_FAILED = "subprocess-exited-with-error"
_ALLOW_SOURCES = 'allow sources with `build = "local"`'


def nothing_found(said: str) -> str | None:
    """Give the requirement for which pip has found nothing, where that is why it failed."""
    match = re.search(r"No matching distribution found for (\S[^\n]*)", said)
    # A build says so of what it requires, in other terms.
    return match[1].strip() if match and _BUILD_FAILED not in said else None


def explained(
    said: str, unanswered: Mapping[str, str], log: str, names: Sequence[str], target: Target
) -> LambdaLayerError:
    """Give the error for what pip has said.

    `unanswered` has the pages of indexes that it could not read; `log` is its log, which is there
    when it has found nothing.
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
            "to learn what a source requires, its build backend is run without your variables and "
            "keys, and on wheels alone; choose a version that has a wheel if that can't be"
        )
    elif "DO NOT MATCH THE HASHES" in said:
        hint = (
            "the index serves another file than when the hashes were written; write them anew "
            "only if you know why"
        )
    elif "in --require-hashes mode" in said.lower():
        # As where uv has compiled them: alone, it asks for what the Python that runs it needs.
        python = "{}.{}".format(*target.runtime.python_version)
        hint = (
            f"the files lock some of what {target.id} needs, and not all; lock the whole, as with "
            f"`uv pip compile --universal --python-version {python} --generate-hashes`, the "
            "version being that of the oldest runtime"
        )
    elif "not a supported wheel on this platform" in said:
        hint = f"this platform is {target.id}"
    return ToolError(f"pip install --requirement {' '.join(names)}", said, hint=hint)


def no_markers(detail: str) -> LockfileError:
    """Give the error for a pip that would lock what fits this machine, not the target."""
    return LockfileError(
        f"This pip can't be made to evaluate environment markers for the target: {detail}",
        hint="use another version of pip, and tell the maintainers of hatch-lambda-layer",
    )


def _refused(word: str, about: str) -> LambdaLayerError:
    """Give the error for what the runner has refused."""
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
        f"`{source}`{where} is a source, no wheel: its build backend would have to run for pip "
        "to learn what it requires",
        hint=f"name a wheel instead, or {_ALLOW_SOURCES}",
    )


def _passed_over(log: str, wanted: str) -> list[str]:
    """Give a line for each file of `wanted` that an index has and that pip could not use."""
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
        return "the index wants other credentials; pip takes them from its settings, or netrc"
    if all(answer.startswith("404 ") for answer in answers):
        return "check its name and version, and with `pip config list` which indexes are asked"
    return "check the network and, with `pip config list`, which indexes are asked; then try again"
