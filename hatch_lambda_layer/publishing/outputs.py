"""What comes after publishing: layer versions in the forms that other tools read.

Everything here is made from the list of `PublishedVersion` alone, in one order, so that equal
versions give equal text. Where there are several forms, each suits one way of use:

- `layer-versions.json` says what is live. It has neither a date nor what this run did about it, so
  that it can be committed and changes only when a layer does.
- `json` says the same and what this run did, for scripts.
- `terraform` is a `.tf.json` of local values: it works where it is put, whereas a `.tfvars` needs
  a variable that somebody has declared.
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

SCHEMA = 1
FILE_NAME = "layer-versions.json"
_UNCHANGED = "unchanged"


def write_layer_versions(path: Path, versions: Iterable[PublishedVersion]) -> None:
    """Write `layer-versions.json` to `path`: all of it, or nothing.

    Raises `OutputError` when that fails; what was at `path` is then as it was.
    """
    facts = [
        {**_facts(each), "zip": _relative(each.zip_path, path.parent)} for each in _sorted(versions)
    ]
    archive.write_text(path, _json({"schema": SCHEMA, "versions": facts}))


def append_github_output(path: Path, versions: Iterable[PublishedVersion]) -> None:
    """Append the outputs of a step to GitHub Actions' file, which `$GITHUB_OUTPUT` names.

    The outputs are `changed` (`true` or `false`), `arns` (one a line), `versions` (JSON, for
    `fromJSON`) and, where there is one version only, `arn`.

    Raises `OutputError` when the file can't be written.
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
        # One write, so that nothing of another process gets between two lines.
        with path.open("ab", buffering=0) as file:
            file.write(text.encode())
    except OSError as error:
        raise OutputError(
            f"{path} can't be written: {error.strerror}",
            hint="`$GITHUB_OUTPUT` names a file that GitHub Actions makes for each step",
        ) from error


def as_text(versions: Iterable[PublishedVersion]) -> str:
    """Give the ARNs, one a line."""
    return "\n".join(each.arn for each in _sorted(versions))


def as_json(versions: Iterable[PublishedVersion]) -> str:
    """Give everything that is known of the versions, with what was done and the zip's full path."""
    facts = [
        {**_with_status(each), "zip": str(each.zip_path.absolute())} for each in _sorted(versions)
    ]
    return _json({"schema": SCHEMA, "versions": facts})


def terraform(versions: Iterable[PublishedVersion]) -> str:
    """Give a `.tf.json` with `local.lambda_layers`: by layer, then Region, what Terraform needs.

    A layer that is in several accounts has the account between the two. No string in it can be
    taken for a template: neither names nor ARNs nor digests may hold `$` or `%`.
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
    """Give the section `Mappings` of a template, in YAML: for each layer, from Region to ARN.

    The keys of the second level are letters and digits only, so a layer's name can't be one: each
    layer is a mapping, and the key below the Region is `Arn`, or the account where there are more.
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
    return sorted(versions, key=lambda each: (each.layer_name, each.account, each.region))


def _by_account(
    versions: Iterable[PublishedVersion],
) -> dict[str, dict[str, dict[str, PublishedVersion]]]:
    """Give the versions by layer, account and Region."""
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
    """Give a path as it is seen from a folder, the same on every machine."""
    try:
        return os.path.relpath(path, folder).replace(os.sep, "/")
    except ValueError:  # another drive
        return path.as_posix()


def _github_line(name: str, value: str) -> str:
    """Give one output; a value of several lines ends at a line that nobody can foresee."""
    if "\n" not in value:
        return f"{name}={value}\n"
    delimiter = f"end-{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _mapping_names(layers: Iterable[str]) -> dict[str, str]:
    """Give each layer a name of letters and digits: `orders-api` is `OrdersApiLayer`.

    Names that come out alike are told apart by a digest, which depends on no other layer. The
    last word keeps names such as `no` and `1e3` from being something else in YAML.
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
    """Quote a string for YAML, in which a string of JSON is one, too."""
    return json.dumps(text)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
