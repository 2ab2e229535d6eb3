"""The applied configuration: which fields of an object a server-side apply sends.

Rules (R5): a field is sent when it was set; a default of a model was not. Of an object that was read from a server, a
field is sent when this field manager owns it or when it was changed since; what was only read stays its writer's.
Lists that the server merges by key (``conditions``) are taken item by item.

Invariant: pure; nothing here changes its arguments. Which lists are merged, and by which keys, is read from
``managedFields``: every list that a server has merged appears there.
Source: structured-merge-diff, fieldpath serialization (``f:`` fields, ``k:`` keys, ``v:`` values).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin

import msgspec
from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from zestor_controller.objects.lastread import Reading

__all__ = ["changed_fields", "changed_status", "note_applied", "set_fields"]

Json: TypeAlias = dict[str, Any]
Mask: TypeAlias = "bool | dict[str, Mask] | list[Mask]"

_ABSENT: Final = object()
_IDENTITY: Final = ("name", "namespace", "uid")
_CONFIGURED: Final = ("labels", "annotations", "ownerReferences", "finalizers")


def set_fields(obj: Any, body: Json) -> Json:
    """The part of an object's wire form that was set: everything but the defaults of its model.

    Args:
        obj: the object; anything but a pydantic model has no defaults.
        body: its wire form.
    """
    if not isinstance(obj, BaseModel):
        return body
    kept = _kept(body, _mask(obj))
    return {**{key: body[key] for key in ("apiVersion", "kind") if key in body}, **kept}


def changed_fields(obj: Any, body: Json, manager: str) -> Json:
    """What an apply of an object sends: of one that was read, what `manager` owns or what was changed since.

    Args:
        obj: the object.
        body: its wire form.
        manager: the field manager.
    """
    reading = _reading(obj, body)
    if reading is None:
        return set_fields(obj, body)
    before, now = _before(obj, reading), set_fields(obj, body)
    managed = reading.managed if reading.managed is not None else before["metadata"]["managedFields"]
    meta = now["metadata"]
    changed = _changed(_configured(before), _configured(now), _owned(managed, manager, ""), _union(managed))
    rest: Json = {} if changed is _ABSENT else changed
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        **rest,
        "metadata": {**{key: meta[key] for key in _IDENTITY if key in meta}, **rest.get("metadata", {})},
    }


def _configured(body: Json) -> Json:
    """The part of an object that its users write: neither its status nor what the server keeps in its metadata."""
    meta = {key: value for key, value in body["metadata"].items() if key in _CONFIGURED}
    rest = {key: value for key, value in body.items() if key not in ("apiVersion", "kind", "status", "metadata")}
    return {**rest, "metadata": meta}


def changed_status(obj: Any, body: Json, manager: str) -> Any:
    """What an apply of an object's status sends; None when there is nothing to send.

    Args:
        obj: the object.
        body: its wire form.
        manager: the field manager.
    """
    now = set_fields(obj, body).get("status", _ABSENT)
    reading = _reading(obj, body)
    if reading is None:
        return None if now is _ABSENT else now
    before = _before(obj, reading)
    managed = reading.managed if reading.managed is not None else before["metadata"]["managedFields"]
    owned = _owned(managed, manager, "status").get("f:status")
    if now is _ABSENT:
        return None if owned is None else {}
    shape = _union(managed).get("f:status")
    changed = _changed(before.get("status", _ABSENT), now, owned, shape)
    return None if changed is _ABSENT else changed


def note_applied(obj: Any, result: Any) -> None:
    """Remember on an applied object who owns what of it now, so that applying it once more gives nothing up.

    Args:
        obj: what was applied.
        result: the object as the server returned it.
    """
    reading, newer = getattr(obj, "_reading", None), getattr(result, "_reading", None)
    if isinstance(reading, Reading) and reading.raw and isinstance(newer, Reading) and newer.raw:
        managed = _metadata(newer).get("managedFields")
        reading.managed = managed if managed is not None else reading.managed


def _reading(obj: Any, body: Json) -> Reading | None:
    """The reading of an object that is still the one that was read; None for a new one, or a copy under another name.

    Without managedFields it cannot be told what this manager owns, and what is left out of an apply is given up: such
    an object (of a server that is none, or stripped by a proxy) is taken as set by its sender.
    """
    reading = getattr(obj, "_reading", None)
    if not isinstance(reading, Reading) or reading.raw is None:
        return None
    was = _metadata(reading)
    now = body.get("metadata") or {}
    same = all((was.get(key) or None) == (now.get(key) or None) for key in _IDENTITY)
    return reading if same and was.get("managedFields") else None


def _metadata(reading: Reading) -> Json:
    found: Json = msgspec.json.decode(reading.raw or b"{}").get("metadata") or {}
    return found


def _before(obj: Any, reading: Reading) -> Json:
    """The object as it was read, in the form in which it is compared: what was set, as its model writes it."""
    if not isinstance(obj, BaseModel):
        raw: Json = msgspec.json.decode(reading.raw or b"{}")
        return raw
    kind: Any = getattr(type(obj), "__kind__")  # noqa: B009  # only objects of such classes have a reading
    then = kind.decode(reading.raw)
    return {**set_fields(then, kind.encode(then)), "metadata": _metadata(reading)}


# What was set


def _mask(value: Any) -> Mask:
    """Which parts of a value were set: True for all of it."""
    if isinstance(value, BaseModel) and not isinstance(value, RootModel):
        return _model_mask(value, None)
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return _simple({key: _mask(inner) for key, inner in value.items()})
    elif isinstance(value, list | tuple):
        parts = [_mask(inner) for inner in value]
        return True if all(part is True for part in parts) else parts
    return True


def _simple(parts: dict[str, Mask]) -> Mask:
    return True if all(part is True for part in parts.values()) else parts


def _model_mask(model: BaseModel, default: BaseModel | None) -> dict[str, Mask]:
    """The set fields of a model, by their wire names.

    Args:
        model: the model.
        default: what it was to begin with, when it is itself a default: only what differs from that was set.
    """
    known = type(model).model_fields
    mask: dict[str, Mask] = {}
    constants: dict[str, Mask] = {}
    for name, value in model:  # its fields, and what it holds beside them
        field = known.get(name)
        wire = name if field is None else field.serialization_alias or field.alias or name
        if name in model.model_fields_set and not (default is not None and name in default.model_fields_set):
            mask[wire] = _mask(value)
            continue
        if field is not None and _is_constant(field):
            constants[wire] = True
        # A container that was changed in place does not count as set for pydantic.
        if isinstance(value, BaseModel | list | dict | set):
            original = getattr(default, name) if default is not None else _default(field, model)
            if isinstance(value, BaseModel) and type(original) is type(value) and not isinstance(value, RootModel):
                inner = _model_mask(value, original)
                if inner:
                    mask[wire] = inner
            elif value != original:
                mask[wire] = _mask(value)
        elif default is not None and value != getattr(default, name):
            mask[wire] = True
    return {**constants, **mask} if mask or default is None else {}


def _default(field: FieldInfo | None, model: BaseModel) -> Any:
    if field is None:
        return _ABSENT
    if getattr(field, "default_factory_takes_validated_data", False):  # since pydantic 2.10
        return field.get_default(call_default_factory=True, validated_data=dict(model.__dict__))
    return field.get_default(call_default_factory=True)


def _is_constant(field: FieldInfo) -> bool:
    """Whether a field has one possible value, as the tag of a union's member: it says what its object is."""
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


