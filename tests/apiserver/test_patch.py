"""JSON patches and merge patches: what they do, and what the server says to those that it cannot apply."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zestor_controller.apiserver.patch.jsonpatch import MAX_COPIED_BYTES, MAX_OPERATIONS, json_patch, merge_patch, text
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.typed.typedef import UNTYPED, TypeDef

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab/~", max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.text("ab/~", max_size=2), VALUES, max_size=4)


def op(name: str, path: str, *value: Any, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **({"value": value[0]} if value else {}), **more}


def pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def refused(document: Any, *operations: Any) -> Failure:
    before = copy.deepcopy(document)
    with pytest.raises(Failure) as caught:
        json_patch(document, list(operations))
    assert document == before
    return caught.value


@pytest.mark.parametrize(
    ("document", "operations", "wanted"),
    [
        ({"a": 1}, [op("add", "/b", 2)], {"a": 1, "b": 2}),
        ({"a": 1}, [op("add", "/a", [])], {"a": []}),
        ({"a": [1, 2]}, [op("add", "/a/1", 9)], {"a": [1, 9, 2]}),
        ({"a": [1]}, [op("add", "/a/-", 9)], {"a": [1, 9]}),
        ({"a": [1, 2]}, [op("remove", "/a/-1")], {"a": [1]}),
        ({"a": [1, 2]}, [op("replace", "/a/0", 7)], {"a": [7, 2]}),
        ({"a": {"b/c": 1, "d~e": 2}}, [op("remove", "/a/b~1c"), op("remove", "/a/d~0e")], {"a": {}}),
        ({"a": {"b": 1}, "c": {}}, [op("move", "/c/d", **{"from": "/a/b"})], {"a": {}, "c": {"d": 1}}),
        (
            {"a": {"b": 1}},
            [op("copy", "/c", **{"from": "/a"}), op("add", "/a/x", 1)],
            {"a": {"b": 1, "x": 1}, "c": {"b": 1}},
        ),
        ({"a": 1}, [op("test", "/a", 1), op("test", "", {"a": 1}), op("add", "/b", 1)], {"a": 1, "b": 1}),
        ({"a": 1}, [op("replace", "", {"z": 1})], {"z": 1}),
    ],
)
def test_operations_do_what_the_rfc_says(document: Any, operations: list[Any], wanted: Any) -> None:
    before = copy.deepcopy(document)
    assert json_patch(document, operations) == wanted
    assert document == before


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        (op("replace", "/absent", 1), {"a": {"b": 1}, "absent": 1}),
        (op("add", "data/k", 1), {"a": {"b": 1}, "k": 1}),
        (op("add", "/x"), {"a": {"b": 1}, "x": None}),
        (op("copy", "/x", **{"from": "/absent"}), {"a": {"b": 1}, "x": None}),
        (op("test", "/absent", None), {"a": {"b": 1}}),
    ],
)
def test_the_library_of_the_server_is_more_lenient_than_the_rfc(operation: Any, wanted: Any) -> None:
    assert json_patch({"a": {"b": 1}}, [operation]) == wanted


@pytest.mark.parametrize(
    "operation",
    [
        op("test", "/a/b", 2),
        op("test", "/a/b", True),
        op("test", "/absent", 1),
        op("remove", "/absent"),
        op("add", "/absent/x", 1),
        op("add", "/a/b/c", 1),
        op("add", "", 1),
        op("replace", "", 1),
        op("bogus", "/a"),
        op("move", "/a/b/c", **{"from": "/a"}),
        op("move", "/x", **{"from": "/absent"}),
        op("add", "/l/9", 1),
        op("add", "/l/x", 1),
        op("replace", "/l/-", 1),
        op("remove", "/l/-3"),
        {"op": "add", "value": 1},
        {"op": "copy", "path": "/x"},
        {},
        None,
    ],
)
def test_an_operation_that_does_not_apply_is_422_and_says_no_more(operation: Any) -> None:
    failure = refused({"a": {"b": 1}, "l": [1, 2]}, op("add", "/z", 1), operation)
    assert (failure.code, failure.reason) == (422, "Invalid")
    assert failure.body["message"] == "the server rejected our request due to an error in our request"
    assert failure.body["details"] == {}


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (5, "cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
        ("x", "cannot unmarshal string into Go value of type handlers.jsonPatchOp"),
        ({"op": 5}, "cannot unmarshal number into Go struct field jsonPatchOp.op of type string"),
        (
            op("add", "/a", 1, **{"from": []}),
            "cannot unmarshal array into Go struct field jsonPatchOp.from of type string",
        ),
    ],
)
def test_an_operation_of_the_wrong_shape_is_400(operation: Any, why: str) -> None:
    failure = refused({}, operation)
    assert (failure.code, failure.body["message"]) == (400, f"error decoding patch: json: {why}")


def test_more_than_ten_thousand_operations_are_413() -> None:
    assert json_patch({}, [op("add", "/a", 1)] * MAX_OPERATIONS) == {"a": 1}
    failure = refused({}, *[op("add", "/a", 1)] * (MAX_OPERATIONS + 1))
    assert (failure.code, failure.reason) == (413, "RequestEntityTooLarge")
    assert (
        failure.body["message"]
        == "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    )


def test_copies_that_double_a_document_are_stopped() -> None:
    document = {"a": "x" * 1000}
    doubling = [op("copy", f"/{n}", **{"from": ""}) for n in range(3)]
    assert refused(document, *doubling).code == 422  # a whole document has no container to be copied from
    grown: dict[str, Any] = {"l": {"a": "x" * 1000}}
    failure = refused(grown, *[op("copy", f"/l/{n}", **{"from": "/l"}) for n in range(40)])
    assert failure.code == 422
    assert (
        len(json.dumps(json_patch(grown, [op("copy", f"/l/{n}", **{"from": "/l"}) for n in range(5)])))
        < MAX_COPIED_BYTES
    )


def test_what_a_patch_does_not_go_through_stays_the_same_object() -> None:
    document = {"a": {"b": {"c": 1}}, "d": {"e": 1}}
    patched = json_patch(document, [op("add", "/a/x", 1)])
    assert patched["d"] is document["d"]
    assert patched["a"]["b"] is document["a"]["b"]
    assert type(patched) is dict
    assert type(patched["a"]) is dict
    assert merge_patch(document, {"a": {"x": 1}})["d"] is document["d"]


def diff(old: Any, new: Any) -> Any:
    """A merge patch from one object to another without nulls."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        if name not in old or type(old[name]) is not type(value) or old[name] != value:
            patch[name] = diff(old[name], value) if name in old else value
    return patch


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@given(OBJECTS, OBJECTS.map(without_nulls))
def test_a_merge_patch_made_from_two_objects_leads_from_one_to_the_other(old: Any, new: Any) -> None:
    before = copy.deepcopy(old)
    assert merge_patch(old, diff(old, new)) == new
    assert old == before


