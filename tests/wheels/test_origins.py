"""What a private index claims comes from there, and what pip has chosen is not on one as well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hatch_lambda_layer.config.indexes import PrivateIndex
from hatch_lambda_layer.exceptions import DownloadError, OriginError
from hatch_lambda_layer.index.pages import Link
from hatch_lambda_layer.lockfiles import Lock
from hatch_lambda_layer.wheels.origins import check_origins
from hatch_lambda_layer.wheels.selection import LockedSource, LockedWheel, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACME = PrivateIndex(name="acme", url="https://acme.test/py/simple/", packages=("acme-*",))
OPEN = PrivateIndex(name="open", url="https://open.test/simple")
PUBLIC = "https://public.test/simple"
SHA = "ab" * 32
CANARY = "canary-8d1e"


def wheel(name: str, location: str, index: str | None = None) -> LockedWheel:
    return LockedWheel(name, "1.0", f"{name}-1.0-py3-none-any.whl", SHA, None, location, index)


def source(name: str, kind: str, location: str, index: str | None = None) -> LockedSource:
    sha256 = SHA if kind in ("sdist", "archive") else None
    return LockedSource(name, "1.0", kind, location, sha256, None, None, index, "no wheel")


class Asked:
    """Indexes that answer what they are told to, and note the questions."""

    def __init__(self, pages: Mapping[tuple[str, str], list[Link] | None]) -> None:
        self.pages = pages
        self.questions: list[tuple[str, str]] = []

    def __call__(self, index_url: str, name: str) -> list[Link] | None:
        self.questions.append((index_url, name))
        return self.pages.get((index_url, name))


def nobody() -> Callable[[str, str], Any]:
    raise AssertionError("an index is asked")


def check(
    *locked: LockedWheel | LockedSource, asked: Asked | None = None, resolved: bool = False
) -> Selection:
    selection = Selection(
        tuple(each for each in locked if isinstance(each, LockedWheel)),
        tuple(each for each in locked if isinstance(each, LockedSource)),
    )
    lock = Lock(path=Path("x.lock"), command="lock", text=b"", resolved=resolved)
    return (
        check_origins(selection, lock, [ACME, OPEN], lambda: asked)
        if asked
        else check_origins(selection, lock, [ACME, OPEN], nobody)
    )


def refused(*locked: LockedWheel | LockedSource, **options: Any) -> str:
    with pytest.raises(OriginError) as caught:
        check(*locked, **options)
    assert caught.value.hint
    return caught.value.message


# ---- claimed names


@pytest.mark.parametrize(
    "locked",
    [
        wheel("acme-core", "https://cdn.test/x.whl", "https://ACME.test:443/py/simple"),
        wheel("acme-core", "https://acme.test/py/files/acme_core-1.0-py3-none-any.whl"),
        source("acme-core", "sdist", "https://cdn.test/x.tar.gz", "https://acme.test/py/simple/"),
        source("acme-core", "vcs", "https://acme.test/py/repository.git"),
        # In the user's own folders, nothing is anybody else's.
        source("acme-core", "directory", "/srv/app/packages/core"),
        wheel("acme-core", "/srv/wheels/acme_core-1.0-py3-none-any.whl"),
        source("acme-core", "archive", "file:///srv/acme.zip"),
        wheel("other", "https://public.test/x.whl", PUBLIC),
    ],
)
def test_what_is_where_it_has_to_be_is_left_as_it_is(locked: LockedWheel | LockedSource) -> None:
    assert locked in check(locked).all


@pytest.mark.fault(59)
@pytest.mark.parametrize(
    ("locked", "place"),
    [
        (wheel("acme-core", "https://files.test/x.whl", PUBLIC), PUBLIC),
        (wheel("acme-core", "https://acme.test/py/x.whl", PUBLIC), PUBLIC),
        (wheel("acme-core", f"index+{PUBLIC}/acme-core/#x.whl", PUBLIC), PUBLIC),
        (source("acme-core", "sdist", "https://files.test/x.tar.gz", PUBLIC), PUBLIC),
        (source("acme-core", "vcs", f"https://me:{CANARY}@git.test/x.git"), "git.test/x.git"),
    ],
)
def test_a_claimed_name_from_elsewhere_is_refused_with_both_places(
    locked: LockedWheel | LockedSource, place: str
) -> None:
    said = refused(locked)
    assert said.startswith("Package `acme-core 1.0` comes from ")
    assert place in said
    assert f"not from the private index `acme` ({ACME.url}), which `packages` of it claims" in said
    assert CANARY not in said


@pytest.mark.fault(59)
def test_every_package_from_elsewhere_is_named() -> None:
    said = refused(
        wheel("acme-b", "https://x.test/b.whl", PUBLIC),
        source("acme-a", "vcs", "https://git.test/a.git"),
    )
    assert [line.split("`")[1] for line in said.splitlines()] == ["acme-a 1.0", "acme-b 1.0"]


@pytest.mark.fault(59)
def test_of_the_pages_where_a_claimed_file_may_be_only_those_of_its_index_stay() -> None:
    page = "https://acme.test/py/simple/acme-core/"
    locked = wheel("acme-core", f"index+{PUBLIC}/acme-core/ {page}#x.whl", PUBLIC)
    (found,) = check(locked).wheels
    assert found.location == f"index+{page}#x.whl"
    assert found.index_url == "https://acme.test/py/simple"
    other = wheel("other", f"index+{PUBLIC}/other/ {page}#x.whl", PUBLIC)
    assert check(other).wheels == (other,)


@pytest.mark.fault(59)
def test_where_the_lock_does_not_say_the_index_itself_is_asked() -> None:
    locked = wheel("acme-core", "https://cdn.test/acme.whl")
    key = (ACME.url, "acme-core")
    for pages, good in (
        ([Link("a.whl", "https://cdn.test/another", None, SHA)], True),
        ([Link("a.whl", "https://cdn.test/acme.whl", None)], True),
        ([Link("a.whl", "https://cdn.test/acme.whl", None, "cd" * 32)], False),
        ([Link("a.whl", "https://elsewhere/acme.whl", None)], False),
        (None, False),
    ):
        asked = Asked({key: pages})
        if good:
            assert check(locked, asked=asked).wheels == (locked,)
        else:
            assert "claims" in refused(locked, asked=asked)
        assert asked.questions == [key]


# ---- what an index has just decided


@pytest.mark.fault(59)
def test_what_pip_has_chosen_is_asked_for_at_every_private_index() -> None:
    asked = Asked({})
    locked = (
        wheel("one", "https://public.test/one.whl"),
        source("two", "sdist", "https://public.test/two.tar.gz"),
        wheel("from-open", "https://open.test/files/x.whl"),
        wheel("acme-core", "https://acme.test/py/x.whl"),
        wheel("local", "/srv/local.whl"),
        source("in-git", "vcs", "https://git.test/x.git"),
        source("folder", "directory", "/srv/folder"),
    )
    assert set(check(*locked, asked=asked, resolved=True).all) == set(locked)
    assert sorted(asked.questions) == sorted(
        (index.url, name) for index in (ACME, OPEN) for name in ("one", "two")
    )
    # With hashes, somebody has decided before.
    check(*locked)


@pytest.mark.fault(59)
def test_what_a_private_index_has_too_is_refused_unless_it_is_the_same_file() -> None:
    locked = wheel("tool", "https://public.test/tool-9.whl")
    key = (OPEN.url, "tool")
    older = Link("tool-1.whl", "https://open.test/tool-1.whl", None, "cd" * 32)
    said = refused(locked, asked=Asked({key: [older]}), resolved=True)
    assert said == (
        "Package `tool 1.0` comes from https://public.test/tool-9.whl, not from the private index "
        f"`open` ({OPEN.url}), which has it, too"
    )
    same = older._replace(sha256=SHA)
    check(locked, asked=Asked({key: [older, same]}), resolved=True)


@pytest.mark.fault(59)
def test_an_index_that_does_not_answer_has_not_said_no() -> None:
    class Silent(Asked):
        def __call__(self, index_url: str, name: str) -> list[Link] | None:
            raise DownloadError(f"{index_url} {name}")

    with pytest.raises(DownloadError, match="tool"):
        check(wheel("tool", "https://public.test/t.whl"), asked=Silent({}), resolved=True)
