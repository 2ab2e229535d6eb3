"""Responses in other forms: Tables and PartialObjectMetadata, for objects, lists and watch events alike.

A client that lists a Table also watches one; the columns are sent with the first event only, as the server does.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.rest.status import Failure, bad_request, status_body

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zestor_controller.apiserver.response.negotiation import Output
    from zestor_controller.apiserver.rest.resource import Resource
    from zestor_controller.http import HttpRequest

__all__ = ["EventShape", "age", "include_object", "shape_list", "shape_object", "since"]

Json = dict[str, Any]

_TABLE = "Table"
_PARTIAL = "PartialObjectMetadata"
_PARTIAL_LIST = "PartialObjectMetadataList"


def since(seconds: float) -> str:
    """A span of time as the server prints ages: ``5s``, ``3m20s``, ``5d``, ``2y30d``."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = whole // 3600
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 24 * 8:
        return _two(hours // 24, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{hours // 24}d"
    years, days = divmod(hours // 24, 365)
    return _two(years, "y", days, "d") if hours < 24 * 365 * 8 else f"{years}y"


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"


@lru_cache(maxsize=4096)
def _instant(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def age(timestamp: Any, now: float) -> str:
    """The cell of an age column, from an RFC 3339 timestamp and the present time in seconds since the epoch."""
    if not isinstance(timestamp, str) or not timestamp:
        return "<unknown>"
    at = _instant(timestamp)
    return "<unknown>" if at is None else since(now - at)


def include_object(request: HttpRequest) -> str:
    """The rows' objects that a Table request wants: ``None``, ``Metadata`` (also when unset) or ``Object``.

    Raises:
        Failure: 400.
    """
    for name, value in request.query:
        if name == "includeObject" and value:
            if value not in ("None", "Metadata", "Object"):
                raise bad_request(
                    f'Unable to convert to Table as requested: includeObject: Invalid value: "{value}": '
                    "must be 'Metadata', 'Object', 'None', or empty"
                )
            return value
    return "Metadata"


def _columns(resource: Resource) -> list[Json]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in resource.columns
    ]


def _partial(obj: Json, version: str) -> Json:
    return {"kind": _PARTIAL, "apiVersion": f"meta.k8s.io/{version}", "metadata": obj.get("metadata", {})}


def _row(resource: Resource, obj: Json, version: str, include: str, now: float) -> Json:
    cells = [column.cell(obj, now) for column in resource.columns]
    if include == "None":
        return {"cells": cells, "object": None}
    if include == "Metadata":
        return {"cells": cells, "object": _partial(obj, version)}
    # Items of a list do not carry their type; a row's object does.
    whole = obj if "kind" in obj else {"kind": resource.kind, "apiVersion": resource.api_version, **obj}
    return {"cells": cells, "object": whole}


def _table(resource: Resource, metadata: Json, objects: Iterable[Json], version: str, include: str, now: float) -> Json:
    return {
        "kind": _TABLE,
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": _columns(resource),
        "rows": [_row(resource, obj, version, include, now) for obj in objects],
    }


def _not_a(wanted: str, is_list: bool, resource: Resource) -> Failure:
    name = resource.list_name if is_list else resource.kind
    package = resource.group.partition(".")[0] or "core"
    go_type = f"{package}.{name}" if resource.wire.typed else "unstructured.Unstructured" + "List" * is_list
    what = "a list" if is_list else "not a list"
    message = f"you requested {wanted}, but the requested object is {what} (*{go_type})"
    return Failure(status_body(406, message, "NotAcceptable"))


def shape_object(resource: Resource, obj: Json, output: Output, include: str, now: float) -> Json:
    """One object in the shape that the client asked for; a Status stays as it is.

    Raises:
        Failure: 406 where the shape is one of lists.
    """
    if not output.transform or obj.get("kind") == "Status":
        return obj
    if output.transform == _TABLE:
        metadata = {"resourceVersion": obj.get("metadata", {}).get("resourceVersion", "")}
        return _table(resource, metadata, [obj], output.version, include, now)
    if output.transform == _PARTIAL:
        return _partial(obj, output.version)
    raise _not_a(_PARTIAL_LIST, False, resource)


def shape_list(resource: Resource, metadata: Json, items: list[Json], output: Output, include: str, now: float) -> Json:
    """A list in the shape that the client asked for.

    Args:
        resource: what is listed.
        metadata: the list's own: resourceVersion, continue, remainingItemCount.
        items: the objects; those of a plain list should not carry their kind and apiVersion for built-in kinds.
        output: what was negotiated.
        include: of :func:`include_object`.
        now: seconds since the epoch, for ages.

    Raises:
        Failure: 406 where the shape is one of single objects.
    """
    if not output.transform:
        return {
            "kind": resource.list_name,
            "apiVersion": resource.api_version,
            "metadata": metadata,
            "items": items,
        }
    if output.transform == _TABLE:
        return _table(resource, metadata, items, output.version, include, now)
    if output.transform == _PARTIAL_LIST:
        return {
            "kind": _PARTIAL_LIST,
            "apiVersion": f"meta.k8s.io/{output.version}",
            "metadata": metadata,
            "items": [_partial(item, output.version) for item in items],
        }
    raise _not_a(_PARTIAL, True, resource)


class EventShape:
    """The shape of one watch's objects; it remembers that the columns have been sent."""

    def __init__(self, resource: Resource, output: Output, include: str) -> None:
        self._resource = resource
        self._output = output
        self._include = include
        self._columns_sent = False

    def __call__(self, obj: Json, now: float) -> Json:
        """An event's object as the client asked for it; error Statuses stay as they are."""
        shaped = shape_object(self._resource, obj, self._output, self._include, now)
        if shaped.get("kind") == _TABLE and self._output.transform == _TABLE:
            if self._columns_sent:
                shaped["columnDefinitions"] = None
            self._columns_sent = True
        return shaped
