"""Importing everything of a layer where Lambda would, and judging what came of it."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from .._internal.parallel import run_parallel
from .._internal.scratch import scratch_folder
from ..exceptions import LambdaLayerError
from ..targets.families import families
from .comparison import install, of_distributions
from .contents import read_contents
from .interpreter import is_native
from .judgement import Known, has_failed, judged
from .opening import Wishes, choose
from .places import Limits, script
from .report import DistributionVerdict, ImportReport
from .unpacking import set_modes, unpack_layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .._internal.console import Console
    from ..targets.target import Target
    from .comparison import Wheels
    from .contents import Contents, Module
    from .opening import Places
    from .places import Place

    Lines = list[dict[str, Any]]

# Extension modules that one process imports: their names are arguments of a program.
_MOST_EXTENSIONS = 500
# Beside the deadlines of the importer itself: to make a sandbox, and to start an interpreter.
_SECONDS_TO_START = 30.0
_EMULATION = 10
# Names of modules that are not those of their distributions.
_MODULES = {"python-dateutil": "dateutil"}


def prove_imports(
    layer: Path,
    target: Target,
    console: Console,
    *,
    wishes: Wishes = Wishes(),  # noqa: B008  # a frozen value
    limits: Limits = Limits(),  # noqa: B008
    wheels: Wheels | None = None,
) -> ImportReport:
    """Import every module of a layer (a zip or a folder) on a target, and return what came of it.

    `wheels` are those of a layer that was built here; for others, uv is asked for the distributions
    that it names. Raises `LambdaLayerError` where nothing can
    be imported at all: the file can't be unpacked, holds no module, or there is no place for it.
    """
    start = time.monotonic()
    with ExitStack() as stack:
        work = stack.enter_context(scratch_folder())
        folder, modes = _opened(layer, work)
        contents = read_contents(folder, target)
        set_modes(modes)
        places = choose(target, wishes, work, console)
        proof = _Proof(target, limits, contents, places, work, console, wheels)
        place = stack.enter_context(places.layer(folder, contents))
        distributions, client = proof.read_metadata(place)
        console.info(f"Importing {len(contents.modules)} modules in {_phrase(place)}")
        lines = proof.import_all(place, contents.modules)
        plain, files = proof.import_plain(lines, distributions, stack)
        known = Known(of_runtime=proof.lacking(place), of_wheels=files)
        return ImportReport(
            target=target.id,
            code_sha256=_code_sha256(layer),
            place=place.name,
            python=place.python,
            client=client,
            notes=(*place.notes, *contents.notes),
            seconds=time.monotonic() - start,
            modules=tuple(
                verdict
                for module in contents.modules
                for verdict in judged(module, lines[module.name], plain.get(module.name), known)
            ),
            distributions=tuple(distributions),
        )


def _opened(layer: Path, work: Path) -> tuple[Path, dict[Path, int]]:
    """Return the folder of a layer, and the modes to set in it before anything is imported."""
    if layer.is_dir():
        return layer.resolve(), {}
    folder = work / "layer"
    return folder, unpack_layer(layer, folder)


class _Proof:
    """The proof of one layer while it is made."""

    def __init__(
        self,
        target: Target,
        limits: Limits,
        contents: Contents,
        places: Places,
        work: Path,
        console: Console,
        wheels: Wheels | None,
    ) -> None:
        self._target = target
        self._limits = limits
        self._contents = contents
        self._places = places
        self._work = work
        self._console = console
        self._wheels = wheels

    def read_metadata(self, place: Place) -> tuple[list[DistributionVerdict], bool]:
        """Return what can be read of each distribution, and whether the client has read it."""
        request = {
            "code": script("_metadata.py"),
            "event": {"path": place.path},
            "client": place.has_client,
        }
        (line, *_) = self._ask(place, request, 1) or [{"error": ["it did not answer"]}]
        if line.get("error"):
            error = " / ".join(map(str, line["error"]))
            what = "the runtime's client" if place.has_client else "importlib.metadata"
            return [DistributionVerdict(name=what, version="", entry_points=0, error=error)], False
        found = line.get("result")
        rows = found if isinstance(found, list) else []
        return [_distribution(row) for row in rows if isinstance(row, dict)], place.has_client

    def import_all(self, place: Place, modules: Sequence[Module]) -> dict[str, Lines]:
        """Return what the importer tells of each module."""

        def one(module: Module) -> Lines:
            steps = [module.name, *module.extensions[:_MOST_EXTENSIONS]]
            # What is at the top is measured as it is on Lambda: without what others have compiled.
            shared = None if module.is_top else place.bytecode
            return self._ask(place, {"steps": steps, "bytecode": shared}, 3)

        workers = os.cpu_count() or 1
        with self._console.progress("Importing", len(modules)) as progress:
            found = {}
            for module, lines in run_parallel(one, modules, workers):
                progress.done()
                found[module.name] = lines
            return found

    def import_plain(
        self,
        lines: Mapping[str, Lines],
        distributions: Sequence[DistributionVerdict],
        stack: ExitStack,
    ) -> tuple[dict[str, Lines], frozenset[str]]:
        """Return what comes of the imports that have failed when the wheels are installed.

        The names of all their files are the second value.
        """
        failed = [each for each in self._contents.modules if has_failed(each, lines[each.name])]
        nothing: tuple[dict[str, Lines], frozenset[str]] = ({}, frozenset())
        if not failed:
            return nothing
        known = [(each.name, each.version) for each in distributions if not each.error]
        wheels = self._wheels or of_distributions(known)
        folder = self._work / "plain"
        self._console.info(f"{len(failed)} imports failed: trying them without the layer")
        if not install(wheels, self._target, folder):
            self._console.info("None of its wheels can be installed to compare it with")
            return nothing
        try:
            contents = read_contents(folder, self._target)
            place = stack.enter_context(self._places.plain(folder, contents))
        except LambdaLayerError as error:
            self._console.info(f"There is nothing to compare it with: {error.message}")
            return nothing
        return self.import_all(place, failed), frozenset(path.name for path in folder.rglob("*"))

    def lacking(self, place: Place) -> frozenset[str]:
        """Return the names of modules that the runtime has, and the place has not."""
        sdk = families()["aws-sdk"]
        if place.has_sdk:
            return frozenset()
        return frozenset(_MODULES.get(name, name) for name in sdk.core | sdk.shared)

    def _ask(self, place: Place, request: Mapping[str, object], times: int) -> Lines:
        factor = 1 if is_native(self._target) else _EMULATION
        seconds = self._limits.seconds * factor
        whole = {
            "path": place.path,
            "after": place.after,
            "user": place.user,
            "seconds": seconds,
            "memory": self._limits.memory,
            **request,
        }
        return place.ask(whole, seconds * times + _SECONDS_TO_START * factor)


def _distribution(row: Mapping[str, Any]) -> DistributionVerdict:
    points = row.get("entry_points")
    return DistributionVerdict(
        name=str(row.get("name") or row.get("place")),
        version=str(row.get("version") or ""),
        entry_points=len(points) if isinstance(points, list) else 0,
        error=str(row.get("error") or ""),
    )


def _phrase(place: Place) -> str:
    article = "a sandbox of " if place.name == "bubblewrap" else "a "
    kind = "plain folder" if place.name == "folder" else place.name
    return f"{article}{kind}, with {place.python}"


def _code_sha256(layer: Path) -> str | None:
    """Return Lambda's own digest of a zip; `None` for a folder, which Lambda knows none of."""
    if layer.is_dir():
        return None
    with layer.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
