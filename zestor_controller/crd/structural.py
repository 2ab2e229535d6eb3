"""From a pydantic model to a structural schema, as CustomResourceDefinitions demand it.

Invariant: what cannot be made structural is refused with a :class:`~zestor_controller.errors.SchemaError` that names
the field and the way out; nothing is silently widened, dropped or renamed. What the schema lets in, the model reads;
what the model writes, the schema has. What is left out says nothing to an API server: titles, examples, and
``additionalProperties`` of models (pruning and ``fieldValidation=Strict`` do that job). Validators cannot be expressed
and are not in the schema.

Source: kube-apiserver's answers to each kind of field, and
kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions (structural schemas).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

from zestor_controller.crd.generator import FIELD_FAULTS, REFUSED, Generator
from zestor_controller.crd.unions import int_or_string, is_int_or_string, tagged_union
from zestor_controller.errors import SchemaError
from zestor_controller.schema.stringformat import is_known

__all__ = ["structural_schema"]

Json = dict[str, Any]

DESCRIPTION_LIMIT: Final = 1024
PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_DROPPED: Final = frozenset(
    {"title", "examples", "deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType", "$defs"}
)
_KEPT: Final = frozenset(
    {
        *("type", "description", "default", "enum", "pattern", "format", "minLength", "maxLength"),
        *("minimum", "maximum", "multipleOf", "minItems", "maxItems", "minProperties", "maxProperties"),
        *("required", "nullable", "anyOf", "oneOf", "allOf", "not"),
    }
)
_HANDLED: Final = frozenset(
    {
        *("const", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems", "items", "properties"),
        *("additionalProperties", "propertyNames", "patternProperties"),
    }
)
_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = rf"{_OCTET}(\.{_OCTET}){{3}}"
_IPV6: Final = rf"[0-9a-fA-F:]*:([0-9a-fA-F]*|{_IPV4})"
# A server lets a list pass for a text with a format (go-openapi's type validator); no list has these lengths.
_NO_LIST: Final[Json] = {"minItems": 1, "maxItems": 0}
# pydantic's formats in the server's words: a format that the server knows, and a pattern for what pydantic reads.
_READ_AS: Final[dict[str, Json]] = {
    "ipv4": {"format": "ipv4", "pattern": f"^{_IPV4}$"},
    "ipv6": {"format": "ipv6", "pattern": f"^{_IPV6}$"},
    "ipvanyaddress": {"anyOf": [{"pattern": f"^{_IPV4}$"}, {"format": "ipv6", "pattern": f"^{_IPV6}$"}]},
    "ipv4interface": {"format": "cidr", "pattern": f"^{_IPV4}/[0-9]+$"},
    "ipv6interface": {"format": "cidr", "pattern": f"^{_IPV6}/(0|[1-9][0-9]*)$"},
    "base64": {"format": "byte"},
    "base64url": {"pattern": "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?$"},
    "path": {},  # any text is a path
}


def structural_schema(model: type[BaseModel], path: str) -> Json:
    """The structural schema of a model.

    Args:
        model: a pydantic model; nested models are inlined.
        path: where it is in the object, such as ``spec``; errors name fields below it.

    Raises:
        SchemaError: a field has no structural form, or is read in another form than it is written.
    """
    try:
        read = model.model_json_schema(by_alias=True, schema_generator=Generator)
        written = model.model_json_schema(by_alias=True, schema_generator=Generator, mode="serialization")
    except PydanticInvalidForJsonSchema as error:
        raise SchemaError(f"there is no JSON for this: {error.message}; use a type that has one", path=path) from error
    made = _Converter(read.get("$defs", {})).convert(read, path)
    _compare(made, _Converter(written.get("$defs", {})).convert(written, path), path)
    return made


def _compare(read: Json, written: Json, path: str) -> None:
    """Check that values are written in the form in which they are read."""
    for what in ("type", "x-kubernetes-int-or-string", PRESERVE, "enum"):
        if read.get(what) != written.get(what):
            raise SchemaError(
                f"is read as {_shown(read)} and written as {_shown(written)}; let both be the same type: drop the "
                "serializer, or give the field the type that is stored",
                path=path,
            )
    ours, theirs = read.get("properties", {}), written.get("properties", {})
    for name in sorted(ours.keys() ^ theirs.keys()):
        raise SchemaError(
            f"is {'read' if name in ours else 'written'} only; drop the serializer", path=f"{path}.{name}"
        )
    for name, schema in ours.items():
        _compare(schema, theirs[name], f"{path}.{name}")
    for part, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if (part in read) != (part in written):
            raise SchemaError("is read and written in two forms; drop the serializer", path=f"{path}{suffix}")
        if part in read:
            _compare(read[part], written[part], f"{path}{suffix}")


def _shown(schema: Json) -> str:
    if "enum" in schema:
        return f"one of {schema['enum']}"
    return "int or string" if "x-kubernetes-int-or-string" in schema else str(schema.get("type", "any value"))


class _Converter:
    """Converts one document; `open` holds the definitions being inlined, to notice recursion."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self._definitions = definitions
        self._open: list[str] = []

    def convert(self, schema: Json, path: str) -> Json:
        """The structural form of a schema."""
        for name, reason in schema.get(FIELD_FAULTS, ()):
            raise SchemaError(reason, path=f"{path}.{name}")
        if REFUSED in schema:
            raise SchemaError(schema[REFUSED], path=path)
        if "$ref" in schema:
            return self._inline(schema, path)
        for word in ("anyOf", "oneOf", "allOf"):
            # Beside a type they are rules of the author's own, which a server knows too.
            if word in schema and "type" not in schema and not schema.get("x-kubernetes-int-or-string"):
                return self._union(word, schema, path)
        if "const" in schema:
            schema = {**schema, "enum": [schema["const"]]}
            schema.setdefault("type", _type_of(schema["const"], path))
        elif "enum" in schema and "type" not in schema:
            types = {_type_of(value, path) for value in schema["enum"]}
            schema = {**schema, "type": types.pop()} if len(types) == 1 else schema
        self._refuse(schema, path)
        if schema.get("type") is None:
            return self._untyped(schema)
        converted = {key: value for key, value in schema.items() if key in _KEPT or key.startswith("x-kubernetes-")}
        self._describe(converted)
        self._default(converted)
        self._bounds(schema, converted, path)
        self._format(converted, path)
        if converted["type"] == "object":
            self._object(schema, converted, path)
        elif converted["type"] == "array":
            self._array(schema, converted, path)
        return converted

    def _refuse(self, schema: Json, path: str) -> None:
        kind = schema.get("type")
        if "prefixItems" in schema:
            raise SchemaError("a tuple has no structural form; use a list of one type", path=path)
        if kind == "null":
            raise SchemaError("None alone is no type; drop the field", path=path)
        if isinstance(kind, list):
            raise SchemaError(f"a value of several types {kind} has no structural form", path=path)
        if "enum" in schema and kind is None:
            raise SchemaError(
                f"the values {schema['enum']} are of several types; an enumeration has one type", path=path
            )
        if schema.get("writeOnly") and schema.get("format") in ("password", "binary"):  # SecretStr, SecretBytes
            raise SchemaError(
                "a secret does not belong into an object, where everybody who may read it sees it; name a Secret "
                "and its key instead",
                path=path,
            )
        unknown = schema.keys() - _KEPT - _DROPPED - _HANDLED
        for word in sorted(word for word in unknown if not word.startswith("x-kubernetes-")):
            raise SchemaError(
                f"{word!r} (of Field or json_schema_extra) has no structural form; drop it, or say it as a keyword "
                "that API servers know",
                path=path,
            )

    def _inline(self, schema: Json, path: str) -> Json:
        name = schema["$ref"].rpartition("/")[2]
        if name in self._open:
            raise SchemaError(
                f"{name} contains itself, and a schema is finite; use Any for the inner level and validate it in the "
                "reconciler",
                path=path,
            )
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        self._open.append(name)
        try:
            return self.convert(_joined(self._definitions[name], beside, path), path)
        finally:
            self._open.pop()

    def _union(self, word: str, schema: Json, path: str) -> Json:
        beside = {key: value for key, value in schema.items() if key not in (word, "discriminator")}
        branches = [branch for branch in schema[word] if branch.get("type") != "null"]
        optional = len(branches) < len(schema[word])
        if optional and beside.get("default", ...) is None:
            # Absent and null are two things; where None is the default, it means absent.
            del beside["default"]
            optional = False
        if not branches:
            raise SchemaError("None alone is no type; drop the field", path=path)
        if len(branches) == 1:
            made = self.convert(_joined(branches[0], beside, path), path)
        else:
            made = self._several(word, schema, branches, path)
            self._refuse(beside, path)
            made |= {key: value for key, value in beside.items() if key in _KEPT or key.startswith("x-kubernetes-")}
            self._describe(made)
        return _nullable(made) if optional else made

    def _several(self, word: str, schema: Json, branches: list[Json], path: str) -> Json:
        if word == "allOf":
            raise SchemaError("several schemas at once (allOf) have no structural form here", path=path)
        if "discriminator" in schema:
            tag = schema["discriminator"]["propertyName"]
            return tagged_union(tag, [self._branch(branch, path) for branch in branches], path)
        resolved = [self._resolved(branch) for branch in branches]
        if is_int_or_string(resolved):
            return int_or_string([self.convert(branch, path) for branch in branches], path)
        if sorted(str(branch.get("type")) for branch in resolved) == ["number", "string"]:
            raise SchemaError("float | str has no structural form; use str with a pattern, or float", path=path)
        raise SchemaError(
            f"a union of {len(branches)} types has no structural form; use one type, int | str, or a union with a "
            "discriminator field",
            path=path,
        )

    def _branch(self, branch: Json, path: str) -> Json:
        """A branch of a tagged union, which also says whether its model forbids other fields."""
        closed = self._resolved(branch).get("additionalProperties") is False
        made = self.convert(branch, path)
        return {**made, "additionalProperties": False} if closed else made

    def _resolved(self, schema: Json) -> Json:
        if "$ref" in schema:
            return self._definitions[schema["$ref"].rpartition("/")[2]]
        return {**schema, "type": schema.get("type", _type_of(schema["const"], ""))} if "const" in schema else schema

    def _untyped(self, schema: Json) -> Json:
        made: Json = {} if schema.get("x-kubernetes-int-or-string") else {PRESERVE: True}
        made |= {key: value for key, value in schema.items() if key in _KEPT or key.startswith("x-kubernetes-")}
        if made.get("default") is not None and PRESERVE in made:
            made["nullable"] = True  # Any holds None too, which is not the default here
        self._default(made)
        self._describe(made)
        return made

    def _object(self, schema: Json, converted: Json, path: str) -> None:
        properties, extra = schema.get("properties"), schema.get("additionalProperties", True)
        if properties is not None:
            if isinstance(extra, dict):
                raise SchemaError("typed extra fields beside others have no structural form; use a dict", path=path)
            converted["properties"] = {
                name: self.convert(inner, f"{path}.{name}") for name, inner in properties.items()
            }
            # Every Spec keeps unknown fields, so that a newer server's survive; that says nothing about the schema.
            return
        if "patternProperties" in schema:
            raise SchemaError("keys with a pattern have no structural form; use dict[str, ...]", path=path)
        names = self._key_names(schema.get("propertyNames"), path)
        if names is not None:
            value = self.convert(extra, f"{path}.*") if isinstance(extra, dict) and extra else {PRESERVE: True}
            converted["properties"] = dict.fromkeys(names, value)
        elif isinstance(extra, dict) and extra:
            converted["additionalProperties"] = self.convert(extra, f"{path}.*")
        elif extra is not False:
            converted[PRESERVE] = True

    def _key_names(self, names: Json | None, path: str) -> list[str] | None:
        """The keys of a mapping that may have certain keys only; None for any keys."""
        if names is None:
            return None
        found = self.convert(names, path)
        keys = found.get("enum")
        if keys is None or found["type"] != "string" or found.keys() - {"type", "enum", "description"}:
            raise SchemaError("keys with limits have no structural form; use dict[str, ...], or an Enum", path=path)
        return list(keys)

    def _array(self, schema: Json, converted: Json, path: str) -> None:
        if "items" not in schema:
            raise SchemaError("a list needs the type of its items, such as list[str]", path=path)
        items = converted["items"] = self.convert(schema["items"], f"{path}[]")
        if schema.get("uniqueItems"):
            if items.get("type") == "object":
                items["x-kubernetes-map-type"] = "atomic"  # an item of a set is one value
            elif items.get("type") not in _SCALARS:
                raise SchemaError("a set holds texts, numbers, booleans or models; use a list", path=path)
            converted["x-kubernetes-list-type"] = "set"
        for key in converted.get("x-kubernetes-list-map-keys", ()):
            inner = items.get("properties", {}).get(key)
            if inner is None:
                raise SchemaError(f"ListMap({key!r}): the items have no such field", path=path)
            if key not in items.get("required", ()) and "default" not in inner:
                raise SchemaError(f"ListMap({key!r}): a key must be required or have a default", path=f"{path}[].{key}")

    def _describe(self, converted: Json) -> None:
        text = converted.get("description")
        if text is None:
            return
        text = inspect.cleandoc(str(text)).strip()
        text = "\n".join(line.strip() for line in text.splitlines())
        converted["description"] = text if len(text) <= DESCRIPTION_LIMIT else text[: DESCRIPTION_LIMIT - 3] + "..."

    def _default(self, converted: Json) -> None:
        if "default" in converted and converted["default"] is None:
            del converted["default"]

    def _bounds(self, schema: Json, converted: Json, path: str) -> None:
        for bound, exclusive, stricter, widest in (
            ("minimum", "exclusiveMinimum", max, -(2**63)),
            ("maximum", "exclusiveMaximum", min, 2**63 - 1),
        ):
            # The exclusive one is a number in JSON Schema 2020, and a flag beside the other in OpenAPI v3.0.
            limit, excluded = schema.get(bound), schema.get(exclusive)
            if isinstance(excluded, bool):
                converted[exclusive] = excluded
            elif excluded is not None and (limit is None or stricter(limit, excluded) == excluded):
                converted[bound], converted[exclusive] = excluded, True
            limit = converted.get(bound)
            if limit is None or converted["type"] != "integer":
                continue
            if stricter(limit, widest) == widest and exclusive not in converted:
                del converted[bound]  # every integer of a server is within
            elif int(float(limit)) != limit:
                raise SchemaError(f"servers keep {limit} as the float {float(limit)!r}; round it", path=path)

    def _format(self, converted: Json, path: str) -> None:
        given = converted.get("format")
        if given is None:
            return
        if given in _READ_AS:
            del converted["format"]
            for key, value in _READ_AS[given].items():
                if converted.setdefault(key, value) != value:
                    raise SchemaError(f"{key} beside the format {given!r} has no structural form; use str", path=path)
        elif given == "binary":
            raise SchemaError("bytes are not JSON; use pydantic's Base64Bytes or a str", path=path)
        elif given in ("ipv4network", "ipv6network", "ipvanynetwork"):
            raise SchemaError(
                "servers take networks with host bits, which pydantic does not; use IPv4Interface or IPv6Interface, or "
                "a str with json_schema_extra={'format': 'cidr'}",
                path=path,
            )
        elif not is_known(given, (converted["type"],)):
            raise SchemaError(
                f"servers do not check the format {given!r}; use str, with a pattern or a format that they know",
                path=path,
            )
        if converted["type"] == "string" and "format" in converted:
            converted |= _NO_LIST


def _joined(schema: Json, beside: Json, path: str) -> Json:
    """A schema with what is said beside it, which may add to it and describe it but not say otherwise."""
    for key in beside.keys() & schema.keys():
        if key not in ("title", "description", "default", "examples", "deprecated") and beside[key] != schema[key]:
            raise SchemaError(f"{key} is said twice: {schema[key]!r} and {beside[key]!r}; say it once", path=path)
    return {**schema, **beside}


def _nullable(made: Json) -> Json:
    made["nullable"] = True
    if "enum" in made:
        # A server checks null against an enum too, wherever it is but within allOf.
        made["allOf"] = [*made.get("allOf", []), {"enum": made.pop("enum")}]
    return made


def _type_of(value: Any, path: str) -> str:
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")):
        if isinstance(value, kind):
            return name
    raise SchemaError(f"the constant {value!r} has no structural form", path=path)
