"""The end of an archive tells what is in it, and no more of it is read than that."""

from __future__ import annotations

import io
import random
import zipfile

import pytest

from hatch_lambda_layer._internal.zip_listing import EndReader, list_files
from hatch_lambda_layer._internal.zip_reader import ArchiveError
from tests.support.layer_archives import zipped

FILES = {"python/a.py": b"A = 1\n", "python/b/c.bin": bytes(range(256)) * 9}


def listed(data: bytes) -> tuple[dict[str, int], list[tuple[int, int]]]:
    """Give the files of an archive, and which of its parts were fetched."""
    parts = []

    def fetch(start: int, stop: int) -> bytes:
        parts.append((start, stop))
        return data[start:stop]

    return dict(list_files(io.BufferedReader(EndReader(fetch, len(data))))), parts


def test_files_are_listed_with_their_sizes_and_folders_are_not() -> None:
    data = zipped({"python/": b"", **FILES})
    assert listed(data) == ({"python/a.py": 6, "python/b/c.bin": 2304}, [(0, len(data))])


def test_of_a_large_archive_the_end_is_fetched_once() -> None:
    padding = {"python/x.bin": random.Random(1).randbytes(2 << 20)}  # noqa: S311
    data = zipped({**padding, **FILES})
    files, parts = listed(data)
    assert set(files) == {*padding, *FILES}
    assert parts == [(len(data) - (1 << 18), len(data))]


def test_a_directory_that_is_larger_is_fetched_from_its_beginning() -> None:
    many = {f"python/{'n' * 90}{number}.py": b"" for number in range(3000)}
    data = zipped({"python/x.bin": random.Random(1).randbytes(1 << 20), **many})  # noqa: S311
    files, parts = listed(data)
    assert len(files) == 3001
    assert len(parts) == 2
    assert parts[1][1] == parts[0][0]
    assert sum(stop - start for start, stop in parts) < len(data)


def test_a_comment_and_bytes_before_the_archive_do_no_harm() -> None:
    # Other tools write both, and Lambda takes them.
    data = b"#!/bin/sh\n" + zipped(FILES, comment=b"a layer")
    assert set(listed(data)[0]) == set(FILES)


@pytest.mark.fault(202)
@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_archive_is_refused_or_listed_and_nothing_else(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    data = bytearray(zipped(FILES))
    for _ in range(dice.randrange(1, 6)):
        data[dice.randrange(len(data) - 150, len(data))] = dice.randrange(256)
    whole = bytes(data[: dice.choice([len(data), len(data) - 3])])
    refused = ""
    files: dict[str, int] = {}
    try:
        files, _ = listed(whole)
    except ArchiveError as error:
        refused = error.reason
    assert refused or all(size >= 0 for size in files.values())


def test_a_directory_without_an_end_is_not_fetched() -> None:
    def fetch(start: int, stop: int) -> bytes:
        return bytes(stop - start)

    end = EndReader(fetch, 1 << 30)
    end.seek(0)
    with pytest.raises(ArchiveError, match="larger than any archive needs"):
        end.read(10)


def test_it_reads_as_any_file() -> None:
    data = bytes(range(200))
    end = EndReader(lambda start, stop: data[start:stop], len(data))
    assert (end.seek(-5, io.SEEK_END), end.read(9)) == (195, data[195:])
    assert (end.seek(10), end.seek(5, io.SEEK_CUR), end.read(2)) == (10, 15, data[15:17])
    assert end.tell() == 17
    with pytest.raises(ValueError, match="before the file"):
        end.seek(-1)
    assert zipfile.is_zipfile(io.BufferedReader(end)) is False
