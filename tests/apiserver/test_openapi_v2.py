"""The OpenAPI v2 document: for old clients, and for what newer ones fall back to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from zestor_controller.apiserver.discovery.swagger import swagger
from zestor_controller.apiserver.discovery.swaggerproto import encode_swagger

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
GIVEN_BACK = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SPEC = {
    "type": "object",
    "required": ["size", "note"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "default": 2},
        "note": {"type": "string", "nullable": True},
        "free": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"a": {"type": "string"}},
        },
        "port": {"x-kubernetes-int-or-string": True},
        "one": {"type": "string", "oneOf": [{"pattern": "a"}, {"pattern": "b"}]},
    },
}


def definition(schema: Any, plural: str = "foos", kind: str = "Foo") -> dict[str, Any]:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "kind": kind}
    spec = {"group": "e.example", "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": f"{plural}.e.example"}, "spec": spec}


async def established(talk: Any, body: Any) -> None:
    status, made = await talk.ask("POST", CRDS, body)
    assert status == 201, made
    path = f"/apis/e.example/v1/namespaces/default/{body['spec']['names']['plural']}"
    await asyncio.sleep(0)  # the definition is served on the next turn of the loop
    assert (await talk.send("GET", path)).status == 200


async def test_every_built_in_kind_is_described(talk: Any) -> None:
    status, document = await talk.ask("GET", "/openapi/v2")
    assert (status, document["swagger"]) == (200, "2.0")
    item = document["paths"]["/api/v1/namespaces/{namespace}/configmaps/{name}"]
    names = [parameter["name"] for parameter in item["patch"]["parameters"]]
    assert names == ["dryRun", "fieldManager", "fieldValidation", "force", "body"]
    assert item["patch"]["parameters"][-1]["in"] == "body"
    assert "application/strategic-merge-patch+json" in item["patch"]["consumes"]
    assert item["get"]["x-kubernetes-group-version-kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    schema = item["get"]["responses"]["200"]["schema"]
    assert schema == {"$ref": "#/definitions/io.k8s.api.core.v1.ConfigMap"}
    container = document["definitions"]["io.k8s.api.core.v1.Container"]["properties"]
    assert container["ports"]["x-kubernetes-patch-merge-key"] == "containerPort"
    assert document["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"] == "string"
    port = document["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
    assert (port["type"], port["format"]) == ("string", "int-or-string")


async def test_nothing_of_version_3_is_left(talk: Any) -> None:
    _, document = await talk.ask("GET", "/openapi/v2")
    text = json.dumps(document)
    for word in ("#/components", '"oneOf": [', '"anyOf": [', '"requestBody"', '"nullable": true'):
        assert word not in text
    references = {part.partition('"')[0] for part in text.split('"#/definitions/')[1:]}
    assert references <= set(document["definitions"])


async def test_custom_kinds_lose_what_old_clients_cannot_read(talk: Any) -> None:
    await established(talk, definition({"type": "object", "properties": {"spec": SPEC}}))
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"spec": SPEC}}
    await established(talk, definition(free, "bars", "Bar"))
    _, document = await talk.ask("GET", "/openapi/v2")
    found = document["definitions"]["example.e.v1.Foo"]
    assert found["x-kubernetes-group-version-kind"] == [{"group": "e.example", "kind": "Foo", "version": "v1"}]
    assert found["properties"]["metadata"]["$ref"] == "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    assert found["properties"]["spec"] == {
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1},
            "note": {},
            "free": {"x-kubernetes-preserve-unknown-fields": True},
            "port": {"x-kubernetes-int-or-string": True},
            "one": {"type": "string"},
        },
    }
    assert set(document["definitions"]["example.e.v1.Bar"]) == {"type", "x-kubernetes-group-version-kind"}
    assert "/apis/e.example/v1/namespaces/{namespace}/foos/{name}" in document["paths"]


async def test_a_document_is_sent_once_until_something_changes(talk: Any) -> None:
    first = await talk.send("GET", "/openapi/v2")
    etag = dict(first.headers)["ETag"]
    assert (await talk.send("GET", "/openapi/v2", if_none_match=etag)).status == 304
    assert (await talk.send("GET", "/openapi/v2", accept=PROTOBUF, if_none_match=etag)).status == 304
    await established(talk, definition({"type": "object"}))
    again = await talk.send("GET", "/openapi/v2", if_none_match=etag)
    assert again.status == 200
    assert dict(again.headers)["ETag"] != etag


@pytest.mark.parametrize(
    ("accept", "status", "media"),
    [
        ("", 200, "application/json"), ("*/*", 200, "application/json"), (PROTOBUF, 200, GIVEN_BACK),
        (GIVEN_BACK, 200, GIVEN_BACK), (f"application/yaml, {PROTOBUF}", 200, GIVEN_BACK), ("text/html", 406, None),
    ],
)  # fmt: skip
async def test_the_first_form_that_both_know_is_sent(talk: Any, accept: str, status: int, media: str | None) -> None:
    response = await talk.send("GET", "/openapi/v2", accept=accept)
    assert (response.status, dict(response.headers).get("Content-Type")) == (status, media)
    assert (await talk.send("POST", "/openapi/v2", accept=accept)).status == 405


def wire(data: bytes) -> list[tuple[int, Any]]:
    """The fields of a protobuf message."""
    fields, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            fields.append((key >> 3, varint()))
            continue
        size = 8 if key & 7 == 1 else varint()
        fields.append((key >> 3, data[at : at + size]))
        at += size
    assert at == len(data)
    return fields


def named(data: bytes, field: int) -> dict[str, bytes]:
    """A map of named values, in a field of a message."""
    entries = [dict(wire(value)) for number, value in wire(data) if number == field]
    return {entry[1].decode(): entry.get(2, b"") for entry in entries}


async def test_protobuf_says_what_json_says(talk: Any) -> None:
    await established(talk, definition({"type": "object", "properties": {"spec": SPEC}}))
    _, document = await talk.ask("GET", "/openapi/v2")
    response = await talk.send("GET", "/openapi/v2", accept=PROTOBUF)
    fields = dict(wire(response.body))
    assert fields[1] == b"2.0"
    paths, definitions = named(fields[8], 2), named(fields[9], 1)
    assert list(paths) == list(document["paths"])
    assert list(definitions) == list(document["definitions"])
    foo = dict(wire(definitions["example.e.v1.Foo"]))
    spec = dict(wire(named(foo[25], 1)["spec"]))
    assert wire(spec[22]) == [(1, b"object")]
    assert set(named(spec[25], 1)) == set(SPEC["properties"])
    extensions = named(definitions["example.e.v1.Foo"], 31)
    (group,) = json.loads(dict(wire(extensions["x-kubernetes-group-version-kind"]))[2])
    assert group["kind"] == "Foo"
    item = dict(wire(paths["/apis/e.example/v1/namespaces/{namespace}/foos/{name}"]))
    parameters = [value for number, value in wire(item[8]) if number == 8]
    queries = [dict(wire(dict(wire(dict(wire(each))[1])).get(2, b""))) for each in parameters]
    assert [dict(wire(each[3]))[4] for each in queries if 3 in each][:3] == [
        b"dryRun",
        b"fieldManager",
        b"fieldValidation",
    ]


def test_numbers_texts_and_either_or_values_are_written() -> None:
    schema = {
        "minimum": -1, "maximum": 1.5, "minLength": 3, "uniqueItems": True, "enum": ["a", 1, None], "pattern": "é",
        "additionalProperties": True, "items": [{"type": "string"}],
    }  # fmt: skip
    document = swagger({"paths": {}, "components": {"schemas": {"S": schema}}}, (), "v1")
    fields = dict(wire(encode_swagger(document)))
    written = wire(named(fields[9], 1)["S"])
    assert (12, 3) in written
    assert (16, 1) in written
    assert (13, "é".encode()) in written
    assert [dict(wire(value))[2] for number, value in written if number == 20] == [b'"a"', b"1", b"null"]
    assert wire(dict(written)[21]) == [(2, 1)]
