"""Distributions are left out whole, by name, and never from under what stays."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from packaging.requirements import Requirement

from hatch_lambda_layer.exceptions import ExclusionError
from hatch_lambda_layer.layer.exclusion import Exclusion, LeftOut, exclude
from hatch_lambda_layer.lockfiles.protocol import Lock
from hatch_lambda_layer.targets.families import families
from hatch_lambda_layer.targets.target import Architecture, Target, runtimes
from hatch_lambda_layer.wheels.selection import select
from hatch_lambda_layer.wheels.verify import verify_wheel
from hatch_lambda_layer.wheels.wheel import Wheel
from tests.support.index_server import IndexServer
from tests.support.lock_factory import uv_project
from tests.support.wheel_factory import WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Needs = Mapping[str, Sequence[str]]

TARGET = Target(runtimes()["python3.13"], Architecture.X86_64)

# The Requires-Dist of boto3 1.43.107 and what belongs to it, as these wheels have them.
SDK: Needs = {
    "boto3": [
        "botocore (<1.44.0,>=1.43.107)",
        "jmespath (<2.0.0,>=0.7.1)",
        "s3transfer (<0.20.0,>=0.19.0)",
        "botocore[crt] (<2.0a0,>=1.21.0) ; extra == 'crt'",
    ],
    "botocore": [
        "jmespath (<2.0.0,>=0.7.1)",
        "python-dateutil (<3.0.0,>=2.1)",
        "urllib3 (!=2.2.0,<3,>=1.25.4)",
        "awscrt (==0.36.0) ; extra == 'crt'",
    ],
    "jmespath": [],
    "python-dateutil": ["six >=1.5"],
    "s3transfer": [
        "botocore (<2.0a.0,>=1.37.4)",
        "botocore[crt] (<2.0a.0,>=1.37.4) ; extra == 'crt'",
    ],
    "six": [],
    "urllib3": [
        "brotli>=1.2.0; (platform_python_implementation == 'CPython') and extra == 'brotli'",
        "h2<5,>=4; extra == 'h2'",
        "pysocks!=1.5.7,<2.0,>=1.5.6; extra == 'socks'",
    ],
}
CORE = {"boto3", "botocore", "s3transfer"}
# Of requests 2.34.2.
REQUESTS: Needs = {
    "requests": [
        "charset_normalizer<4,>=2",
        "idna<4,>=2.5",
        "urllib3<3,>=1.26",
        "certifi>=2023.5.7",
        'PySocks!=1.5.7,>=1.5.6; extra == "socks"',
    ],
    "charset-normalizer": [],
    "idna": [],
    "certifi": [],
}
# Of aws-xray-sdk 2.15.0 and aws-lambda-powertools 3.37.0.
XRAY: Needs = {"aws-xray-sdk": ["wrapt", "botocore >=1.11.3"], "wrapt": []}
POWERTOOLS: Needs = {
    "aws-lambda-powertools": [
        "jmespath<2.0.0,>=1.0.1",
        "typing-extensions<5.0.0,>=4.11.0",
        "boto3<2.0.0,>=1.34.32; extra == 'aws-sdk'",
    ],
    "typing-extensions": [],
}


class Layer:
    """Real wheels in a folder, verified as the cache verifies them."""

    def __init__(self, folder: Path, needs: Needs) -> None:
        specs = [WheelSpec(name=name, requires_dist=lines) for name, lines in needs.items()]
        self.wheels = [
            verify_wheel(each.write(folder), each.filename, each.sha256) for each in specs
        ]

    def without(
        self,
        *names: str,
        direct: Iterable[str] = (),
        allow: Iterable[str] = (),
        target: Target = TARGET,
    ) -> Exclusion:
        requirements = [Requirement(each) for each in direct]
        return exclude(self.wheels, names, list(allow), requirements, target)

    def refusal(self, *names: str, direct: Iterable[str] = (), allow: Iterable[str] = ()) -> str:
        with pytest.raises(ExclusionError) as caught:
            self.without(*names, direct=direct, allow=allow)
        return str(caught.value)


def kept(exclusion: Exclusion) -> set[str]:
    return {wheel.name for wheel in exclusion.kept}


def left_out(exclusion: Exclusion) -> dict[str, str]:
    return {each.name: each.why for each in exclusion.left_out}


def messages(exclusion: Exclusion) -> list[str]:
    return [each.message for each in exclusion.findings]


def test_nothing_is_left_out_unless_it_is_named(tmp_path: Path) -> None:
    layer = Layer(tmp_path, {**SDK, **REQUESTS})
    exclusion = layer.without(direct=["boto3"])
    assert exclusion == Exclusion(
        wanted=frozenset(), kept=tuple(layer.wheels), left_out=(), findings=()
    )


@pytest.mark.fault(39)
@pytest.mark.parametrize("direct", [["boto3", "requests"], []], ids=["project", "only a lock"])
def test_without_the_aws_sdk_requests_keeps_its_urllib3_and_the_report_says_so(
    tmp_path: Path, direct: list[str]
) -> None:
    exclusion = Layer(tmp_path, {**SDK, **REQUESTS}).without("aws-sdk", direct=direct)
    assert kept(exclusion) == {*REQUESTS, "urllib3"}
    assert left_out(exclusion) == dict.fromkeys(SDK.keys() - {"urllib3"}, "part of `aws-sdk`")
    assert [each.code for each in exclusion.findings] == ["HLL032"]
    assert messages(exclusion) == [
        "`urllib3` stays, although it is part of `aws-sdk`: `requests` needs it"
    ]


def test_all_seven_of_the_aws_sdk_go_when_nothing_else_needs_them(tmp_path: Path) -> None:
    layer = Layer(tmp_path, {**SDK, "numpy": []})
    exclusion = layer.without("aws-sdk", direct=["boto3", "numpy"])
    assert kept(exclusion) == {"numpy"}
    assert left_out(exclusion).keys() == SDK.keys()
    assert exclusion.findings == ()


def test_what_is_left_out_is_told_with_its_version_in_the_order_of_the_wheels(
    tmp_path: Path,
) -> None:
    specs = [
        WheelSpec(name="zeta", version="2.0.1", requires_dist=["Alpha"]),
        WheelSpec(name="middle"),
        WheelSpec(name="alpha", version="1.0a1"),
        WheelSpec(name="beta"),
    ]
    wheels = [verify_wheel(each.write(tmp_path), each.filename, each.sha256) for each in specs]
    exclusion = exclude(wheels, ["zeta"], [], [Requirement("zeta")], TARGET)
    assert exclusion.left_out == (
        LeftOut("zeta", "2.0.1", "named in `exclude`"),
        LeftOut("alpha", "1.0a1", "only `zeta` needed it"),
    )
    assert exclusion.kept == (wheels[1], wheels[3])


@pytest.mark.fault(39)
def test_botocore_alone_is_refused_and_those_who_need_it_are_named(tmp_path: Path) -> None:
    refusal = Layer(tmp_path, {**SDK, **REQUESTS}).refusal("botocore", direct=["boto3", "requests"])
    assert refusal == (
        "`botocore` can't be left out: `boto3` and `s3transfer` need it, and it is only a part of "
        "`aws-sdk`\n\n"
        'hint: `exclude = ["aws-sdk"]` leaves out the whole family, except what others need of it; '
        "where the runtime or another layer has it, allow that with `allow-missing = "
        '["botocore"]`'
    )


@pytest.mark.parametrize("name", [name for name in SDK if name != "boto3"])
def test_no_part_of_the_aws_sdk_can_be_left_out_from_under_boto3(tmp_path: Path, name: str) -> None:
    refusal = Layer(tmp_path, SDK).refusal(name, direct=["boto3"])
    assert f"`{name}` can't be left out: " in refusal
    assert 'hint: `exclude = ["aws-sdk"]` leaves out the whole family' in refusal


def test_where_there_is_no_sdk_its_family_is_not_suggested(tmp_path: Path) -> None:
    layer = Layer(tmp_path, {**REQUESTS, "urllib3": []})
    assert "aws-sdk" not in layer.refusal("urllib3", direct=["requests"])


def test_boto3_takes_its_family_with_it_where_nothing_else_needs_it(tmp_path: Path) -> None:
    exclusion = Layer(tmp_path, {**SDK, **REQUESTS}).without("boto3", direct=["boto3", "requests"])
    assert kept(exclusion) == {*REQUESTS, "urllib3"}
    (message,) = messages(exclusion)
    assert message == (
        "`botocore`, `jmespath`, `python-dateutil`, `s3transfer` and `six` are left out, too: "
        "only `boto3` needed them"
    )


def test_boto3_is_refused_where_botocore_would_stay_behind(tmp_path: Path) -> None:
    layer = Layer(tmp_path, {**SDK, **XRAY})
    assert layer.refusal("boto3", direct=["boto3", "aws-xray-sdk"]).startswith(
        "`boto3` can't be left out: it is part of `aws-sdk`, of which `botocore` stays "
        "(`aws-xray-sdk` needs it)\n\nhint: "
    )
    assert "`botocore` stays (the project asks for it)" in Layer(tmp_path, SDK).refusal(
        "boto3", direct=["boto3", "botocore"]
    )


def test_half_an_sdk_can_be_had_on_purpose(tmp_path: Path) -> None:
    layer = Layer(tmp_path, SDK)
    half = layer.without("botocore", direct=["boto3"], allow=["botocore"])
    assert kept(half) == {"boto3", "s3transfer", "jmespath"}
    other = layer.without("boto3", direct=["boto3", "botocore"], allow=["boto3"])
    assert kept(other) == SDK.keys() - {"boto3", "s3transfer"}


@pytest.mark.fault(39)
def test_naming_all_seven_takes_nothing_away_from_requests_either(tmp_path: Path) -> None:
    refusal = Layer(tmp_path, {**SDK, **REQUESTS}).refusal(*SDK, direct=["boto3", "requests"])
    assert refusal.startswith("`urllib3` can't be left out: `requests` needs it\n\n")
    assert 'hint: `exclude = ["aws-sdk"]` leaves out the whole family, except what' in refusal


@pytest.mark.fault(39)
def test_a_package_that_needs_the_sdk_is_named_until_the_runtimes_own_is_allowed(
    tmp_path: Path,
) -> None:
    layer, direct = Layer(tmp_path, {**SDK, **XRAY}), ["boto3", "aws-xray-sdk"]
    assert layer.refusal("aws-sdk", direct=direct) == (
        "`botocore` of `aws-sdk` can't be left out: `aws-xray-sdk` needs it\n\n"
        "hint: keep it, or exclude what needs it, too; where the runtime or another layer has it, "
        'allow that with `allow-missing = ["botocore"]`'
    )
    for allowed in ("botocore", "aws-sdk", "AWS_SDK"):
        exclusion = layer.without("aws-sdk", direct=direct, allow=[allowed])
        assert kept(exclusion) == XRAY.keys()
        assert left_out(exclusion)["botocore"] == (
            "part of `aws-sdk`, although `aws-xray-sdk` needs it (`allow-missing`)"
        )
        assert exclusion.findings == ()


@pytest.mark.fault(39)
def test_powertools_keeps_its_jmespath(tmp_path: Path) -> None:
    layer = Layer(tmp_path, {**SDK, **POWERTOOLS})
    exclusion = layer.without("aws-sdk", direct=["aws-lambda-powertools", "boto3"])
    assert kept(exclusion) == {*POWERTOOLS, "jmespath"}
    assert messages(exclusion) == [
        "`jmespath` stays, although it is part of `aws-sdk`: `aws-lambda-powertools` needs it"
    ]
    refusal = layer.refusal("aws-sdk", direct=["aws-lambda-powertools[aws-sdk]"])
    assert "`boto3` of `aws-sdk` can't be left out: `aws-lambda-powertools[aws-sdk]`" in refusal


def test_members_of_the_family_stay_where_the_project_or_the_lock_asks_for_them(
    tmp_path: Path,
) -> None:
    layer = Layer(tmp_path, SDK)
    direct = ["boto3", "python-dateutil"]
    assert messages(layer.without("aws-sdk", direct=direct)) == [
        "`python-dateutil` stays, although it is part of `aws-sdk`: the project asks for it",
        "`six` stays, although it is part of `aws-sdk`: `python-dateutil` needs it",
    ]
    alone = Layer(tmp_path, {"boto3": [], "six": []}).without("aws-sdk")
    assert kept(alone) == {"six"}
    assert messages(alone) == [
        "`six` stays, although it is part of `aws-sdk`: the lockfile asks for it directly"
    ]


def test_extras_of_the_sdk_go_with_it(tmp_path: Path) -> None:
    exclusion = Layer(tmp_path, {**SDK, "awscrt": []}).without("aws-sdk", direct=["boto3[crt]"])
    assert kept(exclusion) == set()
    assert messages(exclusion) == ["`awscrt` is left out, too: only `aws-sdk` needed it"]


def test_the_family_is_what_boto3_needs() -> None:
    family = families()["aws-sdk"]
    assert family.core == CORE
    assert family.core | family.shared == SDK.keys()


@pytest.mark.parametrize("name", ["aws-sdk", "boto3", "S3Transfer", "six", "Python_DateUtil"])
def test_nobody_is_warned_of_a_family_that_is_not_there(tmp_path: Path, name: str) -> None:
    exclusion = Layer(tmp_path, {"numpy": []}).without(name)
    assert (kept(exclusion), exclusion.findings) == ({"numpy"}, ())


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("nunpy", " (did you mean `numpy`?)"),
        ("Num_Py", " (did you mean `numpy`?)"),
        ("aws_skd", " (did you mean `aws-sdk`?)"),
        ("numpy>=1", " (did you mean `numpy`?)"),
        ("completely-other", ""),
    ],
)
def test_a_name_that_is_not_in_the_layer_is_warned_of(
    tmp_path: Path, name: str, suggestion: str
) -> None:
    exclusion = Layer(tmp_path, {"numpy": [], "pandas": []}).without(name)
    assert kept(exclusion) == {"numpy", "pandas"}
    assert [each.code for each in exclusion.findings] == ["HLL031"]
    assert messages(exclusion) == [
        f"`exclude` names {name!r}, which is not in the layer{suggestion}"
    ]


@pytest.mark.parametrize("name", ["pip", "python"])
def test_a_distribution_is_left_out_by_its_name_and_never_by_a_prefix(
    tmp_path: Path, name: str
) -> None:
    names = ("pip", "pipeline", "pip-tools", "python", "python-dotenv")
    exclusion = Layer(tmp_path, {each: [] for each in names}).without(name)
    assert kept(exclusion) == {*names} - {name}


@pytest.mark.parametrize("spelling", ["Python_DateUtil", "python.dateutil", " PYTHON--DATEUTIL "])
def test_names_are_compared_in_their_normal_form(tmp_path: Path, spelling: str) -> None:
    layer = Layer(tmp_path, {"app": ["Python_DateUtil"], "python-dateutil": ["Six"], "SIX": []})
    assert "`app` needs it" in layer.refusal(spelling)
    for allowed in ("python-dateutil", spelling):
        assert kept(layer.without(spelling, allow=[allowed])) == {"app"}
    assert kept(layer.without("APP", direct=[spelling.strip()])) == {"python-dateutil", "six"}


@pytest.mark.fault(39)
def test_everything_that_can_not_go_is_said_in_one_go(tmp_path: Path) -> None:
    users = {f"user{number}": ["numpy"] for number in range(8)}
    listed = "`user0`, `user1`, `user2`, `user3`, `user4`, `user5` and 2 more"
    layer = Layer(tmp_path, {**users, "numpy": [], "pandas": ["pytz"], "pytz": [], "free": []})
    with pytest.raises(ExclusionError) as caught:
        layer.without("numpy", "pytz", "free", "unknown")
    assert caught.value.problems == (
        f"`numpy` can't be left out: {listed} need it",
        "`pytz` can't be left out: `pandas` needs it",
    )
    assert str(caught.value) == "\n".join(caught.value.problems) + (
        "\n\nhint: keep them, or exclude what needs them, too; where the runtime or another layer "
        'has them, allow that with `allow-missing = ["numpy", "pytz"]`'
    )


def test_what_is_allowed_to_be_missing_is_left_out_with_a_note_of_who_needs_it(
    tmp_path: Path,
) -> None:
    layer = Layer(tmp_path, {"pandas": ["numpy", "pytz"], "numpy": [], "pytz": []})
    exclusion = layer.without("numpy", direct=["pandas"], allow=["NumPy"])
    assert left_out(exclusion) == {
        "numpy": "named in `exclude`, although `pandas` needs it (`allow-missing`)"
    }
    assert "`pytz` can't" in layer.refusal("numpy", "pytz", direct=["pandas"], allow=["numpy"])


def test_allowing_something_to_be_missing_leaves_nothing_out(tmp_path: Path) -> None:
    layer = Layer(tmp_path, {"pandas": ["numpy"], "numpy": [], "free": []})
    assert kept(layer.without("free", allow=["numpy"])) == {"pandas", "numpy"}


def test_what_only_an_excluded_one_needs_goes_too_and_the_report_says_so(tmp_path: Path) -> None:
    needs = {
        "first": ["below", "shared", "both"],
        "second": ["both"],
        "stays": ["shared"],
        "below": ["deeper"],
        "deeper": ["shared"],
        "shared": [],
        "both": [],
    }
    direct = ["first", "second", "stays"]
    exclusion = Layer(tmp_path, needs).without("first", "second", direct=direct)
    assert kept(exclusion) == {"stays", "shared"}
    assert left_out(exclusion) == {
        "first": "named in `exclude`",
        "second": "named in `exclude`",
        "below": "only `first` needed it",
        "deeper": "only `first` needed it",
        "both": "only `first` and `second` needed it",
    }
    assert messages(exclusion) == [
        "`below` and `deeper` are left out, too: only `first` needed them",
        "`both` is left out, too: only `first` and `second` needed it",
    ]
    assert {each.code for each in exclusion.findings} == {"HLL033"}


def test_what_the_project_asks_for_itself_stays_when_its_other_user_goes(tmp_path: Path) -> None:
    layer = Layer(tmp_path, {"pandas": ["numpy"], "numpy": []})
    assert kept(layer.without("pandas", direct=["pandas", "numpy"])) == {"numpy"}
    assert kept(layer.without("pandas", direct=["pandas"])) == set()


def test_a_lock_without_a_project_has_what_nothing_needs_for_its_own_sake(tmp_path: Path) -> None:
    needs = {"pandas": ["numpy"], "numpy": [], "other": ["third"], "third": []}
    layer = Layer(tmp_path, needs)
    assert kept(layer.without("pandas")) == {"other", "third"}
    # What the project's own requirements do not explain, such as another group, stays as well.
    assert kept(layer.without("pandas", direct=["pandas", "elsewhere"])) == {"other", "third"}


def test_an_extra_that_nobody_asks_for_is_no_need(tmp_path: Path) -> None:
    needs = {"app": ["lib"], "lib": ['speedup; extra == "fast"'], "speedup": []}
    layer = Layer(tmp_path, needs)
    assert kept(layer.without("speedup", direct=["app"])) == {"app", "lib"}


@pytest.mark.parametrize(
    "needs",
    [
        {"app": ["lib[fast]"], "lib": ['speedup; extra == "fast"']},
        {"app": ["lib[Fast]"], "lib": ['speedup; extra == "FAST"']},
        {"app": ["lib[more_speed]"], "lib": ['speedup; extra == "more-speed"']},
        {"app": ["lib[all]"], "lib": ['lib[fast]; extra == "all"', 'speedup; extra == "fast"']},
        {"app": ["lib[slow,fast]"], "lib": ['speedup; extra == "fast" and os_name == "posix"']},
    ],
    ids=["plain", "case", "underscore", "through another extra", "one of several"],
)
@pytest.mark.fault(39)
def test_an_extra_counts_where_it_is_asked_for(tmp_path: Path, needs: Needs) -> None:
    layer = Layer(tmp_path, {**needs, "speedup": []})
    extra = "more-speed" if "more_speed" in needs["app"][0] else "fast"
    assert f"`speedup` can't be left out: `lib[{extra}]` needs it" in layer.refusal(
        "speedup", direct=["app"]
    )
    assert kept(layer.without("app", direct=["app"])) == set()
    # The project's own extras count, too.
    assert "`speedup` can't" in layer.refusal("speedup", "app", direct=[*needs["app"], "app"])


@pytest.mark.fault(39)
def test_an_extra_is_blamed_only_for_what_it_adds(tmp_path: Path) -> None:
    needs = {"lib": ['speedup; extra == "fast"', "base"], "base": [], "speedup": []}
    refusal = Layer(tmp_path, needs).refusal("base", "speedup", direct=["lib[fast]"])
    assert "`base` can't be left out: `lib` needs it\n" in refusal
    assert "`speedup` can't be left out: `lib[fast]` needs it\n" in refusal


def test_nobody_stays_because_of_itself(tmp_path: Path) -> None:
    urllib3 = ['urllib3[socks]; extra == "all"', 'pysocks; extra == "socks"']
    layer = Layer(tmp_path, {**SDK, "urllib3": urllib3, "pysocks": []})
    assert messages(layer.without("aws-sdk", direct=["boto3", "urllib3[all]"])) == [
        "`urllib3` stays, although it is part of `aws-sdk`: the project asks for it"
    ]


def test_what_an_extra_brought_goes_with_the_last_who_asked_for_the_extra(tmp_path: Path) -> None:
    needs = {
        "fancy": ["lib[fast]"],
        "plain": ["lib"],
        "lib": ['speedup; extra == "fast"', "base"],
        "base": [],
        "speedup": [],
    }
    exclusion = Layer(tmp_path, needs).without("fancy", direct=["fancy", "plain"])
    assert kept(exclusion) == {"plain", "lib", "base"}
    assert messages(exclusion) == ["`speedup` is left out, too: only `fancy` needed it"]


@pytest.mark.parametrize(
    ("marker", "runtime", "architecture", "needed"),
    [
        ("python_version < '3.12'", "python3.11", "x86_64", True),
        ("python_version < '3.12'", "python3.13", "x86_64", False),
        ("platform_machine == 'aarch64'", "python3.13", "arm64", True),
        ("platform_machine == 'aarch64'", "python3.13", "x86_64", False),
        ("sys_platform == 'win32' or os_name == 'nt'", "python3.13", "x86_64", False),
        ("sys_platform == 'linux'", "python3.13", "x86_64", True),
    ],
)
@pytest.mark.fault(39)
def test_markers_are_those_of_the_target(
    tmp_path: Path, marker: str, runtime: str, architecture: str, *, needed: bool
) -> None:
    target = Target(runtimes()[runtime], Architecture(architecture))
    layer = Layer(tmp_path, {"app": [f"backport; {marker}"], "backport": []})
    if needed:
        with pytest.raises(ExclusionError, match="`app` needs it"):
            layer.without("backport", direct=["app"], target=target)
    else:
        assert kept(layer.without("backport", direct=["app"], target=target)) == {"app"}
    # The same for what the project itself asks for.
    direct = ["app", f"backport; {marker}"]
    again = Layer(tmp_path, {"app": ["backport"], "backport": []})
    exclusion = again.without("app", direct=direct, target=target)
    assert kept(exclusion) == ({"backport"} if needed else set())


def test_a_circle_goes_as_a_whole_and_stays_as_a_whole(tmp_path: Path) -> None:
    needs = {"app": ["one"], "one": ["two"], "two": ["three"], "three": ["one"]}
    layer = Layer(tmp_path, needs)
    assert kept(layer.without("app", direct=["app"])) == set()
    assert kept(layer.without("app", direct=["app", "three"])) == {"one", "two", "three"}
    assert "`three` can't be left out: `two` needs it" in layer.refusal("three", direct=["app"])


def test_of_a_circle_that_nothing_leads_to_nothing_goes_unasked(tmp_path: Path) -> None:
    layer = Layer(tmp_path, {"one": ["two", "below"], "two": ["one"], "below": ["below"]})
    assert "`one` can't be left out: `two` needs it" in layer.refusal("one")
    assert "`two` can't be left out: `one` needs it" in layer.refusal("two")
    assert kept(layer.without("one", "two")) == set()
    assert kept(layer.without("one", allow=["one"])) == {"two"}


def test_circles_that_have_nothing_to_do_with_each_other_stay_each(tmp_path: Path) -> None:
    needs = {"one": ["two"], "two": ["one", "low"], "low": ["base"], "base": ["low"]}
    others = {"three": ["four"], "four": ["three"], "app": ["free"], "free": []}
    layer = Layer(tmp_path, {**needs, **others})
    assert kept(layer.without("free", "app", direct=["app"])) == {*needs, "three", "four"}
    assert kept(layer.without("one", "two", direct=["app"])) == others.keys()


@pytest.mark.parametrize(
    "line",
    [
        "old (>=dev)",
        "Old>=2.0.*",
        "old (>=1.0",
        "old[x] >=dev; python_version > '3'",
        "old; what is this",
        "old; python_version ~= 'never'",
    ],
)
@pytest.mark.fault(39)
def test_a_need_in_malformed_metadata_is_a_need_nevertheless(tmp_path: Path, line: str) -> None:
    layer = Layer(tmp_path, {"app": [line], "old": []})
    assert "`old` can't be left out: `app` needs it" in layer.refusal("old", direct=["app"])


@pytest.mark.parametrize("line", ["old >=dev; extra == 'x'", "old >=dev; os_name == 'nt'", "(old"])
def test_what_can_be_read_of_malformed_metadata_counts(tmp_path: Path, line: str) -> None:
    layer = Layer(tmp_path, {"app": [line], "old": []})
    assert kept(layer.without("old", direct=["app"])) == {"app"}


class Edge(NamedTuple):
    """`name` needs `need[extras]`, where `under` (an extra of its own) is asked for, if any."""

    name: str
    need: str
    extras: tuple[str, ...]
    under: str
    counts: bool

    @property
    def line(self) -> str:
        markers = [f"extra == '{self.under}'"] if self.under else []
        markers += [] if self.counts else ["sys_platform == 'win32'"]
        asked = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.need}{asked} >=0.1" + (f"; {' and '.join(markers)}" if markers else "")


class RandomLayer:
    """A random graph, and by the plainest means what is needed in it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self.names = [f"p{number}" for number in range(self._random.randint(2, 14))]
        self.edges = [self._edge() for _ in range(self._random.randint(0, 2 * len(self.names)))]
        # Every third has no project beside its lock.
        share = 0.3 if seed % 3 else 0
        self.direct = [(name, self._extras()) for name in self.names if self._below(share)]
        self.excluded = self._random.sample(self.names, self._random.choice([1, 1, 2]))

    def _below(self, share: float) -> bool:
        return self._random.random() < share

    def _extras(self) -> tuple[str, ...]:
        return tuple(self._random.sample(["x", "y"], self._random.choice([0, 0, 1, 2])))

    def _edge(self) -> Edge:
        name, need = self._random.choices(self.names, k=2)
        under = self._random.choice(["", "", "x", "y"])
        return Edge(name, need, self._extras(), under, self._below(0.9))

    def needs(self) -> Needs:
        return {name: [e.line for e in self.edges if e.name == name] for name in self.names}

    def wheels(self) -> list[Wheel]:
        return [
            Wheel(
                file=Path(f"{name}.whl"),
                filename=f"{name}.whl",
                name=name,
                version="1.0",
                sha256="",
                dist_info="",
                requires_dist=tuple(lines),
                members=(),
            )
            for name, lines in self.needs().items()
        ]

    def requirements(self) -> list[str]:
        return [f"{name}[{','.join(extras)}]" for name, extras in self.direct]

    def asked(
        self, start: Iterable[tuple[str, str]], without: Iterable[str] = ()
    ) -> set[tuple[str, str]]:
        found = {each for each in start if each[0] not in without}
        while True:
            more = {
                (edge.need, extra)
                for edge in self.edges
                if edge.counts and (edge.name, edge.under) in found and edge.need not in without
                for extra in ("", *edge.extras)
            }
            if more <= found:
                return found
            found |= more

    def roots(self) -> set[tuple[str, str]]:
        roots = {(name, extra) for name, extras in self.direct for extra in ("", *extras)}
        led_to = {name for name, _ in self.asked(roots)}
        behind = {name: {each for each, _ in self.asked([(name, "")])} for name in self.names}
        rest = {*self.names} - led_to
        return roots | {
            (name, "")
            for name in rest
            if all(other in behind[name] for other in rest if name in behind[other])
        }

    def stay(self) -> set[tuple[str, str]]:
        return self.asked(self.roots(), self.excluded)

    def missed(self) -> set[str]:
        """Give what is excluded although something that stays needs it."""
        stay = self.stay()
        return {
            edge.need
            for edge in self.edges
            if edge.counts and (edge.name, edge.under) in stay and edge.need in self.excluded
        }


