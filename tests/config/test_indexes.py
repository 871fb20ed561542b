"""The indexes of `pyproject.toml`: what is read, what is refused, and what belongs to which."""

from __future__ import annotations

import tomllib

import pytest

from hatch_lambda_layer.config.indexes import CodeArtifact, PrivateIndex, normalized_url, origin
from hatch_lambda_layer.config.matrix import Matrix
from hatch_lambda_layer.exceptions import ConfigError

CANARY = "canary-41c8"
TABLE = '[tool.lambda-layer]\nruntimes = ["python3.13"]\n'
OWN = "[[tool.lambda-layer.indexes]]\n"
ACME = f'{OWN}name = "acme"\nurl = "https://pypi.acme.test/simple/"\n'
PLACE = {
    "domain": "acme",
    "domain-owner": "111122223333",
    "repository": "py",
    "region": "eu-central-1",
}


def read(text: str) -> tuple[PrivateIndex, ...]:
    return Matrix.from_pyproject(tomllib.loads(TABLE + text)).indexes


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)
    return caught.value.problems


def codeartifact(**changes: object) -> str:
    table = {key: value for key, value in (PLACE | changes).items() if value is not None}
    return (
        f"codeartifact = {{ {', '.join(f'{key} = {value!r}' for key, value in table.items())} }}\n"
    )


def test_indexes_are_read_with_their_patterns() -> None:
    text = f'{ACME}packages = ["acme-*", "Internal.Tool"]\n{OWN}name = "b"\nurl = "http://b:81/x"\n'
    assert read(text) == (
        PrivateIndex(
            name="acme",
            url="https://pypi.acme.test/simple/",
            packages=("acme-*", "internal-tool"),
        ),
        PrivateIndex(name="b", url="http://b:81/x"),
    )
    assert read("") == ()


def test_codeartifact_gives_the_url() -> None:
    (index,) = read(f'{OWN}name = "ca"\n{codeartifact()}')
    host = "acme-111122223333.d.codeartifact.eu-central-1.amazonaws.com"
    assert index.url == f"https://{host}/pypi/py/simple/"
    assert index.codeartifact == CodeArtifact(
        domain="acme", domain_owner="111122223333", repository="py", region="eu-central-1"
    )
    (index,) = read(f'{OWN}name = "ca"\n{codeartifact(region="cn-north-1")}')
    assert index.url.startswith("https://acme-111122223333.d.codeartifact.cn-north-1.")
    assert ".amazonaws.com.cn/" in index.url
    # An endpoint in the user's own network has another address.
    (index,) = read(f'{OWN}name = "ca"\nurl = "https://vpce.test/simple"\n{codeartifact()}')
    assert index.url == "https://vpce.test/simple"
    assert index.codeartifact is not None


@pytest.mark.fault(3)
def test_everything_that_is_wrong_is_said_with_its_full_key() -> None:
    text = (
        f'{OWN}name = "a b"\nurl = "ftp://x"\npackages = ["ok", 1, "a b"]\nurls = "x"\n'
        f'{OWN}url = 1\ncodeartifact = "x"\n{OWN}name = "c"\n'
        f'{OWN}name = "d"\n{codeartifact(region="Europe", repository=None, zone="x")}'
    )
    key = "Field `tool.lambda-layer.indexes["
    expected = [
        f"{key}0].urls` is unknown (did you mean `url`?)",
        (
            f"{key}0].name` must be a name of letters, digits, `-`, `_` and `.`, such as 'acme', "
            "not 'a b'"
        ),
        f"{key}0].url` must be the URL of an index, such as 'https://host/simple/', not 'ftp://x'",
        f"{key}0].packages[1]` must be a string that is not empty, not 1",
        f"{key}0].packages[2]` must be a name, or a pattern of names with `*` and `?`, not 'a b'",
        f"{key}1].name` is missing: the index needs a name, such as 'acme'",
        (
            f"{key}1].codeartifact` must be a table with `domain`, `domain-owner`, `repository`, "
            "`region`, not 'x'"
        ),
        f"{key}1].url` must be the URL of an index, such as 'https://host/simple/', not 1",
        f"{key}2].url` is missing: name the index's simple URL, or its `codeartifact`",
        f"{key}3].codeartifact.zone` is unknown",
        f"{key}3].codeartifact.repository` is missing",
        f"{key}3].codeartifact.region` must be as AWS has it, such as 'eu-central-1', not 'Europe'",
    ]
    assert list(problems(text)) == expected


