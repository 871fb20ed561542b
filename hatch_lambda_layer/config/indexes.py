"""The package indexes of a project: `[[tool.lambda-layer.indexes]]`, and those its tools name.

An index of a tool's table is read for its name, by which its credentials are found. Everything else
in those tables is left to the tool.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .._internal.tables import array_at, tables_at, value_at
from ..exceptions import backticked
from .reader import TableReader, toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TABLE = "tool.lambda-layer.indexes"
_KEYS = ("name", "url", "codeartifact", "packages")
# Keys that people try for credentials: an error tells where these belong.
_CREDENTIAL_KEYS = ("username", "password", "user", "token")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
PATTERN = re.compile(r"[A-Za-z0-9._*?-]+")
# The patterns of CodeArtifact's API (its model in botocore); that of the Region is ours.
CODEARTIFACT = {
    "domain": re.compile(r"[a-z][a-z0-9-]{0,48}[a-z0-9]"),
    "domain-owner": re.compile(r"[0-9]{12}"),
    "repository": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,99}"),
    "region": re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+"),
}
_TOOLS = {"uv": "index", "poetry": "source", "pdm": "source"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
_VARIABLE = re.compile(r"\$\{[^}]+\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeArtifact:
    """A repository of AWS CodeArtifact; `domain_owner` is the number of an account."""

    domain: str
    domain_owner: str
    repository: str
    region: str

    @property
    def url(self) -> str:
        """The simple index of the repository, by AWS's page on pip with CodeArtifact."""
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        host = f"{self.domain}-{self.domain_owner}.d.codeartifact.{self.region}.{suffix}"
        return f"https://{host}/pypi/{self.repository}/simple/"


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateIndex:
    """An index with a name; `url` is without credentials.

    `packages` are patterns of normalised names that come from this index only. `tool` is the one
    whose table names it, `None` for `[[tool.lambda-layer.indexes]]`. `userinfo` is what pdm has in
    the URL: names of environment variables, as `${USER}:${PASSWORD}`.
    """

    name: str
    url: str
    packages: tuple[str, ...] = ()
    codeartifact: CodeArtifact | None = None
    tool: str | None = None
    userinfo: str | None = field(default=None, repr=False)

    def claims(self, name: str) -> bool:
        """Return whether the package `name` comes from this index only."""
        return any(fnmatchcase(_normalized(name), pattern) for pattern in self.packages)

    def holds(self, url: str) -> bool:
        """Return whether the file at `url` is on this index, by its origin and path.

        The files of an index whose URL ends in `simple` may lie beside that folder.
        """
        if origin(url) != origin(self.url):
            return False
        root = path_parts(self.url)
        if root and root[-1] in ("simple", "+simple"):
            root = root[:-1]
        return path_parts(url)[: len(root)] == root


def origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a URL; `None` where it is not a valid HTTP(S) URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


def path_parts(url: str) -> list[str]:
    """Return the folders and the name in the path of a URL."""
    return [part for part in urlsplit(url).path.split("/") if part]


def normalized_url(url: str) -> str:
    """Return the form in which URLs of indexes are compared: no credentials, no final slash."""
    found = origin(url)
    if found is None:
        return url.rstrip("/")
    scheme, host, port = found
    host = f"[{host}]" if ":" in host else host
    place = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return f"{scheme}://{place}{urlsplit(url).path.rstrip('/')}"


def read_indexes(pyproject: Mapping[str, object], problems: list[str]) -> tuple[PrivateIndex, ...]:
    """Read the indexes of a parsed `pyproject.toml`, those of our own table first.

    The errors of our table, and every user name or password that is written in a URL of any of
    the tables, are added to `problems`.
    """
    own = list(_of_our_own(value_at(pyproject, "tool", "lambda-layer", "indexes"), problems))
    return (*own, *_of_tools(pyproject, problems))


def _of_our_own(value: object, problems: list[str]) -> Iterator[PrivateIndex]:
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        problems.append(f"Field `{TABLE}` must be an array of tables: `[[{TABLE}]]`")
        return
    names: dict[str, str] = {}
    for number, table in enumerate(value):
        index = _IndexReader(f"{TABLE}[{number}]", table, problems).read()
        if index is None:
            continue
        if (upper := uppercase(index.name)) in names:
            problems.append(
                f"Field `{TABLE}[{number}].name` is {toml(index.name)}, which has the same "
                f"environment variables as {toml(names[upper])}"
            )
        names[upper] = index.name
        yield index


