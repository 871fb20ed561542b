"""METADATA of wheels that are not fetched: the index's own file, or a part of the wheel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hatch_lambda_layer.index import metadata
from hatch_lambda_layer.index.metadata import MetadataReader
from tests.support.index_server import Close, IndexServer, Status, WrongBytes
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

ALPHA = WheelSpec(name="alpha", version="1.0", requires_dist=["beta>=1"])
# Its METADATA is far from its end.
LARGE = replace(ALPHA, name="large", files={f"m{n}.py": bytes([n]) * 4096 for n in range(40)})


@pytest.fixture
def index() -> Iterator[IndexServer]:
    with IndexServer() as server:
        server.add(ALPHA, LARGE)
        yield server


def places(index: IndexServer, wheel: WheelSpec) -> list[str]:
    """Give both ways in which a lockfile names a wheel of an index."""
    listed = f"index+{index.simple_url}{wheel.name}/#{wheel.filename}"
    return [index.file_url(wheel.filename), listed]


def read(index: IndexServer, place: str) -> bytes | None:
    return MetadataReader().metadata(place, index.simple_url)


def whole(index: IndexServer, wheel: WheelSpec) -> int:
    """Give how often a wheel was fetched as a whole."""
    asked = index.requests_for(index.path_of(wheel.filename))
    return sum(each.headers["Range"] is None for each in asked)


def test_the_metadata_file_of_the_index_is_read(index: IndexServer) -> None:
    for place in places(index, ALPHA):
        assert b"\nRequires-Dist: beta>=1\n" in (read(index, place) or b"")
    assert index.requests_for(index.path_of(ALPHA.filename)) == []


@pytest.mark.parametrize("wheel", [ALPHA, LARGE], ids=["small", "large"])
def test_without_such_a_file_a_part_of_the_wheel_is_read(
    index: IndexServer, wheel: WheelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The directory takes more than this, and METADATA lies before it.
    monkeypatch.setattr(metadata, "_TAIL", 256)
    content = index.files[wheel.filename].metadata
    index.files[wheel.filename] = replace(index.files[wheel.filename], metadata=None)
    assert content is not None
    for place in places(index, wheel):
        assert read(index, place) == content
    assert whole(index, wheel) == 0


def test_a_server_without_parts_is_asked_for_no_more(index: IndexServer) -> None:
    index.files[ALPHA.filename] = replace(index.files[ALPHA.filename], metadata=None)
    index.ranges = False
    assert [read(index, place) for place in places(index, ALPHA)] == [None, None]


@pytest.mark.parametrize("answer", [Status(403), Close(), WrongBytes(b"PK" * 40)])
def test_what_can_t_be_read_is_unknown(
    index: IndexServer, answer: Status | Close | WrongBytes
) -> None:
    index.files[ALPHA.filename] = replace(index.files[ALPHA.filename], metadata=None)
    index.always(index.path_of(ALPHA.filename), answer)
    assert [read(index, place) for place in places(index, ALPHA)] == [None, None]
    assert read(index, f"index+{index.simple_url}gone/#gone-1.0-py3-none-any.whl") is None


def test_a_file_with_another_hash_than_the_page_says_does_not_count(index: IndexServer) -> None:
    page = (
        '{"files": [{"filename": "alpha-1.0-py3-none-any.whl", "hashes": {}, "url": "'
        + index.file_url(ALPHA.filename)
        + '", "core-metadata": {"sha256": "'
        + "0" * 64
        + '"}}]}'
    )
    index.always("/simple/alpha/", Status(200, {"Content-Type": "application/json"}, page.encode()))
    index.ranges = False
    assert read(index, places(index, ALPHA)[1]) is None
    index.ranges = True
    # Then the wheel itself is asked.
    assert b"Requires-Dist: beta>=1" in (read(index, places(index, ALPHA)[1]) or b"")