def plain_lists(value: Any) -> Any:
    """The value with nulls in objects only, not in lists: there the library keeps them for one round."""
    if isinstance(value, dict):
        return {name: plain_lists(inner) for name, inner in value.items()}
    return without_nulls(value)


@given(OBJECTS, OBJECTS.map(plain_lists))
def test_a_merge_patch_applied_twice_is_applied_once(document: Any, patch: Any) -> None:
    once = merge_patch(document, patch)
    assert merge_patch(once, patch) == once


@pytest.mark.parametrize(
    ("document", "patch", "wanted"),
    [
        ({"a": "b"}, {"a": None}, {}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({}, {"a": [{"b": None}]}, {"a": [{}]}),
        ({"a": {"x": 1}}, {"a": [{"b": None}]}, {"a": [{"b": None}]}),
        ({"a": 1}, {"a": {"b": None}}, {"a": {}}),
    ],
)
def test_merge_patches_as_the_library_has_them(document: Any, patch: Any, wanted: Any) -> None:
    assert merge_patch(document, patch) == wanted


def everywhere(value: Any, *path: str) -> list[tuple[str, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += everywhere(inner, *path, name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += everywhere(inner, *path, str(index))
    return found


@settings(deadline=None)
@given(OBJECTS, VALUES, st.data())
def test_adding_and_removing_at_any_place_leads_back(document: Any, value: Any, data: st.DataObject) -> None:
    places = [place for place in everywhere(document) if isinstance(parent(document, place), dict)]
    place = data.draw(st.sampled_from([*places, ("new",)]))
    at = pointer(*place)
    holder = parent(document, place)
    back = op("add", at, holder[place[-1]]) if place[-1] in holder else op("remove", at)
    there = json_patch(document, [op("add", at, value)])
    assert json_patch(there, [op("test", at, value), back]) == document


def parent(document: Any, place: tuple[str, ...]) -> Any:
    for part in place[:-1]:
        document = document[int(part)] if isinstance(document, list) else document.get(part)
    return document


def test_a_text_has_what_was_gone_through_sorted_and_the_rest_in_the_types_order() -> None:
    string = TypeDef("scalar", "string")
    meta = TypeDef(
        "struct", fields=lambda: {"name": string, "labels": TypeDef("map", element=string), "annotations": string}
    )
    typedef = TypeDef(
        "struct", fields=lambda: {"kind": string, "metadata": meta, "data": TypeDef("map", element=string)}
    )
    document = {
        "metadata": {"annotations": "a", "labels": {"z": "1", "a": "2"}, "name": "n"},
        "kind": "K",
        "data": {"b": "1"},
    }
    patched = json_patch(document, [op("add", "/data/a", 5)])
    wanted = '{"data":{"a":5,"b":"1"},"kind":"K","metadata":{"name":"n","labels":{"a":"2","z":"1"},"annotations":"a"}}'
    assert text(patched, document, typedef) == wanted
    touched = json_patch(document, [op("test", "/metadata/name", "n")])
    assert '"metadata":{"annotations":"a","labels":' in text(touched, document, typedef)


@given(OBJECTS)
def test_a_text_is_the_documents_json(document: Any) -> None:
    assert json.loads(text(document, {}, UNTYPED)) == document


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ({"op": "add", "path": "/l/2", "value": 9}, [0, 1, 9]),
        ({"op": "add", "path": "/l/-", "value": 9}, [0, 1, 9]),
        ({"op": "add", "path": "/l/3", "value": 9}, None),
        ({"op": "add", "path": "/l/-1", "value": 9}, [0, 1, 9]),
        ({"op": "add", "path": "/l/-3", "value": 9}, [9, 0, 1]),
        ({"op": "add", "path": "/l/-4", "value": 9}, None),
        ({"op": "replace", "path": "/l/1", "value": 9}, [0, 9]),
        ({"op": "replace", "path": "/l/2", "value": 9}, None),
        ({"op": "replace", "path": "/l/-", "value": 9}, None),
        ({"op": "replace", "path": "/l/-2", "value": 9}, [9, 1]),
        ({"op": "replace", "path": "/l/-3", "value": 9}, None),
        ({"op": "remove", "path": "/l/1"}, [0]),
        ({"op": "remove", "path": "/l/2"}, None),
        ({"op": "remove", "path": "/l/-1"}, [0]),
        ({"op": "remove", "path": "/l/-3"}, None),
        ({"op": "test", "path": "/l/1", "value": 1}, [0, 1]),
        ({"op": "test", "path": "/l/2", "value": None}, None),
        ({"op": "copy", "from": "/l/2", "path": "/l/0"}, None),
        ({"op": "move", "from": "/l/1", "path": "/l/0"}, [1, 0]),
        ({"op": "move", "from": "/l/1", "path": "/l/2"}, None),
        ({"op": "add", "path": "/l/" + "9" * 5000, "value": 9}, None),
        ({"op": "add", "path": "/l/٣", "value": 9}, None),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_index_beyond_the_end_of_a_list_does_not_apply(operation, wanted):
    if wanted is None:
        with pytest.raises(Failure) as raised:
            json_patch({"l": [0, 1]}, [operation])
        assert raised.value.code == 422
    else:
        assert json_patch({"l": [0, 1]}, [operation]) == {"l": wanted}
