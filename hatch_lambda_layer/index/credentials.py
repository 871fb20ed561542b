"""Credentials for private indexes: where they are looked for, and in which order.

Environment variables, netrc, a keyring, AWS CodeArtifact: the first that has them counts. They are
written nowhere but to the environment of a child process, see `auth`.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from .._internal.process import run
from ..config.indexes import normalized_url, uppercase
from ..exceptions import CredentialsError, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..config.indexes import CodeArtifact, PrivateIndex
    from .netrc import Login


class Variables(NamedTuple):
    """The names of two environment variables."""

    username: str
    password: str


_USERNAME, _PASSWORD = "USERNAME", "PASSWORD"
_OWN = "HATCH_LAMBDA_LAYER_INDEX_{}_{}"
# As uv and poetry document them; pdm has some for its default index only.
_OF_TOOLS = {"uv": "UV_INDEX_{}_{}", "poetry": "POETRY_HTTP_BASIC_{}_{}"}
_WITH_URLS = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
)
_OF_PDM = Variables("PDM_PYPI_USERNAME", "PDM_PYPI_PASSWORD")
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
# For CodeArtifact's tokens, by AWS's page "Configure and use pip with CodeArtifact".
_CODEARTIFACT_USER = "aws"


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """A user name and a password for one index; `source` tells people where they are from."""

    index_name: str
    index_url: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    source: str = "the program"

    @property
    def uppercase_index_name(self) -> str:
        """The index's name in the form that environment variables use."""
        return uppercase(self.index_name)

    @property
    def normalized_index_url(self) -> str:
        """The index's URL in the form in which URLs are compared, without credentials."""
        return normalized_url(self.index_url)

    @property
    def authorization(self) -> str:
        """The value of the header `Authorization` (RFC 7617, in UTF-8)."""
        return basic(self.username, self.password)

    def environment(self, tool: str) -> dict[str, str]:
        """Return the variables that hand these to uv or poetry, none for another tool.

        Builds read them as well, for an index of that name in `[[tool.lambda-layer.indexes]]`.
        """
        if tool not in _OF_TOOLS:
            return {}
        names = variables(tool, self.index_name)
        return dict(zip(names, (self.username, self.password), strict=True))


class _Half(NamedTuple):
    """A user name without a password; `missing` is the variable that should hold the password."""

    username: str
    missing: str


def basic(username: str, password: str) -> str:
    """Return the value of the header `Authorization` for a user (RFC 7617, in UTF-8)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def variables(tool: str | None, name: str) -> Variables:
    """Return the names of a tool's variables for the index `name`; ours if `tool` is `None`."""
    pattern = _OWN if tool is None else _OF_TOOLS[tool]
    # poetry replaces dashes only.
    upper = name.upper().replace("-", "_") if tool == "poetry" else uppercase(name)
    return Variables(pattern.format(upper, _USERNAME), pattern.format(upper, _PASSWORD))


def find_credentials(
    index: PrivateIndex, netrc: Mapping[str, Login], token: Callable[[CodeArtifact], str]
) -> Credentials | None:
    """Find the credentials of an index; `None` where there are none at all.

    `token` asks CodeArtifact for a token. Raises `CredentialsError` where only a user name or only
    a password is found, where one of them has a control character, and where `token` does.
    """
    found = _of_variables(index)
    half = found if isinstance(found, _Half) else None
    user = half.username if half else None
    if found is None or half:
        found = _of_netrc(index, netrc, user)
    # A keyring may ask the user to unlock it: not for an index that may well be a public one.
    if found is None and (index.tool is None or half):
        found = _of_keyring(index, user)
    if found is None and index.codeartifact and user in (None, _CODEARTIFACT_USER):
        found = _credentials(
            index, _CODEARTIFACT_USER, token(index.codeartifact), "AWS CodeArtifact"
        )
    if found is None and half:
        raise CredentialsError(
            f"Index `{index.name}` has a user name but no password: {half.missing} is not set",
            hint=f"set {half.missing}, or keep the password of this user in netrc or a keyring",
        )
    return found if isinstance(found, Credentials) else None


def _of_variables(index: PrivateIndex) -> Credentials | _Half | None:
    for names in _known_variables(index):
        # CI systems set empty variables where a build may not see its secrets.
        username, password = (os.environ.get(name) or None for name in names)
        if username and password:
            return _credentials(index, username, password, " and ".join(names))
        if password:
            raise CredentialsError(
                f"Index `{index.name}` has a password but no user name: {names.username} is not "
                "set",
                hint=f"set {names.username}, or unset {names.password}",
            )
        if username:
            return _Half(username, names.password)
    return _of_userinfo(index)


