"""Published layer versions in the forms that other tools read.

Everything here is made from the list of `PublishedVersion`, in a fixed order, so that equal
versions give equal text. Each form has its own use:

- `layer-versions.json` lists what is live. It has neither a date nor what this run did, so that it
  can be committed and changes only when a layer does. What a run does not publish stays in it.
- `json` lists the same and what this run did, for scripts.
- `terraform` is a `.tf.json` of local values: it works as it is, whereas a `.tfvars` needs
  variables to be declared.
- `cloudformation` is a section `Mappings`, from a Region to an ARN. A resource
  `AWS::Lambda::LayerVersion` would publish the layer once more, by the stack; what a template of
  CloudFormation or SAM lacks is the ARN, one for each Region it is deployed to.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ..exceptions import OutputError
from ..layer import archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from .published_version import PublishedVersion

    # Layer, account, Region: each has one live version.
    _Key = tuple[str, str, str]

SCHEMA = 1
FILE_NAME = "layer-versions.json"
_UNCHANGED = "unchanged"


def read_layer_versions(path: Path) -> dict[_Key, dict[str, object]]:
    """Return the facts about each version in `layer-versions.json`; none if there is no file.

    Raises `OutputError` if the file can't be read, or is not one that this module wrote.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["schema"] != SCHEMA:
            raise ValueError(f"its schema is {table['schema']!r}, only {SCHEMA} is known")
        return {
            (str(each["layer_name"]), str(each["account"]), str(each["region"])): dict(each)
            for each in table["versions"]
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OutputError(f"{path} can't be read: {error.strerror}") from error
    except (LookupError, RecursionError, TypeError, ValueError) as error:
        raise OutputError(
            f"{path} is not a valid `{FILE_NAME}`: {error}",
            hint="correct it, or remove it: the next run lists in it what it publishes or finds",
        ) from error


def write_layer_versions(path: Path, versions: Iterable[PublishedVersion]) -> None:
    """Write `layer-versions.json` to `path`, atomically.

    Versions of other layers, accounts and Regions stay in it as they are. Raises `OutputError` if
    that fails; the file that was at `path` is then left as it is.
    """
    found = read_layer_versions(path)
    found |= {
        _key(each): {**_facts(each), "zip": _relative(each.zip_path, path.parent)}
        for each in versions
    }
    facts = [found[key] for key in sorted(found)]
    archive.write_text(path, _json({"schema": SCHEMA, "versions": facts}))


def append_github_output(path: Path, versions: Iterable[PublishedVersion]) -> None:
    """Append the outputs of a step to GitHub Actions' file, which `$GITHUB_OUTPUT` names.

    The outputs are `changed` (`true` or `false`), `arns` (one a line), `versions` (JSON, for
    `fromJSON`) and, where there is one version only, `arn`.

    Raises `OutputError` if the file can't be written.
    """
    versions = _sorted(versions)
    arns = [each.arn for each in versions]
    values = {
        "changed": str(any(each.status != _UNCHANGED for each in versions)).lower(),
        "arns": "\n".join(arns),
        "versions": json.dumps([_with_status(each) for each in versions]),
    }
    if len(arns) == 1:
        values["arn"] = arns[0]
    text = "".join(_github_line(name, value) for name, value in values.items())
    try:
        # A single write, so that no other process can write between two lines.
        with path.open("ab", buffering=0) as file:
            file.write(text.encode())
    except OSError as error:
        raise OutputError(
            f"{path} can't be written: {error.strerror}",
            hint="`$GITHUB_OUTPUT` names a file that GitHub Actions makes for each step",
        ) from error


def as_text(versions: Iterable[PublishedVersion]) -> str:
    """Return the ARNs, one a line."""
    return "\n".join(each.arn for each in _sorted(versions))


def as_json(versions: Iterable[PublishedVersion]) -> str:
    """Return all facts about the versions as JSON, with their status and the zips' full paths."""
    facts = [
        {**_with_status(each), "zip": str(each.zip_path.absolute())} for each in _sorted(versions)
    ]
    return _json({"schema": SCHEMA, "versions": facts})


def terraform(versions: Iterable[PublishedVersion]) -> str:
    """Return a `.tf.json` with `local.lambda_layers`: by layer, then Region, what Terraform needs.

    For a layer in several accounts, the account is a level between the two. No string in it can be
    taken for a template, since names, ARNs and digests can't hold `$` or `%`.
    """
    layers: defaultdict[str, Any] = defaultdict(dict)
    for name, accounts in _by_account(versions).items():
        for account, regions in accounts.items():
            facts = {
                region: {
                    "arn": version.arn,
                    "version": version.version,
                    "source_code_hash": version.code_sha256,
                    "compatible_runtimes": version.runtimes,
                    "compatible_architectures": version.architectures,
                }
                for region, version in regions.items()
            }
            layers[name] |= facts if len(accounts) == 1 else {account: facts}
    return _json({"locals": {"lambda_layers": layers}})


def cloudformation(versions: Iterable[PublishedVersion]) -> str:
    """Return the section `Mappings` of a template, in YAML: for each layer, from Region to ARN.

    Keys of the second level may have only letters and digits, so a layer's name can't be one: each
    layer is a mapping, and the key below the Region is `Arn`, or the account if there are several.
    """
    lines = ["Mappings:"]
    by_account = _by_account(versions)
    for name, mapping in _mapping_names(by_account).items():
        accounts = by_account[name]
        one = len(accounts) == 1
        key = "Arn" if one else '!Ref "AWS::AccountId"'
        lines.append(f'  # !FindInMap [{mapping}, !Ref "AWS::Region", {key}]')
        lines.append(f"  {mapping}:")
        for region in sorted({region for regions in accounts.values() for region in regions}):
            lines.append(f"    {region}:")
            lines += [
                f"      {'Arn' if one else _quoted(account)}: {_quoted(regions[region].arn)}"
                for account, regions in accounts.items()
                if region in regions
            ]
    return "\n".join(lines) + "\n" if by_account else "Mappings: {}\n"


FORMATS: Mapping[str, Callable[[Iterable[PublishedVersion]], str]] = {
    "text": as_text,
    "json": as_json,
    "terraform": terraform,
    "cloudformation": cloudformation,
}


def _sorted(versions: Iterable[PublishedVersion]) -> list[PublishedVersion]:
    return sorted(versions, key=_key)


def _key(version: PublishedVersion) -> _Key:
    return version.layer_name, version.account, version.region


def _by_account(
    versions: Iterable[PublishedVersion],
) -> dict[str, dict[str, dict[str, PublishedVersion]]]:
    """Return the versions by layer, account and Region."""
    found: dict[str, dict[str, dict[str, PublishedVersion]]] = {}
    for each in _sorted(versions):
        found.setdefault(each.layer_name, {}).setdefault(each.account, {})[each.region] = each
    return found


def _facts(version: PublishedVersion) -> dict[str, object]:
    return {
        "layer_name": version.layer_name,
        "account": version.account,
        "region": version.region,
        "version": version.version,
        "arn": version.arn,
        "content_digest": version.content_digest,
        "code_sha256": version.code_sha256,
        "runtimes": version.runtimes,
        "architectures": version.architectures,
    }


def _with_status(version: PublishedVersion) -> dict[str, object]:
    return {**_facts(version), "status": version.status}


def _relative(path: Path, folder: Path) -> str:
    """Return a path relative to a folder, with slashes on every system."""
    try:
        return os.path.relpath(path, folder).replace(os.sep, "/")
    except ValueError:  # another drive
        return path.as_posix()


def _github_line(name: str, value: str) -> str:
    """Return the line for one output; the delimiter of a multiline value can't be guessed."""
    if "\n" not in value:
        return f"{name}={value}\n"
    delimiter = f"end-{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _mapping_names(layers: Iterable[str]) -> dict[str, str]:
    """Return a name of letters and digits for each layer: `OrdersApiLayer` for `orders-api`.

    Layers whose names would be the same get a digest of their own name, too. The ending `Layer`
    keeps names such as `no` and `1e3` from being read as another type in YAML.
    """
    names = {
        layer: "".join(part[0].upper() + part[1:] for part in re.split(r"[-_]+", layer) if part)
        for layer in layers
    }
    taken = list(names.values())
    return {
        layer: f"{name}Layer"
        if taken.count(name) == 1
        else f"{name}Layer{hashlib.sha256(layer.encode()).hexdigest()[:6]}"
        for layer, name in names.items()
    }


def _quoted(text: str) -> str:
    """Return a string quoted for YAML, in which every JSON string is valid."""
    return json.dumps(text)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