@pytest.mark.fault(39)
@pytest.mark.parametrize("seeds", [range(first, first + 40) for first in range(0, 400, 40)])
def test_whatever_the_graph_all_that_is_needed_stays_and_nothing_else(seeds: range) -> None:
    for seed in seeds:
        layer = RandomLayer(seed)
        wheels, direct = layer.wheels(), [Requirement(each) for each in layer.requirements()]
        missed = layer.missed()
        exclusion = exclude(wheels, layer.excluded, missed, direct, TARGET)
        stay, gone = kept(exclusion), left_out(exclusion)
        assert stay == {name for name, _ in layer.stay()}, seed
        assert stay.isdisjoint(gone), seed
        assert stay | gone.keys() == {*layer.names}, seed
        told = "".join(messages(exclusion))
        assert all(f"`{name}`" in told for name in gone.keys() - layer.excluded), seed
        assert refused(wheels, layer.excluded, direct) == missed, seed


def refused(wheels: list[Wheel], names: list[str], direct: list[Requirement]) -> set[str]:
    """Give the names that can't be left out without being allowed to."""
    try:
        exclude(wheels, names, [], direct, TARGET)
    except ExclusionError as error:
        return {each.split("`")[1] for each in error.problems}
    return set()


def test_the_random_graphs_have_all_that_is_to_be_tried() -> None:
    layers = [RandomLayer(seed) for seed in range(400)]
    assert sum(bool(each.missed()) for each in layers) > 50
    assert sum(len(each.stay()) > len(each.direct) for each in layers) > 50
    gone = [{*each.names} - {*each.excluded} - {n for n, _ in each.stay()} for each in layers]
    assert sum(bool(each) for each in gone) > 50
    assert sum(not each.direct for each in layers) > 50


