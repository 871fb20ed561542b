"""Native code that the runtime can't load: extension modules, libraries and programs.

An extension module that has no file which the target's Python would load can't be imported. Of
what a module leads to through its list of needed libraries, all has to be loadable. What nothing
leads to (plug-ins, programs, a second implementation) breaks no import, and is only noted; except
where a distribution has libraries and no module at all: its Python code opens those itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ...findings import codes
from ...targets.loading import newer_versions, other_machine
from .linking import Linking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ...findings import Finding, Severity
    from ...findings.codes import Code
    from ...targets.elf import ElfFile
    from .subject import Subject

# A name that an import statement could find, and the tag between its stem and `.so` or `.pyd`.
_MODULE = re.compile(r"(?P<stem>[^\W\d]\w*)(?:\.(?P<tag>[\w-]+))?\.(?:so|pyd)")
_TAG = re.compile(r"cpython-|abi3|cp3\d+-|pypy3|graalpy|darwin")
# The programs that load others in Lambda's images.
_INTERPRETERS = frozenset({"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"})
# A library, with the hash that auditwheel gives its copy; the number is that of its ABI.
_LIBRARY = re.compile(r"(?P<name>lib.+?)(?:-[0-9a-f]{8})*\.so(?:\.(?P<major>\d+))?(?:\.\d+)*")


class Fact(NamedTuple):
    """One thing that is wrong with one file; those of one owner that are alike become a finding.

    `reason` is a sentence without its subject; what is the same in all of them is the `key`.
    """

    code: Code
    path: str
    reason: str
    severity: Severity
    key: str = ""
    hint: str = ""


def native_findings(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the native code of a layer."""
    facts: list[Fact] = []
    modules: set[str] = set()
    useless: set[str] = set()
    for files in _module_files(subject):
        reasons = {path: _module_reason(subject, path, tag) for path, tag in files.tags.items()}
        modules |= {path for path, reason in reasons.items() if reason is None}
        # Of a module that is there, what is for other machines and Pythons does no harm.
        useless |= {path for path, reason in reasons.items() if reason is not None}
        facts += _module_facts(files, reasons)
    linking = Linking(subject)
    loaded = linking.closure([*sorted(modules), *_cores(subject, linking)])
    for path, elf in subject.native.items():
        if path in useless or not elf.loadable:
            continue
        if elf.program:
            facts += _program_facts(subject, path, elf, linking)
        else:
            facts += _library_facts(subject, path, elf, linking, needed=path in loaded)
    yield from _merged(subject, facts)
    yield from _second_copies(subject)


class ModuleFiles(NamedTuple):
    """The files of one extension module by path, with their tags.

    `has_source` is true where the module is there as a `.py` file, too: only faster.
    """

    tags: dict[str, str]
    has_source: bool


def _module_files(subject: Subject) -> Iterator[ModuleFiles]:
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    plain = set()
    for path, rest in subject.importable:
        folder, _, name = rest.rpartition("/")
        if name.endswith(".py"):
            plain.add((folder, name[:-3]))
        elif name.endswith((".so", ".pyd")) and (match := _MODULE.fullmatch(name)):
            tag = match["tag"] or ""
            elf = subject.native.get(path)
            if _TAG.match(tag) or (elf is not None and elf.module) or name.endswith(".pyd"):
                groups[folder, match["stem"]][path] = tag
    yield from (ModuleFiles(tags, key in plain) for key, tags in groups.items())


def _module_facts(
    files: ModuleFiles, reasons: Mapping[str, tuple[Code, str] | None]
) -> Iterator[Fact]:
    """Yield a fact for an extension module of which no file can be loaded."""
    found = [(*reason, path) for path, reason in reasons.items() if reason is not None]
    if len(found) == len(reasons):
        code, reason, path = min(found, key=lambda each: each[0].id)
        yield Fact(code, path, reason, "note" if files.has_source else code.severity)


def _module_reason(subject: Subject, path: str, tag: str) -> tuple[Code, str] | None:
    """Return why Python can't load a file as a module; `None` if it can."""
    major, minor = subject.target.runtime.python_version
    machine = subject.target.architecture.machine
    own = f"cpython-{major}{minor}"
    elf = subject.native.get(path)
    if path.endswith(".pyd") or elf is None:
        return codes.OTHER_PYTHON, "is not a file for Linux"
    # Of another libc, or another architecture: what the file itself says is clearer.
    if tag.startswith(own) and tag != f"{own}-{machine}-linux-gnu":
        reason = other_machine(elf, subject.target)
        return (codes.WRONG_MACHINE, reason) if reason else (codes.OTHER_PYTHON, f"is for {tag}")
    if tag not in ("", "abi3", f"{own}-{machine}-linux-gnu"):
        reason = f"is for {tag}, and python{major}.{minor} does not look for it"
        return codes.OTHER_PYTHON, reason
    if elf.broken is not None:
        return codes.BROKEN_ELF, f"is a broken ELF file ({elf.broken})"
    if reason := other_machine(elf, subject.target):
        return codes.WRONG_MACHINE, reason
    return None


