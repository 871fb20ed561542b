"""pip's settings, read as pip reads them: its configuration files and its variables.

pip's documentation, "Configuration", has the files and their order. A setting that can change which
file is chosen or whom we trust is honoured, or refused by name. The rest is ignored.
"""

from __future__ import annotations

import configparser
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...exceptions import LockfileError, backticked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HONOURED = frozenset(
    {
        *("build-constraint", "cert", "constraint", "extra-index-url", "find-links"),
        *("ignore-requires-python", "index-url", "pypi-url", "no-binary", "no-deps"),
        *("no-dependencies", "no-index", "no-require-hashes", "only-binary", "pre"),
        *("prefer-binary", "require-hashes"),
    }
)
# They could change which file is chosen, in a way that is not followed here.
REFUSED = frozenset({"only-dependencies", "only-deps", "uploaded-prior-to"})
# The same, but only where there are no hashes and versions are still to be chosen.
UNRESOLVABLE = frozenset({"all-releases", "ignore-requires-python", "only-final"})
# These settings change neither the files nor whom we trust: they are about how pip installs, prints
# and waits. Files, Python and platform are those of the layer. A host of `trusted-host` is not
# trusted. Wheels go before sources, as with `prefer-binary`, in any case.
IGNORED = frozenset(
    {
        *("abi", "break-system-packages", "build-isolation", "cache-dir"),
        *("check-build-dependencies", "client-cert", "compile", "config-setting"),
        *("config-settings", "debug", "default-timeout", "disable-pip-version-check", "dry-run"),
        *("editable", "exists-action", "force-reinstall", "global-option", "group", "help"),
        *("ignore-installed", "implementation", "isolated", "isolated-mode", "keyring-provider"),
        *("local-log", "log", "log-file", "no-build-isolation", "no-cache-dir", "no-clean"),
        *("no-color", "no-compile", "no-input", "no-proxy-env", "no-python-version-warning"),
        *("no-use-pep517", "no-user", "no-warn-conflicts", "no-warn-script-location", "path"),
        *("platform", "prefix", "progress-bar", "proxy", "python", "python-version", "quiet"),
        *("refresh-package", "report", "require-venv", "require-virtualenv", "requirement"),
        *("requirements-from-script", "resume-retries", "retries", "root", "root-user-action"),
        *("source", "source-dir", "source-directory", "src", "target", "timeout"),
        *("trusted-host", "upgrade", "upgrade-strategy", "use-deprecated", "use-feature"),
        *("use-pep517", "user", "verbose", "version"),
    }
)
# Those of an ignored setting that can keep us from reaching an index.
_REACHING = ("client-cert", "proxy", "trusted-host")
_OFF = (None, "0", "false", "no", "off", "n", "f")
_TRUE = ("1", "true", "yes", "on", "y", "t")


@dataclass(frozen=True, kw_only=True, slots=True)
class PipSettings:
    """The settings that count; URLs may have credentials.

    `index_url` is `None` where none is configured. `unreached` are settings that are not followed
    and can keep an index from being reached.
    """

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    no_index: bool = False
    find_links: tuple[str, ...] = ()
    only_binary: str = ""
    no_binary: str = ""
    cert: str | None = None
    constraints: tuple[str, ...] = ()
    build_constraints: tuple[str, ...] = ()
    require_hashes: bool = False
    no_require_hashes: bool = False
    no_deps: bool = False
    pre: bool = False
    ignore_requires_python: bool = False
    unreached: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    unresolvable: tuple[str, ...] = ()

    def check(self, *, resolving: bool) -> None:
        """Raise `LockfileError` for settings that would have to be followed, and are not.

        `resolving` is whether versions are still to be chosen.
        """
        refused = [*self.refused, *(self.unresolvable if resolving else ())]
        if resolving and ":all:" in self.no_binary.split(","):
            refused.append("no-binary :all:")
        if refused:
            raise LockfileError(
                f"pip's setting {backticked(refused)} is not followed here, and could change "
                "which files are chosen",
                hint="unset it, or remove it from pip's configuration, for the build of the layer",
            )


