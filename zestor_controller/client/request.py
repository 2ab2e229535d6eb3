"""How a verb becomes a request, and a bad answer an error; pure.

Invariant: :func:`prepare_request` builds every request of every verb, :func:`error_of` reads every bad answer, so no
verb knows a URL or an error format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from zestor_controller.errors import ApiError, ConfigError
from zestor_controller.http import HttpRequest
from zestor_controller.objects import Kind, LabelSelector

__all__ = ["JSON", "delete_options", "error_of", "prepare_request", "selector_query"]

JSON: Final = "application/json"


def prepare_request(
    method: str,
    kind: Kind[Any],
    *,
    namespace: str | None = None,
    name: str | None = None,
    subresource: str | None = None,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    media_type: str = JSON,
) -> HttpRequest:
    """The request of a verb.

    Args:
        method: the HTTP method.
        kind: what it concerns.
        namespace: where; ignored for cluster-scoped kinds, None for all.
        name: which object; None for the collection.
        subresource: a part of the object.
        query: the parameters.
        body: what to send as JSON.
        media_type: what the body is.

    Raises:
        ConfigError: the name is empty, which would address the whole collection.
    """
    if name is not None and (not name or "/" in name):
        raise ConfigError(f"{kind.kind}: {name!r} is no name; give one, and the namespace apart")
    headers = {"Accept": JSON}
    content = b""
    if body is not None:
        headers["Content-Type"] = media_type
        content = msgspec.json.encode(body)
    path = kind.path(namespace=namespace, name=name, subresource=subresource)
    return HttpRequest(method, path, list((query or {}).items()), headers, content)


def selector_query(labels: str | Mapping[str, str] | None, fields: str | Mapping[str, str] | None) -> dict[str, str]:
    """Selectors as query parameters.

    Raises:
        ValueError: a mapping holds what is no label.
    """
    query: dict[str, str] = {}
    if labels:
        query["labelSelector"] = labels if isinstance(labels, str) else str(LabelSelector.of(labels))
    if fields:
        text = (
            fields if isinstance(fields, str) else ",".join(f"{key}={_escaped(fields[key])}" for key in sorted(fields))
        )
        query["fieldSelector"] = text
    return query


def _escaped(value: str) -> str:
    """Source: k8s.io/apimachinery/pkg/fields EscapeValue."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def delete_options(
    uid: str | None = None,
    resource_version: str | None = None,
    propagation: str | None = None,
    grace_period: int | None = None,
) -> dict[str, Any] | None:
    """The body of a DELETE; None when nothing is asked for."""
    wanted = {"uid": uid, "resourceVersion": resource_version}
    preconditions = {key: value for key, value in wanted.items() if value is not None}
    options: dict[str, Any] = {}
    if preconditions:
        options["preconditions"] = preconditions
    if propagation:
        options["propagationPolicy"] = propagation
    if grace_period is not None:
        options["gracePeriodSeconds"] = grace_period
    return {"apiVersion": "v1", "kind": "DeleteOptions", **options} if options else None


def error_of(request: HttpRequest, status: int, retry_after: str | None, body: bytes) -> ApiError:
    """The error that a bad answer means, whether or not it is a Status."""
    wait = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdecimal() else None
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        decoded = None
    if not isinstance(decoded, dict) or decoded.get("kind") != "Status":
        text = body[:200].decode(errors="replace").strip()
        decoded = {"message": f"{request.method} {request.path}: {text or 'no explanation'}"}
    return ApiError.from_status(decoded, status=status, retry_after=wait)
