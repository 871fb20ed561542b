"""The check of a layer's size, as a build makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hatch_lambda_layer.build.limits import load
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.layer.size import check_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hatch_lambda_layer.config.matrix import Member
    from hatch_lambda_layer.findings import Finding
    from hatch_lambda_layer.layer.tree import LayerTree
    from hatch_lambda_layer.wheels.wheel import Wheel


def member(**options: object) -> Member:
    """Give a layer for python3.13 with these options."""
    table = {key.replace("_", "-"): value for key, value in options.items()}
    pyproject = {"tool": {"lambda-layer": {"runtimes": ["python3.13"], **table}}}
    (found,) = Matrix.from_pyproject(pyproject).members
    return found


def check(tree: LayerTree, wheels: Sequence[Wheel] = (), **options: object) -> list[Finding]:
    """Check the size of a layer whose project has no requirements of its own."""
    layer = member(**options)
    return check_size(tree, wheels, layer.config, load(tuple, layer))
