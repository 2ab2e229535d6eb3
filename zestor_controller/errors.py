"""The whole exception tree of the package; nothing else of ours is imported here.

::

    ZestorError
    ├── ApiError                 a server responded with a failure
    │   ├── BadRequest           400
    │   ├── Unauthorized         401  the credential is not accepted
    │   ├── Forbidden            403  known, but not allowed
    │   ├── NotFound             404
    │   ├── MethodNotAllowed     405
    │   ├── NotAcceptable        406
    │   ├── Conflict             409  another client wrote first, or owns a field
    │   │   └── AlreadyExists    409  reason AlreadyExists
    │   ├── Gone                 410  the resourceVersion or continue token has expired
    │   ├── RequestTooLarge      413
    │   ├── UnsupportedMediaType 415
    │   ├── Invalid              422  see ``causes`` for the fields
    │   ├── TooManyRequests      429  see ``retry_after``
    │   └── ServerError          5xx
    ├── TransportError           no usable response: refused, reset, timed out, TLS
    ├── StoreError
    │   ├── StoreClosed
    │   ├── WatchOverflow        a watch with the CLOSE policy fell a buffer behind
    │   ├── KindRequired         an operation that needs a kind was given none
    │   ├── ValidationFailed     the kind's ``validate`` refused a write
    │   └── InvalidObject        an object, stored or read, does not decode to its model
    ├── TerminalError            a reconcile that must not be retried before the next change
    ├── ConfigError              the user's configuration: kubeconfig, options, operator file
    └── SchemaError              a model or schema that cannot become structural; ``path`` names the field

Beside it: ``ZestorDeprecationWarning``, a warning about names that will be removed.

Every message names the object and, where there is one, the next step. No message carries a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "AlreadyExists",
    "ApiError",
    "BadRequest",
    "Cause",
    "ConfigError",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "InvalidObject",
    "KindRequired",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "RequestTooLarge",
    "SchemaError",
    "ServerError",
    "StoreClosed",
    "StoreError",
    "TerminalError",
    "TooManyRequests",
    "TransportError",
    "Unauthorized",
    "UnsupportedMediaType",
    "ValidationFailed",
    "WatchOverflow",
    "ZestorDeprecationWarning",
    "ZestorError",
]


class ZestorDeprecationWarning(UserWarning):
    """A name or an option that will be removed; the message says since when, and what to use instead.

    It is no DeprecationWarning, because Python hides those outside of ``__main__`` and tests.
    """


class ZestorError(Exception):
    """Root of every error that this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of a server's ``details.causes``: which field, and why."""

    reason: str = ""
    message: str = ""
    field: str = ""


class ApiError(ZestorError):
    """A server's failure response (a ``Status``).

    Attributes:
        status: the HTTP status code, or the ``code`` of the Status inside a watch's ERROR event.
        reason: the machine-readable reason, such as ``AlreadyExists``; empty where the server gave none.
        message: the server's sentence.
        causes: the fields it names.
        details: the Status's ``details`` as sent (name, group, kind, uid, retryAfterSeconds).
        retry_after: seconds that the server asks to wait, or None.
    """

    status: int = 0

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        reason: str = "",
        causes: Sequence[Cause] = (),
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status
        self.reason = reason
        self.causes = tuple(causes)
        self.details: dict[str, Any] = dict(details or {})
        self.retry_after = retry_after

    def __str__(self) -> str:
        head = f"{self.status} {self.reason}".strip()
        return f"{head}: {self.message}" if self.message else head

    @staticmethod
    def from_status(body: Mapping[str, Any], *, status: int = 0, retry_after: float | None = None) -> ApiError:
        """Build the matching subclass from a ``Status`` object.

        Args:
            body: the decoded Status; missing or wrongly typed parts are tolerated.
            status: the HTTP status code; 0 takes the Status's own ``code``.
            retry_after: seconds from a ``Retry-After`` header; else ``details.retryAfterSeconds`` is used.
        """
        code = status or _integer(body.get("code")) or 500
        if code == 200:  # an ERROR event: the stream began with 200, the Status inside says what happened
            code = _integer(body.get("code")) or 500
        reason = str(body.get("reason") or "")
        raw = body.get("details")
        details: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
        listed = details.get("causes")
        causes = [
            Cause(str(c.get("reason") or ""), str(c.get("message") or ""), str(c.get("field") or ""))
            for c in (listed if isinstance(listed, list) else [])
            if isinstance(c, Mapping)
        ]
        wait = retry_after if retry_after is not None else _integer(details.get("retryAfterSeconds")) or None
        kind = _BY_REASON.get(reason) or _BY_STATUS.get(code) or (ServerError if code >= 500 else ApiError)
        return kind(
            str(body.get("message") or ""),
            status=code,
            reason=reason,
            causes=causes,
            details=details,
            retry_after=wait,
        )


