"""What is printed of yanked and outdated packages, whatever strangers have written into it."""

from __future__ import annotations

import json
from dataclasses import replace

from hatch_lambda_layer.reports.outdated import as_json, as_text
from hatch_lambda_layer.wheels.outdated import Checked, LayerStatus, NotAsked, Unanswered

INDEX = "https://index.test/simple"
CURRENT = Checked(
    name="alpha",
    version="1.0",
    index=INDEX,
    listed=True,
    yanked=None,
    newest=None,
    source_only=False,
    unfitting=None,
)
STATUS = LayerStatus(
    member="python3.13-x86_64",
    checked=(
        CURRENT,
        replace(CURRENT, name="beta", version="1.0.3", yanked="it deletes files", newest="1.1"),
        replace(CURRENT, name="delta", listed=False),
        replace(CURRENT, name="gamma", newest="2.0", source_only=True, unfitting="3.0"),
    ),
    unanswered=(Unanswered(name="omega", version="1.0", reason="it is down", hint="wait"),),
    not_asked=(NotAsked(name="app", version=None, reason="from a folder"),),
)
GAMMA = "2.0 has only a source for this layer; 3.0 has no file for this layer"
# Clears the screen, in C0 and in C1; turns the direction of writing; half of a pair.
HOSTILE = "\x1b[2J\x9b2J\u202etxt\x7f\ud800\n::error::ok ##vso[x]: é"


def test_a_table_has_what_is_to_be_done() -> None:
    assert as_text([STATUS], verbose=False).splitlines() == [
        "python3.13-x86_64: 1 yanked, 1 not listed, 2 outdated of 4 packages",
        "package  locked  newest",
        "beta     1.0.3   1.1     1.0.3 is yanked: it deletes files",
        "delta    1.0             the index does not list 1.0 (any more)",
        f"gamma    1.0     2.0     {GAMMA}",
        "could not be asked: omega 1.0: it is down",
    ]


def test_packages_from_no_index_are_listed_when_verbose() -> None:
    *lines, last = as_text([STATUS], verbose=True).splitlines()
    assert lines == as_text([STATUS], verbose=False).splitlines()
    assert last == "not asked: app, which is from a folder"


def test_layers_of_the_same_packages_share_a_table() -> None:
    arm = replace(STATUS, member="python3.13-arm64")
    other = replace(STATUS, member="other", checked=(CURRENT,), unanswered=())
    first, *_, last = as_text([STATUS, other, arm], verbose=False).splitlines()
    assert first.startswith("python3.13-x86_64, python3.13-arm64: 1 yanked")
    assert last == "other: nothing is yanked or outdated in 1 package"


def test_text_of_strangers_does_not_control_the_terminal() -> None:
    status = replace(
        STATUS,
        checked=(replace(CURRENT, yanked=HOSTILE), replace(CURRENT, name="b", yanked="x" * 9999)),
        unanswered=(Unanswered(name="omega", version="1", reason=HOSTILE, hint=None),),
    )
    said = as_text([status], verbose=True)
    shown = "\\x1b[2J\\x9b2J\\u202etxt\\x7f\\ud800\\n::error::ok # #vso[x]: é"
    assert f"1.0 is yanked: {shown}\n" in said
    assert f"could not be asked: omega 1: {shown}\n" in said
    assert all(each.isprintable() or each == "\n" for each in said)
    assert max(map(len, said.splitlines())) < 400
    text = as_json([status], verbose=False)
    assert text.isascii()
    assert "\x1b" not in text
    assert "##" not in text
    package, *_ = json.loads(text)["layers"][0]["packages"]
    assert package["yanked"] == HOSTILE


def test_a_reason_that_is_empty_is_said_to_be_missing() -> None:
    status = replace(STATUS, checked=(replace(CURRENT, yanked=""),))
    assert "1.0 is yanked: no reason given\n" in as_text([status], verbose=False)


def test_the_json_has_everything() -> None:
    table = json.loads(as_json([STATUS], verbose=False))
    assert table["schema"] == 1
    (layer,) = table["layers"]
    assert (layer["member"], layer["outdated"]) == ("python3.13-x86_64", True)
    assert [each["name"] for each in layer["packages"]] == ["alpha", "beta", "delta", "gamma"]
    assert layer["packages"][1] == {
        "name": "beta",
        "version": "1.0.3",
        "index": INDEX,
        "listed": True,
        "yanked": "it deletes files",
        "newest": "1.1",
        "source_only": False,
        "unfitting": None,
    }
    assert layer["unanswered"] == [
        {"name": "omega", "version": "1.0", "reason": "it is down", "hint": "wait"}
    ]
    assert layer["not_asked"] == [{"name": "app", "version": None, "reason": "from a folder"}]
    current = json.loads(as_json([replace(STATUS, checked=(CURRENT,))], verbose=False))
    assert current["layers"][0]["outdated"] is False
