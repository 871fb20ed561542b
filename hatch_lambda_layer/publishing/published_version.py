"""One layer version that a publish ended with: what everything after it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

# Made by this run; there before with the same content; or made by a call whose answer was lost.
Status = Literal["published", "unchanged", "adopted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedVersion:
    """A layer version that carries the content of a zip, in one Region of one account.

    `arn` is the ARN of the version, not of the layer. `content_digest` is as `layer.json` has it,
    `code_sha256` as Lambda has it: base64. `zip_path` is the zip it was made from or compared with.
    """

    layer_name: str
    region: str
    account: str
    version: int
    arn: str
    status: Status
    content_digest: str
    code_sha256: str
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]
    zip_path: Path
