"""Tokens of service accounts: signed claims about which account a client is, and until when.

Invariant: a token is good only while the account that it names, and the object that it is bound to, exist with the uids
that they had when it was made; the storage is asked at each use.

Source: RFC 7519, ``k8s.io/kubernetes/pkg/serviceaccount/claims.go``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from zestor_controller.apiserver.auth.authentication import ACCOUNT, AUDIENCE, AUTHENTICATED, account_groups
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["BOUND_KINDS", "TokenIssuer"]

BOUND_KINDS: Final = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}
_CLAIMS: Final = "kubernetes.io"
_SIZE: Final = 32  # bytes of each half of a P-256 signature


class TokenIssuer:
    """Signs tokens, and knows its own again.

    Args:
        storage: where accounts and bound objects are.
        wall: seconds since the epoch.
        key: what it signs with; a new one unless given.
    """

    def __init__(
        self, storage: Storage, wall: Callable[[], float], key: ec.EllipticCurvePrivateKey | None = None
    ) -> None:
        self._storage = storage
        self._wall = wall
        self._key = key if key is not None else ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._header = _packed({"alg": "ES256", "kid": _text(hashlib.sha256(public).digest())})

    def issue(self, account: Json, seconds: int, audiences: Sequence[str], bound: Json | None, identity: str) -> str:
        """A token for an account.

        Args:
            account: the ServiceAccount.
            seconds: how long it is good for.
            audiences: who shall take it.
            bound: the object with which it ends; None for the account alone.
            identity: distinguishes it from other tokens of the account.
        """
        meta, now = account["metadata"], int(self._wall())
        about: Json = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        }
        if bound is not None:
            of = bound["metadata"]
            about[bound["kind"].lower()] = {"name": of["name"], "uid": of["uid"]}
        claims = {
            "aud": list(audiences),
            "exp": now + seconds,
            "iat": now,
            "iss": AUDIENCE,
            "jti": identity,
            _CLAIMS: about,
            "nbf": now,
            "sub": f"{ACCOUNT}{meta['namespace']}:{meta['name']}",
        }
        signed = f"{self._header}.{_packed(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_text(r.to_bytes(_SIZE, 'big') + s.to_bytes(_SIZE, 'big'))}"

    def verify(self, token: str, audiences: Sequence[str] = (AUDIENCE,)) -> User | None:
        """The user of a token; None if it is not this server's, has expired, or its objects no longer exist."""
        claims = self._claims(token)
        if claims is None or not claims["nbf"] <= self._wall() < claims["exp"]:
            return None
        if not set(audiences).intersection(claims["aud"]):
            return None
        about = claims[_CLAIMS]
        namespace, account = about["namespace"], about["serviceaccount"]
        if not self._lives("serviceaccounts", namespace, account):
            return None
        extra = {"authentication.kubernetes.io/credential-id": (f"JTI={claims['jti']}",)}
        for kind, plural in BOUND_KINDS.items():
            bound = about.get(kind.lower())
            if bound is None:
                continue
            if not self._lives(plural, "" if kind == "Node" else namespace, bound):
                return None
            if kind != "Secret":
                extra[f"authentication.kubernetes.io/{kind.lower()}-name"] = (bound["name"],)
                extra[f"authentication.kubernetes.io/{kind.lower()}-uid"] = (bound["uid"],)
        return User(claims["sub"], account["uid"], (*account_groups(namespace), AUTHENTICATED), extra)

    def _lives(self, plural: str, namespace: str, wanted: Json) -> bool:
        found = self._storage.table(("", plural)).get(namespace, wanted["name"])
        return found is not None and found.obj["metadata"]["uid"] == wanted["uid"]

    def _claims(self, token: str) -> Json | None:
        """The claims of a token whose signature is ours."""
        signed, _, signature = token.rpartition(".")
        header, _, body = signed.partition(".")
        if header != self._header:
            return None
        try:
            raw = _bytes(signature)
            halves = int.from_bytes(raw[:_SIZE], "big"), int.from_bytes(raw[_SIZE:], "big")
            self._key.public_key().verify(encode_dss_signature(*halves), signed.encode(), ec.ECDSA(SHA256()))
        except (InvalidSignature, ValueError, binascii.Error):
            return None
        claims: Json = json.loads(_bytes(body))  # signed by us, so it has the shape that we gave it
        return claims


def _packed(value: Any) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
