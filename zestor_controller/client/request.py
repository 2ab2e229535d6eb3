"""How a verb becomes a request, and a failed response an error; pure.

Invariant: :func:`prepare_request` builds every request of every verb, :func:`response_error` reads every failed
response, so no verb knows a URL or an error format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from zestor_controller.errors import ApiError, ConfigError
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.objects import Kind, LabelSelector

__all__ = [
    "JSON",
    "ApiRequest",
    "delete_options",
    "prepare_request",
    "response_body",
    "response_error",
    "selector_query",
]

JSON: Final = "application/json"


@dataclass(slots=True)
class ApiRequest(HttpRequest):
    """The request of a verb, with what it concerns, for transports that need to know.

    Attributes:
        kind: the kind; None in no request of a verb.
        namespace: where.
        name: which object; None for the collection.
    """

    kind: Kind[object] | None = None
    namespace: str | None = None
    name: str | None = None

    @property
    def dry_run(self) -> bool:
        """Whether the server writes nothing."""
        return any(key == "dryRun" for key, _ in self.query)


def prepare_request(
    method: str,
    kind: Kind[object],
    *,
    namespace: str | None = None,
    name: str | None = None,
    subresource: str | None = None,
    query: Mapping[str, str] | None = None,
    body: object = None,
    media_type: str = JSON,
) -> ApiRequest:
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
    return ApiRequest(
        method, path, list((query or {}).items()), headers, content, kind=kind, namespace=namespace, name=name
    )


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
    """The body of a DELETE; None without any option."""
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


def response_body(request: HttpRequest, response: HttpResponse) -> bytes:
    """The body of a response that was read completely.

    Raises:
        ApiError: the response is a failure.
    """
    if response.status >= 300:
        raise response_error(request, response)
    assert isinstance(response.body, bytes)  # a transport's request() reads all of it
    return response.body


def response_error(request: HttpRequest, response: HttpResponse) -> ApiError:
    """The error that a failed response means, whether or not its body is a Status."""
    assert isinstance(response.body, bytes)
    seconds = response.header("retry-after")
    wait = float(seconds) if seconds and seconds.isascii() and seconds.isdecimal() else None
    try:
        decoded = msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        decoded = None
    if not isinstance(decoded, dict) or decoded.get("kind") != "Status":
        text = response.body[:200].decode(errors="replace").strip()
        decoded = {"message": f"{request.method} {request.path}: {text or 'no explanation'}"}
    return ApiError.from_status(decoded, status=response.status, retry_after=wait)