@pytest.mark.parametrize(
    "url",
    ["https://h/simple?x=1", "https://h/s#f", "https://h:port/", "https:///x", "https://h/a b"],
)
def test_a_url_that_is_none_of_an_index_is_refused(url: str) -> None:
    (problem,) = problems(f'{OWN}name = "acme"\nurl = "{url}"\n')
    assert "`tool.lambda-layer.indexes[0].url` must be the URL of an index" in problem


@pytest.mark.fault(3)
@pytest.mark.parametrize(
    "text", ['indexes = "x"\n', "indexes = [1]\n", "[tool.lambda-layer.indexes]\n"]
)
def test_what_is_no_array_of_tables_is_refused(text: str) -> None:
    assert problems(text) == (
        (
            "Field `tool.lambda-layer.indexes` must be an array of tables: "
            "`[[tool.lambda-layer.indexes]]`"
        ),
    )


def test_two_names_with_the_same_variables_are_refused() -> None:
    other = ACME.replace('"acme"', '"Acme"')
    (problem,) = problems(ACME + other)
    assert problem == (
        "Field `tool.lambda-layer.indexes[1].name` is 'Acme', which has the same environment "
        "variables as 'acme'"
    )
    (problem,) = problems(ACME + ACME)
    assert "is 'acme', which has the same" in problem


def test_the_indexes_of_one_layer_are_refused() -> None:
    (problem,) = problems("[tool.lambda-layer.layers.ml]\nindexes = []\n")
    assert problem == (
        "Field `tool.lambda-layer.layers.ml.indexes` must be in `[[tool.lambda-layer.indexes]]`: "
        "it counts for the whole project"
    )


# ---- passwords


@pytest.mark.fault(57)
@pytest.mark.parametrize("key", ["username", "password", "user", "token"])
def test_keys_for_credentials_say_where_those_come_from_instead(key: str) -> None:
    (problem,) = problems(f'{ACME}{key} = "{CANARY}"\n')
    assert problem == (
        f"Field `tool.lambda-layer.indexes[0].{key}` must not be here: set "
        "HATCH_LAMBDA_LAYER_INDEX_ACME_USERNAME and HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD in the "
        "environment, or keep them in netrc or a keyring"
    )


@pytest.mark.fault(57)
@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{CANARY}@h/simple",
        f"https://{CANARY}@h/simple",
        f"https://user:a/{CANARY}@h/simple",
        f"https://user:{CANARY}@h:port/simple",
        f"user:{CANARY}@h/simple",
        f"https://[user:{CANARY}@h/simple",
        f"https://user:${{{CANARY}}}@h/simple",
    ],
)
@pytest.mark.parametrize(
    "where",
    ["tool.lambda-layer.indexes", "tool.uv.index", "tool.poetry.source"],
)
def test_a_password_in_a_url_is_refused_without_being_printed(where: str, url: str) -> None:
    (problem,) = problems(f'[[{where}]]\nname = "acme"\nurl = "{url}"\n')
    assert problem.startswith(f"Field `{where}[0].url` must not contain a user name or a password")
    assert "HATCH_LAMBDA_LAYER_INDEX_ACME_PASSWORD" in problem


