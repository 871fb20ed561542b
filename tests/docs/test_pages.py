"""The documentation says what the program does."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.layer.manifest import LayerManifest, LayerPackage
from hatch_lambda_layer.publishing import iam_policy, outputs
from hatch_lambda_layer.reports import diff as differences
from hatch_lambda_layer.reports import outdated
from tests.docs.generated import DOCS, pages
from tests.publishing.test_outputs import version
from tests.reports.test_diff import NEW, OLD, difference
from tests.reports.test_outdated import STATUS as OUTDATED
from tests.wheels.test_verify import FAULTS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = pages()


def _section(title: str) -> str:
    """Give the text below a heading of the README, up to the next one of its level."""
    level = title.split(" ", 1)[0]
    _, _, rest = README.partition(f"\n{title}\n")
    assert rest, f"README.md has no heading {title!r}"
    return re.split(rf"\n{level} ", rest)[0]


def _first_column(table: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub makes them; Sphinx knows them as well."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://)([^)#\s]*\.md)?#([^)\s]+)\)", text)
    # The site's page on security is the file beside the README.
    included = {DOCS / "security.md": ROOT / "SECURITY.md"}
    wrong = []
    for name, anchor in links:
        target = (page.parent / name).resolve() if name else page
        if anchor not in anchors(included.get(target, target)):
            wrong.append(f"{name}#{anchor}")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_every_toml_example_is_valid_toml() -> None:
    examples = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        tomllib.loads(example)


def test_the_readme_is_short() -> None:
    assert README.count("\n") <= 250


def test_only_the_demonstration_and_the_check_are_blocks_of_sh() -> None:
    assert re.findall(r"```(sh|bash|shell)\n", README) == ["sh", "sh"]


def test_the_first_example_is_a_configuration_that_is_accepted() -> None:
    example = re.findall(r"```toml\n# pyproject.toml\n(.*?)```", README, re.DOTALL)[0]
    matrix = Matrix.from_pyproject(tomllib.loads(example))
    assert [member.id for member in matrix.members] == ["python3.13-arm64"]


def test_the_readme_has_the_command_for_backends_other_than_hatchling() -> None:
    (sentence,) = [each for each in README.split("\n\n") if "any other (setuptools" in each]
    assert "`hatch-lambda-layer build`" in sentence


def test_the_readme_leads_to_every_page() -> None:
    links = set(re.findall(r"\]\(docs/([^)#]+)", README))
    # Others lead to these: the README itself, and what the site has of files beside it.
    others = {"index.md", "changelog.md", "contributing.md", "security.md"}
    written = {str(page.relative_to(DOCS)) for page in PAGES if DOCS in page.parents}
    assert written - others - links == set()


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
    assert shown in (DOCS / "comparing.md").read_text(encoding="utf-8")
