"""OpenAPI v2: the one document of everything that is served, derived from the v3 documents.

What version 2 cannot say is left out as kube-apiserver leaves it out: defaults, alternatives (``oneOf`` and its like),
null; a value that keeps unknown fields has no shape, since old clients would take its fields for all there are.

Source: apiextensions-apiserver pkg/controller/openapi/v2/conversion.go, pkg/controller/openapi/builder.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from zestor_controller.apiserver.rest.wireprofile import JSON, YAML

__all__ = ["swagger"]

Json = dict[str, Any]

_COMPONENTS = "#/components/schemas/"
_DEFINITIONS = "#/definitions/"
_METHODS = ("get", "put", "post", "delete", "patch")
_DROPPED = frozenset({"default", "nullable", "allOf", "anyOf", "oneOf", "not"})
_PRESERVE = "x-kubernetes-preserve-unknown-fields"


def swagger(document: Json, custom: Collection[str], version: str) -> Json:
    """A v3 document as version 2.

    Args:
        document: with the paths and schemas of everything that is served.
        custom: the names of the schemas that come from CRDs.
        version: of the server.
    """
    schemas = document["components"]["schemas"]
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": {path: _item(item) for path, item in document["paths"].items()},
        "definitions": {
            name: _custom_root(schema) if name in custom else _schema(schema) for name, schema in schemas.items()
        },
        "securityDefinitions": {
            "BearerToken": {
                "type": "apiKey",
                "name": "authorization",
                "in": "header",
                "description": "Bearer Token authentication",
            }
        },
        "security": [{"BearerToken": []}],
    }


def _item(item: Json) -> Json:
    found: Json = {"parameters": [_parameter(each) for each in item.get("parameters", ())]}
    return found | {method: _operation(item[method]) for method in _METHODS if method in item}


def _parameter(parameter: Json) -> Json:
    return {**{name: value for name, value in parameter.items() if name != "schema"}, **parameter["schema"]}


def _operation(operation: Json) -> Json:
    parameters = [_parameter(each) for each in operation.get("parameters", ())]
    body = operation.get("requestBody")
    consumes = list(body["content"]) if body is not None else ["*/*"]
    if body is not None:
        schema = _schema(next(iter(body["content"].values()))["schema"])
        sent: Json = {"name": "body", "in": "body", "schema": schema}
        parameters.append({**sent, "required": True} if body.get("required") else sent)
    responses: Json = {}
    produces: list[str] = []
    for code, response in operation["responses"].items():
        responses[code] = {"description": response["description"]}
        content = response.get("content")
        if content:
            produces = list(content)
            responses[code]["schema"] = _schema(next(iter(content.values()))["schema"])
    kept = {name: value for name, value in operation.items() if name.startswith("x-")}
    return {
        "tags": operation["tags"],
        "description": operation["description"],
        "operationId": operation["operationId"],
        "consumes": consumes,
        "produces": produces or [JSON, YAML],
        "schemes": ["https"],
        "parameters": parameters,
        "responses": responses,
        **kept,
    }


def _custom_root(schema: Json) -> Json:
    """The schema of a custom resource; one that keeps unknown fields has no fields at all, not even its metadata."""
    if schema.get(_PRESERVE):
        return {"type": "object", **{name: schema[name] for name in schema if name.endswith("group-version-kind")}}
    return _schema(schema, custom=True)


def _schema(schema: Json, *, custom: bool = False) -> Json:
    """A schema as version 2; those of CRDs lose what old clients cannot cope with."""
    if "$ref" in schema:
        return {**schema, "$ref": _reference(schema["$ref"])}
    shown = {name: value for name, value in schema.items() if name not in _DROPPED}
    alternatives = schema.get("allOf")
    if alternatives and len(alternatives) == 1 and list(alternatives[0]) == ["$ref"]:
        shown["$ref"] = _reference(alternatives[0]["$ref"])
        return shown
    if "oneOf" in schema and not custom:
        shown["type"] = "string"  # quantities and "int or string"
    shapeless = custom and (schema.get("nullable") or schema.get(_PRESERVE))
    if shapeless:
        for name in ("items", "properties", "type") if schema.get("nullable") else ("items", "properties"):
            shown.pop(name, None)
        if shown.get("type") in ("array", "object"):
            del shown["type"]
    if "items" in shown and isinstance(shown["items"], dict):
        shown["items"] = _schema(shown["items"], custom=custom)
    elif shown.get("type") == "array" and custom:
        del shown["type"]
    if "properties" in shown:
        properties = shown["properties"]
        shown["properties"] = {name: _schema(inner, custom=custom) for name, inner in properties.items()}
        nullable = {name for name, inner in properties.items() if inner.get("nullable")}
        if custom and nullable and "required" in shown:
            shown["required"] = [name for name in shown["required"] if name not in nullable]
            if not shown["required"]:
                del shown["required"]
    if isinstance(shown.get("additionalProperties"), dict):
        shown["additionalProperties"] = _schema(shown["additionalProperties"], custom=custom)
    return shown


def _reference(text: str) -> str:
    return _DEFINITIONS + text.removeprefix(_COMPONENTS)
