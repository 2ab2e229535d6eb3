"""PEM and base64 as Go's ``encoding/pem`` and ``encoding/json`` read them.

Invariant: text outside the PEM blocks is ignored, whatever its encoding; line breaks inside base64 are ignored; what is
returned is ASCII that OpenSSL reads. Nothing here does I/O, and no message quotes what was read.

Source: RFC 7468 section 2; Go encoding/pem, encoding/base64, crypto/x509 CertPool.AppendCertsFromPEM, crypto/tls
X509KeyPair.
"""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
from collections.abc import Iterator

from zestor_controller.errors import ConfigError

__all__ = ["certificates", "from_base64", "private_key"]

_BLOCK = re.compile(
    rb"^-----BEGIN (?P<label>[ -~]+?)-----[ \t\r]*\n(?P<body>.*?)^-----END (?P=label)-----", re.MULTILINE | re.DOTALL
)


def certificates(data: str | bytes, what: str) -> list[str]:
    """The certificates of a PEM text, each as a PEM block of its own.

    Args:
        data: the text.
        what: names it in the message.

    Raises:
        ConfigError: there is no certificate in it.
    """
    found = [block for label, block in _blocks(data) if label == "CERTIFICATE" and ":" not in block]
    if not found:
        raise ConfigError(
            f"{what} holds no certificate: a PEM block that begins with -----BEGIN CERTIFICATE----- is needed"
        )
    return found


def private_key(data: str | bytes, what: str) -> str:
    """The first private key of a PEM text; other blocks, such as ``EC PARAMETERS``, are skipped.

    Raises:
        ConfigError: there is no private key in it.
    """
    for label, block in _blocks(data):
        if label == "PRIVATE KEY" or label.endswith(" PRIVATE KEY"):
            return block
    raise ConfigError(
        f"{what} holds no private key: a PEM block that begins with -----BEGIN PRIVATE KEY----- is needed"
    )


def from_base64(text: str, what: str) -> bytes:
    """Decode base64 that may be wrapped over lines.

    Raises:
        ConfigError: it is not base64.
    """
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigError(
            f"{what} is not base64; write it as one line, or wrapped over lines without indentation"
        ) from error


def _blocks(data: str | bytes) -> Iterator[tuple[str, str]]:
    """Label and normalized text of each well-formed block."""
    raw = data.encode(errors="replace") if isinstance(data, str) else data
    for match in _BLOCK.finditer(raw):
        label = match["label"].decode()
        try:
            body = match["body"].decode("ascii")
            if ":" not in body:  # a block without headers: an encrypted key keeps its headers as they are
                joined = "".join(body.split())
                base64.b64decode(joined, validate=True)
                body = "\n".join(textwrap.wrap(joined, 64)) + "\n"
        except ValueError:
            continue  # as Go does: a malformed block is skipped
        yield label, f"-----BEGIN {label}-----\n{body}-----END {label}-----\n"