def uppercase(name: str) -> str:
    """Return the name of an index in the form that environment variables use."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


class _IndexReader(TableReader):
    """Reads one table of `[[tool.lambda-layer.indexes]]`."""

    def read(self) -> PrivateIndex | None:
        for key in _CREDENTIAL_KEYS:
            if self.value(key) is not None:
                self.say(key, f"must not be here: {_instead(str(self.value('name', 'NAME')))}")
        self.check_known((*_KEYS, *_CREDENTIAL_KEYS))
        name = self.value("name")
        if name is None:
            self.say("name", "is missing: the index needs a name, such as 'acme'")
        elif not isinstance(name, str) or not NAME.fullmatch(name):
            must = "a name of letters, digits, `-`, `_` and `.`, such as 'acme'"
            self.wrong("name", must, name)
            name = None
        codeartifact = self._codeartifact()
        url = self._url(codeartifact, name or "NAME")
        packages = self._packages()
        if name is None or url is None:
            return None
        return PrivateIndex(name=name, url=url, packages=packages, codeartifact=codeartifact)

    def _url(self, codeartifact: CodeArtifact | None, name: str) -> str | None:
        url = self.value("url")
        if url is None:
            if self.value("codeartifact") is None:
                self.say("url", "is missing: name the index's simple URL, or its `codeartifact`")
            return codeartifact.url if codeartifact else None
        if isinstance(url, str) and _has_userinfo(url):
            self.say("url", f"must not contain a user name or a password: {_instead(name)}")
            return None
        parts = urlsplit(url) if isinstance(url, str) and origin(url) else None
        if parts is None or parts.query or parts.fragment or not url.isprintable() or " " in url:
            self.wrong("url", "the URL of an index, such as 'https://host/simple/'", url)
            return None
        return str(url)

    def _codeartifact(self) -> CodeArtifact | None:
        table = self.value("codeartifact")
        if table is None:
            return None
        if not isinstance(table, dict):
            self.wrong("codeartifact", f"a table with {backticked(CODEARTIFACT)}", table)
            return None
        reader = TableReader(f"{self._prefix}.codeartifact", table, self._problems)
        reader.check_known(CODEARTIFACT)
        for key, pattern in CODEARTIFACT.items():
            value = table.get(key)
            if value is None:
                reader.say(key, "is missing")
            elif not isinstance(value, str) or not pattern.fullmatch(value):
                reader.wrong(key, "as AWS has it, such as " + toml(EXAMPLES[key]), value)
        values = {
            key.replace("-", "_"): value
            for key, value in table.items()
            if isinstance(value, str) and key in CODEARTIFACT
        }
        return CodeArtifact(**values) if len(values) == len(CODEARTIFACT) else None

    def _packages(self) -> tuple[str, ...]:
        found = []
        for number, pattern in self.items("packages").items():
            if PATTERN.fullmatch(pattern):
                found.append(_normalized(pattern))
            else:
                must = "a name, or a pattern of names with `*` and `?`"
                self.wrong(f"packages[{number}]", must, pattern)
        return tuple(found)


EXAMPLES = {
    "domain": "acme",
    "domain-owner": "111122223333",
    "repository": "python",
    "region": "eu-central-1",
}


def _of_tools(pyproject: Mapping[str, object], problems: list[str]) -> Iterator[PrivateIndex]:
    """Yield the named indexes of the tools' own tables; report passwords to `problems`."""
    for tool, key in _TOOLS.items():
        for number, table in enumerate(tables_at(pyproject, "tool", tool, key)):
            where = f"tool.{tool}.{key}[{number}]"
            name, url = table.get("name"), table.get("url")
            named = name if isinstance(name, str) else "NAME"
            if _is_literal(table.get("password"), tool):
                problems.append(f"Field `{where}.password` must not be here: {_instead(named)}")
            if not isinstance(url, str):
                continue
            userinfo = urlsplit(url).netloc.rpartition("@")[0] if origin(url) else ""
            if _has_userinfo(url) and _is_literal(userinfo.rpartition(":")[2] or url, tool):
                problems.append(
                    f"Field `{where}.url` must not contain a user name or a password: "
                    f"{_instead(named)}"
                )
            elif isinstance(name, str) and origin(url):
                bare = url.replace(f"{userinfo}@", "", 1) if userinfo else url
                yield PrivateIndex(name=name, url=bare, tool=tool, userinfo=userinfo or None)
    for key in ("index-url", "extra-index-url"):
        keys = ("tool", "uv", key)
        urls = [value_at(pyproject, *keys), *array_at(pyproject, *keys)]
        if any(isinstance(url, str) and _has_userinfo(url) for url in urls):
            problems.append(
                f"Field `tool.uv.{key}` must not contain a user name or a password: name the "
                f"index in `[[tool.uv.index]]`; {_instead('NAME')}"
            )


def _has_userinfo(url: str) -> bool:
    """Return whether a URL contains a user name or a password, even if it is malformed."""
    return "@" in (urlsplit(url).netloc if origin(url) else url)


def _is_literal(value: object, tool: str) -> bool:
    """Return whether a value is a secret itself, not a `${VARIABLE}` that pdm expands."""
    if not isinstance(value, str) or not value:
        return False
    return tool != "pdm" or _VARIABLE.fullmatch(value) is None


def _instead(name: str) -> str:
    prefix = f"HATCH_LAMBDA_LAYER_INDEX_{uppercase(name)}"
    return (
        f"set {prefix}_USERNAME and {prefix}_PASSWORD in the environment, or keep them in netrc or "
        "a keyring"
    )


def _normalized(text: str) -> str:
    """Return a name, or a pattern of names, in normal form (PEP 503).

    packaging's `canonicalize_name` is for names, and importing it is a tenth of a warm build.
    """
    return re.sub(r"[-_.]+", "-", text).lower()
