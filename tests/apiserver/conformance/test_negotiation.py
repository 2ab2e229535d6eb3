"""Forms of requests and responses: Accept lists, Tables and metadata, YAML, pretty JSON, compression, and errors."""

import gzip
import json

import pytest

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
OF_ROUTER = (
    "406: Not Acceptable\n\nAvailable representations: "
    "application/json, application/yaml, application/vnd.kubernetes.protobuf"
)
OF_HANDLER = (
    "only the following media types are accepted: "
    "application/json, application/yaml, application/vnd.kubernetes.protobuf"
)
UNKNOWN_BODY = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json, application/yaml, application/vnd.kubernetes.protobuf"
)


@pytest.fixture
async def path(server):
    await server.configmap("a", {"k": "v"}, labels={"x": "1"})
    return f"{server.configmaps}/a"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json;charset=utf-8", "application/json"),
        ("application/json, */*", "application/json"),
        ("application/xml, application/json;q=0.5", "application/json"),
        ("application/yaml", "application/yaml"),
        ("application/yaml;q=0.9, application/json;q=0.1", "application/yaml"),
        ("application/json;q=0.1, application/yaml", "application/yaml"),
        (f"{TABLE}, application/json", "application/json"),
        ("application/json;as=Nope;v=v1;g=meta.k8s.io, application/json", "application/json"),
    ],
)
async def test_the_first_acceptable_form_of_the_highest_quality_is_sent(server, path, accept, kind):
    found = await server.get(path, accept=accept)

    assert (found.status, found.header("content-type")) == (200, kind)


@pytest.mark.parametrize(
    ("accept", "message"),
    [
        ("text/html", OF_ROUTER),
        ("application/*", OF_ROUTER),
        ("text/plain, image/png", OF_ROUTER),
        ("application/json;as=Nope;v=v1;g=meta.k8s.io", OF_HANDLER),
        ("application/json;as=Table;v=v9;g=meta.k8s.io", OF_HANDLER),
        ("application/json;as=Table;v=v1;g=other", OF_HANDLER),
    ],
)
async def test_a_form_that_is_not_there_is_not_acceptable(server, path, accept, message):
    refused = await server.get(path, accept=accept)

    assert refused.failure == (406, "NotAcceptable", message)
    assert refused.header("content-type") == "application/json"


