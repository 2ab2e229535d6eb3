"""From a pydantic model to a structural schema, as CustomResourceDefinitions demand it.

Invariant: what cannot be made structural is refused with a :class:`~zestor_controller.errors.SchemaError` that names
the field and the way out; nothing is silently widened. What is dropped says nothing to an API server: titles,
examples, and ``additionalProperties`` of models (pruning and ``fieldValidation=Strict`` do that job).

Source: kube-apiserver's answers to each kind of field, and
kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions (structural schemas).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from zestor_controller.errors import SchemaError

__all__ = ["structural_schema"]

Json = dict[str, Any]

DESCRIPTION_LIMIT: Final = 1024
_DROPPED: Final = frozenset(
    {"title", "examples", "deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType", "$defs"}
)
_KEPT: Final = frozenset(
    {
        "type",
        "description",
        "default",
        "enum",
        "pattern",
        "format",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "required",
        "nullable",
    }
)
# Formats that kube-apiserver enforces; another one only earns a warning and does nothing.
_FORMATS: Final = frozenset(
    {
        *("date-time", "date", "duration", "ipv4", "ipv6", "uuid", "uuid3", "uuid4", "uuid5", "uri", "email", "byte"),
        *("int32", "int64", "float", "double", "password", "hostname", "cidr", "mac", "bsonobjectid", "isbn"),
    }
)
_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})


def structural_schema(model: type[BaseModel], path: str) -> Json:
    """The structural schema of a model.

    Args:
        model: a pydantic model; nested models are inlined.
        path: where it stands in the object, such as ``spec``; errors name fields below it.

    Raises:
        SchemaError: a field has no structural form.
    """
    _refuse_snake_case(model, path, set())
    try:
        schema = model.model_json_schema(by_alias=True)
    except PydanticInvalidForJsonSchema as error:
        raise SchemaError(
            f"there is no JSON for this: {error.message}; use a type that has one, such as str",
            path=_culprit(model, path, set()),
        ) from error
    return _Converter(schema.get("$defs", {})).convert(schema, path)


def _refuse_snake_case(model: type[BaseModel], path: str, seen: set[type[BaseModel]]) -> None:
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        wire = field.alias or name
        if "_" in wire and field.alias is None:
            raise SchemaError(
                f"{model.__name__}.{name} would be called {name!r} on the wire: derive {model.__name__} from Spec or "
                "Status, whose wire names are camelCase, or give the field an alias",
                path=f"{path}.{name}",
            )
        for inner in _models(field.annotation):
            _refuse_snake_case(inner, f"{path}.{wire}", seen)


def _culprit(model: type[BaseModel], path: str, seen: set[type[BaseModel]]) -> str:
    """The path of the field that pydantic cannot describe; its own error names none."""
    seen.add(model)
    for name, field in model.model_fields.items():
        try:
            TypeAdapter[Any](field.annotation or type(None)).json_schema()
        except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
            here = f"{path}.{field.alias or name}"
            inner = [part for part in _models(field.annotation) if part not in seen]
            return _culprit(inner[0], here, seen) if inner else here
    return path


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


class _Converter:
    """Converts one document; `open` holds the definitions being inlined, to notice recursion."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self._definitions = definitions
        self._open: list[str] = []

    def convert(self, schema: Json, path: str) -> Json:
        if "$ref" in schema:
            return self._inline(schema, path)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema and not schema.get("x-kubernetes-int-or-string"):
                return self._union(word, schema, path)
        if "const" in schema:
            schema = {**schema, "enum": [schema["const"]]}
            schema.setdefault("type", _type_of(schema["const"], path))
        if "prefixItems" in schema:
            raise SchemaError("a tuple has no structural form; use a list of one type", path=path)
        kind = schema.get("type")
        if kind == "null":
            raise SchemaError("None alone is no type; drop the field", path=path)
        if isinstance(kind, list):
            raise SchemaError(f"a value of several types {kind} has no structural form", path=path)
        if "enum" in schema and kind is None:
            raise SchemaError(
                f"the values {schema['enum']} are of several types; an enumeration has one type", path=path
            )
        if kind is None:
            return self._untyped(schema)
        if schema.get("writeOnly") and schema.get("format") in ("password", "binary"):  # SecretStr, SecretBytes
            raise SchemaError(
                "a secret does not belong into an object, where everybody who may read it sees it; name a Secret "
                "and its key instead",
                path=path,
            )
        converted = {key: value for key, value in schema.items() if key in _KEPT or key.startswith("x-kubernetes-")}
        self._describe(converted)
        self._default(converted)
        self._bounds(schema, converted)
        self._format(converted, path)
        if kind == "object":
            self._object(schema, converted, path)
        elif kind == "array":
            self._array(schema, converted, path)
        return converted

    def _inline(self, schema: Json, path: str) -> Json:
        name = schema["$ref"].rpartition("/")[2]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if name in self._open:
            # A schema is finite: the inner levels of a recursive model are kept, but not checked.
            cut: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            if "description" in beside:
                cut["description"] = beside["description"]
            return cut
        self._open.append(name)
        try:
            return self.convert({**self._definitions[name], **beside}, path)
        finally:
            self._open.pop()

    def _union(self, word: str, schema: Json, path: str) -> Json:
        beside = {key: value for key, value in schema.items() if key not in (word, "discriminator")}
        branches = [branch for branch in schema[word] if branch.get("type") != "null"]
        if len(branches) < len(schema[word]) and beside.get("default", ...) is None:
            del beside["default"]  # absent and null are two things; None in Python means absent
        if len(branches) == 1:
            return self.convert({**branches[0], **beside}, path)
        if word == "allOf":
            raise SchemaError("several schemas at once (allOf) have no structural form here", path=path)
        types = sorted({str(branch.get("type")) for branch in branches})
        if types == ["integer", "string"]:
            made: Json = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
            made |= {key: value for key, value in beside.items() if key in ("description", "default")}
            self._describe(made)
            return made
        if "discriminator" in schema:
            return self._tagged(schema, beside, branches, path)
        if types == ["number", "string"]:
            raise SchemaError("a Decimal has no structural form; use str with a pattern, or float", path=path)
        raise SchemaError(
            f"a union of {len(branches)} types has no structural form; use one type, int | str, or a union with a "
            "discriminator field",
            path=path,
        )

    def _tagged(self, schema: Json, beside: Json, branches: list[Json], path: str) -> Json:
        """A tagged union becomes one object with the fields of all, and one ``oneOf`` branch for each tag."""
        tag = schema["discriminator"]["propertyName"]
        properties: Json = {}
        tags: list[Any] = []
        alternatives: list[Json] = []
        for branch in branches:
            converted = self.convert(branch, path)
            own = converted.get("properties", {})
            values = own.get(tag, {}).get("enum", [])
            tags += values
            required = sorted({tag, *converted.get("required", [])})
            alternatives.append({"properties": {tag: {"enum": values}}, "required": required})
            for name, value in own.items():
                if name == tag:
                    continue
                # A default would be set whatever the tag is, and then fail the other branches.
                value = {key: inner for key, inner in value.items() if key != "default"}
                if properties.setdefault(name, value) != value:
                    raise SchemaError(f"the branches of the union disagree about {name!r}", path=f"{path}.{name}")
        made: Json = {
            "type": "object",
            "properties": {tag: {"type": "string", "enum": tags}, **properties},
            "required": [tag],
            "oneOf": alternatives,
        }
        made |= {key: value for key, value in beside.items() if key in ("description", "default")}
        self._describe(made)
        return made

    def _untyped(self, schema: Json) -> Json:
        made: Json = {"x-kubernetes-preserve-unknown-fields": True}
        made |= {key: schema[key] for key in ("description",) if key in schema}
        if schema.get("x-kubernetes-int-or-string"):
            made = {
                key: value
                for key, value in schema.items()
                if key in ("description", "default") or key.startswith("x-kubernetes-")
            }
        self._describe(made)
        return made

    def _object(self, schema: Json, converted: Json, path: str) -> None:
        properties = schema.get("properties")
        if properties is not None:
            converted["properties"] = {
                name: self.convert(inner, f"{path}.{name}") for name, inner in properties.items()
            }
            # Every Spec allows extras, so that a newer server's fields survive; that says nothing about the schema.
            return
        extra = schema.get("additionalProperties", True)
        if isinstance(extra, dict) and extra:
            converted["additionalProperties"] = self.convert(extra, f"{path}.*")
        elif "patternProperties" in schema:
            raise SchemaError("keys with a pattern have no structural form; use dict[str, ...]", path=path)
        elif extra is not False:
            converted["x-kubernetes-preserve-unknown-fields"] = True

    def _array(self, schema: Json, converted: Json, path: str) -> None:
        if "items" not in schema:
            raise SchemaError("a list needs the type of its items, such as list[str]", path=path)
        items = converted["items"] = self.convert(schema["items"], f"{path}[]")
        if schema.get("uniqueItems"):
            if items.get("type") not in _SCALARS:
                raise SchemaError("a set holds strings, numbers or booleans; use a list with ListMap(key)", path=path)
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
        text = "\n".join(line.strip() for line in str(text).strip().splitlines())
        converted["description"] = text if len(text) <= DESCRIPTION_LIMIT else text[: DESCRIPTION_LIMIT - 3] + "..."

    def _default(self, converted: Json) -> None:
        if "default" in converted and converted["default"] is None:
            del converted["default"]

    def _bounds(self, schema: Json, converted: Json) -> None:
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if exclusive in schema:  # a number in JSON Schema 2020, a flag in OpenAPI v3.0
                converted[bound] = schema[exclusive]
                converted[exclusive] = True

    def _format(self, converted: Json, path: str) -> None:
        given = converted.get("format")
        if given is None or given in _FORMATS:
            return
        if given == "binary":
            raise SchemaError("bytes are not JSON; use pydantic's Base64Bytes or a str", path=path)
        if given.startswith("base64"):
            converted["format"] = "byte"
            return
        del converted["format"]


def _type_of(value: Any, path: str) -> str:
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")):
        if isinstance(value, kind):
            return name
    raise SchemaError(f"the constant {value!r} has no structural form", path=path)
