"""The command line: what it prints where, and the code it exits with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from hatch_lambda_layer import __version__
from hatch_lambda_layer.cli.main import main
from tests.support.lock_factory import LockedFile, LockedPackage, pylock
from tests.support.wheel_factory import STORED, Member, WheelSpec

if TYPE_CHECKING:
    from pathlib import Path


def _stored(members: list[Member]) -> list[Member]:
    return [replace(member, method=STORED) for member in members]


# Stored, so that no zlib decides what the golden text below shows.
ALPHA = WheelSpec(
    name="alpha", edit=_stored, files={"alpha/__init__.py": b"#" * 5000, "alpha/a.pyi": b""}
)
BETA = WheelSpec(name="beta", version="2.1", edit=_stored).with_files(
    Member("beta-2.1.data/headers/beta.h", b"")
)
ONLY_313 = WheelSpec(name="nat", tag="cp313-cp313-manylinux_2_17_x86_64")
TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
MATRIX = '[tool.lambda-layer]\nruntimes = ["python3.12", "python3.13"]\n'
IDS = ("python3.12-x86_64", "python3.13-x86_64")


def write_lock(root: Path, *wheels: WheelSpec) -> None:
    """Lock wheels that lie beside the project."""
    folder = root.with_name("wheels")
    folder.mkdir(exist_ok=True)
    packages = []
    for wheel in wheels:
        wheel.write(folder)
        entry = LockedFile.of(wheel, path=f"../wheels/{wheel.filename}")
        packages.append(LockedPackage(wheels=[entry]))
    (root / "pylock.toml").write_text(pylock(*packages), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text(TABLE, encoding="utf-8")
    write_lock(root, ALPHA, BETA)
    return root


def run(*arguments: object) -> Result:
    """Run the command in this process; a traceback fails the test."""
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert "Traceback" not in result.stdout
    return result


def outputs(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_build_prints_the_path_of_the_layer_and_nothing_else(project: Path) -> None:
    result = run("build", project)
    assert result.exit_code == 0
    assert result.stdout == f"{project / 'dist' / 'layer.zip'}\n"
    assert outputs(project / "dist") == ["layer.json", "layer.zip"]


def test_a_build_imports_nothing_of_aws(project: Path) -> None:
    code = (
        "import sys; from hatch_lambda_layer.cli.main import main\n"
        f"main(['build', {str(project)!r}], standalone_mode=False)\n"
        "print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "hatch_lambda_layer.layer.composition" in loaded
    ours = {f"hatch_lambda_layer.{name}" for name in ("publish_cli", "publishing", "aws")}
    assert loaded & ({"boto3", "botocore", "s3pathlib"} | ours) == set()


def test_the_project_is_the_current_folder_where_none_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    assert run("build").stdout == f"{project / 'dist' / 'layer.zip'}\n"


def test_build_shows_packages_totals_and_times(project: Path) -> None:
    lines = run("build", project).stderr.splitlines()
    header = next(n for n, line in enumerate(lines) if line.startswith("package"))
    assert lines[header].split() == ["package", "version", "unpacked", "zipped"]
    assert lines[header + 1].split()[:2] == ["alpha", "1.0"]
    assert lines[header + 2].split()[:2] == ["beta", "2.1"]
    assert lines[header + 3].startswith("python3.13-x86_64: ")
    stages = [part.split()[0] for part in lines[-1].split(", ")]
    assert stages == ["lock", "wheels", "compose", "audit", "write"]


def test_findings_are_shown_and_kept_in_the_manifest(project: Path) -> None:
    (project / "pyproject.toml").write_text(TABLE + 'prune = ["python/nothing"]\n')
    result = run("build", project)
    findings = json.loads((project / "dist" / "layer.json").read_text("utf-8"))["findings"]
    assert [each["code"] for each in findings] == ["HLL017", "HLL030"]
    assert "beta-2.1.data/headers/beta.h" in findings[0]["message"]
    assert "'python/nothing' matches nothing" in findings[1]["message"]
    place = "it is in `[tool.lambda-layer]`"
    assert f"warning: {findings[1]['message']}; {place} (HLL030)\n" in result.stderr


def test_what_nobody_can_act_on_is_a_note_for_who_wants_details(project: Path) -> None:
    assert "headers" not in run("build", project).stderr
    # Also of a layer that is up to date.
    for _ in range(2):
        shown = run("build", "-v", project).stderr
        assert "note: beta 2.1: its headers, which only a compiler needs, were left out" in shown
        assert "warning: " not in shown


def test_quiet_prints_nothing_but_warnings_to_standard_error(project: Path) -> None:
    write_lock(project, ALPHA)
    result = run("build", "-q", project)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{project / 'dist' / 'layer.zip'}\n"
    (project / "pyproject.toml").write_text(TABLE + 'prune = ["python/nothing"]\n')
    (warning,) = run("build", "--quiet", project).stderr.splitlines()
    assert warning.startswith("warning: `prune` pattern 'python/nothing'")
    assert run("build", "-qq", project).stderr == ""


def test_verbose_shows_the_table_of_each_member(project: Path) -> None:
    (project / "pyproject.toml").write_text(MATRIX)
    assert run("build", project).stderr.count("package  version") == 0
    shutil.rmtree(project / "dist")
    assert run("build", "--verbose", project).stderr.count("package  version") == 2


@pytest.mark.parametrize("command", ["show", "diff", "publish"])
def test_a_file_that_is_no_zip_is_named_itself(project: Path, command: str) -> None:
    path = project / "pyproject.toml"
    path.write_text(f'[project]\nname = "app"\n{TABLE}')
    project_option = ["--project", project] if command == "publish" else []
    result = run(command, *project_option, path, *([path] if command == "diff" else []))
    assert result.exit_code == 1
    assert f"error: {path} is not a layer: the name of one ends with `.zip`" in result.stderr
    assert "pyproject.json" not in result.stderr


def test_verbose_says_what_was_cached_fetched_and_built_and_why(project: Path) -> None:
    first = run("build", "-v", project).stderr
    assert "building layer.zip: there is none with its manifest, unchanged" in first
    assert f"fetched: alpha 1.0 from {project.with_name('wheels') / ALPHA.filename}" in first
    again = run("build", "-v", "--clean", project).stderr
    assert "building layer.zip: it is to be built anew" in again
    assert "cached: alpha 1.0, beta 2.1" in again
    (project / "pyproject.toml").write_text(TABLE + 'prune = ["stubs"]\n')
    changed = run("build", "-v", project).stderr
    assert "building layer.zip: what it is made from has changed" in changed
    assert "cached: " not in run("build", project).stderr


def test_output_of_a_build_is_no_option_that_makes_a_folder_called_json(project: Path) -> None:
    result = run("build", project, "--output", "json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--output-dir" in result.stderr
    assert outputs(project) == ["pylock.toml", "pyproject.toml"]


def test_output_dir_names_another_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    result = run("build", project, "-o", "some where/layers")
    folder = project.parent / "some where" / "layers"
    assert result.stdout == f"{folder / 'layer.zip'}\n"
    assert outputs(folder) == ["layer.json", "layer.zip"]
    assert not (project / "dist").exists()


def test_member_builds_only_what_it_names(project: Path) -> None:
    (project / "pyproject.toml").write_text(MATRIX)
    assert run("build", project, "-m", IDS[1]).stdout == (
        f"{project / 'dist' / f'layer-{IDS[1]}.zip'}\n"
    )
    assert outputs(project / "dist") == [f"layer-{IDS[1]}.json", f"layer-{IDS[1]}.zip"]
    both = run("build", project, "--member", IDS[1], "--member", IDS[0])
    assert [line.rpartition("layer-")[2] for line in both.stdout.splitlines()] == [
        f"{IDS[0]}.zip",
        f"{IDS[1]}.zip",
    ]


def test_an_unknown_member_is_an_error_that_lists_the_known_ones(project: Path) -> None:
    (project / "pyproject.toml").write_text(MATRIX)
    result = run("build", project, "-m", "python3.13-arm64", "-m", IDS[0])
    assert result.exit_code == 1
    assert result.stderr == (
        "error: Member `python3.13-arm64` is not in `[tool.lambda-layer]`, which has: "
        f"{IDS[0]}, {IDS[1]}\n"
    )
    assert not (project / "dist").exists()


def test_a_member_that_fails_names_itself_and_the_others_are_built(project: Path) -> None:
    (project / "pyproject.toml").write_text(MATRIX)
    write_lock(project, ONLY_313)
    result = run("build", project)
    assert result.exit_code == 1
    assert result.stdout == f"{project / 'dist' / f'layer-{IDS[1]}.zip'}\n"
    assert f"error: {IDS[0]}: These packages have no wheel for {IDS[0]}" in result.stderr
    assert result.stderr.endswith(f"error: 1 of 2 layers failed: {IDS[0]}; 1 built\n")
    assert outputs(project / "dist") == [f"layer-{IDS[1]}.json", f"layer-{IDS[1]}.zip"]


def test_clean_removes_the_layers_of_an_older_matrix_and_nothing_else(project: Path) -> None:
    (project / "pyproject.toml").write_text(MATRIX)
    run("build", project)
    (project / "dist" / "app-1-py3-none-any.whl").write_text("a wheel")
    (project / "dist" / ".layer.zip.12ab34cd.tmp").write_text("left by a killed build")
    (project / "pyproject.toml").write_text(TABLE)
    assert run("build", "-c", project).exit_code == 0
    assert outputs(project / "dist") == ["app-1-py3-none-any.whl", "layer.json", "layer.zip"]


@pytest.mark.fault(1)
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[tool.lambda-layer]\nruntimes = [python3.13]\n", "line 2, column 13"),
        ('[project]\nname = "app\n', "line 2, column 12"),
        ("[tool]\n[tool]\n", "line 2, column 6"),
    ],
)
def test_malformed_toml_gives_the_file_the_line_and_the_column(
    project: Path, text: str, where: str
) -> None:
    (project / "pyproject.toml").write_text(text)
    result = run("build", project)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {project / 'pyproject.toml'} is not valid TOML: ")
    assert where in result.stderr


def test_a_pyproject_that_cannot_be_read_is_named(project: Path) -> None:
    path = project / "pyproject.toml"
    path.write_bytes(b"\xff\xfe")
    result = run("build", project)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {path} is not UTF-8: ")


@pytest.mark.fault(2, 3)
def test_every_wrong_key_is_told_in_one_go(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.lambda-layer]\nruntime = "python3.13"\ngroups = "dev"\nmax-size = "1 TB"\n'
    )
    result = run("build", project)
    assert result.exit_code == 1
    keys = ("runtime` is unknown (did you mean `runtimes`?)", "runtimes` must", "groups` must")
    for key in (*keys, "max-size` must"):
        assert f"Field `tool.lambda-layer.{key}" in result.stderr
    assert not (project / "dist").exists()


def test_a_traceback_is_shown_only_when_asked_for(project: Path) -> None:
    (project / "pylock.toml").unlink()
    plain, verbose = run("build", project), run("build", "-v", project)
    assert (plain.exit_code, verbose.exit_code) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert "Traceback" in verbose.stderr
    assert verbose.stderr.endswith(plain.stderr)
    assert "hint: make one with your tool, such as `uv lock`, " in plain.stderr


@pytest.mark.fault(44)
def test_an_output_folder_that_is_a_file_is_an_error(project: Path) -> None:
    (project / "dist").write_text("not a folder")
    result = run("build", project)
    assert result.exit_code == 1
    assert f"error: {project / 'dist'} is a file, but layers go into a folder" in result.stderr
    assert "--output-dir" in result.stderr
    assert "Fetching" not in result.stderr
    assert (project / "dist").read_text() == "not a folder"


@pytest.mark.fault(44)
@pytest.mark.parametrize("name", ["layer.zip", "layer.json"])
def test_an_output_that_is_a_folder_is_an_error_and_nothing_is_partial(
    project: Path, name: str
) -> None:
    run("build", project)
    zip_path, path = project / "dist" / "layer.zip", project / "dist" / name
    old = zip_path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / "file").write_text("somebody's")
    (project / "pyproject.toml").write_text(TABLE + 'prune = ["stubs"]\n')
    result = run("build", project)
    assert result.exit_code == 1
    assert f"error: {path} can't be written: Is a directory" in result.stderr
    assert (path / "file").read_text() == "somebody's"
    assert outputs(project / "dist") == ["layer.json", "layer.zip"]
    assert zip_path.is_dir() or zip_path.read_bytes() == old


@pytest.mark.fault(44)
@pytest.mark.parametrize("existing", [True, False], ids=["dist", "project"])
def test_a_read_only_folder_is_an_error_without_a_traceback(
    project: Path, *, existing: bool
) -> None:
    run("build", project)
    dist = project / "dist"
    old = (dist / "layer.zip").read_bytes()
    if not existing:
        shutil.rmtree(dist)
    (project / "pyproject.toml").write_text(TABLE + 'prune = ["stubs"]\n')
    code = "from hatch_lambda_layer.cli.main import main; main()"
    command = [sys.executable, "-c", code, "build", str(project)]
    if os.geteuid() == 0:
        # Root may write everywhere; without its capabilities it is a user like any other.
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--", *command]
    folder = dist if existing else project
    folder.chmod(0o555)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        folder.chmod(0o755)
    assert done.returncode == 1
    assert "layer.zip can't be written: Permission denied" in done.stderr
    assert "hint: free some disk space or change the permissions" in done.stderr
    assert "Traceback" not in done.stderr
    assert dist.exists() == existing
    if existing:
        assert (dist / "layer.zip").read_bytes() == old
        assert outputs(dist) == ["layer.json", "layer.zip"]


SHOWN = """\
{zip}
package  version  unpacked  zipped
alpha    1.0          6 KB    6 KB
beta     2.1          1 KB    1 KB
python3.13-x86_64: 6 KB unpacked of 250 MB, 7 KB zipped of 50 MB, 9 files
content digest: {content_digest}
code sha256: {code_sha256}
note: beta 2.1: its headers, which only a compiler needs, were left out \
(beta-2.1.data/headers/beta.h) (HLL017)
"""
CONTENT_DIGEST = "sha256:dce9e40096422266876085475e414b9ca2583bf3ef9b1b0d2913ad88419903ce"
CODE_SHA256 = "hwL3WE67LQz/6e5Ic4pcnHAdjQsqCwoo8idso3HQ7/k="


def test_show_tells_what_is_in_a_layer(project: Path) -> None:
    run("build", project)
    path = project / "dist" / "layer.zip"
    result = run("show", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == SHOWN.format(
        zip=path, content_digest=CONTENT_DIGEST, code_sha256=CODE_SHA256
    )


def test_show_of_a_changed_zip_fails(project: Path) -> None:
    run("build", project)
    path = project / "dist" / "layer.zip"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    result = run("show", path)
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: {path} is not the zip that layer.json was written for\n\nhint: build it again\n"
    )


def test_show_without_a_manifest_says_which_file_is_missing(project: Path) -> None:
    run("build", project)
    (project / "dist" / "layer.json").unlink()
    result = run("show", project / "dist" / "layer.zip")
    assert result.exit_code == 1
    assert f"error: {project / 'dist' / 'layer.json'} can't be read: No such file" in result.stderr
    assert "hint: a build writes a `layer.json` beside the zip" in result.stderr


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema": 99}', b'{"schema": 1}', b"\xff\xfe"])
def test_show_of_a_broken_manifest_names_the_file(project: Path, content: bytes) -> None:
    run("build", project)
    path = project / "dist" / "layer.json"
    path.write_bytes(content)
    result = run("show", path.with_suffix(".zip"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert str(path) in result.stderr


@pytest.mark.parametrize(
    "head",
    [
        "",
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n',
        '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n',
    ],
    ids=["no backend, no project", "setuptools", "poetry-core", "uv_build"],
)
def test_projects_of_every_backend_get_the_same_layer(project: Path, head: str) -> None:
    name = '[project]\nname = "app"\nversion = "1"\n' if head else ""
    (project / "pyproject.toml").write_text(head + name + TABLE, encoding="utf-8")
    assert run("build", project).exit_code == 0
    manifest = json.loads((project / "dist" / "layer.json").read_text("utf-8"))
    assert manifest["code_sha256"] == CODE_SHA256


def test_the_version_and_the_help_are_there() -> None:
    assert run("--version").stdout == f"hatch-lambda-layer, version {__version__}\n"
    assert "build" in run("-h").stdout
    assert "--member" in run("build", "--help").stdout
