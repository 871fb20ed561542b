"""CodeArtifact without boto3, and with an AWS that can't be asked.

What AWS is asked, and what it answers, is in `integration/test_private_index.py`.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler

import pytest

from hatch_lambda_layer.aws.codeartifact import authorization_token
from hatch_lambda_layer.config.indexes import CodeArtifact
from hatch_lambda_layer.exceptions import CredentialsError
from tests.support.loopback import LoopbackServer, Quiet

PLACE = CodeArtifact(domain="acme", domain_owner="1" * 12, repository="py", region="eu-west-1")


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # As Python has it for a module that is not there.
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(CredentialsError, match="boto3 is not installed") as caught:
        authorization_token(PLACE)
    assert caught.value.hint
    assert "hatch-lambda-layer[aws]" in caught.value.hint


@pytest.mark.fault(49)
def test_an_endpoint_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 9 (discard) answers nobody.
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CredentialsError, match="`acme` of 111111111111 in eu-west-1") as caught:
        authorization_token(PLACE)
    assert "127.0.0.1:9" in str(caught.value)


class CutToken(Quiet, BaseHTTPRequestHandler):
    """Answers every request with the beginning of a token."""

    def do_POST(self) -> None:
        body = b'{"authorizationToken": "canary'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.fault(57, 64)
def test_a_response_that_is_cut_is_an_error_without_the_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with LoopbackServer(CutToken) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CODEARTIFACT", f"http://{server.address}")
        with pytest.raises(CredentialsError, match="can't be read") as caught:
            authorization_token(PLACE)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__
