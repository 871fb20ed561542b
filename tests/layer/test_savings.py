"""The hint about a layer that is too large says what each way saves, and no more than is true."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.config.layer import LAMBDA_UNPACKED_LIMIT
from hatch_lambda_layer.exceptions import SizeError
from hatch_lambda_layer.layer.tree import Entry, LayerTree
from hatch_lambda_layer.wheels.verify import verify_wheel
from tests.support.limits import check
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.layer_project import Project

MIB = 1 << 20
BOOST = WheelSpec(
    name="boost",
    files={"boost/__init__.py": bytes(MIB), "boost/tests/test_it.py": bytes(MIB)},
    requires_dist=["nccl"],
)
NCCL = WheelSpec(name="nccl", files={"nccl/lib.bin": bytes(4 * MIB)}, requires_dist=["runtime"])
RUNTIME = WheelSpec(name="runtime", files={"runtime.bin": bytes(MIB)})


def hint(project: Project) -> str:
    with pytest.raises(SizeError) as caught:
        project.build()
    return str(caught.value.hint)


@pytest.mark.fault(36)
def test_each_way_to_a_smaller_layer_comes_with_what_it_saves(project: Project) -> None:
    project.lock(BOOST, NCCL, RUNTIME)
    project.configure(max_size="2 MiB")
    said = hint(project)
    assert '`prune = ["tests"]` saves 1.0 MB' in said
    way = re.search(r"`exclude = (.+?)` with `allow-missing = (.+?)` saves (.+?),", said)
    assert way is not None
    # With what only it needs.
    assert (json.loads(way[1]), way[3]) == (["nccl"], "5.0 MB")
    assert "`runtime`" not in said
    options = {"prune": ["tests"], "exclude": json.loads(way[1])}
    project.configure(**options, allow_missing=json.loads(way[2]))
    built = project.build().manifest
    assert [each.name for each in built.packages] == ["boost"]
    assert built.unpacked_size < 2 * MIB


@pytest.mark.fault(36)
def test_a_preset_that_saves_nothing_is_not_offered(project: Project) -> None:
    project.lock(RUNTIME)
    project.configure(max_size="500 kB")
    assert "prune" not in hint(project)


def test_what_the_runtime_has_is_offered_as_the_family_that_it_is(project: Project) -> None:
    sdk = WheelSpec(name="botocore", files={"botocore/data.bin": bytes(3 * MIB)})
    needs = WheelSpec(name="boto3", requires_dist=["botocore"])
    project.lock(sdk, needs, RUNTIME)
    project.configure(max_size="2 MiB")
    assert '`exclude = ["aws-sdk"]` saves 3.0 MB: Lambda\'s runtimes have it' in hint(project)
    project.configure(exclude=["aws-sdk"])
    assert [each.name for each in project.build().manifest.packages] == ["runtime"]


@pytest.mark.fault(36)
def test_a_limit_that_can_not_be_reached_is_called_that(tmp_path: Path) -> None:
    wheel = verify_wheel(BOOST.write(tmp_path), BOOST.filename, BOOST.sha256)
    entry = Entry.made("python/boost/lib.so", "boost", b"")
    tree = LayerTree((entry._replace(size=LAMBDA_UNPACKED_LIMIT + MIB),))
    with pytest.raises(SizeError) as caught:
        check(tree, [wheel])
    said = str(caught.value.hint)
    assert said == (
        "262,144,000 bytes can't be reached with what the project itself asks for: that alone "
        "takes 251.0 MB, `boost` 251.0 MB of them; Lambda takes functions of up to 10 GB as "
        "container images"
    )


def test_a_limit_of_the_users_own_may_be_raised(project: Project) -> None:
    project.lock(RUNTIME)
    project.configure(max_size="500 kB")
    assert hint(project).startswith("raise `max-size`: Lambda allows 262,144,000 bytes")
    project.configure(max_size=LAMBDA_UNPACKED_LIMIT)
    assert project.build().rebuilt
