"""OpenAPI schemas: of the built-in kinds, from their field tables, and of custom resources, from their CRD's schema.

A document holds exactly the schemas that its paths reach, so :class:`Schemas` collects what is referred to while it
translates. The names are the server's: the reversed package or group, the version, the kind.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.typed.fieldtable import builtin, tables

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource
    from zestor_controller.apiserver.typed.typedef import TypeDef

__all__ = ["META", "Schemas", "texts"]

Json = dict[str, Any]

META = "k8s.io.apimachinery.pkg.apis.meta.v1"
_SCALARS: dict[str, Json] = {
    "string": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
}
_ZERO: dict[str, Any] = {"string": "", "bool": False, "int32": 0, "int64": 0, "double": 0}
_STRINGS: Json = {"type": "array", "items": {"type": "string"}}
_SPECIAL: dict[str, Json] = {
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
    "duration": {"type": "string"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "intOrString": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "list": _STRINGS,
    "raw": {"type": "object"},
    "unknown": {"type": "object"},
    "orBool": {},
    "orArray": {},
    "orStringArray": {},
}
_ANY_VALUE = ".JSON"


@cache
def texts() -> dict[str, Any]:
    """Descriptions: of query ``parameters`` (type and text) and of ``fields``."""
    found: dict[str, Any] = json.loads(files("zestor_controller.apiserver").joinpath("data/openapi.json").read_text())
    return found


@cache
def _kinds_of() -> dict[str, list[Json]]:
    """The group, version and kind of each message that is a kind."""
    found: dict[str, list[Json]] = {}
    for key, message in tables()["kinds"].items():
        api_version, _, kind = key.rpartition("/")
        group, _, version = api_version.rpartition("/")
        found.setdefault(message, []).append({"group": group, "kind": kind, "version": version})
    return found


def _component(message: str) -> str:
    return "io." + message.replace("k8s.io.", "k8s.", 1).replace("apiextensions_apiserver", "apiextensions-apiserver")


class Schemas:
    """The component schemas of one document."""

    def __init__(self) -> None:
        self.components: dict[str, Json] = {}

    def reference(self, message: str) -> Json:
        """A reference to the schema of a built-in message, which becomes part of the document."""
        name = _component(message)
        if name not in self.components:
            self.components[name] = {}  # known from here on: messages refer to themselves
            self.components[name].update(self._message(name, message))
        return {"$ref": f"#/components/schemas/{name}"}

    def named(self, group: str, version: str, kind: str) -> Json | None:
        """A reference to the schema of a built-in kind; None for a kind without a table."""
        message = tables()["kinds"].get(f"{group}/{version}/{kind}" if group else f"{version}/{kind}")
        return None if message is None else self.reference(message)

    def patch(self) -> Json:
        """A reference to the schema of patches, which may be anything."""
        name = _component(f"{META}.Patch")
        self.components.setdefault(
            name, {"description": "A patch in one of the formats that the operation lists.", "type": "object"}
        )
        return {"$ref": f"#/components/schemas/{name}"}

    def kind(self, resource: Resource) -> Json:
        """A reference to the schema of a resource's kind."""
        if resource.openapi_schema is None:
            return self.reference(resource.message)
        name = self.custom_name(resource, resource.kind)
        self.components[name] = self._custom(resource, resource.openapi_schema)
        return {"$ref": f"#/components/schemas/{name}"}

    def list_kind(self, resource: Resource) -> Json:
        """A reference to the schema of a resource's list; call :meth:`kind` first."""
        if resource.openapi_schema is None:
            return self.reference(resource.message + "List")
        name = self.custom_name(resource, resource.list_name)
        item = self.custom_name(resource, resource.kind)
        guide = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
        self.components[name] = {
            "description": f"{resource.list_name} is a list of {resource.kind}",
            "type": "object",
            "required": ["items"],
            "properties": {
                **self._type_meta(),
                "items": {
                    "description": f"List of {resource.plural}. More info: {guide}",
                    "type": "array",
                    "items": {"$ref": f"#/components/schemas/{item}"},
                },
                "metadata": {"allOf": [self.reference(f"{META}.ListMeta")]},
            },
            "x-kubernetes-group-version-kind": [_gvk(resource, resource.list_name)],
        }
        return {"$ref": f"#/components/schemas/{name}"}

    @staticmethod
    def custom_name(resource: Resource, kind: str) -> str:
        """The name of the schema of a custom resource or of its list."""
        return ".".join([*reversed(resource.group.split(".")), resource.version, kind])

    def _type_meta(self) -> Json:
        fields = texts()["fields"]
        return {name: {"description": fields[name], "type": "string"} for name in ("apiVersion", "kind")}

    def _custom(self, resource: Resource, schema: Json | None) -> Json:
        if not schema:
            schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        shown = _custom_schema(schema)
        metadata = {"description": texts()["fields"]["metadata"], "allOf": [self.reference(f"{META}.ObjectMeta")]}
        shown["properties"] = {**shown.get("properties", {}), **self._type_meta(), "metadata": metadata}
        shown["x-kubernetes-group-version-kind"] = [_gvk(resource, resource.kind)]
        return shown

    def _message(self, name: str, message: str) -> Json:
        form = tables()["special"].get(message)
        if form is not None:
            return {} if message.endswith(_ANY_VALUE) else dict(_SPECIAL[form])
        properties: Json = {}
        required: list[str] = []
        self._fields(message, name, properties, required)
        schema: Json = {"type": "object", "properties": dict(sorted(properties.items()))}
        if name in texts()["fields"]:
            schema = {"description": texts()["fields"][name], **schema}
        if required:
            schema["required"] = sorted(required)
        kinds = _kinds_of().get(message)
        if kinds:
            schema["properties"] = dict(sorted({**properties, **self._type_meta()}.items()))
            schema["x-kubernetes-group-version-kind"] = [dict(kind) for kind in kinds]
        return schema

    def _fields(self, message: str, name: str, properties: Json, required: list[str]) -> None:
        types = builtin(message)
        for field, kind, label, zero in tables()["messages"][message].values():
            if label == "inline":
                self._fields(kind, name, properties, required)
                continue
            text = texts()["fields"].get(f"{name}/{field}")
            if text is None and field == "metadata":
                text = texts()["fields"]["metadata"]
            properties[field] = self._field(kind, label, zero, text) | _merging(types.child(field))
            if zero == "k" and (label == "repeated" or kind in _SCALARS):
                required.append(field)

    def _field(self, kind: str, label: str, zero: str, text: str | None) -> Json:
        described: Json = {"description": text} if text else {}
        if label:
            inner = self._value(kind)
            if kind in _ZERO:
                inner["default"] = _ZERO[kind]
            elif kind not in _SCALARS and "$ref" in inner and tables()["special"].get(kind) is None:
                inner = {"default": {}, "allOf": [inner]}
            if label == "map":
                return {**described, "type": "object", "additionalProperties": inner}
            return {**described, "type": "array", "items": inner}
        value = self._value(kind)
        if kind in _SCALARS:
            return {**described, **value, **({"default": _ZERO[kind]} if zero == "k" and kind in _ZERO else {})}
        if zero in ("k", "o") and tables()["special"].get(kind) is None:
            return {**described, "default": {}, "allOf": [value]}
        return {**described, "allOf": [value]} if text else value

    def _value(self, kind: str) -> Json:
        return dict(_SCALARS[kind]) if kind in _SCALARS else self.reference(kind)


