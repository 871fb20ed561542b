"""What the proofs of the tests have in common."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.import_proof.bubblewrap import sandbox
from hatch_lambda_layer.import_proof.opening import Wishes
from hatch_lambda_layer.import_proof.places import Limits
from hatch_lambda_layer.import_proof.proof import prove_imports
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from tests.support.displays import Lines
from tests.support.system_parts import MissingPart, find_interpreters, require

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hatch_lambda_layer.import_proof.report import ImportReport, ModuleVerdict

# The newest runtime that this machine has an interpreter for.
RUNTIME = [name for name in find_interpreters() if name != "python3.10"][-1]
TARGET = Target(runtimes()[RUNTIME], Architecture.parse(platform.machine()))
QUICK = Limits(seconds=3, memory=300 << 20)


def _bubblewrap() -> str:
    found = sandbox()
    if found is None:
        raise MissingPart("a bubblewrap that works")
    return found


@pytest.fixture
def working() -> None:
    """Skip where bubblewrap can't do its work; in CI that is a failure."""
    require(_bubblewrap)


@pytest.fixture
def prove() -> Callable[..., ImportReport]:
    """A function that proves a layer with small limits."""

    def proof(layer: Path, target: Target = TARGET, **wishes: object) -> ImportReport:
        return prove_imports(
            layer,
            target,
            Console(Lines()),
            wishes=Wishes(**wishes),  # type: ignore[arg-type]
            limits=QUICK,
        )

    return proof


def by_name(report: ImportReport) -> Mapping[str, ModuleVerdict]:
    return {each.name: each for each in report.modules}
