"""Who a server is: its authority and certificate, the administrator's token, the key that signs accounts' tokens.

Made anew for each server, or kept in its data folder, so that a kubeconfig and the tokens that were handed out stay
good when it comes back. A kept certificate that ends soon, or lacks a name, is replaced.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from zestor_controller.certificates import Certificates, make_certificates
from zestor_controller.errors import ConfigError

__all__ = ["Identity", "kept_identity", "new_identity"]

_log = logging.getLogger(__name__)

LEAST_LEFT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Identity:
    """What clients know a server by.

    Attributes:
        certificates: its authority's and its own.
        token: the administrator's.
        signing_key: signs service account tokens.
    """

    certificates: Certificates
    token: str
    signing_key: ec.EllipticCurvePrivateKey


def new_identity(hosts: list[str]) -> Identity:
    """An identity that no server has had before."""
    return Identity(make_certificates(hosts), secrets.token_urlsafe(32), ec.generate_private_key(ec.SECP256R1()))


def kept_identity(file: Path, hosts: list[str]) -> Identity:
    """The identity in a file, which is written, readable by its owner alone, if it is not there.

    Raises:
        ConfigError: the file cannot be used.
    """
    known = _read(file) if file.exists() else None
    kept = known or new_identity(hosts)
    if not _serves(kept.certificates, hosts):
        kept = Identity(make_certificates(hosts), kept.token, kept.signing_key)
    if kept is known:
        return kept
    try:
        _write(file, kept)
    except OSError as error:
        if known is None:
            raise ConfigError(f"{file}: cannot be written: {error.strerror or error}") from error
        _log.warning("%s: the new certificate is not kept: %s", file, error)
    return kept


def _write(file: Path, kept: Identity) -> None:
    key = kept.signing_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = kept.certificates
    document = {"ca": made.ca, "certificate": made.certificate, "key": made.key, "token": kept.token}
    new = file.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump({**document, "signingKey": key.decode()}, out, indent=2)
    new.replace(file)


def _read(file: Path) -> Identity:
    try:
        found = json.loads(file.read_text())
        key = serialization.load_pem_private_key(found["signingKey"].encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the signing key is of another kind")
        return Identity(Certificates(found["ca"], found["certificate"], found["key"]), found["token"], key)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: cannot be used ({error}); delete it, and clients need new credentials") from error


def _serves(certificates: Certificates, hosts: list[str]) -> bool:
    """Whether the certificate is good for these names, and for a while."""
    found = x509.load_pem_x509_certificate(certificates.certificate.encode())
    if found.not_valid_after_utc - datetime.now(UTC) < LEAST_LEFT:
        return False
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = {str(name) for name in names.get_values_for_type(x509.IPAddress)} | set(
        names.get_values_for_type(x509.DNSName)
    )
    return known >= {_canonical(host) for host in hosts}


def _canonical(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host
