"""The documentation says what the program does."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from hatch_lambda_layer.config.container import ContainerConfig
from hatch_lambda_layer.config.layer import LayerConfig
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.config.publish import KEYS as PUBLISH_KEYS
from hatch_lambda_layer.layer.manifest import LayerManifest, LayerPackage
from hatch_lambda_layer.layer.pruning import PRESETS
from hatch_lambda_layer.publishing import iam_policy, outputs
from hatch_lambda_layer.reports import diff as differences
from hatch_lambda_layer.reports import outdated
from tests.publishing.test_outputs import version
from tests.reports.test_diff import NEW, OLD, difference
from tests.reports.test_outdated import STATUS as OUTDATED
from tests.wheels.test_verify import FAULTS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def _section(title: str) -> str:
    """Give the text below a heading of the README, up to the next one of its level."""
    level = title.split(" ", 1)[0]
    _, _, rest = README.partition(f"\n{title}\n")
    assert rest, f"README.md has no heading {title!r}"
    return re.split(rf"\n{level} ", rest)[0]


def _first_column(table: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_the_options_table_has_one_line_for_each_option() -> None:
    options = _first_column(
        _section("## Options: `[tool.lambda-layer]`").split("\n`prune` takes")[0]
    )
    keys = [
        field.replace("_", "-") for field in LayerConfig.__dataclass_fields__ if field != "name"
    ] + ["indexes", "custom-runtimes", "filename"]
    assert sorted(options) == sorted(keys)


def test_every_option_has_a_test_named_after_it() -> None:
    tests = (ROOT / "tests" / "build" / "test_options.py").read_text(encoding="utf-8")
    options = _first_column(
        _section("## Options: `[tool.lambda-layer]`").split("\n`prune` takes")[0]
    )
    names = [f"\ndef test_option_{option.replace('-', '_')}_" for option in options]
    assert [name for name in names if name not in tests] == []


def test_the_table_of_containers_has_every_option() -> None:
    options = _first_column(_section("### Containers").split("\n## ")[0])
    keys = [field.replace("_", "-") for field in ContainerConfig.__dataclass_fields__]
    assert sorted(options) == sorted(keys)


def test_the_table_of_publishing_has_every_option() -> None:
    table = _section("### Options: `[tool.lambda-layer.publish]`").split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    options = [name for cell in cells for name in re.findall("`([^`]+)`", cell)]
    assert sorted(options) == sorted(PUBLISH_KEYS)


def test_the_presets_table_has_one_line_for_each_preset() -> None:
    section = _section("## Options: `[tool.lambda-layer]`")
    table = section[section.index("| preset |") :].split("\n\n")[0]
    assert sorted(_first_column(table)) == sorted(PRESETS)


def test_every_toml_example_is_valid_toml() -> None:
    examples = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        tomllib.loads(example)


def test_the_first_example_is_a_configuration_that_is_accepted() -> None:
    example = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[0]
    matrix = Matrix.from_pyproject(tomllib.loads(example))
    assert [member.id for member in matrix.members] == ["python3.13-arm64"]


def test_the_first_page_has_the_command_for_backends_other_than_hatchling() -> None:
    first = README.partition("\n## ")[0]
    (sentence,) = [each for each in first.split("\n\n") if "any other (setuptools" in each]
    assert "`hatch-lambda-layer build`" in sentence


def test_the_two_commands_stand_alone_in_their_blocks() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", _section("## Two commands"), re.DOTALL)
    assert blocks == ["python3 .ci/hatch run demo\n", "python3 .ci/hatch run check\n"]
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "python3 .ci/hatch run check" in run


def test_the_manifest_page_describes_every_key() -> None:
    page = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    for key in (*LayerManifest.__dataclass_fields__, *LayerPackage.__dataclass_fields__, "schema"):
        assert f"`{key}" in page, key


def test_every_row_of_the_fault_list_has_a_test() -> None:
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    rows: set[int] = set()
    for cell in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE):
        rows |= {int(number) for number in cell.split(",")}
    proved = set(FAULTS)  # the catalogue of hostile wheels is marked row by row
    for test in (ROOT / "tests").rglob("test_*.py"):
        for marks in re.findall(r"mark\.fault\(([\d, ]+)\)", test.read_text(encoding="utf-8")):
            proved |= {int(number) for number in marks.split(",") if number.strip()}
    assert len(rows) > 40
    assert sorted(rows - proved) == []


def test_the_page_on_what_comes_next_describes_every_form_and_key(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "after-publishing.md").read_text(encoding="utf-8")
    outputs.write_layer_versions(tmp_path / outputs.FILE_NAME, [version()])
    table = json.loads((tmp_path / outputs.FILE_NAME).read_text(encoding="utf-8"))
    assert [key for key in (*table, *table["versions"][0]) if f"`{key}" not in page] == []
    assert sorted(outputs.FORMATS) == sorted(
        set(_first_column(page.partition("## `--format`")[2].partition("###")[0]))
    )
    assert f"{iam_policy.MANAGED_POLICY_LIMIT:,} characters" in page


def test_the_mapping_that_is_shown_is_the_one_that_is_made() -> None:
    page = (ROOT / "docs" / "after-publishing.md").read_text(encoding="utf-8")
    assert f"```yaml\n{outputs.cloudformation([version()])}```" in page


def test_the_page_on_outdated_releases_shows_what_is_printed_and_names_every_key() -> None:
    page = (ROOT / "docs" / "outdated.md").read_text(encoding="utf-8")
    status = replace(OUTDATED, unanswered=())
    assert f"\n{outdated.as_text([status], verbose=False)}```" in page
    (layer,) = json.loads(outdated.as_json([OUTDATED], verbose=False))["layers"]
    lists = ("packages", "unanswered", "not_asked")
    keys = {*layer, *(key for name in lists for key in layer[name][0])}
    assert {key for key in keys if f"`{key}`" not in page} == set()


def test_the_difference_that_is_shown_is_the_one_that_is_made() -> None:
    shown = differences.as_text(difference(OLD, NEW)).partition(")\n+++")[2].partition("\n")[2]
    assert shown in README
