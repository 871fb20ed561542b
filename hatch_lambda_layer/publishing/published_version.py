"""A layer version as the result of publishing, from which all outputs are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

# What a run did for a layer version; the docstring below says what each word means.
Status = Literal["published", "unchanged", "adopted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedVersion:
    """A layer version with the content of a zip, in one Region of one account.

    - `layer_name`: the name of the layer, without account and Region.
    - `region`: such as `eu-west-1`.
    - `account`: the 12-digit id of the account.
    - `version`: the number that Lambda gave the version; `None` in a dry run for a version that
      would be published.
    - `arn`: the ARN of the version; that of the layer where `version` is `None`.
    - `status`: `published` by this run; `unchanged`, since the newest version had the content
      before; or `adopted`: made by another publisher at the same time, or by a request of this run
      whose response was lost. In a dry run, what it would be.
    - `content_digest`: that of `layer.json`: `sha256:` and 64 hexadecimal digits.
    - `code_sha256`: the SHA-256 of the zip's bytes as Lambda shows it, base64.
    - `runtimes`, `architectures`: those that the version is compatible with, by Lambda's names,
      sorted.
    - `zip_path`: the zip that the version was made from or compared with. It need not exist where
      the version was found to be live without a build.
    """

    layer_name: str
    region: str
    account: str
    version: int | None
    arn: str
    status: Status
    content_digest: str
    code_sha256: str
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]
    zip_path: Path
