"""From what the importer tells of an import to a verdict, and to a sentence for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .report import ModuleVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .contents import Module

# What the loader of Linux says of libraries that it can't load (glibc, elf/dl-load.c).
_OF_THE_LOADER = re.compile(
    r"cannot open shared object file|version [`'][^']+' not found|wrong ELF class|"
    r"invalid ELF header|undefined symbol|cannot allocate memory in static TLS block|"
    r"ELF file's phentsize|cannot open shared object"
)
_OF_THE_NETWORK = re.compile(
    r"gaierror|Network is unreachable|name resolution|Connection refused|ConnectionError"
)
_MISSING = re.compile(r"No module named '([^']+)'")
_LIBRARY = re.compile(r"([^\s:'/]+): cannot open shared object file")
_KINDS = {
    "deadline": "it was not imported within the deadline",
    "memory": "it takes more memory than the limit",
    "report": "it writes without an end",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """Modules of the runtime that the layer's place lacks, and the names of all files in wheels."""

    of_runtime: frozenset[str] = frozenset()
    of_wheels: frozenset[str] = frozenset()


def judged(
    module: Module,
    lines: Sequence[Mapping[str, Any]],
    plain: Sequence[Mapping[str, Any]] | None,
    known: Known,
) -> list[ModuleVerdict]:
    """Return the verdicts on a module and on those of its extension modules that fail.

    `lines` are the importer's about it in the layer, `plain` those about it without the layer,
    `None` where that was not tried.
    """
    by_step = {str(line.get("step")): line for line in lines}
    first = by_step.get(module.name, {"ended": "exit"})
    kind = "module" if module.is_top else "package"
    extensions = [by_step[name] for name in module.extensions if name in by_step]
    imported = sum(_works(line) for line in extensions)
    verdicts = [_verdict(module.name, kind, first, plain, known, imported)]
    for line in extensions:
        if not _works(line):
            name = str(line["step"])
            verdicts.append(_verdict(name, "extension", line, plain, known))
    return verdicts


def has_failed(module: Module, lines: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether anything of a module was not imported."""
    return not all(map(_works, lines)) or module.name not in [line.get("step") for line in lines]


def _works(line: Mapping[str, Any]) -> bool:
    return not line.get("error") and not line.get("ended")


def _verdict(
    name: str,
    kind: str,
    line: Mapping[str, Any],
    plain: Sequence[Mapping[str, Any]] | None,
    known: Known,
    extensions: int = 0,
) -> ModuleVerdict:
    seconds, memory = float(line.get("seconds") or 0), int(line.get("peak") or 0)
    if _works(line):
        return ModuleVerdict(
            name=name,
            kind=kind,
            verdict="imported",
            seconds=seconds,
            memory=memory,
            extensions=extensions,
        )
    texts = [str(each) for each in line.get("error") or ()]
    reason, message = _reason(line, texts, known.of_runtime)
    other = None if plain is None else _line_of(name, plain)
    compared = other is not None
    library = _LIBRARY.search(message) if reason == "library" else None
    # The libraries of this machine say nothing about those of the runtime.
    if reason == "library" and kind == "module":
        fails_anyway = False
    elif library is not None and compared:
        # What a package needs itself fails with it; another part of it is optional.
        fails_anyway = library[1] not in known.of_wheels
    else:
        fails_anyway = reason == "runtime" or (other is not None and not _works(other))
    return ModuleVerdict(
        name=name,
        kind=kind,
        verdict="nowhere" if fails_anyway else "failed",
        seconds=seconds,
        memory=memory,
        reason=reason,
        message=message,
        place=str(line.get("at") or ""),
        compared=compared,
    )


def _line_of(name: str, plain: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return what came of the same import without the layer; `None` if no wheel has the module."""
    for line in plain:
        if line.get("step") == name:
            texts = " ".join(map(str, line.get("error") or ()))
            match = _MISSING.search(texts)
            is_absent = match is not None and f"{name}.".startswith(f"{match[1]}.")
            return None if is_absent else line
    return None


def _reason(
    line: Mapping[str, Any], texts: Sequence[str], runtime: frozenset[str]
) -> tuple[str, str]:
    """Return a word and a sentence for why an import failed."""
    ended = str(line.get("ended") or "")
    if not texts:
        said = str(line.get("said") or "").strip()
        word = ended.partition(" ")[0]
        sentence = _KINDS.get(word, f"its process ended with {ended}")
        return word, f"{sentence}: {said.splitlines()[-1]}" if said else sentence
    whole = "\n".join(texts)
    message = " / ".join(text.splitlines()[-1] for text in texts if text)
    missing = _MISSING.search(whole)
    if _OF_THE_LOADER.search(whole):
        if not texts[0].startswith(("ImportError", "ModuleNotFoundError")):
            message += " (opened with dlopen or ctypes, which an audit of the files can miss)"
        return "library", message
    if missing and missing[1].partition(".")[0] in runtime:
        return "runtime", f"{message} (the runtime has it, this machine does not)"
    if missing:
        return "missing", message
    if _OF_THE_NETWORK.search(whole):
        return "network", f"{message} (there is no network)"
    return "exception", message
