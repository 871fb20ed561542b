"""A layer's tree: what becomes one file, what is a conflict, and in which order it is written."""

from __future__ import annotations

import hashlib
import random
import unicodedata
import zlib

import pytest

from hatch_lambda_layer.exceptions import ConflictError
from hatch_lambda_layer.layer.tree import Entry, LayerTree


def made(path: str, owner: str, content: bytes = b"", *, executable: bool = False) -> Entry:
    return Entry.made(f"python/{path}", owner, content, executable=executable)


def settled(*entries: Entry) -> list[Entry]:
    return list(LayerTree(entries).settled())


def conflict(*entries: Entry) -> str:
    with pytest.raises(ConflictError) as caught:
        settled(*entries)
    assert caught.value.hint
    return caught.value.message


def test_a_made_entry_holds_its_content_as_it_is() -> None:
    entry = Entry.made("python/a.txt", "demo", b"content")

    assert (entry.method, entry.source, entry.offset) == (0, b"content", 0)
    assert (entry.size, entry.compressed_size) == (7, 7)
    assert entry.crc == zlib.crc32(b"content")
    assert entry.sha256 == hashlib.sha256(b"content").hexdigest()
    assert entry.owner == "demo"


@pytest.mark.fault(46)
def test_modes_are_644_and_755() -> None:
    assert made("a", "demo").mode == 0o100644
    assert made("a", "demo", executable=True).mode == 0o100755


@pytest.mark.fault(31)
def test_native_namespace_packages_are_merged() -> None:
    tree = settled(
        made("google/cloud/storage/__init__.py", "google-cloud-storage", b"storage"),
        made("google/cloud/kms/__init__.py", "google-cloud-kms", b"kms"),
        made("google/api/__init__.py", "googleapis-common-protos", b"api"),
    )

    assert [(entry.path, entry.owner) for entry in tree] == [
        ("python/google/api/__init__.py", "googleapis-common-protos"),
        ("python/google/cloud/kms/__init__.py", "google-cloud-kms"),
        ("python/google/cloud/storage/__init__.py", "google-cloud-storage"),
    ]


@pytest.mark.fault(32)
def test_equal_files_of_two_distributions_are_kept_once_and_belong_to_the_first() -> None:
    code = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"

    (entry,) = settled(
        made("zope/__init__.py", "zope-a", code), made("zope/__init__.py", "zope-b", code)
    )

    assert (entry.owner, entry.size) == ("zope-a", len(code))


@pytest.mark.fault(32, 33)
def test_unequal_files_of_two_distributions_are_refused_with_both_named() -> None:
    message = conflict(
        made("zope/__init__.py", "zope-a", b"one"), made("zope/__init__.py", "zope-b", b"two")
    )

    assert "`python/zope/__init__.py`: zope-a and zope-b have different files" in message


@pytest.mark.fault(33)
def test_an_empty_file_is_not_equal_to_one_with_content() -> None:
    assert "a and b" in conflict(made("x", "a", b""), made("x", "b", b"content"))


@pytest.mark.fault(33)
def test_two_files_of_one_distribution_name_it_once() -> None:
    message = conflict(made("x.py", "demo", b"one"), made("x.py", "demo", b"two"))

    assert "`python/x.py`: demo have different files" in message or "demo has" in message
    assert "demo and demo" not in message


@pytest.mark.fault(33)
def test_the_third_owner_of_a_path_counts_too() -> None:
    assert "a and c" in conflict(
        made("x", "a", b"one"), made("x", "b", b"one"), made("x", "c", b"other")
    )


@pytest.mark.parametrize("bits", [(True, False), (False, True), (True, True)])
def test_of_equal_files_the_executable_one_wins(bits: tuple[bool, bool]) -> None:
    (entry,) = settled(
        made("bin/tool", "a", b"#!", executable=bits[0]),
        made("bin/tool", "b", b"#!", executable=bits[1]),
    )

    assert entry.executable


@pytest.mark.parametrize("turned", [False, True])
def test_a_file_that_is_another_ones_folder_is_refused(turned: bool) -> None:  # noqa: FBT001
    entries = [made("thing", "a", b"file"), made("thing/deep/below.py", "b", b"code")]

    message = conflict(*(reversed(entries) if turned else entries))

    assert "python/thing" in message
    assert "a and b have a file and a folder of one name" in message


def test_names_that_only_begin_alike_are_no_file_and_folder() -> None:
    assert len(settled(made("thing", "a"), made("thing.py", "b"), made("things/x", "c"))) == 3


@pytest.mark.fault(26)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("demo/Data.txt", "demo/data.txt"),
        ("demo/\u00c9t\u00e9.txt", "demo/\u00e9t\u00e9.txt"),
        ("demo/STRASSE.txt", "demo/stra\u00dfe.txt"),
        *[
            ("demo/caf\u00e9.txt", unicodedata.normalize("NFD", name))
            for name in ("demo/caf\u00e9.txt", "demo/CAF\u00c9.txt")
        ],
    ],
)
@pytest.mark.parametrize("owners", [("a", "b"), ("same", "same")])
def test_names_that_differ_by_case_or_form_are_refused_even_with_equal_content(
    one: str, other: str, owners: tuple[str, str]
) -> None:
    message = conflict(made(one, owners[0], b"equal"), made(other, owners[1], b"equal"))

    assert f"`python/{one}` and `python/{other}`" in message
    assert all(owner in message for owner in owners)
    assert "differ only by case or Unicode form" in message


@pytest.mark.fault(33)
def test_of_many_conflicts_five_are_shown_and_the_rest_counted() -> None:
    entries = [made(f"f{n}", owner, owner.encode()) for n in range(12) for owner in ("a", "b")]

    message = conflict(*entries)

    assert message.count("a and b") == 5
    assert message.endswith("and 7 more")


def test_the_order_is_that_of_the_bytes() -> None:
    names = ["a", "a-b", "a.b", "a/b", "ab", "Z", "_", "\u00e9", "\uffee", "\U00010000"]
    entries = [made(name, "demo") for name in names if name != "a"]
    random.Random(1).shuffle(entries)  # noqa: S311

    paths = [entry.path for entry in settled(*entries)]

    assert paths == sorted(paths, key=str.encode)
    assert paths[:4] == ["python/Z", "python/_", "python/a-b", "python/a.b"]
    assert paths[-2:] == ["python/\uffee", "python/\U00010000"]


@pytest.mark.fault(48)
def test_the_order_of_the_wheels_changes_nothing() -> None:
    entries = [made(f"p{n}/m{m}.py", f"p{n}", b"%d" % m) for n in range(9) for m in range(9)]
    turned = list(entries)
    random.Random(2).shuffle(turned)  # noqa: S311

    assert settled(*entries) == settled(*turned)


def test_settling_twice_changes_nothing() -> None:
    tree = LayerTree((made("b", "x"), made("a", "y"), made("b", "z"))).settled()

    assert tree.settled() == tree


def test_only_keeps_what_is_asked_for() -> None:
    tree = LayerTree((made("a", "x", b"1"), made("b", "x", b"22"), made("c", "y", b"333")))

    kept = tree.only(lambda entry: entry.owner == "x")

    assert [entry.path for entry in kept] == ["python/a", "python/b"]
    assert (tree.unpacked_size, kept.unpacked_size) == (6, 3)
