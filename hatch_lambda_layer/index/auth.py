"""The credentials of each index, as our own requests and child processes get them.

Our own requests carry those of the index whose scheme, host and port they go to. A child process
gets them in its environment, never in its arguments or in a file.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from ..config.indexes import normalized_url, origin, path_parts
from ..exceptions import CredentialsError
from .credentials import (
    basic,
    credentials_in,
    find_credentials,
    netrc_login,
    url_credentials,
    variables,
)
from .netrc import read_netrc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..config.indexes import CodeArtifact, PrivateIndex
    from .credentials import Credentials
    from .netrc import Login


def _no_token(place: CodeArtifact) -> str:
    raise CredentialsError(f"No token is available here for CodeArtifact's domain `{place.domain}`")


class IndexAccess:
    """The indexes of a project and their credentials, found once, when they are needed.

    `token` asks CodeArtifact for a token. Several threads may share the object. Its methods raise
    `CredentialsError` where the credentials of an index are incomplete or unavailable.
    """

    def __init__(
        self,
        indexes: Sequence[PrivateIndex] = (),
        token: Callable[[CodeArtifact], str] = _no_token,
    ) -> None:
        self._indexes = indexes
        self._token = token
        self._found: dict[PrivateIndex, Credentials | None] = {}
        self._finding = threading.RLock()
        self._learnt: list[Credentials] = []
        self.certificates: dict[str, str] = {}
        self._searched: tuple[str, ...] = ()

    @property
    def own(self) -> list[PrivateIndex]:
        """The indexes of `[[tool.lambda-layer.indexes]]`."""
        return [index for index in self._indexes if index.tool is None]

    def learn(self, urls: Iterable[str], certificates: Mapping[str, str]) -> None:
        """Use the credentials in `urls`, and trust `certificates` (paths by names of settings).

        They are those of a tool whose settings only its lockfile knows.
        """
        found = (each for url in urls for each in credentials_in(url, "the tool's settings"))
        self._learnt += [each for each in found if each not in self._learnt]
        self.certificates |= certificates
        self.__dict__.pop("_of_urls", None)

    def search(self, urls: Sequence[str]) -> None:
        """Offer indexes to uv, the default one first: those of a tool whose settings uv has not."""
        self._searched = tuple(urls)

    def credentials(self, index: PrivateIndex) -> Credentials | None:
        """Return the credentials of an index, also where another table or variable has them."""
        same = [each for each in self._indexes if _same(each, index)]
        found = next(filter(None, map(self._credentials, same)), None)
        url = normalized_url(index.url)
        return found or next((e for e in self._of_urls if e.normalized_index_url == url), None)

    def index_of(self, url: str) -> PrivateIndex | None:
        """Return the index of a URL: of those with its origin, the one with the nearest path."""
        place = origin(url)
        alike = [index for index in self._indexes if place and origin(index.url) == place]
        return max(alike, key=lambda index: _shared(index.url, url), default=None)

    def authorization(self, url: str) -> str | None:
        """Return the header `Authorization` for a request to `url`, `None` where there is none.

        Credentials in the URL itself come first, then those of its index, then those in netrc.
        """
        userinfo = urlsplit(url).netloc.rpartition("@")[0]
        if userinfo:
            user, _, password = userinfo.partition(":")
            return basic(unquote(user), unquote(password))
        index = self.index_of(url)
        if index and (found := self.credentials(index)):
            return found.authorization
        named = [each for each in self._of_urls if origin(each.index_url) == origin(url)]
        if named:
            return max(named, key=lambda each: _shared(each.index_url, url)).authorization
        login = netrc_login(self._netrc, url)
        return basic(*login) if login else None

    def url_with_credentials(self, url: str) -> str:
        """Return the URL of a repository with the credentials that a tool has for this very URL."""
        same = (each for each in self._learnt if each.index_url == url)
        found = next(same, None)
        if found is None:
            return url
        parts = urlsplit(url)
        user, password = (quote(each, safe="") for each in (found.username, found.password))
        return parts._replace(netloc=f"{user}:{password}@{parts.netloc}").geturl()

    def advice(self, url: str) -> str:
        """Return what to do, as a hint, when the index of `url` asks for other credentials."""
        index = self.index_of(url)
        if index is None:
            host = urlsplit(url).hostname
            return f"put credentials for {host} into ~/.netrc (or the file that NETRC names)"
        names = " and ".join(variables(None, index.name))
        if found := self.credentials(index):
            return (
                f"the credentials from {found.source} were sent to index `{index.name}`: check "
                f"them and what they may read, or set others in {names}"
            )
        return (
            f"no credentials were found for index `{index.name}`: set {names}, or put them into "
            "~/.netrc"
        )

    @contextmanager
    def environment(self, tool: str) -> Iterator[dict[str, str]]:
        """Yield the environment of a child process that asks indexes: ours, and credentials.

        uv gets variables, and also the indexes of our own table; poetry gets variables.
        """
        if tool in ("uv", "poetry"):
            wanted = [index for index in self._indexes if index.tool in (None, tool)]
            environment = dict(os.environ)
            for index in wanted:
                if found := self.credentials(index):
                    # Under the name that the tool has for the index, which need not be ours.
                    environment |= replace(found, index_name=index.name).environment(tool)
            if tool == "uv" and self._searched:
                default, *extra = self._searched
                if "UV_INDEX_URL" not in environment:
                    environment.setdefault("UV_DEFAULT_INDEX", default)
                known = environment.get("UV_INDEX", "")
                environment["UV_INDEX"] = " ".join(filter(None, [*extra, known]))
            if tool == "uv" and (offered := self._offered(wanted)):
                environment["UV_INDEX"] = " ".join([*offered, environment.get("UV_INDEX", "")])
            yield environment
        else:
            yield dict(os.environ)

    def _credentials(self, index: PrivateIndex) -> Credentials | None:
        with self._finding:
            if index not in self._found:
                self._found[index] = find_credentials(index, self._netrc, self._token)
            return self._found[index]

    @cached_property
    def _netrc(self) -> dict[str, Login]:
        return read_netrc(os.environ)

    @cached_property
    def _of_urls(self) -> list[Credentials]:
        return [*url_credentials(os.environ), *self._learnt]

    def _offered(self, wanted: Sequence[PrivateIndex]) -> list[str]:
        """Return the indexes of our own table that uv's does not name, as `UV_INDEX` has them."""
        known = [index for index in wanted if index.tool == "uv"]
        return [
            f"{index.name}={index.url}"
            for index in self.own
            if not any(_same(index, each) for each in known)
        ]


def _same(one: PrivateIndex, other: PrivateIndex) -> bool:
    return normalized_url(one.url) == normalized_url(other.url)


def _shared(one: str, other: str) -> int:
    """Count the first folders that the paths of two URLs share."""
    count = 0
    for mine, theirs in zip(path_parts(one), path_parts(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
