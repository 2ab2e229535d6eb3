"""Events, in both of their APIs: one stored form (core ``v1``), two views.

Invariant: converting to the stored form and back changes nothing that either view can say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.fieldgetter import text_at
from zestor_controller.apiserver.builtin.printcolumns import Cell, CellColumn, columns, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.response.table import age
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import bad_qualified_name, check_text
from zestor_controller.schema.fielderror import FieldError, invalid, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["CoreEventStrategy", "EventStrategy", "core_resource", "resource"]

# (core name, name in events.k8s.io, what core prints for nothing, what events.k8s.io prints for nothing);
# None is null, ... is a field that is left out.
_FIELDS: tuple[tuple[str, str, Any, Any], ...] = (
    ("involvedObject", "regarding", {}, ...),
    ("reason", "reason", ..., ...),
    ("message", "note", ..., ...),
    ("source", "deprecatedSource", {}, {}),
    ("firstTimestamp", "deprecatedFirstTimestamp", None, None),
    ("lastTimestamp", "deprecatedLastTimestamp", None, None),
    ("count", "deprecatedCount", ..., ...),
    ("type", "type", ..., ...),
    ("eventTime", "eventTime", None, None),
    ("series", "series", ..., ...),
    ("action", "action", ..., ...),
    ("related", "related", ..., ...),
    ("reportingComponent", "reportingController", "", ...),
    ("reportingInstance", "reportingInstance", "", ...),
)
_LIMITS = (("reportingInstance", 128), ("action", 128), ("reason", 128), ("message", 1024))
_FIXED = (
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
)


def _to_core(obj: Json) -> Json:
    out: Json = {"kind": "Event", "apiVersion": "v1", "metadata": obj["metadata"]}
    for core, modern, nothing, _ in _FIELDS:
        value = obj.get(modern)
        if value not in (None, "", {}) or (core == "related" and value is not None):
            out[core] = value
        elif nothing is not ...:
            out[core] = {} if nothing == {} else nothing
    return out


def _to_modern(obj: Json) -> Json:
    out: Json = {"kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": obj["metadata"]}
    for core, modern, _, nothing in _FIELDS:
        value = obj.get(core)
        if value not in (None, "", {}):
            out[modern] = value
        elif core == "involvedObject":
            out[modern] = {}
        elif nothing is not ...:
            out[modern] = {} if nothing == {} else nothing
    return out


def _check_common(event: Json, controller_field: str, strict: bool) -> list[FieldError]:
    """The rules of both APIs, on the core form; `strict` those of events that carry an ``eventTime``."""
    errors: list[FieldError] = []
    namespace = event["metadata"].get("namespace", "")
    about = (event.get("involvedObject") or {}).get("namespace", "")
    # Events about cluster-wide objects live in the namespace "default".
    if about != namespace and not (not about and namespace in ("", "default")):
        errors.append(invalid("involvedObject.namespace", about, "does not match event.namespace"))
    if not strict:
        return errors
    controller = event.get("reportingComponent", "")
    if not controller:
        errors.append(required(controller_field))
    errors += check_text(controller_field, controller, bad_qualified_name)
    errors += [required(name) for name in ("reportingInstance", "action", "reason") if not event.get(name)]
    for name, limit in _LIMITS:
        if len((event.get(name) or "").encode()) > limit:
            errors.append(invalid(name, "", f"can have at most {limit} characters"))
    return errors


class CoreEventStrategy(BuiltinStrategy):
    """Events of the core API."""

    has_status = False

    def validate(self, obj: Json) -> list[FieldError]:
        """The namespace, and the rest only for events of the new style."""
        return _check_common(obj, "reportingComponent", obj.get("eventTime") is not None)


class EventStrategy(BuiltinStrategy):
    """Events of ``events.k8s.io``."""

    has_status = False

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """Every field of the new style, and none of the old one."""
        event = _to_core(obj)
        errors = _check_common(event, "reportingController", True)
        if event.get("eventTime") is None:
            errors.append(required("eventTime"))
            if not event.get("reportingComponent"):
                errors = [error for error in errors if error.field != "reportingController"]
                errors.append(required("reportingController"))
        kind = event.get("type", "")
        if kind not in ("Normal", "Warning"):
            errors.append(invalid("type", "", f"has invalid value: {kind}"))
        for name in ("firstTimestamp", "lastTimestamp", "count", "source"):
            if event.get(name):
                errors.append(invalid(name, "", "needs to be unset"))
        series = event.get("series")
        if series is not None and series.get("count", 0) < 2:
            errors.append(invalid("series.count", "", "should be at least 2"))
        return errors

    def validate(self, obj: Json) -> list[FieldError]:
        """The rules of both APIs."""
        return _check_common(_to_core(obj), "reportingController", obj.get("eventTime") is not None)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """Only the series changes; refusals use the names of the stored form."""
        now, was = _to_core(new), _to_core(old)
        names = {"reportingComponent": "reportingController"}
        return [
            invalid(names.get(name, name), now.get(name), "field is immutable")
            for name in _FIXED
            if now.get(name) != was.get(name)
        ]

    def on_read(self, obj: Json) -> Json:
        """The stored event in this API's field names."""
        return _to_modern(obj)

    def on_store(self, obj: Json) -> Json:
        """This event in the field names of the core API."""
        return _to_core(obj)


