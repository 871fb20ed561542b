"""Layer versions of anybody, as Lambda shows them: signed URLs that expire, and serve ranges.

moto has neither: its `Location` leads nowhere, and it does not look up a version by its ARN.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.support.aws_server import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.aws_server import Aws, Request

SECRET = "signature-canary"
_SIGNED = "/awslambda-layers/"


def zipped(files: Mapping[str, bytes], comment: bytes = b"") -> bytes:
    """Give a zip as any other tool writes it."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = comment
    return whole.getvalue()


@dataclass
class LayerArchives:
    """Answers for the versions in `zips`, by their ARNs.

    The first `expired` URLs that are given have expired when they are used. `referenced` are the
    objects (`S3Bucket`, `S3Key`, `S3ObjectVersion`) of versions that Lambda has no copy of.
    """

    aws: Aws
    zips: dict[str, bytes] = field(default_factory=dict)
    expired: int = 0
    referenced: dict[str, dict[str, str]] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.aws.stands_in.append(self)

    def __call__(self, request: Request) -> Answer | None:
        if request.query.get("find") == ["LayerVersion"]:
            return self._version(request.query["Arn"][0])
        if request.path.startswith(_SIGNED):
            return self._part(request)
        return None

    def _version(self, arn: str) -> Answer | None:
        if arn not in self.zips:
            return Answer.json(404, "ResourceNotFoundException", f"no {arn}")
        data = self.zips[arn]
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        content: dict[str, Any] = {"CodeSize": len(data), "CodeSha256": digest}
        if arn in self.referenced:
            content["ResolvedS3Object"] = self.referenced[arn]
        else:
            url = f"{self.aws.endpoint}{_SIGNED}{len(self.given)}/{arn}"
            content["Location"] = f"{url}?X-Amz-Expires=600&X-Amz-Signature={SECRET}"
            self.given.append(arn)
        body = {"Content": content, "LayerVersionArn": arn, "Version": int(arn.rpartition(":")[2])}
        return Answer(200, json.dumps(body).encode(), (("Content-Type", "application/json"),))

    def _part(self, request: Request) -> Answer:
        number, _, arn = unquote(request.path.removeprefix(_SIGNED)).partition("/")
        # S3 takes one way to prove who one is, not two.
        if "authorization" in request.headers:
            return Answer.xml(400, "InvalidArgument", "Only one auth mechanism allowed")
        if request.query.get("X-Amz-Signature") != [SECRET] or int(number) < self.expired:
            return Answer.xml(403, "AccessDenied", "Request has expired")
        data = self.zips[arn]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if wanted is None:
            return Answer(200, data)
        start, stop = int(wanted[1]), min(int(wanted[2]) + 1, len(data))
        served = (("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}"),)
        return Answer(206, data[start:stop], served)