async def test_custom_resources_have_no_protobuf(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w"))

    refused = await server.get(f"{path}/w", accept="application/cbor")
    assert refused.failure == (406, "NotAcceptable", OF_HANDLER)
    either = await server.get(f"{path}/w", accept="application/vnd.kubernetes.protobuf, application/json")
    assert (either.status, either.body["kind"]) == (200, "Widget")
    alone = await server.get(f"{path}/w", accept="application/vnd.kubernetes.protobuf")
    assert (alone.status, alone.raw[:4]) == (406, b"k8s\0")


async def test_yaml_is_sent_in_sorted_order_and_failures_too(server, path):
    found = await server.get(path, accept="application/yaml")
    assert found.raw.startswith(b"apiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\nmetadata:\n  creationTimestamp: ")

    missing = await server.get(f"{server.configmaps}/zz", accept="application/yaml")
    assert (missing.status, missing.header("content-type")) == (404, "application/yaml")
    assert missing.raw == (
        b"apiVersion: v1\ncode: 404\ndetails:\n  kind: configmaps\n  name: zz\nkind: Status\n"
        b'message: configmaps "zz" not found\nmetadata: {}\nreason: NotFound\nstatus: Failure\n'
    )
    made = await server.post(server.configmaps, {"metadata": {"name": "b"}}, accept="application/yaml")
    assert (made.status, made.header("content-type")) == (201, "application/yaml")


@pytest.mark.parametrize(
    ("query", "agent", "pretty"),
    [
        ("", "tester/1", False),
        ("?pretty=true", "tester/1", True),
        ("?pretty=1", "tester/1", True),
        ("?pretty=", "tester/1", False),
        ("?pretty=false", "tester/1", False),
        ("?pretty=0", "tester/1", False),
        ("", "curl/8.5.0", True),
        ("", "Wget/1.21", True),
        ("", "Mozilla/5.0", True),
        ("?pretty=false", "curl/8.5.0", False),
        ("?pretty=", "curl/8.5.0", True),
    ],
)
async def test_json_is_pretty_when_it_is_asked_for_or_for_a_person(server, path, query, agent, pretty):
    found = await server.get(f"{path}{query}", user_agent=agent)

    assert found.raw.startswith(b'{\n  "kind"') is pretty
    assert json.loads(found.raw)["data"] == {"k": "v"}


async def test_json_is_pretty_by_a_parameter_of_its_media_type(server, path):
    assert (await server.get(path, accept="application/json;pretty=1")).raw.startswith(b'{\n  "kind"')
    assert not (await server.get(path, accept="application/json;pretty=0")).raw.startswith(b"{\n")


async def test_large_bodies_are_compressed_for_those_who_ask(server):
    await server.configmap("big", {"k": "x" * 200_000})
    path = f"{server.configmaps}/big"

    packed = await server.get(path, accept_encoding="gzip, deflate")
    assert packed.header("content-encoding") == "gzip"
    assert json.loads(gzip.decompress(packed.raw))["data"]["k"] == "x" * 200_000
    assert "Accept-Encoding" in (packed.header("vary") or "")
    assert (await server.get(path)).header("content-encoding") is None
    await server.configmap("small", {"k": "x"})
    small = await server.get(f"{server.configmaps}/small", accept_encoding="gzip")
    assert small.header("content-encoding") is None


# Tables and metadata


async def test_a_list_as_a_table_has_a_row_for_each_object(server, path):
    await server.configmap("b")

    table = await server.get(server.configmaps, accept=TABLE)

    assert (table.body["kind"], table.body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert table.body["metadata"]["resourceVersion"]
    assert [row["cells"][0] for row in table.body["rows"]] == ["a", "b"]
    assert {row["object"]["kind"] for row in table.body["rows"]} == {"PartialObjectMetadata"}
    assert table.body["rows"][0]["object"]["metadata"]["labels"] == {"x": "1"}


@pytest.mark.parametrize(
    ("include", "kind"),
    [
        ("", "PartialObjectMetadata"),
        ("?includeObject=Metadata", "PartialObjectMetadata"),
        ("?includeObject=Object", "ConfigMap"),
        ("?includeObject=None", None),
    ],
)
async def test_a_row_has_as_much_of_its_object_as_is_asked_for(server, path, include, kind):
    table = await server.get(f"{path}{include}", accept=TABLE)

    assert len(table.body["rows"]) == 1
    shown = table.body["rows"][0]["object"]
    assert (shown or {}).get("kind") == kind


async def test_an_unknown_amount_is_a_bad_request(server, path):
    refused = await server.get(f"{path}?includeObject=Everything", accept=TABLE)

    assert refused.failure == (
        400,
        "BadRequest",
        "Unable to convert to Table as requested: includeObject: "
        "Invalid value: \"Everything\": must be 'Metadata', 'Object', 'None', or empty",
    )


async def test_an_empty_table_has_its_columns(server):
    table = await server.get(server.secrets, accept=TABLE)

    assert table.body["rows"] == []
    assert table.body["columnDefinitions"][0]["name"] == "Name"


async def test_a_page_of_a_table_has_its_token(server):
    for name in ("a", "b", "c"):
        await server.configmap(name)

    first = await server.get(f"{server.configmaps}?limit=2", accept=TABLE)
    rest = await server.get(f"{server.configmaps}?limit=2&continue={first.body['metadata']['continue']}", accept=TABLE)

    assert first.body["metadata"]["remainingItemCount"] == 1
    assert [row["cells"][0] for row in rest.body["rows"]] == ["c"]


async def test_metadata_alone_is_of_objects_and_of_lists(server, path):
    one = await server.get(path, accept=METADATA)
    assert (one.body["kind"], one.body["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert set(one.body) == {"kind", "apiVersion", "metadata"}
    assert one.body["metadata"]["labels"] == {"x": "1"}

    many = await server.get(server.configmaps, accept=METADATA_LIST)
    assert (many.body["kind"], many.names) == ("PartialObjectMetadataList", ["a"])
    assert many.body["items"][0]["kind"] == "PartialObjectMetadata"
    assert "data" not in many.body["items"][0]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_tables_and_metadata_have_two_versions(server, path, version):
    for form, kind in (("Table", "Table"), ("PartialObjectMetadata", "PartialObjectMetadata")):
        found = await server.get(path, accept=f"application/json;as={form};v={version};g=meta.k8s.io")
        assert (found.body["kind"], found.body["apiVersion"]) == (kind, f"meta.k8s.io/{version}")


async def test_a_list_has_no_metadata_of_one_object_and_an_object_none_of_a_list(server, path):
    assert (await server.get(server.configmaps, accept=METADATA)).status == 406
    assert (await server.get(path, accept=METADATA_LIST)).status == 406


async def test_what_is_written_is_sent_in_the_form_that_is_asked_for(server, path):
    made = await server.post(server.configmaps, {"metadata": {"name": "t"}}, accept=TABLE)
    assert (made.status, made.body["kind"], made.body["rows"][0]["cells"][0]) == (201, "Table", "t")
    patched = await server.patch("merge", path, {"data": {"k": "w"}}, accept=METADATA)
    assert (patched.status, patched.body["kind"]) == (200, "PartialObjectMetadata")
    gone = await server.delete(path, accept=TABLE)
    assert (gone.status, gone.body["kind"]) == (200, "Status")


async def test_a_failure_is_a_status_in_every_form(server):
    for accept in (TABLE, METADATA, "application/json"):
        missing = await server.get(f"{server.configmaps}/zz", accept=accept)
        assert missing.failure == (404, "NotFound", 'configmaps "zz" not found')
        assert missing.body["details"] == {"name": "zz", "kind": "configmaps"}


async def test_columns_of_a_definition_are_printed_and_hidden_by_priority(server, definition, widget):
    columns = [
        {"name": "Color", "type": "string", "jsonPath": ".spec.color", "description": "what it looks like"},
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    ]
    path = await server.define(definition(additionalPrinterColumns=columns))
    await server.create(path, widget("w", spec={"color": "red"}))

    table = await server.get(path, accept=TABLE)

    shown = [(each["name"], each["type"], each["priority"]) for each in table.body["columnDefinitions"]]
    assert shown == [("Name", "string", 0), ("Color", "string", 0), ("Size", "integer", 1), ("Phase", "string", 0)]
    assert table.body["columnDefinitions"][1]["description"] == "what it looks like"
    assert table.body["rows"][0]["cells"] == ["w", "red", 3, None]


async def test_a_definition_without_columns_prints_name_and_age(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w"))

    table = await server.get(path, accept=TABLE)

    assert [each["name"] for each in table.body["columnDefinitions"]] == ["Name", "Age"]
    assert table.body["rows"][0]["cells"][0] == "w"


# Bodies


@pytest.mark.parametrize("kind", ["application/yaml", "application/yaml; charset=utf-8"])
async def test_a_body_may_be_yaml(server, kind):
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\ndata:\n  k: 'yes'\n"

    made = await server.post(server.configmaps, body, content_type=kind)

    assert (made.status, made.body["data"]) == (201, {"k": "yes"})


@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=utf-8"])
async def test_a_body_without_a_type_is_json(server, kind):
    made = await server.post(server.configmaps, {"metadata": {"name": "made"}}, content_type=kind)

    assert made.status == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/merge-patch+json", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_body_of_another_type_is_unsupported(server, path, method, kind):
    where = server.configmaps if method == "POST" else path

    refused = await server.ask(method, where, {"metadata": {"name": "a"}}, content_type=kind)

    assert refused.failure == (415, "UnsupportedMediaType", UNKNOWN_BODY)


UNRECOGNIZED = "the object provided is unrecognized (must be of type ConfigMap): "
NO_STRUCT = (
    'Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "couldn't get version/kind; json parse error: unexpected end of JSON input ({)"),
        (b"", "couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"),
        (
            b"[]",
            f"couldn't get version/kind; json parse error: json: cannot unmarshal array into {NO_STRUCT} (5b5d)",
        ),
        (
            b'"str"',
            f"couldn't get version/kind; json parse error: json: cannot unmarshal string into {NO_STRUCT} (2273747222)",
        ),
        (
            b"nope",
            "couldn't get version/kind; json parse error: "
            "invalid character 'o' in literal null (expecting 'u') (6e6f7065)",
        ),
        (
            b'{"apiVersion":"v1","kind":"ConfigMap"} x',
            "couldn't get version/kind; json parse error: invalid character 'x' after top-level value "
            '({"apiVersion":"v1","kind":"Con ...)',
        ),
    ],
)
async def test_a_body_that_cannot_be_read_is_quoted_or_shown_in_hex(server, body, message):
    refused = await server.post(server.configmaps, body, content_type="application/json")

    assert refused.failure == (400, "BadRequest", UNRECOGNIZED + message)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            b'{"metadata":{"name":5}}',
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string",
        ),
        (
            b'{"metadata":{"name":"a"},"data":{"k":1}}',
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            b'{"metadata":{"name":"a"},"data":[]}',
            "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
        ),
        (
            b'{"metadata":{"name":"a"},"immutable":"x"}',
            "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool",
        ),
        (b'{"metadata":{"name":"a"},"binaryData":{"k":"!"}}', "illegal base64 data at input byte 0"),
    ],
)
async def test_a_field_of_a_wrong_type_is_named_by_its_struct(server, body, why):
    refused = await server.post(server.configmaps, body)

    assert refused.failure == (400, "BadRequest", f'ConfigMap in version "v1" cannot be handled as a ConfigMap: {why}')


async def test_a_body_of_more_than_three_megabytes_is_too_large(server):
    refused = await server.post(server.configmaps, {"metadata": {"name": "big"}, "data": {"k": "x" * 3_200_000}})

    assert refused.failure == (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")


async def test_numbers_of_custom_resources_keep_their_kind(server, definition, widget):
    free = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    path = await server.define(definition(schema=free))
    numbers = b'{"a":1.0,"b":1e3,"c":1.5,"d":9007199254740993,"e":-0,"u":"\\u00e9"}'
    body = b'{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"},"n":%s}' % numbers

    made = await server.post(path, body)

    assert b'"n":{"a":1,"b":1000,"c":1.5,"d":9007199254740993,"e":0,"u":"\xc3\xa9"}' in made.raw
