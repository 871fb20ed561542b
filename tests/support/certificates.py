"""A certificate authority that nobody trusts, for loopback servers with TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class CertificateAuthority:
    """An authority's certificate, and a server that shows one it issued."""

    certificate: Path
    """In PEM, what `SSL_CERT_FILE` and `REQUESTS_CA_BUNDLE` are set to."""
    server_context: ssl.SSLContext
    """For `IndexServer(tls=…)`, with a certificate for `localhost` and 127.0.0.1."""


def make_ca(directory: Path) -> CertificateAuthority:
    """Make an authority, its certificate at `directory/ca.pem` (needs the test-only `trustme`)."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    path = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return CertificateAuthority(path, context)
