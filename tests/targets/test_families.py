"""The families of distributions that the runtimes have."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.utils import canonicalize_name

from hatch_lambda_layer.targets import families as module
from hatch_lambda_layer.targets.families import families

FACTS = Path(module.__file__).with_name("families.toml")


def test_the_facts_say_when_they_were_true_and_who_says_so() -> None:
    text = FACTS.read_text(encoding="utf-8")
    assert re.search(r"^# As of 20\d\d-\d\d-\d\d\. Sources:$", text, re.MULTILINE)


def test_each_member_is_in_one_family_in_one_role_by_its_normal_name() -> None:
    members = [name for each in families().values() for name in (*each.core, *each.shared)]
    assert len(members) == len(set(members))
    assert members == [canonicalize_name(name) for name in members]
