"""What other tools read after publishing, read as those tools read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint import lint_all
from cfnlint.decode import decode_str

from hatch_lambda_layer.exceptions import OutputError
from hatch_lambda_layer.publishing import outputs
from hatch_lambda_layer.publishing.published_version import PublishedVersion, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ACCOUNT = "123456789012"
OTHER = "012345678901"
SHA = "SnD+mqZDbgLC3qNA+9HjUuTvLYzmylKtJdS5VHH8i/I="


def version(
    name: str = "orders-api",
    region: str = "eu-west-1",
    number: int = 7,
    *,
    account: str = ACCOUNT,
    folder: Path = Path("dist"),
) -> PublishedVersion:
    return PublishedVersion(
        layer_name=name,
        region=region,
        account=account,
        version=number,
        arn=f"arn:aws:lambda:{region}:{account}:layer:{name}:{number}",
        status="published",
        content_digest="sha256:" + "2" * 64,
        code_sha256=SHA,
        runtimes=("python3.12", "python3.13"),
        architectures=("x86_64",),
        zip_path=folder / "layer.zip",
    )


SEVERAL = [
    version("web", "us-east-1", 12),
    version("orders-api", "us-east-1", 3),
    version("orders-api", "eu-west-1", 7),
]
IN_ORDER = [SEVERAL[2], SEVERAL[1], SEVERAL[0]]


def read(path: Path) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table


def github_outputs(text: str) -> dict[str, str]:
    """Read the file as GitHub's runner does: whichever of `=` and `<<` comes first decides."""
    found = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            found[line[:equals]] = line[equals + 1 :]
        elif heredoc >= 0:
            name, delimiter = line.split("<<", 1)
            value = []
            while (line := next(lines)) != delimiter:
                value.append(line)
            found[name] = "\n".join(value)
        else:
            raise ValueError(line)
    return found


def test_the_file_says_what_is_live_word_for_word(tmp_path: Path) -> None:
    path = tmp_path / "dist" / "layer-versions.json"

    outputs.write_layer_versions(path, [version(folder=tmp_path / "dist")])

    assert path.read_text(encoding="utf-8") == (
        "{\n"
        '  "schema": 1,\n'
        '  "versions": [\n'
        "    {\n"
        '      "layer_name": "orders-api",\n'
        '      "account": "123456789012",\n'
        '      "region": "eu-west-1",\n'
        '      "version": 7,\n'
        '      "arn": "arn:aws:lambda:eu-west-1:123456789012:layer:orders-api:7",\n'
        f'      "content_digest": "sha256:{"2" * 64}",\n'
        f'      "code_sha256": "{SHA}",\n'
        '      "runtimes": [\n'
        '        "python3.12",\n'
        '        "python3.13"\n'
        "      ],\n"
        '      "architectures": [\n'
        '        "x86_64"\n'
        "      ],\n"
        '      "zip": "layer.zip"\n'
        "    }\n"
        "  ]\n"
        "}\n"
    )


def test_the_file_is_the_same_for_what_is_live_whoever_published_it(tmp_path: Path) -> None:
    texts = set()
    cases: list[tuple[Status, int]] = [("published", 1), ("unchanged", -1), ("adopted", 1)]
    for status, order in cases:
        path = tmp_path / status / "layer-versions.json"
        versions = [
            replace(each, status=status, zip_path=path.parent / "layer.zip")
            for each in SEVERAL[::order]
        ]
        outputs.write_layer_versions(path, versions)
        texts.add(path.read_bytes())

    assert len(texts) == 1
    assert b"status" not in texts.pop()


def test_the_file_is_sorted_by_layer_account_and_region(tmp_path: Path) -> None:
    path = tmp_path / "layer-versions.json"

    outputs.write_layer_versions(path, [version(account=OTHER, region="us-east-1"), *SEVERAL])

    assert [
        (each["layer_name"], each["account"], each["region"]) for each in read(path)["versions"]
    ] == [
        ("orders-api", OTHER, "us-east-1"),
        ("orders-api", ACCOUNT, "eu-west-1"),
        ("orders-api", ACCOUNT, "us-east-1"),
        ("web", ACCOUNT, "us-east-1"),
    ]


def test_the_file_names_a_zip_as_it_is_seen_from_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "deploy" / "layer-versions.json"

    outputs.write_layer_versions(path, [version(folder=tmp_path / "project" / "dist")])

    assert read(path)["versions"][0]["zip"] == "../project/dist/layer.zip"


