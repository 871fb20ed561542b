"""The pages of indexes, in HTML and in JSON, say where files are and what they are."""

from __future__ import annotations

import json

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