def _gvk(resource: Resource, kind: str) -> Json:
    return {"group": resource.group, "kind": kind, "version": resource.version}


def _merging(types: TypeDef | None) -> Json:
    """How a field merges, as clients that compute patches want to know it."""
    if types is None:
        return {}
    found: Json = {}
    if types.form == "list":
        found["x-kubernetes-list-type"] = types.topology if types.topology != "granular" else "atomic"
        if types.keys:
            found["x-kubernetes-list-map-keys"] = list(types.keys)
    elif types.form in ("struct", "map") and types.topology == "atomic":
        found["x-kubernetes-map-type"] = "atomic"
    if types.patch_strategy:
        found["x-kubernetes-patch-strategy"] = types.patch_strategy
    if types.patch_merge_key:
        found["x-kubernetes-patch-merge-key"] = types.patch_merge_key
    return found


_CHILDREN = ("additionalProperties", "items", "not")
_LISTS = ("allOf", "anyOf", "oneOf")


def _custom_schema(schema: Json) -> Json:
    """A CRD's schema as a document shows it: a copy, with what ``x-kubernetes-int-or-string`` implies spelt out."""
    shown: Json = {}
    for name, value in schema.items():
        if name == "properties" and isinstance(value, dict):
            shown[name] = {key: _custom_schema(child) for key, child in value.items()}
        elif name in _CHILDREN and isinstance(value, dict):
            shown[name] = _custom_schema(value)
        elif name in _LISTS and isinstance(value, list):
            shown[name] = [_custom_schema(child) for child in value]
        else:
            shown[name] = value
    if shown.get("x-kubernetes-int-or-string") and "anyOf" not in shown and "allOf" not in shown:
        shown["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return shown