@pytest.mark.fault(63)
def test_the_file_keeps_what_another_run_wrote_in_it(tmp_path: Path) -> None:
    path = tmp_path / "layer-versions.json"
    web, orders_east, orders_west = SEVERAL
    outputs.write_layer_versions(path, [web, orders_west])
    other = version("orders-api", "eu-west-1", 1, account=OTHER)

    outputs.write_layer_versions(path, [orders_east, replace(web, version=13), other])

    assert [
        (each["layer_name"], each["account"], each["region"], each["version"])
        for each in read(path)["versions"]
    ] == [
        ("orders-api", OTHER, "eu-west-1", 1),
        ("orders-api", ACCOUNT, "eu-west-1", 7),
        ("orders-api", ACCOUNT, "us-east-1", 3),
        ("web", ACCOUNT, "us-east-1", 13),
    ]
    once = tmp_path / "once.json"
    outputs.write_layer_versions(once, [orders_east, replace(web, version=13), other, orders_west])
    assert path.read_bytes() == once.read_bytes()


@pytest.mark.fault(44)
def test_a_file_that_can_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "layer-versions.json"
    path.mkdir()

    with pytest.raises(OutputError) as caught:
        outputs.write_layer_versions(path, SEVERAL)

    assert str(path) in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["layer-versions.json"]


def test_the_text_is_the_arns_one_a_line() -> None:
    assert outputs.as_text(SEVERAL).splitlines() == [each.arn for each in IN_ORDER]
    assert outputs.as_text([]) == ""


def test_json_says_what_was_done_too(tmp_path: Path) -> None:
    unchanged = replace(version(folder=tmp_path), status="unchanged")

    table = json.loads(outputs.as_json([unchanged]))

    assert table["schema"] == 1
    (found,) = table["versions"]
    assert found["status"] == "unchanged"
    assert found["zip"] == str(tmp_path / "layer.zip")
    assert found["arn"] == unchanged.arn


def test_one_version_gives_github_an_arn(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text("before=1\n", encoding="utf-8")

    outputs.append_github_output(path, [version()])

    found = github_outputs(path.read_text(encoding="utf-8"))
    assert found["before"] == "1"
    assert found["changed"] == "true"
    assert found["arn"] == found["arns"] == version().arn
    assert [each["status"] for each in json.loads(found["versions"])] == ["published"]


def test_several_versions_give_github_arns_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "output"

    outputs.append_github_output(path, SEVERAL)

    found = github_outputs(path.read_text(encoding="utf-8"))
    assert set(found) == {"changed", "arns", "versions"}
    assert found["arns"].splitlines() == [each.arn for each in IN_ORDER]
    assert [each["version"] for each in json.loads(found["versions"])] == [7, 3, 12]


@pytest.mark.parametrize(
    ("statuses", "changed"),
    [
        (["unchanged", "unchanged"], "false"),
        (["unchanged", "published"], "true"),
        (["adopted", "unchanged"], "true"),
        ([], "false"),
    ],
)
def test_github_is_told_whether_anything_changed(
    statuses: list[Any], changed: str, tmp_path: Path
) -> None:
    path = tmp_path / "output"
    versions = [replace(version(number=n), status=each) for n, each in enumerate(statuses)]

    outputs.append_github_output(path, versions)

    assert github_outputs(path.read_text(encoding="utf-8"))["changed"] == changed


def test_the_end_of_several_lines_can_not_be_foreseen(tmp_path: Path) -> None:
    ends = set()
    for number in range(3):
        path = tmp_path / f"output{number}"
        outputs.append_github_output(path, SEVERAL)
        (line,) = (each for each in path.read_text("utf-8").splitlines() if "<<" in each)
        ends.add(line.split("<<")[1])

    assert len(ends) == 3
    assert all(len(end) >= 32 for end in ends)


def test_an_output_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="GITHUB_OUTPUT"):
        outputs.append_github_output(tmp_path / "missing" / "output", [version()])


def test_terraform_has_arns_and_hashes_by_layer_and_region() -> None:
    table = json.loads(outputs.terraform(SEVERAL))

    assert set(table) == {"locals"}
    layers = table["locals"]["lambda_layers"]
    assert {name: sorted(regions) for name, regions in layers.items()} == {
        "orders-api": ["eu-west-1", "us-east-1"],
        "web": ["us-east-1"],
    }
    assert layers["orders-api"]["eu-west-1"] == {
        "arn": "arn:aws:lambda:eu-west-1:123456789012:layer:orders-api:7",
        "version": 7,
        "source_code_hash": SHA,
        "compatible_runtimes": ["python3.12", "python3.13"],
        "compatible_architectures": ["x86_64"],
    }