def read_settings(environment: Mapping[str, str]) -> PipSettings:
    """Read pip's settings; raise `LockfileError` for a configuration file that is not valid."""
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for path in _files(environment):
        for section, key, value in _entries(path):
            if section in sections:
                sections[section][_normal(key)] = value
    # A variable wins over all files, `[install]` over `[global]`, whichever file has it.
    of_variables = {
        _normal(name.removeprefix("PIP_")): value
        for name, value in environment.items()
        if name.startswith("PIP_")
    }
    found: dict[str, str] = {}
    for each in (sections["global"], sections["install"], of_variables):
        found |= {key: value for key, value in each.items() if value}

    def words(key: str) -> tuple[str, ...]:
        return tuple(found.get(key, "").split())

    def is_on(*keys: str) -> bool:
        return any(found.get(key, "").lower() in _TRUE for key in keys)

    return PipSettings(
        index_url=found.get("index-url") or found.get("pypi-url"),
        extra_index_urls=words("extra-index-url"),
        no_index=is_on("no-index"),
        find_links=words("find-links"),
        only_binary=found.get("only-binary", ""),
        no_binary=found.get("no-binary", ""),
        cert=found.get("cert"),
        constraints=words("constraint"),
        build_constraints=words("build-constraint"),
        require_hashes=is_on("require-hashes"),
        no_require_hashes=is_on("no-require-hashes"),
        no_deps=is_on("no-deps", "no-dependencies"),
        pre=is_on("pre"),
        ignore_requires_python=is_on("ignore-requires-python"),
        unreached=tuple(key for key in _REACHING if key in found),
        refused=tuple(sorted(REFUSED & found.keys())),
        unresolvable=tuple(sorted(each for each in UNRESOLVABLE if found.get(each) not in _OFF)),
    )


def place_of_only_binary() -> str:
    """Return where `only-binary` is set, in the words of messages."""
    variable = "PIP_ONLY_BINARY"
    if os.environ.get(variable):
        return f"the variable `{variable}`"
    return "`only-binary` in pip's configuration"


def _normal(key: str) -> str:
    return key.lower().replace("_", "-").removeprefix("--")


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the paths of pip's configuration files, the most general first."""
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    yield from (folder / name for folder in _global_folders())
    if not (chosen and Path(chosen).exists()):
        yield from (folder / name for folder in _user_folders())
    # Those of the environment that pip is in: this one, and the one that is active.
    for prefix in dict.fromkeys((sys.prefix, environment.get("VIRTUAL_ENV") or sys.prefix)):
        yield Path(prefix, name)
    if chosen:
        yield Path(chosen)


def _global_folders() -> list[Path]:
    from platformdirs import site_config_path

    if sys.platform in ("darwin", "win32"):
        return [site_config_path("pip", appauthor=False)]
    places = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return [*(Path(each, "pip") for each in places.split(os.pathsep) if each), Path("/etc")]


def _user_folders() -> list[Path]:
    from platformdirs import user_config_path

    folder = user_config_path("pip", appauthor=False, roaming=True)
    if sys.platform == "win32":
        return [Path.home() / "pip", folder]
    if sys.platform == "darwin" and not folder.is_dir():
        folder = Path.home() / ".config/pip"
    return [Path.home() / ".pip", folder]


def _entries(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield section, key and value of each entry of a configuration file, if it is there."""
    if not path.is_file():
        return
    parser = configparser.RawConfigParser()
    try:
        # A byte order mark, as some editors write it, is no part of the first section.
        parser.read_string(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, configparser.Error) as error:
        raise LockfileError(
            f"pip's configuration file {path} can't be read: {error}",
            hint="mend the file; `pip config debug` shows which files pip reads",
        ) from error
    for section in parser.sections():
        for key, value in parser.items(section):
            yield section, key, value
