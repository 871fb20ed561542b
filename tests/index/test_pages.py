"""The pages of indexes, in HTML and in JSON, say where files are and what they are."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest

from hatch_lambda_layer.exceptions import DownloadError
from hatch_lambda_layer.index.pages import Link, read_links

PAGE = "https://h.test/simple/a/"
SHA = "ab" * 32
JSON = {"Content-Type": "application/vnd.pypi.simple.v1+json"}


def test_a_page_of_html_is_read() -> None:
    body = (
        f'<a href="../../f/a%2B1.whl#sha256={SHA}">x</a><a href="https://o/b.whl#md5=1">y</a>'
        f'<a href="c.whl#x=1&amp;sha256={SHA}&amp;y=2" data-yanked="bad">z</a><a name="d">w</a>'
        '<a href="e.whl" data-yanked data-requires-python="&gt;=3.9">v</a>'
    )
    assert read_links(PAGE, {}, body.encode()) == [
        Link("a+1.whl", "https://h.test/f/a%2B1.whl", None, SHA),
        Link("b.whl", "https://o/b.whl", None, None),
        Link("c.whl", f"{PAGE}c.whl", "bad", SHA),
        Link("e.whl", f"{PAGE}e.whl", "", None, ">=3.9"),
    ]


def test_a_page_of_json_is_read() -> None:
    files = [
        {"filename": "a.whl", "url": "../a.whl", "hashes": {"sha256": SHA}, "yanked": True},
        {"filename": "b.whl", "url": "https://o/b.whl", "hashes": {}, "yanked": "bad"},
        {"filename": "c.whl", "url": "c.whl", "requires-python": ">=3.9"},
        {"filename": "d.whl", "url": "d.whl", "requires-python": [3], "yanked": {"a": 1}},
    ]
    assert read_links(PAGE, JSON, json.dumps({"files": files}).encode()) == [
        Link("a.whl", "https://h.test/simple/a.whl", "", SHA),
        Link("b.whl", "https://o/b.whl", "bad", None),
        Link("c.whl", f"{PAGE}c.whl", None, None, ">=3.9"),
        Link("d.whl", f"{PAGE}d.whl", "", None),
    ]


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b"\xff", b'{"files": [1]}', b'{"files": [{}]}'),
        b'{"files": [{"filename": ["a.whl"], "url": "a.whl"}]}',
    ],
)
def test_what_is_no_page_is_an_error_without_credentials(body: bytes) -> None:
    with pytest.raises(DownloadError, match=r"https://\*\*\*\*@h\.test/ is not a valid page"):
        read_links("https://me:canary@h.test/", JSON, body)


@pytest.mark.fault(85)
@pytest.mark.parametrize(
    "body",
    [
        b'{"files": ' + b"[" * 100_000,
        b'{"files": [' + b'{"a":' * 100_000,
        b'{"files": [{"filename": 5, "url": "a.whl"}]}',
        b'{"files": [{"filename": "a.whl", "url": null}]}',
        b'{"files": [{"filename": "a.whl", "url": "http://[::1"}]}',
        b'{"files": [{"filename": "a.whl", "url": "a.whl", "hashes": []}, 5]}',
        b'{"files": [{"filename": "a.whl", "url": "a.whl", "hashes": {"sha256": 5}}]}',
        b'{"files": [{"filename": "a.whl", "url": "a.whl", "hashes": "abc"}]}',
        b'{"files": {"filename": "a.whl", "url": "a.whl"}}',
        b'{"files": 5}',
        b'{"files": null}',
        b'{"files": [' + b"9" * 5000 + b"]}",
        b'{"files": [' + b"1," * 1_000_001 + b"1]}",
        b"\xff" * 1000,
        b"null",
    ],
    ids=range(15),
)
def test_a_page_of_json_that_is_not_valid_is_said_to_be_that(body: bytes) -> None:
    with pytest.raises(DownloadError, match="is not a valid page of an index") as caught:
        read_links(PAGE, JSON, body)
    assert len(str(caught.value)) < 500


@pytest.mark.fault(85)
@pytest.mark.parametrize("value", [b"5", b"[1]", b'{"a": 1}', b"true"])
def test_a_yank_without_a_reason_is_one(value: bytes) -> None:
    body = b'{"files": [{"filename": "a.whl", "url": "a.whl", "yanked": ' + value + b"}]}"
    assert [link.yanked for link in read_links(PAGE, JSON, body)] == [""]


@pytest.mark.fault(85)
@pytest.mark.parametrize(
    "odd",
    [
        "<![foo[",
        "<![CDATA[<b>]]>",
        "<!DOCTYPE",
        "<!-->",
        "<!-- <a href='no.whl'> -->",
        "<?php echo '<' ?>",
        "<script>'<a href=\"no.whl\">'</script >",
        "<STYLE>a > b {}</Style>",
        "<a>",
        "<a/>",
        "<a href>",
        "<a href=''>",
        "<a href='http://[::1/no.whl'>",
        "<a href='//[/no.whl'>",
        "<a href=a=b'c>",
        "<abbr href='no.whl'>",
        "</a href='no.whl'>",
        "&#99999999999;&#x110000;&bogus",
        "\0\ud800",
    ],
)
def test_what_is_odd_in_a_page_of_html_hides_no_link_and_adds_none(odd: str) -> None:
    body = f"{odd}<A\n  class=x\n  HREF = a.whl#sha256={SHA} href='no.whl'>a</A>"
    links = read_links(PAGE, {}, body.encode("utf-8", "surrogatepass"))
    assert [link for link in links if link.filename.endswith("whl")] == [
        Link("a.whl", f"{PAGE}a.whl", None, SHA)
    ]


@pytest.mark.fault(85)
@pytest.mark.parametrize("hidden", ["<!--", "<a b=", "<a b='", "<script>", "<style x", "<a "])
def test_what_is_left_open_hides_what_follows(hidden: str) -> None:
    (link,) = read_links(PAGE, {}, f"<a href=a.whl>{hidden} <a href=b.whl".encode())
    assert link.filename == "a.whl"


@pytest.mark.fault(82)
@pytest.mark.parametrize(
    "piece",
    [
        *("<a b='", '<a b="', "<a ", "<a\t", "<a<", "<!--", "<![CDATA[", "<script>"),
        *("<a =", "<a b= ", "</a ", "&#", "<a href=a.whl>", "<a b=\"'", "<a/", "<style>'"),
    ],
)
def test_a_page_of_many_pieces_is_read_in_one_pass(piece: str) -> None:
    started = time.process_time()
    # Whether it is a page does not matter here, only that the answer comes.
    with suppress(DownloadError):
        read_links(PAGE, {}, (piece * (4_000_000 // len(piece))).encode(), "b.whl")
    assert time.process_time() - started < 10


@pytest.mark.fault(82)
def test_a_page_of_too_many_links_is_refused() -> None:
    with pytest.raises(DownloadError, match="more than 200,000 links"):
        read_links(PAGE, {}, b"<a>" * 200_001)