def test_terraform_has_the_account_where_there_are_several() -> None:
    layers = json.loads(outputs.terraform([version(), version(account=OTHER), version("web")]))[
        "locals"
    ]["lambda_layers"]

    assert layers["orders-api"][OTHER]["eu-west-1"]["arn"] == version(account=OTHER).arn
    assert layers["orders-api"][ACCOUNT]["eu-west-1"]["arn"] == version().arn
    assert layers["web"]["eu-west-1"]["arn"] == version("web").arn


def test_cloudformation_is_a_mapping_word_for_word() -> None:
    assert outputs.cloudformation(SEVERAL) == (
        "Mappings:\n"
        '  # !FindInMap [OrdersApiLayer, !Ref "AWS::Region", Arn]\n'
        "  OrdersApiLayer:\n"
        "    eu-west-1:\n"
        '      Arn: "arn:aws:lambda:eu-west-1:123456789012:layer:orders-api:7"\n'
        "    us-east-1:\n"
        '      Arn: "arn:aws:lambda:us-east-1:123456789012:layer:orders-api:3"\n'
        '  # !FindInMap [WebLayer, !Ref "AWS::Region", Arn]\n'
        "  WebLayer:\n"
        "    us-east-1:\n"
        '      Arn: "arn:aws:lambda:us-east-1:123456789012:layer:web:12"\n'
    )


def template(versions: Sequence[PublishedVersion]) -> str:
    """Give a template with a function that has every layer, as the comments say."""
    mappings = outputs.cloudformation(versions)
    uses = [line.split("# ")[1] for line in mappings.splitlines() if "# " in line]
    function = (
        "AWSTemplateFormatVersion: '2010-09-09'\n"
        "Transform: AWS::Serverless-2016-10-31\n"
        "Resources:\n"
        "  Function:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties:\n"
        "      Runtime: python3.13\n"
        "      Handler: app.handler\n"
        "      InlineCode: 'def handler(event, context): pass'\n"
        "      Layers:\n"
    )
    return function + "".join(f"        - {use}\n" for use in uses) + mappings


@pytest.mark.parametrize(
    "versions",
    [
        pytest.param([version()], id="one"),
        pytest.param(SEVERAL, id="several"),
        pytest.param([version(), version(account=OTHER)], id="accounts"),
        pytest.param([version("3d_tools-x"), version("_-_"), version("no")], id="odd-names"),
    ],
)
def test_cloudformation_finds_no_fault_with_it(versions: list[PublishedVersion]) -> None:
    matches = lint_all(template(versions))

    # Information is advice on the rest of the template.
    assert [str(each) for each in matches if each.rule.severity != "informational"] == []


def parsed(text: str) -> dict[str, Any]:
    """Read YAML as CloudFormation does."""
    template, faults = decode_str(text)
    assert faults == []
    return dict(template)


def arns(mappings: dict[str, Any]) -> list[str]:
    return sorted(
        arn for regions in mappings.values() for keys in regions.values() for arn in keys.values()
    )


@pytest.mark.parametrize(
    "names", [["orders-api", "orders_api", "OrdersApi"], ["-", "_"], ["true", "1e3", "0x1f", "~"]]
)
def test_no_two_layers_share_a_mapping(names: list[str]) -> None:
    versions = [version(name) for name in names]

    mappings = parsed(outputs.cloudformation(versions))["Mappings"]

    assert arns(mappings) == sorted(each.arn for each in versions)
    assert len(mappings) == len(names)


def test_a_mapping_has_the_account_where_there_are_several() -> None:
    versions = [version(), version(account=OTHER), version(account=OTHER, region="us-east-1")]

    mappings = parsed(outputs.cloudformation(versions))["Mappings"]

    assert mappings == {
        "OrdersApiLayer": {
            "eu-west-1": {ACCOUNT: versions[0].arn, OTHER: versions[1].arn},
            "us-east-1": {OTHER: versions[2].arn},
        }
    }


@pytest.mark.parametrize("form", outputs.FORMATS.values(), ids=outputs.FORMATS)
def test_the_order_of_the_versions_does_not_matter(
    form: Callable[[Sequence[PublishedVersion]], str],
) -> None:
    assert form(SEVERAL) == form(SEVERAL[::-1])


def test_nothing_published_is_valid_too() -> None:
    assert json.loads(outputs.as_json([])) == {"schema": 1, "versions": []}
    assert json.loads(outputs.terraform([])) == {"locals": {"lambda_layers": {}}}
    assert parsed(outputs.cloudformation([])) == {"Mappings": {}}
