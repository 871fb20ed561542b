"""The codes of findings: all there are, each with its usual severity and what it means.

A code never changes its meaning, and is never used again for another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import Finding, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """A kind of finding; `title` is a phrase, `explanation` the rest of its entry in the docs.

    `was` is what schema 1 of `layer.json` called it, where that knew it.
    """

    id: str
    severity: Severity
    title: str
    explanation: str
    was: str = ""

    def finding(
        self, place: str, message: str, *, hint: str = "", severity: Severity | None = None
    ) -> Finding:
        """Build a finding of this kind; `severity` is for one that is worse or better than most."""
        return Finding(
            code=self.id,
            severity=severity or self.severity,
            place=place,
            message=message,
            hint=hint,
        )


WRONG_MACHINE = Code(
    id="HLL001",
    severity="error",
    title="native code for another machine",
    explanation="An extension module or a library that one needs is for another architecture, "
    "whatever the wheel's tag says: to import it fails. Take a version whose wheel is right, or "
    "have it built (`build`). What nothing in the layer imports or links is a note.",
)
NEWER_GLIBC = Code(
    id="HLL002",
    severity="error",
    title="glibc newer than the runtime's",
    explanation="A file binds to a symbol version of glibc that the runtime's does not have, so it "
    "can't be loaded. Take a newer runtime, an older version of the package, or have it built in "
    'Lambda\'s build image (`build = "container"`).',
)
NEWER_LIBSTDCXX = Code(
    id="HLL003",
    severity="error",
    title="libstdc++ or libgcc newer than the runtime's",
    explanation="A file binds to a version of GLIBCXX, CXXABI or GCC that the runtime's libraries "
    "do not have. The same ways out as for HLL002.",
)
MISALIGNED = Code(
    id="HLL004",
    severity="error",
    title="a segment that is not aligned",
    explanation='The loader refuses a file whose segments do not lie on the borders of pages ("ELF '
    'load command address/offset not properly aligned"): some versions of strip and patchelf '
    "leave such files. Take another version of the package.",
)
BROKEN_ELF = Code(
    id="HLL005",
    severity="error",
    title="a broken ELF file",
    explanation="A file begins like an ELF file, but the loader can't read it: it was cut off or "
    "changed. What nothing in the layer imports or links is a note.",
)
OTHER_PYTHON = Code(
    id="HLL006",
    severity="error",
    title="an extension module for another Python or another system",
    explanation="A module is there only under names that the target's Python does not look for, "
    "such as `_x.cpython-312-x86_64-linux-gnu.so` on python3.13, or as a file for macOS or "
    'Windows: to import it fails with "No module named …". The usual cause is `pip install -t` '
    "on another machine.",
)
MISSING_LIBRARY = Code(
    id="HLL007",
    severity="warning",
    title="a shared library that is nowhere",
    explanation="A file needs a library that neither the layer nor the runtime's image has. "
    'Another layer may bring it below `lib/`; else to import it fails. `libraries = ["…"]` takes '
    "it from a wheel of the lock. For a file that was built here it is an error. What nothing in "
    "the layer imports or links (plug-ins, helper programs) is a note. Libraries that a program "
    "opens by name at run time (dlopen, ctypes) are not in a file's list of needs: no audit sees "
    "those.",
)
HIDDEN_LIBRARY = Code(
    id="HLL008",
    severity="note",
    title="a shared library where the loader does not look",
    explanation="The layer has the library, but neither RPATH nor RUNPATH of what needs it leads "
    "there, nor LD_LIBRARY_PATH. It works only if something loads it first, as some packages do.",
)
EXECUTABLE_STACK = Code(
    id="HLL009",
    severity="note",
    title="an executable stack",
    explanation="A file asks for a stack that can be executed, mostly because of assembler code "
    "that does not say that it needs none. glibc 2.41 refuses to load such a library; those of "
    "today's runtimes do load it.",
)
DEAD_PROGRAM = Code(
    id="HLL010",
    severity="note",
    title="a program that can't run",
    explanation="A program is for another machine, asks for an interpreter that the runtime does "
    "not have (such as musl's), needs newer libraries, or is broken.",
)
SECOND_COPY = Code(
    id="HLL011",
    severity="note",
    title="a second copy of a library",
    explanation="Several files are the same library. Repaired wheels bring copies of their own, "
    "which costs space, and for some (OpenMP) it costs time when both are loaded.",
)
HALF_SDK = Code(
    id="HLL012",
    severity="note",
    title="half an AWS SDK",
    explanation="boto3, botocore and s3transfer fit only each other's releases, and what lies in "
    "a layer is imported before what the runtime has: the runtime's boto3 can't be imported with "
    'a botocore before 1.36, which is a warning. Leave out all of them (`exclude = ["aws-sdk"]`) '
    'or none; `error = ["HLL012"]` insists on it.',
)
UNMET_REQUIREMENT = Code(
    id="HLL013",
    severity="warning",
    title="a requirement that nothing meets",
    explanation="A package requires another one that neither the layer nor the runtime has. Where "
    "the layer has a version of it that does not fit, it is a note. Markers are read for the "
    "target; what only an extra asks for counts where that extra is asked for.",
)
RUNTIMES_VERSION = Code(
    id="HLL014",
    severity="note",
    title="a requirement that is left to the runtime's version",
    explanation="A package requires certain versions of what only the runtime has. AWS moves these "
    "without notice, and they differ between Regions.",
)
NOT_RUN = Code(
    id="HLL015",
    severity="note",
    title="a file that Python runs at its start, but not from a layer",
    explanation="`.pth` files count only in site-packages, and `/opt/python` is not one for "
    "Lambda; some agents rely on them. For an editable install it is a warning: its modules are "
    "not in the layer. A `sitecustomize` or `usercustomize` in a layer replaces one that the "
    "runtime or another layer has.",
)
SHADOWS = Code(
    id="HLL016",
    severity="warning",
    title="a module that shadows one of Python or of the runtime",
    explanation="Lambda looks into layers before it looks into the standard library's folder "
    "and its own packages: a `json.py` or `awslambdaric/` at the top of `python/` is imported in "
    "place of theirs.",
)
HEADERS_LEFT_OUT = Code(
    id="HLL017",
    severity="note",
    title="headers were left out",
    explanation="The headers of a wheel are for compilers; nothing is compiled on Lambda.",
    was="left-out",
)
LAUNCHERS_LEFT_OUT = Code(
    id="HLL018",
    severity="note",
    title="launchers were left out",
    explanation="Installers write a program for each console script of a package. A layer has none "
    "of them, since functions are started otherwise, except for wrappers such as "
    "`opentelemetry-instrument`: `scripts = true` writes all of them to `python/bin/`.",
)
NEARLY_FULL = Code(
    id="HLL020",
    severity="warning",
    title="little room left for the function",
    explanation="Lambda's limit counts a function with all its layers, unpacked. The layer takes "
    "more than 80 % of `max-size` less `function-size`.",
    was="nearly-full",
)
TOO_LARGE = Code(
    id="HLL021",
    severity="error",
    title="larger than Lambda allows",
    explanation="What was verified unpacks to more than Lambda's limit. A build stops before that.",
)
ARCHIVE_INSIDE = Code(
    id="HLL022",
    severity="note",
    title="an archive in the layer",
    explanation="Lambda unpacks a layer or function, and nothing in it; Python imports from a zip "
    "only where something puts it on its path, and no native code. An error where there is nothing "
    "else: what was zipped twice has nothing to import.",
)
UNREAD_FOLDER = Code(
    id="HLL023",
    severity="warning",
    title="a folder that the runtime does not read",
    explanation="Of `python/lib/`, a runtime reads the folder of its own Python alone.",
)
NO_PYTHON_FOLDER = Code(
    id="HLL024",
    severity="warning",
    title="a layer without a folder that Python reads",
    explanation="A file or folder that is named a layer has no `python/`. Lambda unpacks it to "
    "`/opt`, and Python looks into `/opt/python` only: nothing of it can be imported. Whoever made "
    "it has an option for that folder.",
)
UNREADABLE_FILE = Code(
    id="HLL025",
    severity="error",
    title="a file that functions may not read",
    explanation="The zip keeps others than the owner from reading a file, or from entering a "
    "folder. A function runs as a user of its own, so that to import it fails. The usual cause is "
    "the umask of whoever made the zip: `chmod -R a+rX` before that helps.",
)
UNUSED_PATTERN = Code(
    id="HLL030",
    severity="warning",
    title="a pattern of `prune` that matches nothing",
    explanation="It is misspelled, or what it was for is gone.",
    was="prune",
)
UNKNOWN_EXCLUSION = Code(
    id="HLL031",
    severity="warning",
    title="a name in `exclude` that is not in the layer",
    explanation="It is misspelled, or what it was for is gone.",
    was="unknown-exclusion",
)
SHARED_KEPT = Code(
    id="HLL032",
    severity="note",
    title="a part of an excluded family stays",
    explanation="Something that stays in the layer needs it, too.",
    was="family-member-kept",
)
LEFT_OUT_TOO = Code(
    id="HLL033",
    severity="note",
    title="left out with what is excluded",
    explanation="Only excluded distributions needed it.",
    was="left-out-too",
)

UNLISTED = Code(
    id="HLL034",
    severity="warning",
    title="a requirement that the lockfile does not list",
    explanation="A wheel requires a package, or a version of it, that the requirements files do "
    "not have. It is an error unless PIP_NO_DEPS=1 or the resolution allows it.",
    was="unlisted",
)
UNDECIDED = Code(
    id="HLL035",
    severity="warning",
    title="a requirement that only the kernel decides",
    explanation="Its marker asks for the release of the kernel, which AWS chooses and changes: "
    "what it requires is left out. Require the package yourself if the layer needs it.",
    was="undecided",
)
UNREAD_EXCLUSION = Code(
    id="HLL036",
    severity="note",
    title="an excluded distribution whose requirements are unknown",
    explanation="What is excluded is neither fetched nor built. Neither the lockfile nor the index "
    "says what it requires, so what only it needs stays.",
)
NOT_IMPORTED = Code(
    id="HLL040",
    severity="error",
    title="a module that can't be imported",
    explanation='Found by importing it where Lambda would (`verify = "import"`, `verify '
    "--import`): the same import works with the wheels alone, or fails for want of a library that "
    "the runtime's image lacks. A library that is opened at run time (with dlopen or ctypes) is "
    "found only so. Put it into the layer, or take back what the layer leaves out.",
)
NOWHERE_IMPORTED = Code(
    id="HLL041",
    severity="note",
    title="a module that can't be imported anywhere",
    explanation="The same import fails with the wheels alone: it needs a package that is optional, "
    "another system, a display or a network. Nothing that the layer does is to blame.",
)
UNREADABLE_METADATA = Code(
    id="HLL042",
    severity="error",
    title="metadata that can't be read",
    explanation="`importlib.metadata`, called by the runtime's own client where that is there, "
    "does not find name, version, requirements or entry points of a distribution.",
)
CODES = {each.id: each for each in tuple(vars().values()) if isinstance(each, Code)}
# The words of schema 1 of `layer.json`.
FORMER = {each.was: each for each in CODES.values() if each.was}
