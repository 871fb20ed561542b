"""The package indexes of a project: `[[tool.lambda-layer.indexes]]`, and those its tools name.

An index that a tool's table names is known here by its name, so that its credentials are found. The
rest of what those tables say is the tool's own business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .reader import TableReader, listed, toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TABLE = "tool.lambda-layer.indexes"
_KEYS = ("name", "url", "codeartifact", "packages")
# Tried by people who look for the place; the answer is that there is none.
_CREDENTIAL_KEYS = ("username", "password", "user", "token")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_PATTERN = re.compile(r"[A-Za-z0-9._*?-]+")
# What CodeArtifact's API takes for each (its model in botocore); the region is of that form.
_CODEARTIFACT = {
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
    """A repository of AWS CodeArtifact."""

    domain: str
    domain_owner: str
    repository: str
    region: str

    @property
    def url(self) -> str:
        """The simple index of the repository, by AWS's documentation on using it with Python."""
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
        """Tell whether a package comes from this index only, by its name."""
        return any(fnmatchcase(_normalized_name(name), pattern) for pattern in self.packages)

    def holds(self, url: str) -> bool:
        """Tell whether the file at `url` lies beside the pages of this index.

        Indexes whose URL ends in `simple` have their files beside that folder, if not elsewhere.
        """
        if origin(url) != origin(self.url):
            return False
        root = path_parts(self.url)
        if root and root[-1] in ("simple", "+simple"):
            root = root[:-1]
        return path_parts(url)[: len(root)] == root


def origin(url: str) -> tuple[str, str, int] | None:
    """Give scheme, host and port of a URL; `None` where it is none of HTTP."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


def path_parts(url: str) -> list[str]:
    """Give the folders and the name in the path of a URL."""
    return [part for part in urlsplit(url).path.split("/") if part]


def normalized_url(url: str) -> str:
    """Give the form of an index's URL by which two are compared: no credentials, no final slash."""
    found = origin(url)
    if found is None:
        return url.rstrip("/")
    scheme, host, port = found
    host = f"[{host}]" if ":" in host else host
    place = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return f"{scheme}://{place}{urlsplit(url).path.rstrip('/')}"


def read_indexes(pyproject: Mapping[str, object], problems: list[str]) -> tuple[PrivateIndex, ...]:
    """Read the indexes of a parsed `pyproject.toml`, those of our own table first.

    What is wrong with our table, and every user name or password that is written in a URL of any
    of the tables, is added to `problems`.
    """
    own = list(_of_our_own(_below(pyproject, "tool", "lambda-layer", "indexes"), problems))
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
                f"Field `{TABLE}[{number}].name` is {toml(index.name)}, which would have the "
                f"environment variables of {toml(names[upper])}"
            )
        names[upper] = index.name
        yield index


def uppercase(name: str) -> str:
    """Give the name of an index as environment variables have it."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


class _IndexReader(TableReader):
    """Reads one table of ours."""

    def read(self) -> PrivateIndex | None:
        for key in _CREDENTIAL_KEYS:
            if self.value(key) is not None:
                self.say(key, f"must not be here: {_instead(str(self.value('name', 'NAME')))}")
        self.check_known((*_KEYS, *_CREDENTIAL_KEYS))
        name = self.value("name")
        if name is None:
            self.say("name", "is missing: the index needs a name, such as 'acme'")
        elif not isinstance(name, str) or not _NAME.fullmatch(name):
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
        if isinstance(url, str) and has_userinfo(url):
            self.say("url", f"must have no user name and no password in it: {_instead(name)}")
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
            self.wrong("codeartifact", f"a table with {listed(_CODEARTIFACT)}", table)
            return None
        reader = TableReader(f"{self._prefix}.codeartifact", table, self._problems)
        reader.check_known(_CODEARTIFACT)
        for key, pattern in _CODEARTIFACT.items():
            value = table.get(key)
            if value is None:
                reader.say(key, "is missing")
            elif not isinstance(value, str) or not pattern.fullmatch(value):
                reader.wrong(key, "as AWS has it, such as " + toml(_EXAMPLES[key]), value)
        values = {
            key.replace("-", "_"): value
            for key, value in table.items()
            if isinstance(value, str) and key in _CODEARTIFACT
        }
        return CodeArtifact(**values) if len(values) == len(_CODEARTIFACT) else None

    def _packages(self) -> tuple[str, ...]:
        found = []
        for number, pattern in self.items("packages").items():
            if _PATTERN.fullmatch(pattern):
                found.append(_normalized_name(pattern))
            else:
                must = "a name, or a pattern of names with `*` and `?`"
                self.wrong(f"packages[{number}]", must, pattern)
        return tuple(found)


_EXAMPLES = {
    "domain": "acme",
    "domain-owner": "111122223333",
    "repository": "python",
    "region": "eu-central-1",
}


def _of_tools(pyproject: Mapping[str, object], problems: list[str]) -> Iterator[PrivateIndex]:
    """Give the named indexes of the tools' own tables, and note what is secret in them."""
    for tool, key in _TOOLS.items():
        for number, table in enumerate(_tables(_below(pyproject, "tool", tool, key))):
            where = f"tool.{tool}.{key}[{number}]"
            name, url = table.get("name"), table.get("url")
            named = name if isinstance(name, str) else "NAME"
            if _is_literal(table.get("password"), tool):
                problems.append(f"Field `{where}.password` must not be here: {_instead(named)}")
            if not isinstance(url, str):
                continue
            userinfo = urlsplit(url).netloc.rpartition("@")[0] if origin(url) else ""
            if has_userinfo(url) and _is_literal(userinfo.rpartition(":")[2] or url, tool):
                problems.append(
                    f"Field `{where}.url` must have no user name and no password in it: "
                    f"{_instead(named)}"
                )
            elif isinstance(name, str) and origin(url):
                bare = url.replace(f"{userinfo}@", "", 1) if userinfo else url
                yield PrivateIndex(name=name, url=bare, tool=tool, userinfo=userinfo or None)
    uv = _below(pyproject, "tool", "uv")
    for key in ("index-url", "extra-index-url"):
        value = uv.get(key) if isinstance(uv, dict) else None
        urls: Sequence[object] = value if isinstance(value, list) else [value]
        if any(isinstance(url, str) and has_userinfo(url) for url in urls):
            problems.append(
                f"Field `tool.uv.{key}` must have no user name and no password in it: name the "
                f"index in `[[tool.uv.index]]`; {_instead('NAME')}"
            )


def has_userinfo(url: str) -> bool:
    """Tell whether a URL has a user name or a password in it, however badly it is written."""
    return "@" in (urlsplit(url).netloc if origin(url) else url)


def _is_literal(value: object, tool: str) -> bool:
    """Tell a secret from the names of variables, which pdm puts the values of in their place."""
    if not isinstance(value, str) or not value:
        return False
    return tool != "pdm" or _VARIABLE.fullmatch(value) is None


def _instead(name: str) -> str:
    prefix = f"HATCH_LAMBDA_LAYER_INDEX_{uppercase(name)}"
    return (
        f"set {prefix}_USERNAME and {prefix}_PASSWORD in the environment, or keep them in netrc or "
        "a keyring"
    )


def _below(value: object, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _tables(value: object) -> list[dict[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _normalized_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
