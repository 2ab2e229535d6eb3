"""What a document in a request may hold: long numbers, levels up to a limit, any kind, apiVersion and metadata."""

from __future__ import annotations

import asyncio
import json

import pytest
import yaml

from zestor_controller.apiserver.encoding.duplicates import Duplicates
from zestor_controller.apiserver.syntax import gojson, goyaml
from zestor_controller.apiserver.syntax.depthlimit import MAX_DEPTH, too_deep
from zestor_controller.apiserver.syntax.gojson import DocumentError
from zestor_controller.apiserver.syntax.gonumber import parse_int, parse_uint

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/documents.example/v1/namespaces/default/things"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def things(talk):
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    spec = {"group": "documents.example", "scope": "Namespaced", "names": names, "versions": [version]}
    made = await talk.ask("POST", DEFINITIONS, {"metadata": {"name": "things.documents.example"}, "spec": spec})
    assert made[0] == 201
    await asyncio.sleep(0)
    return THINGS


def thing(name="a", **fields):
    return {"apiVersion": "documents.example/v1", "kind": "Thing", "metadata": {"name": name}, **fields}


# Numbers


@pytest.mark.parametrize("parse", [parse_int, parse_uint])
def test_numbers_are_read_as_go_reads_them(parse):
    assert [parse(text) for text in ("0", "007", "9223372036854775807", "0" * 6000 + "1")] == [0, 7, 2**63 - 1, 1]
    for text in ("", "x", "1.0", "1_0", "0x10", " 1", "1 ", "٣", "--1", "1e3"):
        with pytest.raises(ValueError, match=r"strconv\.Parse.*: invalid syntax"):
            parse(text)
    for text in ("18446744073709551616", "9" * 5000):
        with pytest.raises(ValueError, match=f'parsing "{text}": value out of range'):
            parse(text)


def test_signs_are_for_signed_numbers():
    assert [parse_int(text) for text in ("+5", "-5", "-9223372036854775808")] == [5, -5, -(2**63)]
    assert parse_uint("18446744073709551615") == 2**64 - 1
    for parse, text, why in (
        (parse_uint, "-1", "invalid syntax"),
        (parse_uint, "+1", "invalid syntax"),
        (parse_int, "9223372036854775808", "value out of range"),
        (parse_int, "-9223372036854775809", "value out of range"),
        (parse_int, "-" + "9" * 5000, "value out of range"),
    ):
        with pytest.raises(ValueError, match=why):
            parse(text)


@pytest.mark.parametrize("digits", ["9" * 25, "9" * 5000])
@pytest.mark.parametrize(
    "query", ["limit=", "timeoutSeconds=", "resourceVersion=", "watch=1&timeoutSeconds=1&resourceVersion="]
)
async def test_a_number_in_the_query_may_be_out_of_range(talk, query, digits):
    status, failure = await talk.ask("GET", f"{talk.configmaps}?{query}{digits}")
    assert (status, failure["reason"]) == (400, "BadRequest")
    assert failure["message"].endswith(f'parsing "{digits}": value out of range')


@pytest.mark.parametrize("selector", ["a%3E" + "9" * 5000, "a%3C1.5"])
async def test_a_label_is_compared_with_a_number_in_range(talk, selector):
    status, failure = await talk.ask("GET", f"{talk.configmaps}?labelSelector={selector}")
    assert (status, "the value must be an integer" in failure["message"]) == (400, True)


async def test_a_label_that_is_no_number_in_range_is_never_greater(talk):
    await talk.make("small", metadata={"labels": {"a": "7"}})
    await talk.make("large", metadata={"labels": {"a": "9" * 60}})
    _, found = await talk.ask("GET", f"{talk.configmaps}?labelSelector=a%3E5")
    assert [item["metadata"]["name"] for item in found["items"]] == ["small"]


