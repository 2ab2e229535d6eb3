"""TLS contexts that verify a server as Go's crypto/tls does, on every version of Python.

Invariant: a client accepts the servers that kubectl accepts. Python's defaults change between versions, so each
setting in which they differ from Go's is made here.

Source: Go crypto/x509 Certificate.Verify: a chain may end at any trusted certificate, a CA needs neither key usage nor
key identifiers, and the names of a server are its subject alternative names only. Python 3.13 sets VERIFY_X509_STRICT,
which refuses the CAs of many clusters.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from zestor_controller.client.pem import certificates, private_key
from zestor_controller.errors import ConfigError

__all__ = ["load_client_certificate", "verifying_context"]

_log = logging.getLogger(__name__)


def verifying_context(authority: Sequence[str], server: str) -> ssl.SSLContext:
    """A TLS context for connections to a server.

    Args:
        authority: PEM blocks of the certificates to trust; the system's own when there are none.
        server: names the cluster in messages.

    Raises:
        ConfigError: none of the certificates can be read.
    """
    readable = [block for block in authority if _readable(block)]
    if authority and not readable:
        raise ConfigError(f"none of the {len(authority)} certificates of the CA of {server} can be read")
    if len(readable) < len(authority):
        skipped = len(authority) - len(readable)
        _log.warning("%d of %d CA certificates of %s cannot be read; skipped", skipped, len(authority), server)
    context = ssl.create_default_context(cadata="".join(readable) or None)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    return context


def load_client_certificate(context: ssl.SSLContext, certificate: str | bytes, key: str | bytes) -> None:
    """Let a context present a client certificate, with its chain.

    Args:
        context: the context.
        certificate: PEM text that holds the certificate, followed by its chain.
        key: PEM text that holds its private key.

    Raises:
        ConfigError: there is no certificate or key in the text, or the key is encrypted.
        ssl.SSLError: they do not belong together, or cannot be read.
    """
    # The ssl module reads files only; these have the owner's permissions and are deleted before this returns.
    with TemporaryDirectory() as folder:
        chain, private = Path(folder) / "cert.pem", Path(folder) / "key.pem"
        chain.write_text("".join(certificates(certificate, "the client certificate")))
        private.write_text(private_key(key, "the client key"))
        context.load_cert_chain(chain, private, _no_password)


def _readable(certificate: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
    except ssl.SSLError:
        return False
    return True


def _no_password() -> str:
    # Without this function OpenSSL asks for the password on the terminal, and blocks the event loop meanwhile.
    raise ConfigError("the client key is encrypted; give a key without a password")
