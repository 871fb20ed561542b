"""A password-protected index on loopback serves every tool, and its password shows nowhere."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration import LAYER_TABLE, LayerProject
from tests.support.index_server import Answer, Close, IndexServer, Status
from tests.support.leaks import LeakedFile, LeakWatch
from tests.support.lock_factory import LockedFile, LockedPackage, uv_project
from tests.support.loopback import LoopbackServer, Quiet
from tests.support.source_factory import IN_TREE, sdist, telling_project, told
from tests.support.system_parts import MissingPart, require
from tests.support.tools import isolate, tool_path, tool_project
from tests.support.wheel_factory import Member, WheelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

USER = "reader"
CANARY = "canary-5e1f-0x"
CORE = WheelSpec(name="acme-core", version="1.2", requires_dist=["beta"])
BETA = WheelSpec(name="beta")
HEAD = '[project]\nname = "app"\nversion = "1.0"\nrequires-python = ">=3.11,<4"\n'
OWN = "HATCH_LAMBDA_LAYER_INDEX_ACME"


@pytest.fixture
def private() -> Iterator[IndexServer]:
    with IndexServer(user=USER, password=CANARY) as server:
        server.add(CORE)
        yield server


@pytest.fixture
def public() -> Iterator[IndexServer]:
    # Another host to netrc, which tells no ports apart.
    with IndexServer(hostname="localhost") as server:
        server.add(BETA)
        yield server


@dataclasses.dataclass(frozen=True)
class Team:
    """A person's machine: a project, a home, a cache, a folder for temporary files."""

    root: Path
    private: IndexServer
    public: IndexServer

    @property
    def project(self) -> LayerProject:
        """The project."""
        return LayerProject(self.root / "app", self.root / "cache")

    def pyproject(self, *tables: str) -> str:
        """Give a project that says which names belong to the private index."""
        own = f'[[tool.lambda-layer.indexes]]\nname = "acme"\nurl = "{self.private.simple_url}"\n'
        return "\n".join([HEAD, *tables, LAYER_TABLE, own, 'packages = ["acme-*"]\n'])

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        """Give the variables of a build: nobody's but these."""
        (self.root / "tmp").mkdir(exist_ok=True)
        kept = ("PATH", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "UV_PYTHON")
        return {
            **{name: os.environ[name] for name in kept},
            "NO_PROXY": "*",
            "TMPDIR": str(self.root / "tmp"),
            "HATCH_LAMBDA_LAYER_CACHE_DIR": str(self.project.cache),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            **variables,
        }

    def build(self, variables: dict[str, str], code: int = 0) -> tuple[str, LeakWatch]:
        """Build as a person does, with all there is to be said, and watch for the password."""
        watch = LeakWatch(CANARY, self.root)
        program = [sys.executable, "-c", "from hatch_lambda_layer.cli.main import main; main()"]
        with watch:
            done = subprocess.run(
                [*program, "build", "-v"],
                cwd=self.project.directory,
                env=self.environment(variables),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert CANARY not in said
        assert watch.samples > 10
        assert watch.arguments == set()
        assert watch.left() == []
        return said, watch


@pytest.fixture
def team(
    tmp_path: Path, private: IndexServer, public: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> Team:
    (tmp_path / "app").mkdir()
    programs = [require(tool_path, name) for name in ("poetry", "pdm")]
    isolate(monkeypatch, tmp_path / "state", *programs)
    return Team(tmp_path, private, public)


def lock_with_uv(team: Team) -> dict[str, str]:
    tables = (
        'dependencies = ["acme-core"]\n[tool.uv.sources]\nacme-core = { index = "acme" }\n'
        f'[[tool.uv.index]]\nname = "acme"\nurl = "{team.private.simple_url}"\n'
    )
    default = f'[[tool.uv.index]]\nurl = "{team.public.simple_url}"\ndefault = true\n'
    project = uv_project(team.project.directory, team.public.simple_url, lock=False)
    project.pyproject.write_text(team.pyproject(tables, default), encoding="utf-8")
    secrets = {"UV_INDEX_ACME_USERNAME": USER, "UV_INDEX_ACME_PASSWORD": CANARY}
    dataclasses.replace(project, environment=project.environment | secrets).lock()
    return secrets


def lock_with_poetry(team: Team) -> dict[str, str]:
    tables = (
        "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\n"
        'acme-core = { version = "*", source = "acme" }\n'
        f'[[tool.poetry.source]]\nname = "public"\nurl = "{team.public.simple_url}"\n'
        f'[[tool.poetry.source]]\nname = "acme"\nurl = "{team.private.simple_url}"\n'
        'priority = "explicit"\n'
    )
    secrets = {"POETRY_HTTP_BASIC_ACME_USERNAME": USER, "POETRY_HTTP_BASIC_ACME_PASSWORD": CANARY}
    lock_with_tool("poetry", team, team.pyproject(tables), secrets)
    return secrets


def lock_with_pdm(team: Team) -> dict[str, str]:
    url = team.private.simple_url.replace("://", "://${ACME_USER}:${ACME_PASSWORD}@")
    tables = (
        'dependencies = ["acme-core"]\n'
        f'[[tool.pdm.source]]\nname = "acme"\nurl = "{url}"\ninclude_packages = ["acme-*"]\n'
        f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{team.public.simple_url}"\n'
    )
    secrets = {"ACME_USER": USER, "ACME_PASSWORD": CANARY}
    lock_with_tool("pdm", team, team.pyproject(tables), secrets)
    return secrets


def lock_with_tool(name: str, team: Team, text: str, secrets: dict[str, str]) -> None:
    state = team.root / f"{name}-state"
    project = tool_project(name, team.project.directory, text, state, lock=False)
    dataclasses.replace(project, environment=project.environment | secrets).lock()


def lock_with_pip(team: Team) -> dict[str, str]:
    (team.project.directory / "pyproject.toml").write_text(team.pyproject(), encoding="utf-8")
    text = f"--index-url {team.public.simple_url}\nacme-core\n"
    (team.project.directory / "requirements.txt").write_text(text, encoding="utf-8")
    return {f"{OWN}_USERNAME": USER, f"{OWN}_PASSWORD": CANARY}


LOCKED_BY = {
    "uv": lock_with_uv,
    "poetry": lock_with_poetry,
    "pdm": lock_with_pdm,
    "pip": lock_with_pip,
}


@pytest.mark.fault(57)
@pytest.mark.parametrize("tool", LOCKED_BY)
def test_every_tool_builds_from_a_private_index_and_its_password_shows_nowhere(
    team: Team, tool: str
) -> None:
    secrets = LOCKED_BY[tool](team)
    _, watch = team.build(secrets)
    assert team.project.packages() == ["acme_core", "beta"]
    assert team.private.requests_for(team.private.path_of(CORE.filename))
    assert not any(each.headers.get("Authorization") for each in team.public.requests)
    assert watch.files == set()
    assert list((team.root / "tmp").iterdir()) == []
    # The manifest knows nothing of where it came from.
    assert "127.0.0.1" not in team.project.manifest.read_text(encoding="utf-8")


def test_a_watch_finds_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    secret = "canary-to-be-found"
    BETA.with_files(Member("beta/x", secret.encode())).write(folder)
    with LeakWatch(secret, tmp_path) as watch:
        program = "import sys, time, pathlib; path = pathlib.Path(sys.argv[1])\n"
        program += "path.write_text(sys.argv[2]); path.chmod(0o640); time.sleep(0.3); path.unlink()"
        subprocess.run([sys.executable, "-c", program, folder / "short", secret], check=True)
    assert [line.split()[-1] for line in watch.arguments] == [secret]
    assert LeakedFile(folder / "short", 0o640, 0o755) in watch.files
    assert watch.left() == [folder / BETA.filename]


# ---- where credentials come from, and where they do not


def test_credentials_of_the_users_netrc_reach_every_request(team: Team) -> None:
    lock_with_pip(team)
    netrc = team.root / "state" / "home" / ".netrc"
    entry = f"machine 127.0.0.1 login {USER} password {CANARY}\n"
    netrc.write_text(entry, encoding="utf-8")
    watch = LeakWatch(CANARY, team.root / "tmp", team.project.cache, team.project.directory)
    done = subprocess.run(
        [sys.executable, "-c", "from hatch_lambda_layer.cli.main import main; main()", "build"],
        cwd=team.project.directory,
        env=team.environment({}),
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert team.project.packages() == ["acme_core", "beta"]
    assert watch.left() == []
    assert netrc.read_text(encoding="utf-8") == entry


@pytest.mark.fault(49)
@pytest.mark.fault(57)
@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_a_wrong_password_is_an_error_that_names_the_index_and_the_variables(
    team: Team, tool: str
) -> None:
    secrets = LOCKED_BY[tool](team)
    team.private.credentials = f"{USER}:another"
    said, _ = team.build(secrets, 1)
    for words in ("401", "index `acme`", f"{OWN}_USERNAME and {OWN}_PASSWORD", "were sent"):
        assert words in said


@pytest.mark.fault(49)
def test_half_of_the_credentials_is_an_error_that_names_the_other_half(team: Team) -> None:
    lock_with_pip(team)
    said, _ = team.build({f"{OWN}_PASSWORD": CANARY}, 1)
    assert f"{OWN}_USERNAME is not set" in said
    said, _ = team.build({f"{OWN}_USERNAME": USER}, 1)
    assert f"{OWN}_PASSWORD is not set" in said


# ---- a private name never comes from elsewhere


IMPOSTOR = WheelSpec(name="acme-core", version="99.0", requires_dist=["beta"])


@pytest.mark.fault(59)
def test_a_name_that_a_private_index_has_is_taken_from_there_without_a_claim(team: Team) -> None:
    secrets = lock_with_pip(team)
    pyproject = team.project.directory / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(text.replace('packages = ["acme-*"]', ""), encoding="utf-8")
    team.public.add(IMPOSTOR)
    team.build(secrets)
    assert team.private.requests_for(team.private.path_of(CORE.filename))
    assert not team.public.requests_for(team.public.path_of(IMPOSTOR.filename))


@pytest.mark.fault(59)
def test_what_a_url_takes_from_elsewhere_although_a_private_index_has_it_is_refused(
    team: Team,
) -> None:
    secrets = lock_with_pip(team)
    pyproject = team.project.directory / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(text.replace('packages = ["acme-*"]', ""), encoding="utf-8")
    team.public.add(IMPOSTOR)
    requirements = team.project.directory / "requirements.txt"
    line = f"acme-core @ {team.public.file_url(IMPOSTOR.filename)}"
    lines = requirements.read_text(encoding="utf-8").replace("acme-core", line)
    requirements.write_text(lines, encoding="utf-8")
    said, _ = team.build(secrets, 1)
    for words in ("acme-core 99.0", "localhost", "not from the private index `acme`", "too"):
        assert words in said
    # The same file may lie on both.
    team.private.add(IMPOSTOR)
    team.build(secrets)


@pytest.mark.fault(59)
@pytest.mark.parametrize("tool", LOCKED_BY)
def test_a_claimed_name_from_another_index_is_refused(team: Team, tool: str) -> None:
    secrets = LOCKED_BY[tool](team)
    pyproject = team.project.directory / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    claims = '\npackages = ["acme-*"'
    pyproject.write_text(text.replace(claims, f'{claims}, "Beta"'), encoding="utf-8")
    said, _ = team.build(secrets, 1)
    expected = ["Package `beta 1.0` comes from", "`acme`", "whose `packages` claim it"]
    if tool == "pdm":  # whose lock does not say which of its indexes a file is from
        expected = ["index `acme`", "does not list `beta-1.0-py3-none-any.whl`"]
    for words in expected:
        assert words in said
    assert not team.public.requests_for(team.public.path_of(BETA.filename))
    assert "acme-core" not in said.partition("Package `beta")[2]


@pytest.mark.fault(59)
@pytest.mark.parametrize("answer", [Status(401), Status(403), Status(500), Close()])
def test_a_private_index_that_does_not_answer_is_an_error_and_no_way_to_the_public_one(
    team: Team, answer: Answer
) -> None:
    secrets = lock_with_pip(team)
    team.public.add(IMPOSTOR)
    team.private.always("/simple/acme-core/", answer)
    said, _ = team.build({**secrets, "UV_HTTP_RETRIES": "0"}, 1)
    assert "index `acme`" in said
    assert not team.project.zip.exists()


# ---- builds


@pytest.mark.fault(57)
@pytest.mark.fault(58)
def test_a_build_script_of_a_private_source_finds_no_secret(team: Team) -> None:
    helper = WheelSpec(name="acme-helper")
    team.private.add(helper)
    requires = {"pyproject.toml": IN_TREE.replace("[]", '["acme-helper"]').encode()}
    filename, data = sdist("teller", "1.0", telling_project() | requires)
    file = LockedFile(filename=filename, data=data, url=team.private.add_file(filename, data))
    project = team.project
    (project.directory / "pyproject.toml").write_text(team.pyproject(), encoding="utf-8")
    project.write_lock(LockedPackage(sdist=file, index=team.private.simple_url))
    secrets = {f"{OWN}_USERNAME": USER, f"{OWN}_PASSWORD": CANARY}
    offline = {"UV_HTTP_RETRIES": "0", "UV_DEFAULT_INDEX": team.public.simple_url}
    _, watch = team.build(secrets | offline)
    # It was built from what has a password, and with what has one.
    assert team.private.requests_for(team.private.path_of(filename))
    assert team.private.requests_for(team.private.path_of(helper.filename))
    with zipfile.ZipFile(project.zip) as layer:
        facts = told(layer.read("python/teller.py"))
    assert facts["environment"]["PATH"]
    assert CANARY not in json.dumps(facts)
    assert watch.files == set()


# ---- AWS CodeArtifact


class Tokens(Quiet, BaseHTTPRequestHandler):
    """AWS's endpoint for tokens, as botocore's model of the service describes it."""

    asked: ClassVar[list[tuple[str, Message]]] = []
    answer: ClassVar[tuple[int, dict[str, object]]]

    def do_POST(self) -> None:
        self.asked.append((self.path, self.headers))
        status, table = self.answer
        body = json.dumps(table).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Tokens, "asked", [])
    with LoopbackServer(Tokens) as server:
        yield f"http://{server.address}"


def _boto3() -> None:
    if importlib.util.find_spec("boto3") is None:
        raise MissingPart("boto3 is not installed")


def of_codeartifact(team: Team, endpoint: str) -> dict[str, str]:
    """Have the index be one of CodeArtifact's, and give what boto3 needs."""
    require(_boto3)
    lock_with_uv(team)
    pyproject = team.project.directory / "pyproject.toml"
    place = 'domain = "acme", domain-owner = "111122223333", repository = "py"'
    key = f'codeartifact = {{ {place}, region = "eu-central-1" }}'
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(text.replace("\npackages", f"\n{key}\npackages"), encoding="utf-8")
    return {
        "AWS_ENDPOINT_URL_CODEARTIFACT": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret-of-aws",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_MAX_ATTEMPTS": "1",
    }


@pytest.mark.fault(57)
def test_a_token_of_codeartifact_is_the_password(team: Team, tokens: str) -> None:
    environment = of_codeartifact(team, tokens)
    Tokens.answer = (200, {"authorizationToken": CANARY, "expiration": 1_800_000_000})
    team.private.credentials = f"aws:{CANARY}"
    said, _ = team.build(environment)
    assert "secret-of-aws" not in said
    assert team.project.packages() == ["acme_core", "beta"]
    ((path, headers),) = Tokens.asked
    url = urlsplit(path)
    assert url.path == "/v1/authorization-token"
    assert parse_qs(url.query) == {
        "domain": ["acme"],
        "domain-owner": ["111122223333"],
        "duration": ["3600"],
    }
    assert "/eu-central-1/codeartifact/aws4_request" in headers["Authorization"]
    # Up to date, it needs no token.
    team.build(environment)
    assert len(Tokens.asked) == 1


def test_aws_giving_no_token_is_an_error_with_the_permissions(team: Team, tokens: str) -> None:
    environment = of_codeartifact(team, tokens)
    Tokens.answer = (403, {"message": "User is not authorized", "__type": "AccessDeniedException"})
    said, _ = team.build(environment, 1)
    for words in ("`acme` of 111122223333", "not authorized", "sts:GetServiceBearerToken"):
        assert words in said
    without = {name: value for name, value in environment.items() if "KEY" not in name}
    said, _ = team.build(without, 1)
    assert "Unable to locate credentials" in said
