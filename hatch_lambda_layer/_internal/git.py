"""The environment of every call of git: it asks for nothing, and runs no program of a URL's."""

from __future__ import annotations

import base64
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

# git sets these in its hooks; they would make it work on the repository of the hook.
_OF_A_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
# As pip and uv have them. Git has others, some of which run whatever program the URL names.
TRANSPORTS = ("https", "ssh", "http", "git", "file")
# As the user may have allowed them; `url.<base>.insteadOf` and submodules may lead there, too.
_REFUSED_TRANSPORTS = ("ext", "fd")


def git_environment() -> dict[str, str]:
    """Return the environment for git: this process's, without what changes git's repository."""
    environment = {key: value for key, value in os.environ.items() if key not in _OF_A_REPOSITORY}
    environment |= {
        "LC_ALL": "C",  # its messages are read here
        "GIT_TERMINAL_PROMPT": "0",
        # To ask for changes must not write to the user's repository.
        "GIT_OPTIONAL_LOCKS": "0",
        "SSH_ASKPASS": "false",
        "SSH_ASKPASS_REQUIRE": "force",
    }
    # It would count more than the settings; they are refused with it, too.
    if allowed := environment.get("GIT_ALLOW_PROTOCOL"):
        kept = [each for each in allowed.split(":") if each not in _REFUSED_TRANSPORTS]
        environment["GIT_ALLOW_PROTOCOL"] = ":".join(kept)
    refused = {f"protocol.{each}.allow": "never" for each in _REFUSED_TRANSPORTS}
    return configured(environment, refused)


def configured(environment: dict[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return git's environment with settings that count more than all of its files."""
    count = int(environment.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(settings.items(), count):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environment | {"GIT_CONFIG_COUNT": str(count + len(settings))}


def url_and_environment(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without its credentials, and an environment that has them for git.

    So they get neither into an argument list nor into the configuration of the work tree.
    """
    environment = git_environment()
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if parts.scheme not in ("http", "https") or not at:
        return url, environment
    user, _, password = userinfo.partition(":")
    token = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    header = {f"http.{parts.scheme}://{host}/.extraHeader": f"Authorization: Basic {token}"}
    return urlunsplit(parts._replace(netloc=host)), configured(environment, header)


def refused_transport(url: str) -> str | None:
    """Return the beginning of a URL that names a transport which is not one of `TRANSPORTS`."""
    match = re.match(r"([A-Za-z0-9][A-Za-z0-9+.-]*)(://|::)", url)
    # Else it is a path, or what ssh is given: `user@host:path`.
    if match and (match[1].lower() not in TRANSPORTS or match[2] == "::"):
        return match[0]
    return None
