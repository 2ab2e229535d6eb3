"""Events in both of their APIs, and the table of resources."""

from __future__ import annotations

import copy
import random
import time
from typing import Any

import pytest

from zestor_controller.apiserver.auth.tokens import TokenIssuer
from zestor_controller.apiserver.builtin import resources
from zestor_controller.apiserver.rest.strategy import WriteContext
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json

STORAGE = Storage()
RESOURCES = resources(STORAGE, TokenIssuer(STORAGE, time.time), random.Random(1))
BY_NAME = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
CORE = BY_NAME["", "v1", "events"].strategy
MODERN = BY_NAME["events.k8s.io", "v1", "events"].strategy
ABOUT = {"kind": "Pod", "name": "p", "namespace": "n"}
NEW = {
    "metadata": {"name": "e", "namespace": "n"},
    "regarding": ABOUT,
    "reason": "R",
    "action": "A",
    "type": "Normal",
    "note": "hi",
    "reportingController": "example.com/c",
    "reportingInstance": "c-0",
    "eventTime": "2020-01-01T00:00:00.000000Z",
}
NOW = WriteContext(User("u"), False, "2020-01-01T00:00:00Z")


def problems(strategy: Any, body: Json) -> list[str]:
    obj, _ = strategy.decode(copy.deepcopy(body), "Strict", ())
    return [error.message() for error in strategy.validate_create(NOW, obj)]


def test_both_groups_keep_their_events_in_one_place() -> None:
    assert BY_NAME["events.k8s.io", "v1", "events"].storage == BY_NAME["", "v1", "events"].storage == ("", "events")


def test_an_event_reads_in_the_words_of_either_api() -> None:
    obj, _ = CORE.decode(
        {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": "e", "namespace": "n"},
            "involvedObject": ABOUT,
            "message": "hi",
            "source": {"component": "c"},
            "firstTimestamp": "2020-01-01T00:00:00Z",
            "count": 2,
        },
        "Strict",
        (),
    )
    assert MODERN.on_read(obj) == {
        "kind": "Event",
        "apiVersion": "events.k8s.io/v1",
        "metadata": {"name": "e", "namespace": "n"},
        "regarding": ABOUT,
        "note": "hi",
        "deprecatedSource": {"component": "c"},
        "deprecatedFirstTimestamp": "2020-01-01T00:00:00Z",
        "deprecatedLastTimestamp": None,
        "deprecatedCount": 2,
        "eventTime": None,
    }
    assert MODERN.on_store(MODERN.on_read(obj)) == obj


def test_the_round_trip_through_storage_keeps_a_new_event() -> None:
    obj, _ = MODERN.decode({"kind": "Event", "apiVersion": "events.k8s.io/v1", **copy.deepcopy(NEW)}, "Strict", ())
    stored = MODERN.on_store(obj)
    assert (stored["apiVersion"], stored["message"], stored["involvedObject"]) == ("v1", "hi", ABOUT)
    assert MODERN.on_read(stored) == obj


@pytest.mark.parametrize(
    ("left_out", "error"),
    [
        ("reason", "reason: Required value"),
        ("action", "action: Required value"),
        ("reportingInstance", "reportingInstance: Required value"),
        ("eventTime", "eventTime: Required value"),
        ("type", 'type: Invalid value: "": has invalid value: '),
    ],
)
def test_the_new_api_wants_every_field(left_out: str, error: str) -> None:
    assert problems(MODERN, {name: value for name, value in NEW.items() if name != left_out}) == [error]


def test_the_new_api_refuses_fields_of_the_old_one_and_long_notes() -> None:
    assert problems(MODERN, {**NEW, "deprecatedCount": 1}) == ['count: Invalid value: "": needs to be unset']
    assert problems(MODERN, {**NEW, "note": "n" * 1025}) == [
        'message: Invalid value: "": can have at most 1024 characters'
    ]


@pytest.mark.parametrize(
    ("about", "fine"), [(ABOUT, True), ({**ABOUT, "namespace": "other"}, False), ({"kind": "Node"}, False)]
)
def test_an_event_lives_where_its_object_lives(about: Json, fine: bool) -> None:
    errors = problems(CORE, {"metadata": {"name": "e", "namespace": "n"}, "involvedObject": about})
    assert (errors == []) is fine


def test_events_about_cluster_objects_live_in_the_default_namespace() -> None:
    assert problems(CORE, {"metadata": {"name": "e", "namespace": "default"}, "involvedObject": {"kind": "Node"}}) == []


def test_only_the_series_of_a_new_event_changes() -> None:
    old, _ = MODERN.decode(copy.deepcopy(NEW), "Strict", ())
    series = {"count": 2, "lastObservedTime": "2020-01-01T00:00:01.000000Z"}
    assert MODERN.validate_update(NOW, {**old, "series": series}, old) == []
    errors = [error.message() for error in MODERN.validate_update(NOW, {**old, "note": "other"}, old)]
    assert errors == ['message: Invalid value: "other": field is immutable']


def test_every_resource_has_a_name_of_its_own_and_columns_with_descriptions() -> None:
    assert len(BY_NAME) == len(RESOURCES)
    for resource in RESOURCES:
        assert resource.columns, resource.plural
        assert all(column.description for column in resource.columns)


def test_cells_are_computed_for_nearly_empty_objects() -> None:
    for resource in RESOURCES:
        obj, _ = resource.strategy.decode({"metadata": {"name": "x"}}, "Strict", ())
        cells = {column.name: column.cell(obj, 0.0) for column in resource.columns}
        assert cells["Name"] == "x"


def test_a_pod_row_tells_the_state_of_its_containers() -> None:
    pods = BY_NAME["", "v1", "pods"]
    waiting = {"name": "c", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    running = {"name": "d", "ready": True, "restartCount": 0, "state": {"running": {}}}
    obj = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c"}, {"name": "d"}]},
        "status": {"phase": "Running", "containerStatuses": [waiting, running]},
    }
    cells = {column.name: column.cell(obj, 0.0) for column in pods.columns}
    assert (cells["Ready"], cells["Status"], cells["Restarts"]) == ("1/2", "CrashLoopBackOff", "3")


def test_field_selectors_read_what_is_there_and_what_is_not() -> None:
    selectable = BY_NAME["", "v1", "pods"].selectable_fields
    obj = {"spec": {"nodeName": "n1"}, "status": {"phase": "Running"}}
    assert (selectable["spec.nodeName"](obj), selectable["status.phase"](obj)) == ("n1", "Running")
    assert (selectable["status.podIP"]({}), selectable["spec.hostNetwork"]({})) == ("", "false")