@pytest.mark.parametrize("seed", range(4))
def test_uv_prunes_the_same_from_its_own_lock(tmp_path: Path, seed: int) -> None:
    seeds = range(seed * 1000, (seed + 1) * 1000)
    layer = next(each for each in map(RandomLayer, seeds) if big(each))
    specs = [
        WheelSpec(
            name=name,
            requires_dist=lines,
            extra_metadata="Provides-Extra: x\nProvides-Extra: y\n",
        )
        for name, lines in layer.needs().items()
    ]
    direct = [Requirement(each) for each in layer.requirements()]
    with IndexServer() as index:
        index.add(*specs)
        project = uv_project(tmp_path / "app", index.simple_url, map(str, direct))

        def selected(*arguments: str) -> set[str]:
            text = project.export_pylock("--no-emit-project", *arguments).encode()
            lock = Lock(path=project.directory / "pylock.toml", command="", text=text)
            return {each.name for each in select(lock, TARGET).wheels}

        everything = selected()
        wheels = [
            verify_wheel(each.write(tmp_path), each.filename, each.sha256)
            for each in specs
            if each.name in everything
        ]
        for name in sorted(everything):
            exclusion = exclude(wheels, [name], [name], direct, TARGET)
            assert kept(exclusion) == selected("--prune", name)


def big(layer: RandomLayer) -> bool:
    names = {name for name, _ in layer.asked(layer.roots())}
    extras = {extra for _, extra in layer.asked(layer.roots())}
    return len(layer.direct) > 2 and len(names) > 9 and len(extras) > 2