@pytest.mark.fault(57)
def test_only_the_names_of_variables_may_be_in_a_url_of_pdm() -> None:
    source = '[[tool.pdm.source]]\nname = "acme"\nurl = "https://{}h/simple"\n'
    for userinfo in ("${USER}:${PASSWORD}@", "reader:${PASSWORD}@", "${TOKEN}@"):
        (index,) = read(source.format(userinfo))
        assert (index.url, index.userinfo) == ("https://h/simple", userinfo[:-1])
        assert index.tool == "pdm"
    for userinfo in (f"${{USER}}:{CANARY}@", f"{CANARY}@", f"u:{CANARY}${{PASSWORD}}@"):
        (problem,) = problems(source.format(userinfo))
        assert problem.startswith("Field `tool.pdm.source[0].url` must not contain a user")
    (problem,) = problems(f'{source.format("")}password = "{CANARY}"\n')
    assert problem.startswith("Field `tool.pdm.source[0].password` must not be here")


@pytest.mark.fault(57)
def test_a_password_in_uvs_older_options_is_refused() -> None:
    text = (
        f'[tool.uv]\nindex-url = "https://u:{CANARY}@h/"\n'
        f'extra-index-url = ["https://h/", "https://u:{CANARY}@h/"]\n'
    )
    assert [problem.partition("`")[2].partition("`")[0] for problem in problems(text)] == [
        "tool.uv.index-url",
        "tool.uv.extra-index-url",
    ]


def test_named_indexes_of_the_tools_are_known_and_what_else_they_say_is_theirs() -> None:
    text = (
        '[[tool.uv.index]]\nname = "u"\nurl = "https://u/simple"\n[[tool.uv.index]]\n'
        'url = "https://unnamed/"\n[[tool.uv.index]]\nname = "local"\nurl = "./wheels"\n'
        '[[tool.poetry.source]]\nname = "PyPI"\n[[tool.poetry.source]]\nname = "p"\n'
        'url = "https://p/@scope/simple"\n'
    )
    assert [(index.tool, index.name, index.url) for index in read(ACME + text)] == [
        (None, "acme", "https://pypi.acme.test/simple/"),
        ("uv", "u", "https://u/simple"),
        ("poetry", "p", "https://p/@scope/simple"),
    ]
    assert read('[tool]\nuv = 1\n[tool.pdm]\nsource = "x"\n') == ()


# ---- what belongs to which


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("https://User:p@Host.test:443/Simple/", "https://host.test/Simple"),
        ("http://h:80", "http://h"),
        ("http://h:443/x//", "http://h:443/x"),
        ("http://[::1]:81/s/", "http://[::1]:81/s"),
        ("./wheels/", "./wheels"),
    ],
)
def test_urls_are_compared_in_one_form(url: str, normalized: str) -> None:
    assert normalized_url(url) == normalized


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("https://A.test/x") == ("https", "a.test", 443)
    assert origin("http://a.test:81") == ("http", "a.test", 81)
    assert [origin(url) for url in ("ftp://a", "https:///x", "http://a:b/", "a", "http://[")] == [
        None
    ] * 5


@pytest.mark.fault(59)
def test_names_are_claimed_by_patterns_in_any_spelling() -> None:
    (index,) = read(f'{ACME}packages = ["Acme_*", "one", "x?z"]\n')
    assert all(map(index.claims, ["acme-core", "ACME.core", "acme__a", "One", "xyz"]))
    assert not any(map(index.claims, ["acme", "acmecore", "my-acme-core", "ones", "xyyz"]))


@pytest.mark.parametrize(
    ("index", "held", "others"),
    [
        ("https://h/a/simple/", ["https://h/a/packages/x.whl"], ["https://h/b/x.whl"]),
        ("https://h/root/acme/+simple", ["https://h/root/acme/+f/1/x.whl"], ["https://h/root/x"]),
        (
            "https://h/user/",
            ["https://h/user/x.whl"],
            ["https://h/username/x.whl", "http://h/user/x"],
        ),
        ("http://h:81/simple", ["http://h:81/files/x.whl"], ["http://h/x", "https://h:81/x", "x"]),
    ],
)
def test_files_beside_the_pages_are_the_indexs_own(
    index: str, held: list[str], others: list[str]
) -> None:
    value = PrivateIndex(name="i", url=index)
    assert all(map(value.holds, held))
    assert not any(map(value.holds, others))