def _known_variables(index: PrivateIndex) -> Iterator[Variables]:
    """Yield the pairs of variables that can hold the credentials, ours first."""
    yield variables(None, index.name)
    for tool in _OF_TOOLS:
        if index.tool in (None, tool):
            yield variables(tool, index.name)
    if index.tool == "pdm" and index.name == "pypi":
        yield _OF_PDM


def _of_userinfo(index: PrivateIndex) -> Credentials | None:
    """Return the credentials in a URL of pdm, whose variables are replaced by their values."""
    names = _VARIABLE.findall(index.userinfo or "")
    missing = [name for name in names if not os.environ.get(name)]
    if index.userinfo is None or missing == names:
        return None
    if missing:
        raise CredentialsError(
            f"The URL of index `{index.name}` names variables for its credentials, but "
            f"{missing[0]} is not set",
            hint=f"set {missing[0]}",
        )
    expanded = _VARIABLE.sub(lambda match: quote(os.environ[match[1]], ""), index.userinfo)
    user, _, password = expanded.partition(":")
    return _credentials(index, unquote(user), unquote(password), " and ".join(names))


def _of_netrc(
    index: PrivateIndex, netrc: Mapping[str, Login], user: str | None
) -> Credentials | None:
    login = netrc_login(netrc, index.url)
    if login is None or user not in (None, login.user):
        return None
    return _credentials(index, login.user, login.password, "netrc")


def netrc_login(netrc: Mapping[str, Login], url: str) -> Login | None:
    """Return netrc's entry for the host of a URL, which is the same for all ports."""
    return netrc.get(urlsplit(url).hostname or "", netrc.get("default"))


def _of_keyring(index: PrivateIndex, user: str | None) -> Credentials | None:
    """Ask the keyring as pip and uv do: for the URL of the index, then for its host."""
    host = urlsplit(index.url).netloc
    for service in dict.fromkeys((index.url, index.url.rstrip("/"), host)):
        if found := _ask_keyring(service, user):
            return _credentials(index, *found, "the keyring")
    return None


def _ask_keyring(service: str, user: str | None) -> tuple[str, str] | None:
    try:
        import keyring
    except ImportError:
        return _ask_program(service, user)
    # Its backends are third-party code that may raise anything: the keyring is unavailable then.
    with suppress(Exception):
        found = keyring.get_credential(service, user)
        if found is not None and found.username and found.password:
            return found.username, found.password
    return None


def _ask_program(service: str, user: str | None) -> tuple[str, str] | None:
    """Ask the program `keyring`, whose output is never shown."""
    program = shutil.which("keyring")
    if program is None:
        return None
    argv = [program, "get", service, user] if user else [program, "--mode", "creds", "get", service]
    with suppress(ToolError):
        # Not supervised: what unlocks the keyring may stay.
        output = run(argv, cwd=Path.cwd(), env=os.environ, supervised=False)
        said = output.decode("utf-8", "replace").splitlines()
        username, password, *_ = [*([user] if user else []), *said, "", ""]
        if username and password:
            return username, password
    return None


def _credentials(index: PrivateIndex, username: str, password: str, source: str) -> Credentials:
    # A line break would end a header, or a line of netrc, too early; it is never meant.
    for what, value in (("user name", username), ("password", password)):
        if not value.isprintable():
            raise CredentialsError(
                f"The {what} of index `{index.name}` from {source} has a line break or another "
                "control character in it",
                hint="remove it, for example from the end of the file that the value is read from",
            )
    return Credentials(
        index_name=index.name,
        index_url=index.url,
        username=username,
        password=password,
        source=source,
    )


def url_credentials(environment: Mapping[str, str]) -> Iterator[Credentials]:
    """Yield the credentials in the URLs of pip's and uv's variables for indexes."""
    for variable in _WITH_URLS:
        for word in environment.get(variable, "").split():
            name, separator, rest = word.partition("=")
            yield from credentials_in(rest if separator and "://" not in name else word, variable)


def credentials_in(url: str, source: str) -> Iterator[Credentials]:
    """Yield the credentials in a URL, if it has any."""
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    if userinfo:
        yield Credentials(
            index_name=source,
            index_url=parts._replace(netloc=host).geturl(),
            username=unquote(user),
            password=unquote(password),
            source=source,
        )
