"""A runner of GitHub's workflows: its `run` steps for real, the actions that ours use imitated."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_EQUAL = re.compile(r"([\w.]+) == '(\w+)'")
_HASH_FILES = re.compile(r"hashFiles\('[^']+'\)")
# What a runner has of AWS before anyone has signed in: where to ask, and nothing to ask with.
_SIGNED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class StepFailedError(Exception):
    """A `run` step failed, and with it its job."""


@dataclass
class Job:
    """A job that is run: its workspace is the folder of the project in `folder`."""

    folder: Path
    workspace: Path
    permissions: Mapping[str, str]
    environment: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """The outputs of each step that has an id."""
    said: str = ""


@dataclass
class WorkflowRunner:
    """Runs a workflow on events in the repository `repository`, whose jobs share artifacts.

    `programs` is a folder that comes first on the `PATH`; `begins` is called with each job's name.
    """

    workflow: str
    repository: Path
    folder: Path
    programs: Path
    begins: Callable[[str], None] = lambda _: None
    runs: int = 0

    def run(self, event: str) -> dict[str, Job]:
        """Run the workflow for an event; give the jobs by name; raise StepFailedError."""
        self.runs += 1
        parsed = yaml.safe_load(self.workflow)
        # `on` is a boolean of YAML 1.1.
        assert event in parsed[True]
        jobs: dict[str, Job] = {}
        for name, job in parsed["jobs"].items():
            assert set(job.get("needs", "").split()) <= jobs.keys()
            if self._holds(job.get("if"), event):
                rights = job.get("permissions", parsed["permissions"])
                self.begins(name)
                jobs[name] = self._run_job(name, job["steps"], rights, event)
        return jobs

    @property
    def artifacts(self) -> Path:
        """The folder of this run's artifacts."""
        return self.folder / f"run-{self.runs}" / "artifacts"

    def _run_job(
        self, name: str, steps: list[dict[str, Any]], rights: Mapping[str, str], event: str
    ) -> Job:
        folder = self.folder / f"run-{self.runs}" / name
        folder.mkdir(parents=True)
        job = Job(folder, folder / self.repository.name, rights, self._environment(folder))
        for step in steps:
            assert self._holds(step.get("if"), event)
            options = {
                key: self._filled(str(value), job) for key, value in step.get("with", {}).items()
            }
            if "uses" in step:
                _ACTIONS[step["uses"].partition("@")[0]](self, job, options)
            else:
                self._run_step(step, job)
        return job

    def _run_step(self, step: dict[str, Any], job: Job) -> None:
        output = job.folder / "output"
        output.write_text("", encoding="utf-8")
        script = job.folder / "step.sh"
        script.write_text(self._filled(step["run"], job), encoding="utf-8")
        own = {key: self._filled(value, job) for key, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "-e", str(script)],
            cwd=job.workspace,
            env={**job.environment, **own, "GITHUB_OUTPUT": str(output)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        job.said += done.stdout
        if done.returncode:
            raise StepFailedError(job.said)
        if "id" in step:
            job.outputs[step["id"]] = _outputs(output.read_text(encoding="utf-8"))

    def _environment(self, folder: Path) -> dict[str, str]:
        inherited = {key: text for key, text in os.environ.items() if key not in _SIGNED}
        path = os.pathsep.join([str(self.programs), inherited["PATH"]])
        home = folder / "home"
        home.mkdir()
        cache = {"HATCH_LAMBDA_LAYER_CACHE_DIR": str(home / "cache")}
        return {**inherited, **cache, "PATH": path, "HOME": str(home), "CI": "true"}

    def _holds(self, condition: str | None, event: str) -> bool:
        if condition is None:
            return True
        match = _EQUAL.fullmatch(condition)
        assert match is not None, condition
        assert match[1] == "github.event_name"
        return match[2] == event

    def _filled(self, text: str, job: Job) -> str:
        def value(match: re.Match[str]) -> str:
            if _HASH_FILES.fullmatch(match[1]):
                return "0" * 64
            match match[1].split("."):
                case ["steps", step, "outputs", name]:
                    # GitHub's answer for an output that is not set.
                    return job.outputs[step].get(name, "")
                case ["runner", "os"]:
                    return "Linux"
            raise AssertionError(f"unknown expression: {match[1]}")

        return _EXPRESSION.sub(value, text)


def _outputs(text: str) -> dict[str, str]:
    """Read what a step has written to `$GITHUB_OUTPUT`."""
    found = {}
    lines = iter(text.splitlines())
    for line in lines:
        if (match := re.fullmatch(r"([\w-]+)<<(.+)", line)) is not None:
            value = []
            while (more := next(lines)) != match[2]:
                value.append(more)
            found[match[1]] = "\n".join(value)
        else:
            name, _, rest = line.partition("=")
            found[name] = rest
    return found


def _check_out(runner: WorkflowRunner, job: Job, options: Mapping[str, str]) -> None:
    ours = shutil.ignore_patterns("dist", "build")
    for folder in runner.repository.parent.glob(f"{runner.repository.name}*"):
        shutil.copytree(folder, job.folder / folder.name, ignore=ours)


def _upload(runner: WorkflowRunner, job: Job, options: Mapping[str, str]) -> None:
    # Files of one pattern lie in the artifact as below the folder that they have in common.
    found = list(job.workspace.glob(options["path"]))
    assert found
    artifact = runner.artifacts / options["name"]
    artifact.mkdir(parents=True)
    for path in found:
        shutil.copy(path, artifact)


def _download(runner: WorkflowRunner, job: Job, options: Mapping[str, str]) -> None:
    shutil.copytree(runner.artifacts / options["name"], job.workspace / options["path"])


def _sign_in(runner: WorkflowRunner, job: Job, options: Mapping[str, str]) -> None:
    assert job.permissions["id-token"] == "write"
    assert options["role-to-assume"].startswith("arn:aws:iam::")
    job.environment |= {name: os.environ[name] for name in _SIGNED}
    job.environment["AWS_REGION"] = options["aws-region"]


def _nothing(runner: WorkflowRunner, job: Job, options: Mapping[str, str]) -> None:
    """Do what needs no imitation."""


_ACTIONS: dict[str, Callable[[WorkflowRunner, Job, Mapping[str, str]], None]] = {
    "actions/cache": _nothing,
    "actions/checkout": _check_out,
    "actions/download-artifact": _download,
    "actions/upload-artifact": _upload,
    "astral-sh/setup-uv": _nothing,
    "aws-actions/configure-aws-credentials": _sign_in,
}
