"""One call of uv that resolves requirements for a target, from wheels alone.

uv hands its whole environment to build backends, and leaves files in the folders of sources: here
it never gets one, and downloads no Python. It is run in a folder of ours, without its settings.
"""

from __future__ import annotations

import os
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from ..._internal.process import run_both
from ..._internal.toml import parse_toml
from ..._internal.uv import find_uv
from ...exceptions import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.tags import Tag

    from ...config.indexes import PrivateIndex
    from ...index.auth import IndexAccess
    from ...targets.target import Target

# The values of glibc's minor version that `--python-platform` knows.
_GLIBC_MINORS = (17, 28, *range(31, 41))
# Settings of uv that are about the machine, not about what is resolved.
_OF_THE_MACHINE = frozenset(
    {
        "UV_CACHE_DIR",
        "UV_HTTP_RETRIES",
        "UV_HTTP_TIMEOUT",
        "UV_NATIVE_TLS",
        "UV_NO_CACHE",
        "UV_SYSTEM_CERTS",
    }
)
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, kw_only=True, slots=True)
class UvCall:
    """How uv is called: for which target, where it searches, and with which of pip's settings.

    `indexes` are URLs that may have credentials, the first to be asked first; `default` is that of
    the last one, `None` for uv's own. `find_links` are URLs and absolute paths.
    """

    target: Target
    folder: Path
    access: IndexAccess
    indexes: tuple[str, ...]
    default: str | None
    find_links: tuple[str, ...]
    no_index: bool
    pre: bool
    no_deps: bool
    certificate: str | None

    def platforms(self) -> list[str]:
        """Return the platforms of uv to try: uv does not know each glibc that a runtime has.

        The nearest older one comes first; with the next one, not all that is found fits.
        """
        minor = self.target.runtime.glibc[1]
        found = [max(each for each in _GLIBC_MINORS if each <= minor)]
        found += [min(each for each in _GLIBC_MINORS if each >= minor)]
        machine = self.target.architecture.machine
        return [f"{machine}-manylinux_2_{each}" for each in dict.fromkeys(found)]

    def misfits(self, packages: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return the names of packages none of whose wheels fits the target."""
        tags = set(self.target.tags())
        return [
            package["name"]
            for package in packages
            if (found := [_tags(wheel["url"]) for wheel in package.get("wheels", ())])
            and all(map(tags.isdisjoint, found))
        ]

    def solve(
        self,
        lines: Iterable[str],
        constraints: Iterable[str],
        links: Iterable[Path],
        platform: str,
    ) -> tuple[list[dict[str, Any]], str]:
        """Return the tables of packages as PEP 751 has them, and what uv has said.

        `links` are folders with more wheels. Raises `ToolError` where there is no solution.
        """
        for name, texts in (("requirements.in", lines), ("constraints.txt", constraints)):
            (self.folder / name).write_text("".join(f"{each}\n" for each in texts), "utf-8")
        argv = [find_uv(), "pip", "compile", "requirements.in"]
        argv += ["--constraints", "constraints.txt"] if list(constraints) else []
        argv += ["--format", "pylock.toml", "--no-header", "--no-config", "--color", "never"]
        argv += ["--python", sys.executable, "--python-version", self.target.runtime.python]
        argv += ["--python-platform", platform, "--no-python-downloads"]
        argv += ["--only-binary", ":all:", "--no-progress"]
        argv += ["--no-index"] * self.no_index + ["--no-deps"] * self.no_deps
        argv += ["--prerelease", "allow"] if self.pre else []
        argv += [part for folder in links for part in ("--find-links", str(folder))]
        try:
            output, said = run_both(argv, cwd=self.folder, env=self._environment())
        except ToolError as error:
            # Its other options are our own affair, and the paths are gone.
            raise ToolError("uv pip compile", error.output) from error
        return parse_toml(output).get("packages", []), said

    def _environment(self) -> dict[str, str]:
        """Return uv's environment, in which alone are the URLs that can have passwords."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in _OF_THE_MACHINE or not name.startswith(("UV_", "PIP_"))
        }
        if not self.no_index:
            own = [with_credentials(each, self.access) for each in self.access.own]
            environment["UV_INDEX"] = " ".join([*own, *self.indexes])
            if self.default:
                environment["UV_DEFAULT_INDEX"] = self.default
        if self.find_links:
            environment["UV_FIND_LINKS"] = ",".join(self.find_links)
        return environment | self._certificates()

    def _certificates(self) -> dict[str, str]:
        named = [self.certificate, *map(os.environ.get, _BUNDLES)]
        if found := next(filter(None, named), None):
            return {"SSL_CERT_DIR" if Path(found).is_dir() else "SSL_CERT_FILE": found}
        paths = ssl.get_default_verify_paths()
        if sys.platform in ("darwin", "win32") or paths.cafile or paths.capath:
            # As our own requests: what the system trusts.
            return dict.fromkeys(("UV_SYSTEM_CERTS", "UV_NATIVE_TLS"), "1")
        return {}


def _tags(url: str) -> frozenset[Tag]:
    from packaging.utils import parse_wheel_filename

    return parse_wheel_filename(unquote(url.rpartition("/")[2]))[-1]


def with_credentials(index: PrivateIndex, access: IndexAccess) -> str:
    """Return the URL of an index with its credentials, if it has some."""
    found = access.credentials(index)
    if found is None:
        return index.url
    user, password = (quote(each, safe="") for each in (found.username, found.password))
    parts = urlsplit(index.url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{password}@{host}").geturl()


def warnings(said: str) -> Sequence[str]:
    """Return what uv warns of, in sentences: yanked releases and extras that are not there."""
    import re

    joined = re.sub(r"\n(?!warning:)\s*", " ", said)
    yanked = re.findall(r"warning: `(\S+?)==(\S+)` is yanked(?: \(reason: \"(.*?)\"\))?", joined)
    extras = re.findall(
        r"warning: The package `(\S+?)==(\S+)` does not have an extra named `(\S+)`", joined
    )
    return (
        *(f"{name} {version} was yanked: {why or 'no reason'}" for name, version, why in yanked),
        *(
            f"{name} {version} does not provide the extra '{extra}'"
            for name, version, extra in extras
        ),
    )
