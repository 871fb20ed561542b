"""Files that Python does not run from a layer, names that hide others, and launchers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...findings import codes
from ...targets.modules import is_harmless_pth, modules_of_runtimes, standard_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...findings import Finding
    from .subject import Subject

_START = ("sitecustomize", "usercustomize")
# The files of setuptools and hatchling, of flit, and of old setuptools (`setup.py develop`).
_EDITABLE = ("__editable__", "_editable_impl_", "easy-install.pth")
_SHOWN = 4


def module_findings(subject: Subject) -> Iterator[Finding]:
    """Yield findings about what lies at the top of `sys.path`, and about what is not there."""
    tops: dict[str, str] = {}
    bins = set()
    for path, rest in subject.importable:
        first, _, below = rest.partition("/")
        if not below and first.endswith(".pth"):
            yield _pth(path, first)
        elif first == "bin":
            bins.add(below)
        elif name := _module(first, below):
            tops.setdefault(name, path)
    yield from _start_files(tops)
    yield from _shadows(subject, tops)
    yield from _launchers(subject, bins)


def _module(first: str, below: str) -> str | None:
    """Return the name of the module that a path brings; a folder alone hides nothing (PEP 420)."""
    if not below:
        stem, _, rest = first.partition(".")
        return stem if rest.endswith(("py", "so")) else None
    return first if below == "__init__.py" else None


def _pth(path: str, name: str) -> Finding:
    if is_harmless_pth(name):
        message = f"`{path}` is not read in a layer, and nothing misses it"
        return codes.NOT_RUN.finding(path, message)
    # Of an editable install, the modules lie elsewhere: to import them fails.
    is_editable = name.startswith(_EDITABLE)
    return codes.NOT_RUN.finding(
        path,
        f"`{path}` is not read: a layer is not a folder for site-packages",
        hint="set what it does in the function, or in `PYTHONPATH`",
        severity="warning" if is_editable else None,
    )


def _start_files(tops: dict[str, str]) -> Iterator[Finding]:
    for name in _START:
        if name in tops:
            message = f"`{tops[name]}` is not run: Python starts before layers are on its path"
            hint = "import it in the function, or start the function with AWS_LAMBDA_EXEC_WRAPPER"
            yield codes.NOT_RUN.finding(tops[name], message, hint=hint)


def _shadows(subject: Subject, tops: dict[str, str]) -> Iterator[Finding]:
    hidden = dict.fromkeys(standard_modules(subject.target.runtime), "Python's own")
    hidden |= dict.fromkeys(modules_of_runtimes(), "the runtime's own")
    for name in sorted(tops.keys() & hidden.keys()):
        message = f"`{tops[name]}` is imported in place of {hidden[name]} `{name}`"
        yield codes.SHADOWS.finding(
            tops[name], message, hint="rename it, or leave it out with `prune` or `exclude`"
        )


def _launchers(subject: Subject, bins: set[str]) -> Iterator[Finding]:
    for each in subject.distributions:
        missing = [name for name in each.launchers if name not in bins]
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            listed = ", ".join(f"`{name}`" for name in missing[:_SHOWN])
            message = f"{each.title}: its launchers are not in the layer: {listed}{more}"
            hint = "`scripts = true` writes them to `python/bin/`"
            yield codes.LAUNCHERS_LEFT_OUT.finding(each.title, message, hint=hint)