class BadRequest(ApiError):
    """400: the server could not understand the request."""

    status = 400


class Unauthorized(ApiError):
    """401: the credential is missing, unknown or expired; a grant would not help."""

    status = 401

    def __str__(self) -> str:
        return f"{super().__str__()} (the server does not accept the credential: log in again, or check what it names)"


class Forbidden(ApiError):
    """403: the user is known and has no right to do this."""

    status = 403


class NotFound(ApiError):
    """404: no such object, or no such resource type."""

    status = 404


class MethodNotAllowed(ApiError):
    """405: the resource does not support this verb."""

    status = 405


class NotAcceptable(ApiError):
    """406: the server cannot respond in any accepted media type."""

    status = 406


class Conflict(ApiError):
    """409: the object changed since it was read, or another manager owns a field."""

    status = 409


class AlreadyExists(Conflict):
    """409 with reason ``AlreadyExists``: the name is taken."""


class Gone(ApiError):
    """410: the resourceVersion or the continue token has expired; list again."""

    status = 410


class RequestTooLarge(ApiError):
    """413: the body is larger than the server accepts."""

    status = 413


class UnsupportedMediaType(ApiError):
    """415: the server does not take this content type or kind of patch."""

    status = 415


class Invalid(ApiError):
    """422: the object breaks a rule of its schema; ``causes`` names the fields."""

    status = 422


class TooManyRequests(ApiError):
    """429: the server asks to slow down; ``retry_after`` says for how many seconds."""

    status = 429


class ServerError(ApiError):
    """5xx: the server failed; the request may or may not have been carried out."""

    status = 500


_BY_REASON: dict[str, type[ApiError]] = {
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Expired": Gone,
    "Gone": Gone,
    "Invalid": Invalid,
    "NotFound": NotFound,
    "Forbidden": Forbidden,
    "Unauthorized": Unauthorized,
    "TooManyRequests": TooManyRequests,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        NotAcceptable,
        Conflict,
        Gone,
        RequestTooLarge,
        UnsupportedMediaType,
        Invalid,
        TooManyRequests,
        ServerError,
    )
}


def _integer(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


class TransportError(ZestorError):
    """No usable response came: the connection was refused, reset, timed out, or TLS failed."""


class StoreError(ZestorError):
    """Something about a store or a watch."""


class StoreClosed(StoreError):
    """The store has been closed; no operation is accepted any more."""


class WatchOverflow(StoreError):
    """A watch with the CLOSE policy fell a whole buffer behind and has ended."""


class KindRequired(StoreError):
    """An operation that needs the name of a kind was given none."""


class ValidationFailed(StoreError):
    """The kind's ``validate`` refused a write; nothing was changed.

    Attributes:
        kind: the kind's name.
        name: the name whose value was refused.
    """

    def __init__(self, message: str, *, kind: str = "", name: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.name = name


class InvalidObject(StoreError):
    """An object, stored or read from a server, does not decode to its model; it is kept raw.

    Attributes:
        kind: the kind's name.
        name: the object's name.
        raw: the bytes as they came.
    """

    def __init__(self, message: str, *, kind: str = "", name: str = "", raw: bytes = b"") -> None:
        super().__init__(message)
        self.kind = kind
        self.name = name
        self.raw = raw


class TerminalError(ZestorError):
    """Raised by a reconcile that must not be retried before the next change of its object."""


class ConfigError(ZestorError):
    """The user's configuration cannot be used; the message says what is wrong and what to do."""


class SchemaError(ZestorError):
    """A model or a schema cannot be made structural.

    Attributes:
        path: the field, in dotted form, such as ``spec.ports[].name``.
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
