"""The Description of a layer version: the user's text, and what tells the content of the version.

A version's Description can't be changed, and is written with the version in one call: what it says
is there if and only if the version is. So it decides whether anything has changed.
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
    """What the Description of a layer version says for programs.

    `content_digest` is as `layer.json` has it. `code` begins as CodeSha256 does: a Description
    that was copied to other bytes is noticed by it. `inputs` tells the input digests of all the
    members in the version, `project` who published it. `forced` is true for a version that was
    published though nothing had changed.
    """

    content_digest: str
    code: str
    inputs: str
    project: str
    forced: bool = False

    def describe(self, text: str) -> str:
        """Give the Description with the user's text before the tag."""
        forced = ".forced" if self.forced else ""
        tag = (
            f"[hatch-lambda-layer 1 {self.content_digest} "
            f"{self.code}.{self.inputs}.{self.project}{forced}]"
        )
        return f"{text} {tag}" if text else tag

    @classmethod
    def of(cls, description: str) -> VersionTag | None:
        """Read the tag of a Description, or give `None`: the version is somebody else's."""
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
    """Give the mark of a zip: how its CodeSha256 begins, in letters that no one has to escape."""
    return code_sha256[:12].replace("+", "-").replace("/", "_")


def inputs_mark(input_digests: list[str]) -> str:
    """Give the mark of what the members of a version are made from, in any order."""
    digest = hashlib.sha256("\n".join(sorted(input_digests)).encode()).digest()
    return base64.urlsafe_b64encode(digest)[:16].decode()


def project_mark(project: str) -> str:
    """Give the mark of a project, by its normalised name."""
    return hashlib.sha256(project.encode()).hexdigest()[:8]
