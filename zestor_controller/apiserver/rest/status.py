"""Failures of the API server, and the ``Status`` objects that report them.

A verb raises :class:`Failure`; the outermost handler turns it into the response, so no code path invents an error body
of its own. The wording follows ``k8s.io/apimachinery/pkg/api/errors/errors.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zestor_controller.schema.fielderror import FieldError

__all__ = [
    "Failure",
    "aggregate",
    "already_exists",
    "bad_request",
    "conflict",
    "expired",
    "forbidden",
    "internal",
    "invalid",
    "method_not_supported",
    "not_acceptable",
    "not_found",
    "not_implemented",
    "qualified",
    "status_body",
    "success",
    "too_large_version",
    "unauthorized",
    "unsupported_media_type",
]

Json = dict[str, Any]


class Failure(Exception):
    """A response that is a failure.

    Attributes:
        body: the Status object.
        headers: extra headers, such as ``Retry-After``.
    """

    def __init__(self, body: Json, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(body.get("message", ""))
        self.body = body
        self.headers = list(headers)

    @property
    def code(self) -> int:
        """The HTTP status code."""
        return int(self.body["code"])

    @property
    def reason(self) -> str:
        """The machine-readable reason; empty where the server gives none."""
        return str(self.body.get("reason", ""))


def status_body(
    code: int, message: str, reason: str = "", details: Mapping[str, Any] | None = None, metadata: Json | None = None
) -> Json:
    """A Failure Status; an empty `reason`, None `details` and an empty message are left out as Go's omitempty does."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}, "status": "Failure"}
    if message:
        body["message"] = message
    if reason:
        body["reason"] = reason
    if details is not None:
        body["details"] = dict(details)
    body["code"] = code
    return body


def success(details: Mapping[str, Any] | None = None) -> Json:
    """A Success Status, as DELETE returns for many kinds."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details is not None:
        body["details"] = dict(details)
    return body


def qualified(group: str, resource: str) -> str:
    """A resource (or kind) as messages name it: ``deployments.apps``, ``configmaps``."""
    return f"{resource}.{group}" if group else resource


def _details(group: str, kind: str, name: str = "", **more: Any) -> Json:
    details: Json = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details.update(more)
    return details


def not_found(group: str, resource: str, name: str) -> Failure:
    """404 for an object of a known resource."""
    message = f'{qualified(group, resource)} "{name}" not found'
    return Failure(status_body(404, message, "NotFound", _details(group, resource, name)))


def already_exists(group: str, resource: str, name: str) -> Failure:
    """409 with reason AlreadyExists."""
    message = f'{qualified(group, resource)} "{name}" already exists'
    return Failure(status_body(409, message, "AlreadyExists", _details(group, resource, name)))


def conflict(group: str, resource: str, name: str, why: str) -> Failure:
    """409 with reason Conflict."""
    message = f'Operation cannot be fulfilled on {qualified(group, resource)} "{name}": {why}'
    return Failure(status_body(409, message, "Conflict", _details(group, resource, name)))


def forbidden(group: str, resource: str, name: str, why: str, **details: Any) -> Failure:
    """403 for an object of a known resource."""
    if name:
        message = f'{qualified(group, resource)} "{name}" is forbidden: {why}'
    else:
        message = f"{qualified(group, resource)} is forbidden: {why}" if resource else f"forbidden: {why}"
    return Failure(status_body(403, message, "Forbidden", _details(group, resource, name, **details)))


def aggregate(errors: Iterable[FieldError]) -> str:
    """The errors as one text: alone as it is, several in square brackets, repeated messages once."""
    messages = list(dict.fromkeys(error.message() for error in errors))
    return messages[0] if len(messages) == 1 else "[" + ", ".join(messages) + "]"


def invalid(group: str, kind: str, name: str, errors: list[FieldError]) -> Failure:
    """422 with one cause per field error."""
    details = _details(group, kind, name)
    if errors:
        details["causes"] = [error.cause() for error in errors]
    message = f'{qualified(group, kind)} "{name}" is invalid'
    if errors:
        message += f": {aggregate(errors)}"
    return Failure(status_body(422, message, "Invalid", details))


def bad_request(message: str) -> Failure:
    """400."""
    return Failure(status_body(400, message, "BadRequest"))


def unauthorized() -> Failure:
    """401."""
    return Failure(status_body(401, "Unauthorized", "Unauthorized"))


def method_not_supported(group: str, resource: str, action: str) -> Failure:
    """405 for a verb that this resource does not have."""
    message = f'{action} is not supported on resources of kind "{qualified(group, resource)}"'
    return Failure(status_body(405, message, "MethodNotAllowed", _details(group, resource)))


def not_implemented(group: str, resource: str, name: str) -> Failure:
    """501 for what discovery lists, since clients expect it, and this server has no code for."""
    message = f'the embedded API server does not implement {qualified(group, resource)} (asked of "{name}")'
    return Failure(status_body(501, message, "NotImplemented", _details(group, resource, name)))


def not_acceptable(supported: Iterable[str]) -> Failure:
    """406."""
    message = f"only the following media types are accepted: {', '.join(supported)}"
    return Failure(status_body(406, message, "NotAcceptable"))


def unsupported_media_type(supported: Iterable[str]) -> Failure:
    """415."""
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(supported)
    return Failure(status_body(415, message, "UnsupportedMediaType"))


def expired(message: str, continue_token: str = "") -> Failure:
    """410 with reason Expired; a token that goes on inconsistently may ride along."""
    metadata = {"continue": continue_token} if continue_token else None
    return Failure(status_body(410, message, "Expired", metadata=metadata))


def too_large_version(version: int, current: int) -> Failure:
    """504 for a resourceVersion that the server has not reached."""
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {version}, current: {current}"
    return Failure(status_body(504, message, "Timeout", details), [("Retry-After", "1")])


def internal(message: str) -> Failure:
    """500, only where kube-apiserver itself returns it."""
    cause = {"causes": [{"message": message}]}
    return Failure(status_body(500, f"Internal error occurred: {message}", "InternalError", cause))
