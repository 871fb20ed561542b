"""`[tool.lambda-layer]` with values of every type in every place: read, or refused by name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hatch_lambda_layer.config.container import ContainerConfig
from hatch_lambda_layer.config.layer import LayerConfig
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.config.project import direct_requirements
from hatch_lambda_layer.config.publish import KEYS, PublishConfig
from hatch_lambda_layer.exceptions import ConfigError
from hatch_lambda_layer.layout import hatch_output

if TYPE_CHECKING:
    from collections.abc import Callable

LAYER_KEYS = [each.replace("_", "-") for each in LayerConfig.__dataclass_fields__]
WORDS = [
    *("python3.13", "arm64", "x86_64", "uv", "local", "250 MiB", "tests", "*", "..", "/", ""),
    *("https://u:p@i.example/simple", "s3://bucket/{region}", "{layer-name}", "eu-west-1"),
    *("3.14", "3.14.2", "2.34", "2.5"),
    *("111122223333", "o-abcdefghij", "a==1; os_name == 'x'", "\0", "\u202e", "a" * 300),
]

scalars = (
    st.sampled_from(WORDS)
    | st.text(max_size=20)
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.times()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def tables(keys: list[str], **own: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A table whose keys are mostly known ones, with strategies for the values of some."""
    known = st.sampled_from(keys).flatmap(
        lambda key: st.tuples(st.just(key), own.get(key.replace("-", "_"), values) | values)
    )
    return st.lists(known | st.tuples(st.text(max_size=8), values), max_size=8).map(dict)


right = st.just(["python3.13"])
indexes = st.lists(tables(["name", "url", "packages", "codeartifact", "username"]), max_size=3)
container = tables([each.replace("_", "-") for each in ContainerConfig.__dataclass_fields__])
publish = tables(list(KEYS))
layer = tables(
    [*LAYER_KEYS, "publish"], runtimes=right, container=container, publish=publish, indexes=indexes
)
named = st.dictionaries(st.sampled_from(["ml", "ML", "a b"]) | st.text(max_size=4), layer | values)
whole = tables(
    [*LAYER_KEYS, "publish", "indexes", "custom-runtimes", "layers", "layers"],
    runtimes=right,
    container=container,
    publish=publish,
    indexes=indexes,
    layers=named,
    custom_runtimes=st.dictionaries(
        st.sampled_from(["acme", "python3.13"]) | st.text(max_size=4),
        tables(["python", "glibc", "compatible-runtimes"]) | values,
    ),
)
project = tables(
    ["name", "dependencies", "optional-dependencies"],
    dependencies=st.lists(st.sampled_from(WORDS) | values, max_size=3),
)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(table=whole | values, project=project | values, other=values)
def test_a_configuration_is_read_or_refused(table: object, project: object, other: object) -> None:
    tool = {"lambda-layer": table, "hatch": other, "poetry": other, "pdm": other, "uv": other}
    pyproject = {"project": project, "tool": tool, "dependency-groups": other}
    readers: tuple[Callable[[dict[str, object]], object], ...] = (
        Matrix.from_pyproject,
        PublishConfig.from_pyproject,
        lambda each: hatch_output(Path("project"), each),
    )
    for read in readers:
        with suppress(ConfigError):
            assert read(pyproject) is not None
    direct_requirements(pyproject, ["dev"], ["x"])
