"""The order of the build of one layer, from lockfile to manifest: the only module to know it."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._internal.ownership import owned, sweep, unique_name
from .._internal.parallel import begin
from ..exceptions import OutputError
from ..layer import archive
from ..layer import manifest as manifests
from ..layer.manifest import LayerManifest
from ..layer.size import NEARLY_FULL, nearly_full
from .inputs import build_sources, find_inputs, needs_work_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ..config.layer import Member
    from ..layer.findings import Finding
    from ..layout import LayerPathLayout
    from ..wheels.wheel import Wheel
    from .inputs import BuildContext, BuildInputs

# Of the work folder: git leaves it alone, and so does whoever copies or archives a folder around
# it (https://bford.info/cachedir).
_MARKS = {
    ".gitignore": "*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltLayer:
    """A layer on disk; `rebuilt` is false when it was up to date already.

    `seconds` has the time that each stage took.
    """

    zip_path: Path
    manifest: LayerManifest
    rebuilt: bool
    seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildPlan:
    """The inputs of a layer: the input digest, and each distribution with its own digest."""

    zip_path: Path
    input_digest: str
    distributions: frozenset[tuple[str, str]]


def build_layer(
    context: BuildContext, member: Member, name: str | None, *, anew: bool = False
) -> BuiltLayer:
    """Build one member of the matrix under the `name` it has there, or find that it is current.

    With `anew`, it is built in any case.

    Raises `LambdaLayerError`; whatever was built before is then still there, untouched.
    """
    zip_path = context.layout.path_layer_zip(name)
    manifest_path = context.layout.path_layer_manifest(name)
    for path in (zip_path, manifest_path):
        archive.prepare(path)
    context.cache.store.sweep()
    sweep(context.layout.dir_artifacts)
    context = _with_own_folder(context)
    clock = _Clock()
    with ExitStack() as stack:
        with clock.stage("lock"):
            # The zip is hashed while the lockfile is read.
            intact = begin(lambda: LayerManifest.read_intact(manifest_path, zip_path))
            inputs = _find_inputs(context, member, stack)
            built = intact()
        current = _current(built, inputs) if built and not anew else None
        manifest = current or _rebuild(context, inputs, zip_path, clock)
        if manifest != built:
            archive.write_text(manifest_path, manifest.to_json())
    return BuiltLayer(
        zip_path=zip_path, manifest=manifest, rebuilt=current is None, seconds=clock.seconds
    )


def plan_layer(context: BuildContext, member: Member, zip_path: Path) -> BuildPlan:
    """Return what one member of the matrix would be made from; raise `LambdaLayerError`."""
    with ExitStack() as stack:
        inputs = _find_inputs(_with_own_folder(context), member, stack)
        return BuildPlan(
            zip_path=zip_path, input_digest=inputs.digest, distributions=inputs.distributions
        )


def _with_own_folder(context: BuildContext) -> BuildContext:
    """Return the context with a work folder that no other build has; it is not made yet."""
    return replace(context, layout=replace(context.layout, build_name=unique_name()))


def _find_inputs(context: BuildContext, member: Member, stack: ExitStack) -> BuildInputs:
    """Return the inputs; what is made for them on the way is there until `stack` is left."""
    selection = context.resolver.selection(member.config, member.target)
    if needs_work_folder(selection, member):
        stack.enter_context(_work_folder(context.layout))
    return find_inputs(context, member, selection)


def _rebuild(
    context: BuildContext, inputs: BuildInputs, zip_path: Path, clock: _Clock
) -> LayerManifest:
    # Imported here: a build that has nothing to do must not wait for them.
    from ..layer.composition import compose
    from ..layer.size import check_size
    from .limits import load

    config, target = inputs.member.config, inputs.member.target
    with clock.stage("wheels"):
        wheels = _wheels(context, inputs)
        if inputs.sources and inputs.sources.reclassified:
            # The image that one of them was built in is an input from now on.
            inputs = find_inputs(context, inputs.member, inputs.selection)
        wheels, excluded = _exclude(wheels, inputs)
    with clock.stage("compose"):
        pack = context.layout.path_included_pack
        tree, findings = compose(wheels, inputs.included, pack, target, config.prune)
        loaded = load(context.pyproject, inputs.member)
        findings = [*excluded, *findings, *check_size(tree, wheels, config, loaded)]
    with clock.stage("write"):
        written = archive.write_archive(tree, zip_path, inputs.date)
    return manifests.describe(inputs.member, inputs.digest, tree, wheels, written, findings)


def _wheels(context: BuildContext, inputs: BuildInputs) -> Sequence[Wheel]:
    from ..wheels.fetch import collect_wheels
    from .limits import check_wheels, forecast

    if inputs.sources:
        inputs.sources.check()
    early = forecast(context.pyproject, inputs.member)
    wheels = collect_wheels(
        inputs.selection.wheels, context.cache, context.console, context.access, early.check
    )
    if inputs.sources and inputs.sources.missing:
        check_wheels(inputs.selection.wheels, wheels, context.pyproject, inputs.member)
    return [
        *wheels,
        *build_sources(inputs.sources, context),
        *filter(None, [inputs.project]),
    ]


def _exclude(
    wheels: Sequence[Wheel], inputs: BuildInputs
) -> tuple[Sequence[Wheel], Sequence[Finding]]:
    """Return the wheels that stay, and what to tell of the others."""
    config = inputs.member.config
    if not config.exclude:
        return wheels, ()
    from ..layer.exclusion import exclude

    exclusion = exclude(
        wheels, config.exclude, config.allow_missing, inputs.direct, inputs.member.target
    )
    return exclusion.kept, exclusion.findings


def _current(built: LayerManifest, inputs: BuildInputs) -> LayerManifest | None:
    """Return the manifest of a layer that is up to date, or `None`.

    The limit of the size is not an input: it changes what is said of the layer, not the layer.
    """
    largest = inputs.member.config.max_size
    if built.input_digest != inputs.digest or built.unpacked_size > largest:
        return None
    others = tuple(each for each in built.findings if each.code != NEARLY_FULL)
    return replace(built, findings=(*others, *nearly_full(built.unpacked_size, largest)))


@contextmanager
def _work_folder(layout: LayerPathLayout) -> Iterator[None]:
    """Make an empty folder for what is made on the way, and remove it at the end."""
    with ExitStack() as stack:
        try:
            _make_work_folder(layout, stack)
        except OSError as error:
            raise OutputError(f"{layout.dir_artifacts} can't be made: {error.strerror}") from error
        yield


def _make_work_folder(layout: LayerPathLayout, stack: ExitStack) -> None:
    stack.callback(_remove_empty, layout.dir_artifacts)
    layout.dir_build_lambda.mkdir(parents=True, exist_ok=True)
    for name, text in _MARKS.items():
        mark = layout.dir_build_lambda / name
        if not mark.exists() or mark.read_text(encoding="utf-8") != text:
            mark.write_text(text, encoding="utf-8")
    while not layout.dir_work.exists():
        layout.dir_artifacts.mkdir(parents=True, exist_ok=True)
        # Another build that ends may remove the folder as long as it is empty.
        with suppress(FileNotFoundError):
            stack.enter_context(owned(layout.dir_work))
            layout.dir_work.mkdir()


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


class _Clock:
    """How long each stage took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
