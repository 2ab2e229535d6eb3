"""The shapes of values: of built-in kinds by the published field tables, of custom resources by their CRD's schema.

Invariant: a TypeDef never changes once it is made; those of built-in messages are made once and shared.

The tables are facts of k8s.io/api, apimachinery and apiextensions-apiserver v0.36: fields and their numbers
(``messages.json``), how lists and maps merge (``lists.json``).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any, Final

from zestor_controller.apiserver.typed.typedef import UNTYPED, TypeDef

__all__ = ["OBJECT_META", "builtin", "empty_value", "kind_message", "structural", "tables"]

OBJECT_META: Final = "k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta"

_SCALARS: Final = {
    "string": "string",
    "bool": "boolean",
    "bytes": "bytes",
    "double": "number",
    "float": "number",
    "int32": "integer",
    "int64": "integer",
    "uint32": "integer",
    "uint64": "integer",
}
_SPECIAL: Final = {
    "time": "time",
    "microtime": "microtime",
    "duration": "duration",
    "quantity": "quantity",
    "intOrString": "int-or-string",
}
STRING: Final = TypeDef("scalar", "string")


@functools.cache
def tables() -> Mapping[str, Any]:
    """The field tables: ``kinds``, ``messages`` and ``special``."""
    text = (files("zestor_controller.apiserver") / "data" / "messages.json").read_text()
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


@functools.cache
def _merging() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    text = (files("zestor_controller.apiserver") / "data" / "lists.json").read_text()
    loaded: Mapping[str, Mapping[str, Mapping[str, Any]]] = json.loads(text)
    return loaded


def kind_message(group: str, version: str, kind: str) -> str:
    """The message of a built-in kind; empty when there is none."""
    key = f"{group}/{version}/{kind}" if group else f"{version}/{kind}"
    return str(tables()["kinds"].get(key, ""))


@functools.cache
def builtin(message: str) -> TypeDef:
    """The shape of a message.

    Raises:
        KeyError: no such message.
    """
    special = tables()["special"].get(message)
    if special in _SPECIAL:
        return TypeDef("scalar", _SPECIAL[special])
    if special == "list":
        return TypeDef("list", element=STRING, topology="atomic")
    if special is not None:
        return UNTYPED
    if message not in tables()["messages"]:
        raise KeyError(message)
    atomic = _merging().get(message, {}).get("*", {}).get("type") == "atomic"

    @functools.cache
    def fields() -> Mapping[str, TypeDef]:
        return _fields(message)

    return TypeDef("struct", fields=fields, topology="atomic" if atomic else "granular")


def _fields(message: str) -> Mapping[str, TypeDef]:
    found: dict[str, TypeDef] = {}
    if message in _kind_messages():
        found["apiVersion"] = found["kind"] = STRING
    merging = _merging().get(message, {})
    for name, kind, label, _ in tables()["messages"][message].values():
        if label == "inline":
            found |= _fields(kind)
            continue
        found[name] = _field(kind, label, merging.get(name, {}))
    return found


@functools.cache
def _kind_messages() -> frozenset[str]:
    return frozenset(tables()["kinds"].values())


def _field(kind: str, label: str, merging: Mapping[str, Any]) -> TypeDef:
    inner = TypeDef("scalar", _SCALARS[kind]) if kind in _SCALARS else builtin(kind)
    strategy, merge_key = str(merging.get("patchStrategy", "")), str(merging.get("patchMergeKey", ""))
    if label == "map":
        topology = str(merging.get("map", "granular"))
        return TypeDef("map", element=inner, topology=topology, patch_strategy=strategy, patch_merge_key=merge_key)
    if label == "repeated":
        keys = tuple(merging.get("keys", ()))
        return TypeDef(
            "list",
            element=inner,
            topology=str(merging.get("list", "atomic")),
            keys=keys,
            key_defaults=_key_defaults(kind, keys),
            patch_strategy=strategy,
            patch_merge_key=merge_key,
        )
    if merging.get("map") == "atomic" or merging.get("type") == "atomic":
        inner = replace(inner, topology="atomic")
    if strategy:
        inner = replace(inner, patch_strategy=strategy, patch_merge_key=merge_key)
    return inner


def _key_defaults(message: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    merging = _merging().get(message, {})
    found: dict[str, Any] = {}
    for name, kind, label, zero in tables()["messages"].get(message, {}).values():
        if name not in keys:
            continue
        if "default" in merging.get(name, {}):
            found[name] = merging[name]["default"]
        elif zero == "k" and not label and kind in _SCALARS:
            # A key that Go always writes is never absent: it has its zero value.
            found[name] = {"string": "", "boolean": False}.get(_SCALARS[kind], 0)
    return found


@functools.cache
def empty_value(message: str) -> Mapping[str, Any]:
    """What Go writes for a zero value of a message: fields that are always written, nulls included.

    The first write of an object is compared with this, so that a struct that is always there counts as no field of the
    writer's.
    """
    found: dict[str, Any] = {}
    for name, kind, label, zero in tables()["messages"].get(message, {}).values():
        if label == "inline":
            found |= empty_value(kind)
        elif zero == "n" or (zero == "k" and label):
            found[name] = None
        elif zero == "k":
            if tables()["special"].get(kind) in ("time", "microtime"):
                found[name] = None
            elif kind in tables()["messages"] and kind not in tables()["special"]:
                found[name] = dict(empty_value(kind))
            elif kind in _SCALARS:
                found[name] = {"string": "", "boolean": False, "bytes": None}.get(_SCALARS[kind], 0)
    return found


def structural(schema: Mapping[str, Any]) -> TypeDef:
    """The shape of a custom resource, by the schema of its version (``openAPIV3Schema``)."""
    inner = _structural(schema)
    named = inner.fields() if inner.fields is not None else {}
    root = {**named, "apiVersion": STRING, "kind": STRING, "metadata": builtin(OBJECT_META)}
    return TypeDef("struct", fields=lambda: root, preserve_unknown=inner.preserve_unknown or inner.form == "any")


def _structural(schema: Mapping[str, Any]) -> TypeDef:
    preserve = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if schema.get("x-kubernetes-int-or-string"):
        return UNTYPED  # the machinery deduces its shape from the value; validation is left to the schema
    kind = schema.get("type")
    if kind == "array":
        topology = str(schema.get("x-kubernetes-list-type", "atomic"))
        items = schema.get("items") or {}
        keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))
        properties = items.get("properties") or {}
        defaults = {key: properties[key]["default"] for key in keys if "default" in properties.get(key, {})}
        return TypeDef("list", element=_structural(items), topology=topology, keys=keys, key_defaults=defaults)
    if kind == "object" or (kind is None and ("properties" in schema or "additionalProperties" in schema)):
        topology = str(schema.get("x-kubernetes-map-type", "granular"))
        extra = schema.get("additionalProperties")
        properties = schema.get("properties")
        if properties is None and isinstance(extra, Mapping):
            return TypeDef("map", element=_structural(extra), topology=topology)
        if properties is None and (preserve or extra is True or schema.get("x-kubernetes-embedded-resource")):
            return UNTYPED if topology == "granular" else replace(UNTYPED, topology="atomic")
        fields = {name: _structural(inner) for name, inner in (properties or {}).items()}
        if schema.get("x-kubernetes-embedded-resource"):
            fields |= {"apiVersion": STRING, "kind": STRING, "metadata": builtin(OBJECT_META)}
        return TypeDef("struct", fields=lambda: fields, topology=topology, preserve_unknown=preserve)
    if kind in ("string", "integer", "number", "boolean"):
        return TypeDef("scalar", kind)
    return UNTYPED