def _kept(value: Any, mask: Mask) -> Any:
    """The part of a wire value that a mask selects; a value of another form than its mask is kept as it is."""
    if isinstance(mask, dict) and isinstance(value, dict):
        return {key: _kept(value[key], inner) for key, inner in mask.items() if key in value}
    if isinstance(mask, list) and isinstance(value, list) and len(mask) == len(value):
        return [_kept(item, inner) for item, inner in zip(value, mask, strict=True)]
    return value


# What was changed, and who owns what


def _owned(managed: Iterable[Json], manager: str, part: str) -> Json:
    """The fields that a manager has applied, in the form of ``fieldsV1``."""
    wanted = (manager, "Apply", part)
    for entry in managed:
        if (entry.get("manager"), entry.get("operation"), entry.get("subresource") or "") == wanted:
            return entry.get("fieldsV1") or {}
    return {}


def _union(managed: Iterable[Json]) -> Json:
    """All fields that anyone owns."""
    union: Json = {}
    for entry in managed:
        _merge(union, entry.get("fieldsV1") or {})
    return union


def _merge(into: Json, fields: Json) -> None:
    for key, inner in fields.items():
        _merge(into.setdefault(key, {}), inner)


def _changed(before: Any, now: Any, owned: Json | None, shape: Json | None) -> Any:
    """The part of a value that is owned or that differs from what it was; `_ABSENT` when that is nothing.

    Args:
        before: the value as it was read.
        now: the value as it is.
        owned: what this manager owns of it; None for nothing.
        shape: what anyone owns of it; a container without parts there is owned and replaced as a whole. None for
            nothing, as of what the server's defaults have added.
    """
    parts = [key for key in shape or {} if key != "."]
    if isinstance(before, dict) and isinstance(now, dict) and (parts or not before or shape is None):
        found = {}
        for key, value in now.items():
            field = f"f:{key}"
            part = _changed(before.get(key, _ABSENT), value, (owned or {}).get(field), (shape or {}).get(field))
            if part is not _ABSENT:
                found[key] = part
        return found if found or owned is not None else _ABSENT
    if isinstance(before, list) and isinstance(now, list) and parts:
        return _changed_items(before, now, owned, shape or {})
    return now if owned is not None or before is _ABSENT or before != now else _ABSENT


def _changed_items(before: list[Any], now: list[Any], owned: Json | None, shape: Json) -> Any:
    """:func:`_changed` for a list that is merged by keys, or a set."""
    keys: tuple[str, ...] = next((tuple(_parsed(part)) for part in shape if part.startswith("k:")), ())
    old = {_identity(item, keys): item for item in before}
    mine, anyone = _by_identity(owned or {}, keys), _by_identity(shape, keys)
    found = []
    for item in now:
        identity = _identity(item, keys)
        if not keys:
            if identity in mine or identity not in old:
                found.append(item)
            continue
        part = _changed(old.get(identity, _ABSENT), item, mine.get(identity), anyone.get(identity))
        if part is not _ABSENT:
            found.append({**{key: item[key] for key in keys if key in item}, **part})
    return found if found or owned is not None else _ABSENT


def _by_identity(fields: Json, keys: tuple[str, ...]) -> dict[str, Json]:
    prefix = "k:" if keys else "v:"
    return {_identity(_parsed(part), keys): inner for part, inner in fields.items() if part.startswith(prefix)}


def _parsed(part: str) -> Any:
    return msgspec.json.decode(part[2:])


def _identity(item: Any, keys: tuple[str, ...]) -> str:
    """What tells an item of a list from the others: its keys, or the item itself in a set."""
    value = [item.get(key) for key in keys] if keys and isinstance(item, dict) else item
    return msgspec.json.encode(value, order="deterministic").decode()