_REFERENCE_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _selectable(reference: str, controller: str, **more: Callable[[Json], str]) -> Mapping[str, Callable[[Json], str]]:
    fields = [f"{reference}.{name}" for name in _REFERENCE_FIELDS]
    return {**{field: text_at(*field.split(".")) for field in (*fields, "reason", controller, "type")}, **more}


def _source_component(obj: Json) -> str:
    return text_at("source", "component")(obj) or text_at("reportingComponent")(obj)


def _event_seen(last: bool) -> Cell:
    def cell(obj: Json, now: float) -> str:
        first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
        latest = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp")
        series = obj.get("series")
        if series:
            latest = series.get("lastObservedTime")
        return age((latest or first) if last else first, now)

    return cell


def _event_object(obj: Json, now: float) -> str:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    return (
        f"{about.get('kind', '').lower()}/{about.get('name', '')}"
        if about.get("name")
        else about.get("kind", "").lower()
    )


def _event_source(obj: Json, now: float) -> str:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    component = source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def _event_count(obj: Json, now: float) -> int:
    series = obj.get("series")
    if series:
        return int(series.get("count", 0))
    return int(obj.get("count") or obj.get("deprecatedCount") or 1)


_COLUMNS: tuple[CellColumn, ...] = (
    ("Last Seen", _event_seen(True), 0),
    ("Type", value_at("type"), 0),
    ("Reason", value_at("reason"), 0),
    ("Object", _event_object, 0),
    (
        "Subobject",
        lambda obj, now: (obj.get("involvedObject") or obj.get("regarding") or {}).get("fieldPath", ""),
        1,
    ),
    ("Source", _event_source, 1),
    ("Message", lambda obj, now: (obj.get("message") or obj.get("note") or "").strip(), 0),
    ("First Seen", _event_seen(False), 1),
    ("Count", _event_count, 1),
    ("Name", value_at("metadata", "name"), 1),
)


def core_resource() -> Resource:
    """The resource ``events`` of ``v1``."""
    return declare(
        "v1",
        "Event",
        "events",
        CoreEventStrategy,
        columns("events", *_COLUMNS),
        short_names=("ev",),
        selectable_fields=_selectable("involvedObject", "reportingComponent", source=_source_component),
        allow_create_on_update=True,
    )


def resource() -> Resource:
    """The resource ``events`` of ``events.k8s.io/v1``."""
    return declare(
        "events.k8s.io/v1",
        "Event",
        "events",
        EventStrategy,
        columns("events", *_COLUMNS),
        short_names=("ev",),
        selectable_fields=_selectable("regarding", "reportingController"),
        allow_create_on_update=True,
        storage=("", "events"),
    )