def _cores(subject: Subject, linking: Linking) -> Iterator[str]:
    """Yield the libraries of distributions that have no module: their Python code opens them."""
    with_modules = {
        subject.owners.get(path, "") for path, elf in subject.native.items() if elf.module
    }
    needed = linking.needed_by_others
    for path, elf in subject.native.items():
        owner = subject.owners.get(path, "")
        if elf.loadable and not elf.program and owner not in with_modules and path not in needed:
            yield path


def _program_facts(subject: Subject, path: str, elf: ElfFile, linking: Linking) -> Iterator[Fact]:
    reasons = []
    if elf.broken is not None:
        reasons.append(f"is a broken ELF file ({elf.broken})")
    elif reason := other_machine(elf, subject.target):
        reasons.append(reason)
    else:
        if elf.interpreter is not None and elf.interpreter not in _INTERPRETERS:
            reasons.append(f"is started by `{elf.interpreter}`, which the runtime does not have")
        reasons += [each.reason for each in newer_versions(elf, subject.target)]
        reasons += [f"needs `{name}`, which is nowhere" for name in linking.missing(path)]
    for reason in reasons:
        yield Fact(codes.DEAD_PROGRAM, path, reason, codes.DEAD_PROGRAM.severity)


def _library_facts(
    subject: Subject, path: str, elf: ElfFile, linking: Linking, *, needed: bool
) -> Iterator[Fact]:
    def fact(code: Code, reason: str, key: str = "", hint: str = "") -> Fact:
        return Fact(code, path, reason, code.severity if needed else "note", key, hint)

    if elf.broken is not None:
        yield fact(codes.BROKEN_ELF, f"is a broken ELF file ({elf.broken})")
        return
    if reason := other_machine(elf, subject.target):
        yield fact(codes.WRONG_MACHINE, reason)
        return
    if elf.misaligned:
        yield fact(codes.MISALIGNED, "has a segment that the loader refuses: it is not aligned")
    if elf.executable_stack:
        yield fact(codes.EXECUTABLE_STACK, "asks for an executable stack")
    for version in newer_versions(elf, subject.target):
        if linking.brings(path, version.library):
            continue
        code = codes.NEWER_GLIBC if version.family == "GLIBC" else codes.NEWER_LIBSTDCXX
        yield fact(code, version.reason, version.family)
    built = {each.name for each in subject.distributions if each.built}
    for name in linking.missing(path):
        if where := linking.elsewhere(name):
            reason = f"needs `{name}`, and looks for it elsewhere than where it is, `{where}`"
            yield fact(codes.HIDDEN_LIBRARY, reason, name)
            continue
        found = fact(
            codes.MISSING_LIBRARY,
            f"needs the library `{name}`, which neither the layer nor the runtime has",
            name,
            f'`libraries = ["{name}"]` takes it from a wheel of the lock that has it; another '
            "layer may have it in `lib/`",
        )
        is_error = needed and subject.owners.get(path) in built
        yield found._replace(severity="error") if is_error else found


def _merged(subject: Subject, facts: Iterable[Fact]) -> Iterator[Finding]:
    """Yield one finding for all files of one distribution with which the same is wrong."""
    alike: dict[tuple[str, str, str, str], list[Fact]] = defaultdict(list)
    for fact in facts:
        owner = subject.owners.get(fact.path, "")
        alike[fact.code.id, fact.severity, owner, fact.key].append(fact)
    for (*_, owner, _), found in sorted(alike.items()):
        first = found[0]
        title = subject.titles.get(owner, "")
        of = f" of {title}" if title else ""
        count = len({each.path for each in found}) - 1
        more = f"; so it is with {count} more file{'s' * (count != 1)}{of}" if count else ""
        message = f"`{first.path}`{'' if count else of} {first.reason}{more}"
        yield first.code.finding(first.path, message, hint=first.hint, severity=first.severity)


def _second_copies(subject: Subject) -> Iterator[Finding]:
    copies: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, elf in subject.native.items():
        match = _LIBRARY.fullmatch(path.rpartition("/")[2])
        is_library = elf.loadable and not elf.module and not elf.program
        if match and is_library and path not in subject.links:
            copies[match["name"], match["major"] or ""].append(path)
    for (name, _), paths in sorted(copies.items()):
        if len(paths) > 1:
            listed = " and ".join(f"`{path}`" for path in paths[:2])
            more = f" and {len(paths) - 2} more files" if len(paths) > 2 else ""  # noqa: PLR2004
            message = f"`{name}` is there {len(paths)} times: {listed}{more}"
            yield codes.SECOND_COPY.finding(paths[-1], message)
