"""The Description of a layer version: the user's text, and a tag that identifies the content.

The Description can't be changed, and is written in the call that makes the version: no version is
without it. So the tag decides whether anything has changed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

_TAG = re.compile(
    r"\[hatch-lambda-layer 1 (?P<digest>sha256:[0-9a-f]{64}) "
    r"(?P<code>[\w-]{12})\.(?P<inputs>[\w-]{16})\.(?P<project>[0-9a-f]{8})(?P<forced>\.forced)?\]\Z"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionTag:
    """The part of a layer version's Description that is for programs.

    `content_digest` is that of `layer.json`. `code` is the beginning of CodeSha256, so that a
    Description which was copied to other bytes is noticed. `inputs` identifies the input digests of
    all members of the version, `project` the project that published it. `forced` is true for a
    version that was published although nothing had changed.
    """

    content_digest: str
    code: str
    inputs: str
    project: str
    forced: bool = False

    def describe(self, text: str) -> str:
        """Return the Description: the user's text, then the tag."""
        forced = ".forced" if self.forced else ""
        tag = (
            f"[hatch-lambda-layer 1 {self.content_digest} "
            f"{self.code}.{self.inputs}.{self.project}{forced}]"
        )
        return f"{text} {tag}" if text else tag

    @classmethod
    def of(cls, description: str) -> VersionTag | None:
        """Parse the tag of a Description; return `None` if it has none: something else made it."""
        match = _TAG.search(description)
        if match is None:
            return None
        return cls(
            content_digest=match["digest"],
            code=match["code"],
            inputs=match["inputs"],
            project=match["project"],
            forced=match["forced"] is not None,
        )


def code_mark(code_sha256: str) -> str:
    """Return the mark of a zip: the beginning of its CodeSha256, in the URL-safe alphabet."""
    return code_sha256[:12].replace("+", "-").replace("/", "_")


def inputs_mark(input_digests: list[str]) -> str:
    """Return the mark of the input digests of a version's members, whatever their order."""
    digest = hashlib.sha256("\n".join(sorted(input_digests)).encode()).digest()
    return base64.urlsafe_b64encode(digest)[:16].decode()


def project_mark(project: str) -> str:
    """Return the mark of a project, made from its normalised name."""
    return hashlib.sha256(project.encode()).hexdigest()[:8]