@pytest.mark.parametrize("text", ["9" * 400, "9" * 5000, "-" + "9" * 400, "0x" + "f" * 400, "1e400", "0b" + "1" * 99])
async def test_digits_are_a_text_however_many(talk, text):
    await talk.make("a", data={"n": text}, metadata={"annotations": {"n": text}})
    for path in (talk.configmaps, f"{talk.configmaps}/a"):
        response = await talk.send("GET", path, accept="application/yaml")
        assert response.status == 200
        found = yaml.safe_load(response.body)
        assert (found.get("items") or [found])[0]["data"]["n"] == text
    assert goyaml.load(goyaml.dump({"x": text}))[0] == {"x": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 9223372036854776000),
        ("-9223372036854775809", -9223372036854776000),
        ("1" + "0" * 300, 1e300),
        ("0xffffffffffffffff", 18446744073709552000),
        ("0x1ffffffffffffffff", "0x1ffffffffffffffff"),
        ("9" * 400, "9" * 400),
        ("1e400", "1e400"),
        ("0o17", 15),
        ("017", 15),
        ("089", 89),
    ],
)
def test_an_unquoted_number_of_yaml_is_a_text_where_it_is_out_of_range(text, value):
    found = goyaml.load(f"x: {text}".encode())[0]["x"]
    assert (found, isinstance(found, str)) == (value, isinstance(value, str))


def test_keys_with_runs_of_digits_are_ordered_by_their_numbers():
    keys = ["a" + "9" * 5000, "a1" + "0" * 4999, "a2", "a10", "a010x"]
    assert list(yaml.safe_load(goyaml.dump(dict.fromkeys(keys, "")))) == ["a2", "a010x", "a10", *keys[1::-1]]


@pytest.mark.parametrize("raw", ["1e400", "9" * 400, "-" + "9" * 5000])
async def test_a_number_that_no_float_holds_is_refused(talk, raw):
    path = await things(talk)
    body = json.dumps(thing(n="@")).replace('"@"', raw).encode()
    status, failure = await talk.ask("POST", path, body)
    assert (status, "cannot unmarshal number" in failure["message"]) == (400, True)


@pytest.mark.parametrize(("raw", "kept"), [("-0", 0), ("9" * 30, 1e30), ("18446744073709551615", 2**64), ("1.0", 1)])
async def test_other_numbers_are_kept_as_go_keeps_them(talk, raw, kept):
    path = await things(talk)
    status, made = await talk.ask("POST", path, json.dumps(thing(n="@")).replace('"@"', raw).encode())
    assert (status, float(made["n"])) == (201, float(kept))


# Nesting


def deep(levels):
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(("value", "wanted"), [(1, False), ([], False), ({}, False)])
def test_a_value_without_levels_is_not_too_deep(value, wanted):
    assert too_deep(value) is wanted


@pytest.mark.parametrize("empty", [[], {}, 1])
@pytest.mark.parametrize("wrap", [lambda inner: [inner, 1], lambda inner: {"a": 1, "b": inner}], ids=["lists", "maps"])
def test_the_limit_of_levels_is_exact(wrap, empty):
    value, more = empty, MAX_DEPTH if empty == 1 else MAX_DEPTH - 1
    for _ in range(more):
        value = wrap(value)
    assert not too_deep(value)
    assert too_deep(wrap(value))


def test_json_and_yaml_have_one_limit():
    for load, levels in ((gojson.load, MAX_DEPTH), (goyaml.load, MAX_DEPTH)):
        load(deep(levels))
        for more in (levels + 1, 900, 5000, 100_000):
            with pytest.raises(DocumentError, match=f"up to {MAX_DEPTH} levels|maximum nesting depth"):
                load(deep(more))


