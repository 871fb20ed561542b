"""`python -m tests.audit_table`: audit the packages of the list, and write the table in the docs.

Each package is resolved for each runtime and architecture by uv, to wheels alone, built without an
audit, and then verified as any zip is. Where this machine runs the layer's programs, a layer with
an error or a warning is imported as well, which confirms the finding or does not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from hatch_lambda_layer._internal.console import Console
from hatch_lambda_layer.api.audit import audit_layer
from hatch_lambda_layer.api.imports import prove_layer
from hatch_lambda_layer.build.opening import open_project
from hatch_lambda_layer.exceptions import LambdaLayerError
from hatch_lambda_layer.import_proof.opening import Wishes
from hatch_lambda_layer.import_proof.places import Limits
from tests.support.displays import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hatch_lambda_layer.findings import Finding

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "audit-table.md"
INTRO = """\
# What the audit finds

The [findings](findings.md) about packages that many functions use, each with all that it needs,
in its newest version with a wheel for the target. A finding is listed where it was found first.
`import` tells what an import on such a layer came to, with the runtime's libraries alone and where
one was possible: arm64 is judged by its ELF files. A library that is opened by name at run time, as
weasyprint opens `libgobject-2.0-0`, is in no list of needs: only `verify --import` finds that.

Made by `python3 .ci/hatch run audit-table`.

"""
HEADER = ("package", "code", "severity", "targets", "finding", "import")
RUNTIMES = ("python3.11", "python3.13")
# The newest profile of manylinux below the runtime's glibc that uv has a platform for.
PLATFORMS = {
    ("python3.11", "x86_64"): "x86_64-manylinux2014",
    ("python3.11", "arm64"): "aarch64-manylinux2014",
    ("python3.13", "x86_64"): "x86_64-manylinux_2_34",
    ("python3.13", "arm64"): "aarch64-manylinux_2_34",
}
# Every layer has some of these, and nothing depends on them.
UNSHOWN = {"HLL017", "HLL018"}


@dataclass(frozen=True)
class Outcome:
    """What came of one package on one target; `imports` are modules that can't be imported."""

    package: str
    target: str
    findings: tuple[Finding, ...] = ()
    imports: tuple[str, ...] | None = None
    problem: str = ""


def packages() -> list[str]:
    """Give the packages of the list."""
    lines = (FOLDER / "packages.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def tried(package: str, runtime: str, architecture: str, folder: Path) -> Outcome:
    """Resolve, build, audit and perhaps import one package in an empty folder."""
    target = f"{runtime}-{architecture}"
    if problem := _locked(package, runtime, architecture, folder):
        return Outcome(package, target, problem=problem)
    (folder / "pyproject.toml").write_text(
        f'[tool.lambda-layer]\nruntimes = ["{runtime}"]\narchitectures = ["{architecture}"]\n'
        'tool = "pylock"\nverify = "none"\nbuild = "never"\n',
        encoding="utf-8",
    )
    try:
        project = open_project(folder, Console(Lines()))
        (member,) = project.matrix.members
        zip_path = project.build(member).zip_path
        report = audit_layer(zip_path, runtime=None, architecture=None)
    except LambdaLayerError as error:
        return Outcome(package, target, problem=error.message.splitlines()[0])
    imports = None
    if any(not finding.is_note for finding in report.findings):
        with suppress(LambdaLayerError):
            imports = _unimportable(zip_path)
    return Outcome(package, target, report.findings, imports)


def _locked(package: str, runtime: str, architecture: str, folder: Path) -> str:
    """Write the `pylock.toml` of a package; give what uv says where that fails."""
    (folder / "requirements.in").write_text(f"{package}\n", encoding="utf-8")
    argv = [find_uv_bin(), "pip", "compile", "--quiet", "--no-progress", "--no-header"]
    argv += ["--only-binary", ":all:", "--python-version", runtime.removeprefix("python")]
    argv += ["--python-platform", PLATFORMS[runtime, architecture]]
    argv += ["--format", "pylock.toml", "-o", "pylock.toml", "requirements.in"]
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ}
    )
    if done.returncode == 0:
        return ""
    return "no set of wheels: " + (done.stderr.strip().splitlines() or ["uv failed"])[-1].strip()


def _unimportable(zip_path: Path) -> tuple[str, ...]:
    report = prove_layer(
        zip_path,
        Console(Lines()),
        runtime=None,
        architecture=None,
        wishes=Wishes(),
        limits=Limits(),
    )
    return tuple(each.name for each in report.failed)


def rows(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, ...]]:
    """Give a row for each finding: where it was first found, the targets, what an import says."""
    alike: dict[tuple[str, str, str], list[Outcome]] = defaultdict(list)
    shown: dict[tuple[str, str, str], Finding] = {}
    for outcome in outcomes:
        for finding in outcome.findings:
            if finding.code not in UNSHOWN:
                message = finding.message.replace("|", "\\|")
                for target in (outcome.target, outcome.target.partition("-")[2]):
                    message = message.replace(target, "…")
                key = (finding.code, finding.severity, message)
                alike[key].append(outcome)
                shown.setdefault(key, finding)
    for (code, severity, message), found in alike.items():
        targets = ", ".join(dict.fromkeys(each.target for each in found))
        yield found[0].package, code, severity, targets, message, _confirmed(found)


def _confirmed(outcomes: Sequence[Outcome]) -> str:
    said = [each.imports for each in outcomes if each.imports is not None]
    if not said:
        return ""
    failed = sorted({name for names in said for name in names})
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    return f"fails: {', '.join(failed[:3])}{more}" if failed else "works"


def page(outcomes: Sequence[Outcome]) -> str:
    """Give the generated part of the page."""
    lines = [
        "| package | code | severity | targets | finding | import |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(row)} |" for row in rows(outcomes)]
    problems = [each for each in outcomes if each.problem]
    if problems:
        lines += ["", "Not audited:", ""]
        lines += [f"- {each.package} for {each.target}: {each.problem}" for each in problems]
    clean = sorted(
        {each.package for each in outcomes}
        - {each.package for each in problems}
        - {row[0] for row in rows(outcomes)}
    )
    lines += ["", f"Nothing was found in: {', '.join(clean) or 'none'}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Audit what the command line names, and write or print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit_table", description=__doc__)
    parser.add_argument("packages", nargs="*", help="these alone, printed and not written [all]")
    options = parser.parse_args()
    outcomes = []
    for package in options.packages or packages():
        for runtime in RUNTIMES:
            for architecture in ("x86_64", "arm64"):
                with tempfile.TemporaryDirectory(prefix="audit-") as folder:
                    outcome = tried(package, runtime, architecture, Path(folder))
                said = outcome.problem or f"{len(outcome.findings)} findings"
                print(f"{package} {outcome.target}: {said}", file=sys.stderr, flush=True)
                outcomes.append(outcome)
    if options.packages:
        print(page(outcomes), end="")
        return
    PAGE.write_text(INTRO + page(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
