"""The order of the build of one layer, from lockfile to manifest: the only module to know it."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from .._internal.ownership import sweep, unique_name
from .._internal.parallel import begin
from ..findings.codes import NEARLY_FULL, UNLISTED, UNMET_REQUIREMENT
from ..layer import archive
from ..layer import manifest as manifests
from ..layer.manifest import LayerManifest
from ..layer.size import nearly_full
from .claims import refuse_anothers
from .inputs import find_inputs, needs_work_folder, read_direct
from .verification import audited_layer, is_to_be_proved, prove_current, prove_new
from .work_folder import work_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ..config.matrix import Member
    from ..findings import Finding
    from ..layer.archive import WrittenArchive
    from ..layer.composition import Composition
    from ..layer.exclusion import Exclusion
    from ..layer.tree import LayerTree
    from ..wheels.wheel import Wheel
    from .inputs import BuildContext, BuildInputs


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
    refuse_anothers(zip_path, context.project, member.id)
    context.cache.store.sweep()
    sweep(context.layout.dir_artifacts)
    context = _with_own_folder(context)
    clock = _Clock()
    with ExitStack() as stack:
        stack.enter_context(context.cache.store.in_use())
        with clock.stage("lock"):
            # The zip is hashed while the lockfile is read.
            intact = begin(lambda: LayerManifest.read_intact(manifest_path, zip_path))
            inputs = _find_inputs(context, member, stack)
            built = intact()
        current = _current(built, inputs, context.project) if built and not anew else None
        if current is None:
            context.console.detail(f"building {zip_path.name}: {_why(built, inputs, anew=anew)}")
        elif is_to_be_proved(member, zip_path, current.code_sha256):
            with clock.stage("import"):
                prove_current(member, current, zip_path, context)
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
        stack.enter_context(work_folder(context.layout))
    return find_inputs(context, member, selection)


def _rebuild(
    context: BuildContext, inputs: BuildInputs, zip_path: Path, clock: _Clock
) -> LayerManifest:
    # Imported here: a build that has nothing to do must not wait for them.
    from ..import_proof.provenance import remember
    from .collection import check_listed, collect, leave_out

    config = inputs.member.config
    with clock.stage("wheels"):
        collected = collect(context, inputs, inputs.deferral.now, inputs.sources)
        if inputs.sources and inputs.sources.reclassified:
            # The image that one of them was built in is an input from now on.
            inputs = find_inputs(context, inputs.member, inputs.selection)
        every, exclusion = leave_out(context, inputs, collected)
        unlisted, wheels = check_listed(context, inputs, every), exclusion.kept
    with clock.stage("compose"):
        made = _compose(context, inputs, wheels, every)
        sizes = _check_size(context, inputs, made.tree, exclusion)
    with clock.stage("audit"):
        audited = audited_layer(context.cache.store, inputs, made, wheels)
        if unlisted:
            # They tell of the same requirements.
            audited = [each for each in audited if each.code != UNMET_REQUIREMENT.id]
        found = [*unlisted, *exclusion.findings, *made.findings, *sizes, *audited]
        findings = config.findings.checked(found)

    def check(new: Path, written: WrittenArchive) -> None:
        remember(context.cache.store, written.sha256)
        if config.verify == "import":
            prove_new(inputs.member, new, zip_path, context, wheels)

    with clock.stage("write"):
        written = archive.write_archive(made.tree, zip_path, inputs.date, check)
    return manifests.describe(
        inputs.member,
        inputs.digest,
        made.tree,
        wheels,
        written,
        findings,
        context.project,
        inputs.lock_digest,
    )


def _check_size(
    context: BuildContext,
    inputs: BuildInputs,
    tree: LayerTree,
    exclusion: Exclusion,
) -> Sequence[Finding]:
    from ..layer.size import check_size
    from .limits import load

    loaded = load(partial(read_direct, context, inputs.member), inputs.member)
    return check_size(tree, exclusion.kept, inputs.member.config, loaded, exclusion.names)


def _compose(
    context: BuildContext, inputs: BuildInputs, wheels: Sequence[Wheel], every: Sequence[Wheel]
) -> Composition:
    """Return the layer of `wheels`; `every` are those of the lock, which may have libraries."""
    from ..layer.composition import compose
    from ..layer.launchers import launchers
    from ..layer.shared_libraries import take_libraries

    config, target = inputs.member.config, inputs.member.target
    libraries = take_libraries(config.libraries, every, target)
    added = [entry for entry, _ in libraries]
    if config.scripts:
        added += launchers(wheels, target)
    pack = context.layout.path_included_pack
    made = compose(wheels, inputs.included, pack, target, config.prune, added, config.prefer)
    made.native.update({entry.sha256: elf for entry, elf in libraries})
    return made


def _current(
    built: LayerManifest, inputs: BuildInputs, project: str | None
) -> LayerManifest | None:
    """Return the manifest of a layer that is up to date, or `None`.

    The limits of the size are not an input: they change what is said of the layer, not the layer.
    """
    config = inputs.member.config
    # What may be missing is in the lock, which is no input.
    if any(each.code == UNLISTED.id for each in built.findings):
        return None
    if built.input_digest != inputs.digest or built.unpacked_size > config.max_size:
        return None
    others = (each for each in built.findings if each.code != NEARLY_FULL.id)
    sizes = nearly_full(built.unpacked_size, config.max_size, config.function_size)
    findings = config.findings.checked([*others, *sizes])
    return replace(built, project=project, lock_digest=inputs.lock_digest, findings=findings)


def _why(built: LayerManifest | None, inputs: BuildInputs, *, anew: bool) -> str:
    """Return why a layer is built."""
    if anew:
        return "it is to be built anew"
    if built is None:
        return "there is none with its manifest, unchanged"
    if built.input_digest != inputs.digest:
        return "what it is made from has changed"
    return "it is larger than `max-size`"


class _Clock:
    """How long each stage took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