async def test_what_is_stored_can_be_read_and_written_at_the_limit(talk):
    """Every reader and every writer survives the deepest object that is stored."""
    path = await things(talk)
    # The object itself is one level, and its managed fields add some above those of its maps.
    nested = b'{"a":' * (MAX_DEPTH - 8) + b"1" + b"}" * (MAX_DEPTH - 8)
    body = b'{"apiVersion":"documents.example/v1","kind":"Thing","metadata":{"name":"a"},"a":%b}' % nested
    assert (await talk.ask("POST", path, body))[0] == 201
    _, made = await talk.ask("GET", f"{path}/a")
    for accept in ("application/yaml", TABLE, METADATA):
        assert (await talk.send("GET", path, accept=accept)).status == 200
    assert (await talk.ask("PUT", f"{path}/a", {**made, "b": 1}))[0] == 200
    assert (await talk.merge(f"{path}/a", {"b": 2}))[0] == 200
    assert (await talk.merge(f"{path}/a", {"a": {"c": 2}}))[0] == 200
    copied = [{"op": "copy", "from": "/a", "path": "/e"}, {"op": "test", "path": "/e", "value": {}}]
    assert (await talk.ask("PATCH", f"{path}/a", copied[:1], content_type=JSON_PATCH))[0] == 200
    assert (await talk.ask("PATCH", f"{path}/a", copied, content_type=JSON_PATCH))[0] == 422
    applied = await talk.ask("PATCH", f"{path}/a?fieldManager=m&force=true", body, content_type=APPLY)
    assert applied[0] == 200
    applied = await talk.ask("PATCH", f"{path}/a?fieldManager=n&force=true", body, content_type=APPLY)
    assert applied[0] == 200
    assert (await talk.ask("PATCH", f"{path}/a/status", {"status": {"x": 1}}, content_type=MERGE))[0] == 200
    assert (await talk.ask("DELETE", f"{path}/a"))[0] == 200


@pytest.mark.parametrize("levels", [MAX_DEPTH, 300, 900, 2000, 50_000])
async def test_deeper_bodies_are_refused_in_every_form(talk, levels):
    path = await things(talk)
    await talk.ask("POST", path, thing())
    body = b'{"apiVersion":"documents.example/v1","kind":"Thing","metadata":{"name":"a"},"a":%b}' % deep(levels)
    sent = [
        ("POST", path, body, "application/json"),
        ("POST", path, body, "application/yaml"),
        ("PUT", f"{path}/a", body, "application/json"),
        ("PATCH", f"{path}/a", b'{"a":%b}' % deep(levels), MERGE),
        ("PATCH", f"{path}/a", b'[{"op":"add","path":"/a","value":%b}]' % deep(levels), JSON_PATCH),
        ("PATCH", f"{path}/a?fieldManager=m", body, APPLY),
        ("PATCH", f"{talk.configmaps}/a", b'{"data":%b}' % deep(levels), STRATEGIC),
        ("DELETE", f"{path}/a", b'{"a":%b}' % deep(levels), "application/json"),
    ]
    await talk.make("a")
    for method, where, raw, kind in sent:
        status, failure = await talk.ask(method, where, raw, content_type=kind)
        assert status == 400, (method, kind)
        why = failure["message"]
        assert f"up to {MAX_DEPTH} levels" in why or "exceeded maximum nesting depth" in why, (method, kind)
    assert (await talk.ask("GET", f"{path}/a"))[1].get("a") is None


