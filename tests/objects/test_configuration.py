"""The applied configuration of an object that was read: lists by keys, sets by values, atomics as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zestor_controller.objects import Unstructured, changed_fields, changed_status

Json = dict[str, Any]


def entry(manager: str, fields: Json, operation: str = "Apply", part: str = "") -> Json:
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **({"subresource": part} if part else {})}


def read(managed: list[Json], **parts: Any) -> Unstructured:
    """A ConfigMap as if it had been read."""
    meta = {"name": "c", "namespace": "default", "uid": "1", "resourceVersion": "7", "managedFields": managed}
    body = {"apiVersion": "v1", "kind": "ConfigMap", **parts, "metadata": meta | parts.pop("metadata", {})}
    return Unstructured(json.loads(json.dumps(body)), reading=json.dumps(body).encode())


def sent(obj: Unstructured) -> Json:
    made = changed_fields(obj, obj.to_dict(), "me")
    assert made["metadata"].pop("name") == "c"
    assert made["metadata"].pop("namespace") == "default"
    assert made["metadata"].pop("uid") == "1"
    return {key: value for key, value in made.items() if value and key not in ("apiVersion", "kind")}


def test_of_a_set_the_values_that_are_owned_or_new_are_sent() -> None:
    managed = [
        entry("me", {"f:metadata": {"f:finalizers": {'v:"a/mine"': {}}}}),
        entry("other", {"f:metadata": {"f:finalizers": {".": {}, 'v:"a/theirs"': {}}}}, "Update"),
    ]
    obj = read(managed, metadata={"finalizers": ["a/theirs", "a/mine"]})
    obj["metadata"]["finalizers"].append("a/new")
    assert sent(obj) == {"metadata": {"finalizers": ["a/mine", "a/new"]}}


def test_of_a_list_with_keys_the_items_that_are_owned_or_changed_are_sent_with_their_keys() -> None:
    port = 'k:{"port":%d,"protocol":"TCP"}'
    managed = [
        entry("me", {"f:spec": {"f:ports": {port % 80: {".": {}, "f:port": {}, "f:protocol": {}, "f:name": {}}}}}),
        entry("other", {"f:spec": {"f:ports": {port % 81: {".": {}, "f:name": {}}, port % 82: {}}}}, "Update"),
    ]
    ports = [{"port": number, "protocol": "TCP", "name": f"p{number}"} for number in (80, 81, 82)]
    obj = read(managed, spec={"ports": ports})
    obj["spec"]["ports"][1]["name"] = "changed"
    obj["spec"]["ports"].append({"port": 83, "protocol": "TCP"})
    assert sent(obj) == {
        "spec": {
            "ports": [
                {"port": 80, "protocol": "TCP", "name": "p80"},
                {"port": 81, "protocol": "TCP", "name": "changed"},
                {"port": 83, "protocol": "TCP"},
            ]
        }
    }


@pytest.mark.parametrize(
    ("owner", "changed", "whole"), [("me", False, True), ("other", True, True), ("other", False, False)]
)
def test_an_atomic_list_or_map_is_sent_as_a_whole_or_not_at_all(owner: str, changed: bool, whole: bool) -> None:
    managed = [entry(owner, {"f:spec": {"f:list": {}, "f:map": {}}})]
    spec: Json = {"list": [1, 2], "map": {"a": 1, "b": 2}}
    obj = read(managed, spec=spec)
    if changed:
        obj["spec"]["list"][0] = obj["spec"]["map"]["a"] = 9
    assert sent(obj) == ({"spec": obj["spec"]} if whole else {})


def test_what_was_written_under_the_same_name_by_another_operation_or_part_is_not_owned() -> None:
    managed = [
        entry("me", {"f:data": {"f:a": {}}}, "Update"),
        entry("me", {"f:data": {"f:b": {}}, "f:status": {"f:a": {}}}, part="status"),
    ]
    obj = read(managed, data={"a": "1", "b": "1"}, status={"a": 1, "b": 2})
    assert sent(obj) == {}
    assert changed_status(obj, obj.to_dict(), "me") == {"a": 1}


def test_an_object_without_managed_fields_is_taken_as_its_senders() -> None:
    obj = read([], data={"a": "1"})
    assert changed_fields(obj, obj.to_dict(), "me") == obj.to_dict()


def test_a_part_that_is_gone_is_given_up() -> None:
    obj = read([entry("me", {"f:status": {"f:a": {}}}, part="status")], status={"a": 1})
    del obj["status"]
    assert changed_status(obj, obj.to_dict(), "me") == {}
