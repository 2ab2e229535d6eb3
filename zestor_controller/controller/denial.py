"""Why the API server denied a request: a missing right (403) or credentials that it does not accept (401)."""

from __future__ import annotations

from zestor_controller.errors import Forbidden, Unauthorized

__all__ = ["denial_of", "describe_denial"]


def denial_of(error: BaseException | None) -> Forbidden | Unauthorized | None:
    """The server's 401 or 403 that an error comes from: itself, its cause, or one of a group."""
    while error is not None and not isinstance(error, Forbidden | Unauthorized):
        if isinstance(error, BaseExceptionGroup):
            return next((found for inner in error.exceptions if (found := denial_of(inner)) is not None), None)
        error = error.__cause__
    return error


def describe_denial(error: Forbidden | Unauthorized) -> str:
    """What a denied request needs, for logs and readiness."""
    if isinstance(error, Unauthorized):
        return (
            f"credentials rejected: {error}; the server does not know who this is: check that the token or client "
            "certificate is valid and belongs to this cluster"
        )
    return f"missing right: {error}"