@pytest.mark.parametrize("levels", [150, MAX_DEPTH - 2])
async def test_a_patch_makes_no_object_that_is_too_deep(talk, levels):
    path = await things(talk)
    await talk.ask("POST", path, thing(b=1))
    nested = {}
    for _ in range(levels - 1):
        nested = {"a": nested}
    steps = [{"op": "add", "path": "/a", "value": nested}]
    steps += [{"op": "copy", "from": "/a", "path": "/a" * level} for level in (levels // 2, levels // 2, 99)]
    for more in range(1, len(steps) + 1):
        status, answer = await talk.ask("PATCH", f"{path}/a", steps[:more], content_type=JSON_PATCH)
        assert status == (200 if more == 1 and levels == 150 else 400), answer


async def test_managed_fields_count_as_levels_of_a_new_object(talk):
    path = await things(talk)
    levels = MAX_DEPTH - 1
    body = b'{"apiVersion":"documents.example/v1","kind":"Thing","metadata":{"name":"a"},"a":%b}'
    status, failure = await talk.ask("POST", path, body % (b'{"a":' * levels + b"1" + b"}" * levels))
    assert (status, f"up to {MAX_DEPTH} levels" in failure["message"]) == (400, True)
    assert (await talk.ask("GET", f"{path}/a"))[0] == 404
    assert (await talk.ask("POST", path, body % deep(levels)))[0] == 201  # a list is one field


async def test_copies_within_a_patch_may_nest_without_end(talk):
    path = await things(talk)
    await talk.ask("POST", path, thing(b=1))
    nested = {}
    for _ in range(150):
        nested = {"a": nested}
    steps = [{"op": "add", "path": "/a", "value": nested}]
    for more in (2, 5, 12, 40):
        copies = [{"op": "copy", "from": "/a", "path": "/a" * 150}] * more
        status, _ = await talk.ask("PATCH", f"{path}/a", steps + copies, content_type=JSON_PATCH)
        assert status in (400, 422), more
    assert "a" not in (await talk.ask("GET", f"{path}/a"))[1]


# Kinds


CHANGES = [
    ("remove kind", JSON_PATCH, [{"op": "remove", "path": "/kind"}], 200, 422),
    ("remove apiVersion", JSON_PATCH, [{"op": "remove", "path": "/apiVersion"}], 200, 422),
    ("null kind", JSON_PATCH, [{"op": "replace", "path": "/kind", "value": None}], 200, 422),
    ("number as kind", JSON_PATCH, [{"op": "replace", "path": "/kind", "value": 5}], 422, 422),
    ("list as apiVersion", JSON_PATCH, [{"op": "replace", "path": "/apiVersion", "value": []}], 422, 422),
    ("another kind", JSON_PATCH, [{"op": "replace", "path": "/kind", "value": "Foo"}], 422, 422),
    ("no object", JSON_PATCH, [{"op": "replace", "path": "", "value": []}], 422, 422),
    ("merge null kind", MERGE, {"kind": None}, 200, 422),
    ("merge null apiVersion", MERGE, {"apiVersion": None}, 200, 422),
    ("merge number as kind", MERGE, {"kind": 5}, 422, 422),
    ("merge map as apiVersion", MERGE, {"apiVersion": {"a": 1}}, 422, 422),
    ("merge another version", MERGE, {"apiVersion": "x/v1"}, 422, 422),
    ("strategic null kind", STRATEGIC, {"kind": None}, 200, 415),
    ("strategic null apiVersion", STRATEGIC, {"apiVersion": None}, 200, 415),
    ("strategic other kind", STRATEGIC, {"kind": "Foo", "apiVersion": "x/y"}, 200, 415),
    ("strategic number as kind", STRATEGIC, {"kind": 5}, 422, 415),
    ("apply a number", APPLY, {"apiVersion": 1.5, "kind": "ConfigMap"}, 400, 400),
    ("apply a list", APPLY, {"apiVersion": [], "kind": {}}, 400, 400),
    ("apply nothing", APPLY, {}, 400, 400),
    ("no metadata", JSON_PATCH, [{"op": "remove", "path": "/metadata"}], 400, 400),
    ("null metadata", MERGE, {"metadata": None}, 400, 400),
    ("text as metadata", MERGE, {"metadata": "x"}, 422, 422),
    ("list as metadata", MERGE, {"metadata": []}, 422, 422),
    ("strategic text as metadata", STRATEGIC, {"metadata": "x"}, 422, 415),
    ("number as labels", MERGE, {"metadata": {"labels": 5}}, 422, 422),
]


@pytest.mark.parametrize(("label", "kind", "patch", "built_in", "custom"), CHANGES, ids=[case[0] for case in CHANGES])
async def test_a_patch_leaves_an_object_of_its_kind(talk, label, kind, patch, built_in, custom):
    path = await things(talk)
    await talk.ask("POST", path, thing())
    await talk.make("a", data={"x": "y"})
    query = "?fieldManager=m&force=true" if kind == APPLY else ""
    for where, name, api_version, wanted in (
        (talk.configmaps, "ConfigMap", "v1", built_in),
        (path, "Thing", "documents.example/v1", custom),
    ):
        for one in ("/a", "/a/status") if where == path else ("/a",):
            status, answer = await talk.ask("PATCH", where + one + query, patch, content_type=kind)
            assert status == wanted, answer
            _, stored = await talk.ask("GET", f"{where}/a")
            assert (stored["kind"], stored["apiVersion"]) == (name, api_version)
            for accept in ("application/json", TABLE, METADATA):
                listed = json.loads((await talk.send("GET", where, accept=accept)).body)
                assert len(listed.get("items") or listed["rows"]) == 1
            listed = yaml.safe_load((await talk.send("GET", where, accept="application/yaml")).body)
            assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
            stream = await talk.watch(f"{where}?watch=1")
            event = await stream.event()
            assert (event["object"]["kind"], event["object"]["apiVersion"]) == (name, api_version)
            await stream.close()


async def test_a_patch_without_a_kind_still_changes_the_object(talk):
    await talk.make("a", data={"x": "y"})
    patch = [{"op": "remove", "path": "/kind"}, {"op": "add", "path": "/data/z", "value": "1"}]
    _, patched = await talk.ask("PATCH", f"{talk.configmaps}/a", patch, content_type=JSON_PATCH)
    assert (patched["kind"], patched["data"]) == ("ConfigMap", {"x": "y", "z": "1"})


@pytest.mark.parametrize("metadata", [None, {}, {"name": None}, {"labels": {}}])
async def test_an_object_that_is_put_has_a_name(talk, metadata):
    await talk.make("a")
    status, failure = await talk.ask("PUT", f"{talk.configmaps}/a", {"metadata": metadata})
    assert (status, failure["message"]) == (
        400,
        "the name of the object (a based on URL) was undeterminable: name must be provided",
    )


async def test_what_a_patch_of_an_object_must_not_be_is_shown_as_the_patch_left_it(talk):
    path = await things(talk)
    await talk.ask("POST", path, thing(spec={"a": 1}))
    _, failure = await talk.merge(f"{path}/a?fieldValidation=Strict", {"kind": 5, "spec": {"a": 2}})
    assert '\\"kind\\":5' in failure["message"]
    assert '\\"spec\\":{\\"a\\":2}' in failure["message"]
    await talk.make("a")
    for patch, shown in (({"data": {"a": 1}}, "map[data:map[a:1]]"), ({"foo": [1]}, "map[foo:[1]]")):
        sent = await talk.ask("PATCH", f"{talk.configmaps}/a?fieldValidation=Strict", patch, content_type=STRATEGIC)
        assert (sent[0], shown in sent[1]["message"]) == (422, True)


# resourceVersion on create


@pytest.mark.parametrize("version", ["v1", "0", "", "-1", " 5", "1.0", "99999999999999999999"])
async def test_what_is_no_version_is_no_version_on_create(talk, version):
    made = await talk.make("a", metadata={"resourceVersion": version})
    assert made["metadata"]["resourceVersion"].isdecimal()
    assert made["metadata"]["resourceVersion"] != version


async def test_a_version_on_create_is_refused_by_the_storage_alone(talk):
    body = {"metadata": {"name": "a", "resourceVersion": "5"}}
    assert (await talk.ask("POST", talk.configmaps, body))[0] == 500
    assert (await talk.ask("POST", f"{talk.configmaps}?dryRun=All", body))[0] == 201
    assert (await talk.ask("POST", talk.configmaps, {"metadata": {"name": "A_", "resourceVersion": "5"}}))[0] == 422
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    assert (await talk.ask("POST", deployments, {**body, "spec": {}}))[0] == 422
    assert (await talk.ask("GET", f"{talk.configmaps}/a"))[0] == 404


async def test_zero_is_any_version_of_an_update(talk):
    path = await things(talk)
    await talk.ask("POST", path, thing())
    made = await talk.make("a")
    put = {"metadata": {"name": "a", "resourceVersion": "0"}}
    assert (await talk.ask("PUT", f"{talk.configmaps}/a", put))[0] == 200
    assert (await talk.ask("PUT", f"{path}/a", {**thing(), **put}))[0] == 422
    old = {"metadata": {"name": "a", "resourceVersion": "00" + made["metadata"]["resourceVersion"]}, "data": {"a": "b"}}
    assert (await talk.ask("PUT", f"{talk.configmaps}/a", old))[0] == 200
    assert (await talk.ask("PUT", f"{talk.configmaps}/a", old))[0] == 409


# Owners


async def test_equal_owner_references_are_folded_with_a_warning(talk):
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u1"}
    other = {**owner, "name": "p"}
    body = {"metadata": {"name": "a", "ownerReferences": [owner, other, owner, {**owner, "uid": "u2"}, other]}}
    response = await talk.send("POST", talk.configmaps, body)
    made = json.loads(response.body)
    assert made["metadata"]["ownerReferences"] == [owner, other, {**owner, "uid": "u2"}]
    (warning,) = [value for name, value in response.headers if name == "Warning"]
    assert ".metadata.ownerReferences contains duplicate entries; API server dedups" in warning
    assert "duplicate UID(s) observed: u1, u1" in warning

    patch = {"metadata": {"ownerReferences": [owner, owner]}}
    response = await talk.send("PATCH", f"{talk.configmaps}/a", patch, content_type=MERGE)
    assert json.loads(response.body)["metadata"]["ownerReferences"] == [owner]
    (warning,) = [value for name, value in response.headers if name == "Warning"]
    assert "contains duplicate entries after mutating admission happens" in warning


# managedFields and keys that occur twice


FIELDS = ["k:[1]", 'k:"x"', "k:{", "k:", "v:", "v:" + "[" * 5000, "v:" + "9" * 5000, "i:x", "q:a", "", "a"]


@pytest.mark.parametrize("element", FIELDS, ids=range(len(FIELDS)))
async def test_managed_fields_that_cannot_be_read_are_passed_over(talk, element):
    made = await talk.make("a", data={"x": "y"})
    (kept,) = made["metadata"]["managedFields"]
    for fields in ({element: {}}, {"f:data": {element: {}}}, [1], "x", {"f:data": 1}):
        body = {"metadata": {"name": "a", "managedFields": [{**kept, "fieldsV1": fields}]}, "data": {"x": "y"}}
        status, put = await talk.ask("PUT", f"{talk.configmaps}/a", body)
        assert (status, put["metadata"]["managedFields"]) == (200, [kept])


async def test_each_object_reports_its_own_keys_that_occur_twice(talk):
    body = b'{"metadata":{"name":"a","labels":{"l":"1","l":"2"}},"data":{"b":"","b":"","a":"","a":""},"z":1,"z":2}'
    status, failure = await talk.ask("POST", f"{talk.configmaps}?fieldValidation=Strict", body)
    why = failure["message"].partition("strict decoding error: ")[2]
    labels, data = 'duplicate field "metadata.labels.l"', 'duplicate field "data.b", duplicate field "data.a"'
    assert (status, why) == (400, f'{labels}, {data}, unknown field "z", duplicate field "z"')


def test_paths_within_an_object_are_found_without_a_search():
    class Counted(str):
        compared = 0

        def __lt__(self, other):
            Counted.compared += 1
            return str.__lt__(self, other)

    paths = [Counted(f"spec.list[{index}].name") for index in range(4000)]
    left = Duplicates(paths)
    Counted.compared = 0
    assert all(left.take(f"spec.list[{index}]") == [f"spec.list[{index}].name"] for index in range(4000))
    assert not left
    assert Counted.compared < 4000 * 60  # a search would compare eight million


def test_a_path_is_no_part_of_one_that_only_begins_alike():
    left = Duplicates(["a.b.c", "a.bc", "a.b[0].d", "a.b/x"])
    assert left.take("a.b") == ["a.b.c", "a.b[0].d"]
    assert left.take("") == ["a.bc", "a.b/x"]
