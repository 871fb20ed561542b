"""The workflow of the documentation is valid, and deploys what is published, whenever that was."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.publishing.shop import ALPHA, BETA, Shop
from tests.support.actionlint import actionlint
from tests.support.system_parts import require
from tests.support.tools import stand_in
from tests.support.workflow_runner import StepFailedError, WorkflowRunner

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "github-actions.md"
WORKFLOW, *_ = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """The file that has the arguments of each call of `sam`."""
    return tmp_path / "deployed"


@pytest.fixture
def runner(tmp_path: Path, shop: Shop, deployed: Path) -> WorkflowRunner:
    """A runner for the shop's repository; `sam` fails where there is a file `broken`."""
    programs = tmp_path / "programs"
    scripts = Path(sys.executable).parent
    stand_in(programs, "hatch-lambda-layer", f'exec "{scripts}/hatch-lambda-layer" "$@"')
    # The tool is installed, as this package.
    stand_in(programs, "uv", '[ "$1 $2 $3" = "tool install hatch-lambda-layer[aws]" ]')
    broken = tmp_path / "broken"
    stand_in(programs, "sam", f'[ ! -e "{broken}" ] || exit 1\necho "$@" >> "{deployed}"')
    # The Region is the one that the workflow signs in to.
    del shop.config["regions"]
    shop.write()
    return WorkflowRunner(WORKFLOW, shop.root, tmp_path / "runs", programs)


def calls(deployed: Path) -> list[str]:
    """Give the layers that were deployed."""
    text = deployed.read_text(encoding="utf-8") if deployed.exists() else ""
    return re.findall(r"LayerArn=(\S*)", text)


def test_actionlint_finds_nothing() -> None:
    assert require(actionlint, WORKFLOW) == []


def test_actionlint_would_find_an_output_of_no_step() -> None:
    (found,) = require(actionlint, WORKFLOW.replace("id: layer", "id: another"))
    assert '"layer" is not defined' in found


def test_no_step_depends_on_whether_something_was_published() -> None:
    steps = yaml.safe_load(WORKFLOW)["jobs"]["deploy"]["steps"]
    assert [step for step in steps if "if" in step] == []
    assert "changed" not in re.sub(r"#.*", "", WORKFLOW)
    assert "secrets." not in WORKFLOW


def test_a_pull_request_is_built_and_nothing_more(
    runner: WorkflowRunner, shop: Shop, deployed: Path
) -> None:
    with shop.aws.watch() as requests:
        jobs = runner.run("pull_request")
    assert list(jobs) == ["build"]
    assert sorted(path.name for path in (runner.artifacts / "layer").iterdir()) == [
        "layer.json",
        "layer.zip",
    ]
    assert requests == []
    assert calls(deployed) == []


def test_a_push_publishes_and_deploys_that_version(
    runner: WorkflowRunner, shop: Shop, deployed: Path
) -> None:
    jobs = runner.run("push")
    assert jobs["deploy"].outputs["layer"]["changed"] == "true"
    assert calls(deployed) == [shop.arn(1)]
    shop.lock(BETA)
    runner.run("push")
    assert calls(deployed) == [shop.arn(1), shop.arn(2)]


@pytest.mark.fault(229)
def test_a_deployment_that_failed_after_the_publication_is_repeated_by_the_next_run(
    runner: WorkflowRunner, shop: Shop, deployed: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    with pytest.raises(StepFailedError):
        runner.run("push")
    assert len(shop.live()) == 1
    assert calls(deployed) == []
    broken.unlink()
    with shop.aws.watch() as requests:
        jobs = runner.run("push")
    assert jobs["deploy"].outputs["layer"]["changed"] == "false"
    assert [each for each in requests if each.publishes or each.call == "PUT s3"] == []
    assert calls(deployed) == [shop.arn(1)]


def test_a_zip_of_another_lockfile_is_neither_published_nor_deployed(
    runner: WorkflowRunner, shop: Shop, deployed: Path
) -> None:
    # The branch moves on between the two jobs.
    runner.begins = lambda name: shop.lock(ALPHA) if name == "deploy" else None
    with pytest.raises(StepFailedError) as caught:
        runner.run("push")
    assert "--stale" in str(caught.value)
    assert shop.live() == []
    assert calls(deployed) == []


def test_the_trust_policy_lets_in_the_environment_of_the_job_that_deploys() -> None:
    (policy,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (statement,) = json.loads(policy)["Statement"]
    condition = statement["Condition"]["StringEquals"]
    environment = yaml.safe_load(WORKFLOW)["jobs"]["deploy"]["environment"]
    subjects = [value for key, value in condition.items() if key.endswith(":sub")]
    assert [each.rpartition(":environment:")[2] for each in subjects] == [environment]
