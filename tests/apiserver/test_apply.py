"""Server-side apply and managedFields: owners, conflicts, what is taken out, and what the entries say afterwards."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from zestor_controller.apiserver.patch import managedfields as managed
from zestor_controller.apiserver.patch import serversideapply
from zestor_controller.apiserver.patch.lastapplied import ANNOTATION
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.typed.fieldtable import builtin, empty_value, kind_message, structural
from zestor_controller.apiserver.typed.typedef import TypeDef

Json = dict[str, Any]

ITEM = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "v": {"type": "string"},
        "inner": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port", "protocol"],
            "items": {
                "type": "object",
                "properties": {
                    "port": {"type": "integer"},
                    "protocol": {"type": "string", "default": "TCP"},
                    "d": {"type": "string"},
                },
            },
        },
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "m": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": ITEM,
                },
                "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "a": {"type": "array", "items": {"type": "string"}},
                "am": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "string"}},
                "gm": {"type": "object", "additionalProperties": {"type": "string"}},
                "o": {"type": "object", "properties": {"p": {"type": "integer"}, "q": {"type": "integer"}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "n": {"type": "integer"},
                "b": {"type": "boolean"},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}
TYPES: TypeDef = structural(SCHEMA)
VERSION = "e.com/v1"


class Cluster:
    """One object, written by several managers; each write a second later."""

    def __init__(self, typedef: TypeDef = TYPES) -> None:
        self.live: Json | None = None
        self.typedef = typedef
        self.second = 0

    def _now(self) -> str:
        self.second += 1
        return f"2026-01-01T00:{self.second // 60:02d}:{self.second % 60:02d}Z"

    def body(self, spec: Json | None, **meta: Any) -> Json:
        made: Json = {"apiVersion": VERSION, "kind": "Thing", "metadata": {"name": "x", **meta}}
        return made if spec is None else {**made, "spec": spec}

    def apply(
        self,
        manager: str,
        spec: Json | None,
        *,
        force: bool = False,
        subresource: str = "",
        status: Json | None = None,
        **meta: Any,
    ) -> Json:
        body = self.body(spec, **meta)
        if status is not None:
            body["status"] = status
        before = copy.deepcopy((self.live, body))
        owner = FieldOwner(manager, VERSION, subresource, self._now())
        made = serversideapply.apply(self.live, body, self.typedef, owner, force=force)
        assert (self.live, body) == before
        self.live = made
        return made

    def write(self, manager: str, obj: Json, subresource: str = "") -> Json:
        before = copy.deepcopy((self.live, obj))
        owner = FieldOwner(manager, VERSION, subresource, self._now())
        made = managed.update(self.live, obj, self.typedef, owner)
        assert (self.live, obj) == before
        self.live = made
        return made

    def change(self, manager: str, **spec: Any) -> Json:
        assert self.live is not None
        return self.write(manager, {**self.live, "spec": {**self.live.get("spec", {}), **spec}})

    @property
    def spec(self) -> Json:
        assert self.live is not None
        found: Json = self.live.get("spec", {})
        return found

    def owned(self) -> dict[str, Json]:
        assert self.live is not None
        entries = self.live["metadata"].get("managedFields", [])
        return {entry["manager"]: entry["fieldsV1"].get("f:spec", entry["fieldsV1"]) for entry in entries}

    def entry(self, manager: str) -> Json:
        assert self.live is not None
        (found,) = [entry for entry in self.live["metadata"]["managedFields"] if entry["manager"] == manager]
        return dict(found)

    def refused(self, manager: str, spec: Json | None, **more: Any) -> Failure:
        with pytest.raises(Failure) as caught:
            self.apply(manager, spec, **more)
        return caught.value


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_the_first_apply_makes_the_object_and_owns_what_it_says(cluster: Cluster) -> None:
    made = cluster.apply("one", {"n": 1, "gm": {"k": "1"}})
    assert made["spec"] == {"n": 1, "gm": {"k": "1"}}
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "one",
            "operation": "Apply",
            "apiVersion": VERSION,
            "time": "2026-01-01T00:00:01Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:n": {}, "f:gm": {"f:k": {}}}},
        }
    ]


def test_the_same_apply_again_gives_back_the_live_object_itself(cluster: Cluster) -> None:
    made = cluster.apply("one", {"n": 1, "s": ["x"]})
    assert cluster.apply("one", {"n": 1, "s": ["x"]}) is made


def test_another_value_of_an_owned_field_is_a_conflict_until_it_is_forced(cluster: Cluster) -> None:
    cluster.apply("one", {"n": 1, "gm": {"a": "1"}})
    failure = cluster.refused("two", {"n": 2})
    assert failure.body["message"] == 'Apply failed with 1 conflict: conflict with "one": .spec.n'
    assert (failure.code, failure.reason) == (409, "Conflict")
    assert failure.body["details"] == {
        "causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".spec.n"}]
    }
    cluster.apply("two", {"n": 2}, force=True)
    assert cluster.spec == {"n": 2, "gm": {"a": "1"}}
    assert cluster.owned() == {"one": {"f:gm": {"f:a": {}}}, "two": {"f:n": {}}}


def test_conflicts_with_several_managers_are_listed_by_manager(cluster: Cluster) -> None:
    cluster.apply("one", {"n": 1, "m": [{"name": "a", "v": "1"}]})
    cluster.change("ed", b=True)
    failure = cluster.refused("two", {"n": 2, "b": False, "m": [{"name": "a", "v": "2"}]})
    assert failure.body["message"] == (
        "Apply failed with 3 conflicts: "
        f'conflicts with "ed" using {VERSION}:\n- .spec.b\n'
        'conflicts with "one":\n- .spec.n\n- .spec.m[name="a"].v'
    )


def test_the_same_value_is_shared_and_stays_while_one_owner_keeps_it(cluster: Cluster) -> None:
    cluster.apply("one", {"n": 1})
    cluster.apply("two", {"n": 1})
    cluster.apply("one", {"b": True})
    assert cluster.spec == {"n": 1, "b": True}
    cluster.apply("two", {})
    assert cluster.spec == {"b": True}


def test_a_field_that_its_only_applier_drops_is_taken_out(cluster: Cluster) -> None:
    cluster.apply("one", {"m": [{"name": "a", "v": "1"}, {"name": "b"}], "s": ["x", "y"], "gm": {"k": "1", "l": "2"}})
    cluster.apply("one", {"m": [{"name": "b"}], "s": ["y"], "gm": {"l": "2"}})
    assert cluster.spec == {"m": [{"name": "b"}], "s": ["y"], "gm": {"l": "2"}}


def test_what_stood_inside_a_dropped_part_but_was_never_the_appliers_stays(cluster: Cluster) -> None:
    cluster.apply("one", {"m": [{"name": "a", "v": "1"}], "o": {"p": 1}})
    cluster.change("ed", o={"p": 1, "q": 2})
    cluster.apply("one", {"m": [{"name": "a"}]})
    assert cluster.spec == {"m": [{"name": "a"}], "o": {"q": 2}}
    assert cluster.owned() == {"one": {"f:m": {'k:{"name":"a"}': {".": {}, "f:name": {}}}}, "ed": {"f:o": {"f:q": {}}}}


def test_an_emptied_map_stays_when_its_owner_still_applies_it(cluster: Cluster) -> None:
    cluster.apply("one", {"gm": {"k": "1"}})
    cluster.apply("one", {"gm": {}})
    assert cluster.spec == {"gm": {}}
    assert cluster.owned() == {"one": {"f:gm": {}}}


def test_items_of_keyed_lists_belong_to_whoever_applies_them(cluster: Cluster) -> None:
    cluster.apply("one", {"m": [{"name": "a", "inner": [{"port": 1}]}]})
    cluster.apply("two", {"m": [{"name": "a", "inner": [{"port": 1, "protocol": "UDP", "d": "u"}]}, {"name": "b"}]})
    assert [item["name"] for item in cluster.spec["m"]] == ["a", "b"]
    assert cluster.spec["m"][0]["inner"] == [{"port": 1}, {"port": 1, "protocol": "UDP", "d": "u"}]
    inner = cluster.owned()["one"]["f:m"]['k:{"name":"a"}']["f:inner"]
    assert inner == {'k:{"port":1,"protocol":"TCP"}': {".": {}, "f:port": {}}}
    cluster.apply("two", None)
    assert cluster.spec["m"] == [{"name": "a", "inner": [{"port": 1}]}]


def test_items_follow_the_applied_order_and_live_ones_keep_their_neighbours(cluster: Cluster) -> None:
    def order() -> list[str]:
        return [item["name"] for item in cluster.spec["m"]]

    cluster.apply("one", {"m": [{"name": name} for name in "abc"]})
    cluster.apply("two", {"m": [{"name": name} for name in "dc"]})
    assert order() == ["a", "b", "d", "c"]
    cluster.apply("three", {"m": [{"name": name} for name in "ca"]})
    assert order() == ["b", "d", "c", "a"]


def test_atomic_parts_are_owned_and_taken_as_a_whole(cluster: Cluster) -> None:
    cluster.apply("one", {"a": ["p"], "am": {"k": "1"}})
    assert cluster.owned() == {"one": {"f:a": {}, "f:am": {}}}
    assert cluster.refused("two", {"am": {"j": "1"}}).body["details"]["causes"][0]["field"] == ".spec.am"
    cluster.apply("two", {"a": ["q"], "am": {"j": "1"}}, force=True)
    assert cluster.spec == {"a": ["q"], "am": {"j": "1"}}
    assert cluster.owned() == {"two": {"f:a": {}, "f:am": {}}}


def test_untyped_parts_are_owned_as_their_value_has_it(cluster: Cluster) -> None:
    cluster.apply("one", {"free": {"x": {"y": 1}, "l": [1, {"z": 2}]}})
    assert cluster.owned()["one"] == {"f:free": {"f:x": {".": {}, "f:y": {}}, "f:l": {}}}
    cluster.change("ed", free={"x": "text", "l": [1, {"z": 2}]})
    assert cluster.owned() == {"one": {"f:free": {"f:l": {}}}, "ed": {"f:free": {"f:x": {}}}}


def test_true_is_not_one(cluster: Cluster) -> None:
    cluster.apply("one", {"free": {"x": True}})
    assert cluster.refused("two", {"free": {"x": 1}}).code == 409
    cluster.change("ed", free={"x": 1})
    assert cluster.owned()["ed"] == {"f:free": {"f:x": {}}}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"odd": 1}, ".spec.odd: field not declared in schema"),
        ({"n": "1"}, ".spec.n: expected numeric (int or float), got string"),
        ({"a": ["x", 5]}, ".spec.a[1]: expected string, got &value.valueUnstructured{Value:5}"),
        ({"b": "x"}, ".spec.b: expected boolean, got &{x}"),
        ({"gm": [1]}, ".spec.gm: expected map, got &{[1]}"),
        ({"s": ["x", "x"]}, '.spec.s: duplicate entries for key [="x"]'),
        ({"s": [{}]}, ".spec.s: element 0: associative list without keys has an element that's a map type"),
        ({"m": [{"name": "a"}, {"name": "a"}]}, '.spec.m: duplicate entries for key [name="a"]'),
        (
            {"m": [{"name": "a", "inner": [{"port": 1}, {"port": 1, "protocol": "TCP"}]}]},
            '.spec.m[name="a"].inner: duplicate entries for key [port=1,protocol="TCP"]',
        ),
        (
            {"m": [{"v": "1"}]},
            '.spec.m: element 0: associative list with keys has an element that omits all key fields ["name"] '
            "(and doesn't have default values for any key fields)",
        ),
        ({"m": [None]}, ".spec.m: element 0: associative list with keys may not have a null element"),
        (
            {"n": "1", "b": 5},
            "errors:\n  .spec.n: expected numeric (int or float), got string\n  .spec.b: expected boolean, got &{5}",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_its_type_is_refused(cluster: Cluster, spec: Json, why: str) -> None:
    failure = cluster.refused("one", spec)
    assert failure.code == 500
    assert failure.body["message"] == f"failed to create typed patch object (/x; {VERSION}, Kind=Thing): {why}"
    assert "reason" not in failure.body


@pytest.mark.parametrize("given", [[], [{"manager": "x"}]])
def test_a_configuration_may_not_carry_managed_fields(cluster: Cluster, given: Any) -> None:
    failure = cluster.refused("one", {}, managedFields=given)
    assert (failure.code, failure.body["message"]) == (400, "metadata.managedFields must be nil")


def test_identity_and_server_fields_are_nobodys(cluster: Cluster) -> None:
    made = cluster.apply("one", {"n": 1}, namespace="ns", uid="u", labels={"l": "1"})
    assert made["metadata"]["managedFields"][0]["fieldsV1"] == {
        "f:metadata": {"f:labels": {"f:l": {}}},
        "f:spec": {"f:n": {}},
    }
    assert Cluster().apply("one", None)["metadata"] == {"name": "x"}


def test_an_apply_that_changes_only_owners_has_no_new_time(cluster: Cluster) -> None:
    cluster.apply("one", {"n": 1})
    cluster.apply("two", {"n": 1})
    assert "time" not in cluster.entry("two")
    cluster.apply("one", {"n": 1, "b": True})
    assert cluster.entry("one")["time"] == "2026-01-01T00:00:03Z"
    cluster.apply("one", {"n": 1, "b": True})
    assert cluster.entry("one")["time"] == "2026-01-01T00:00:03Z"


def test_an_update_moves_what_it_changes_to_its_manager(cluster: Cluster) -> None:
    cluster.apply("one", {"n": 1, "b": True})
    cluster.change("ed", n=2)
    assert cluster.owned() == {"one": {"f:b": {}}, "ed": {"f:n": {}}}
    assert cluster.entry("ed")["operation"] == "Update"
    failure = cluster.refused("one", {"n": 1, "b": True})
    assert failure.body["message"] == f'Apply failed with 1 conflict: conflict with "ed" using {VERSION}: .spec.n'


def test_a_create_owns_everything_and_what_lies_between(cluster: Cluster) -> None:
    cluster.write("ed", cluster.body({"m": [{"name": "a"}], "o": {"p": 1}, "gm": {}}))
    assert cluster.owned()["ed"] == {
        ".": {},
        "f:m": {".": {}, 'k:{"name":"a"}': {".": {}, "f:name": {}}},
        "f:o": {".": {}, "f:p": {}},
        "f:gm": {},
    }


def test_a_removed_field_is_nobodys(cluster: Cluster) -> None:
    cluster.write("ed", cluster.body({"n": 1, "b": True}))
    cluster.write("al", cluster.body({"b": True}))
    assert cluster.owned() == {"ed": {".": {}, "f:b": {}}}


def test_items_that_stand_twice_are_one_thing(cluster: Cluster) -> None:
    cluster.apply("one", {"s": ["x"]})
    cluster.change("ed", s=["x", "x"])
    assert cluster.owned() == {"ed": {"f:s": {'v:"x"': {}}}}
    cluster.change("al", s=["x"])
    assert cluster.owned() == {"al": {"f:s": {'v:"x"': {}}}}


def test_entries_are_kept_apart_by_operation_version_and_subresource(cluster: Cluster) -> None:
    cluster.apply("one", {"n": 1})
    cluster.change("one", b=True)
    cluster.apply("one", None, subresource="status", status={"phase": "A"})
    assert cluster.live is not None
    found = [(entry["operation"], entry.get("subresource")) for entry in cluster.live["metadata"]["managedFields"]]
    assert found == [("Apply", None), ("Apply", "status"), ("Update", None)]
    failure = cluster.refused("two", None, subresource="status", status={"phase": "B"})
    assert failure.body["message"] == (
        'Apply failed with 1 conflict: conflict with "one" with subresource "status": .status.phase'
    )


def test_the_times_of_appliers_come_first_then_those_of_updaters(cluster: Cluster) -> None:
    cluster.apply("z", {"n": 1})
    cluster.change("b", b=True)
    cluster.change("a", a=["1"])
    cluster.apply("y", {"gm": {"k": "1"}})
    cluster.apply("x", {"n": 1})
    assert cluster.live is not None
    assert [entry["manager"] for entry in cluster.live["metadata"]["managedFields"]] == ["x", "z", "y", "b", "a"]


@pytest.mark.parametrize("given", [[], [{}]])
def test_an_empty_list_resets_the_entries(cluster: Cluster, given: Any) -> None:
    live = cluster.apply("one", {"n": 1})
    assert (
        "managedFields"
        not in cluster.write("ed", {**live, "metadata": {"name": "x", "managedFields": given}})["metadata"]
    )
    # Nobody is kept track of any more, until the next apply.
    assert "managedFields" not in cluster.change("ed", n=2)["metadata"]
    failure = cluster.refused("one", {"n": 1})
    assert failure.body["message"] == (
        f'Apply failed with 1 conflict: conflict with "before-first-apply" using {VERSION}: .spec.n'
    )
    cluster.apply("one", {"n": 2})
    assert cluster.owned() == {"one": {"f:n": {}}, "before-first-apply": {".": {}, "f:n": {}}}


def test_entries_that_a_writer_brings_count_when_they_are_valid(cluster: Cluster) -> None:
    live = cluster.apply("one", {"n": 1})
    entry = {
        "manager": "x",
        "operation": "Update",
        "apiVersion": VERSION,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:n": {}}},
    }
    kept = live["metadata"]["managedFields"]
    for odd in (
        {**entry, "operation": "Odd"},
        {**entry, "apiVersion": ""},
        {**entry, "fieldsType": "V9"},
        {**entry, "fieldsV1": {"odd": {}}},
        {**entry, "fieldsV1": {"k:{": {}}},
        "text",
    ):
        assert (
            cluster.write("ed", {**live, "metadata": {"name": "x", "managedFields": [odd]}})["metadata"][
                "managedFields"
            ]
            == kept
        )
    brought = cluster.write("ed", {**live, "metadata": {"name": "x", "managedFields": [entry]}})
    assert brought["metadata"]["managedFields"] == [entry]
    # A subresource's writer has no say in them.
    ignored = cluster.write("ed", {**brought, "metadata": {"name": "x", "managedFields": []}}, subresource="status")
    assert ignored["metadata"]["managedFields"] == [entry]


def test_more_than_ten_updaters_become_ancient_changes(cluster: Cluster) -> None:
    cluster.write("u00", cluster.body({"gm": {"k00": "1"}}))
    for number in range(1, 14):
        cluster.change(f"u{number:02d}", gm={**cluster.spec["gm"], f"k{number:02d}": "1"})
    owned = cluster.owned()
    assert len(owned) == 10
    assert sorted(owned)[0] == "ancient-changes"
    assert set(owned["ancient-changes"]["f:gm"]) == {".", *(f"f:k{number:02d}" for number in range(5))}
    assert cluster.entry("ancient-changes")["time"] == "2026-01-01T00:00:05Z"


def test_kubectl_takes_over_what_client_side_apply_wrote(cluster: Cluster) -> None:
    last = json.dumps(cluster.body({"n": 1, "b": True}))
    cluster.write("kubectl-client-side-apply", cluster.body({"n": 1, "b": True}, annotations={ANNOTATION: last}))
    cluster.change("ed", b=False)
    # What client-side apply wrote may be taken without a conflict, what has been changed since may not.
    assert cluster.refused("kubectl", {"n": 2, "b": True}).body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": f'conflict with "ed" using {VERSION}', "field": ".spec.b"}
    ]
    assert cluster.refused("other", {"n": 2}).code == 409
    made = cluster.apply("kubectl", {"n": 2})
    assert made["spec"] == {"n": 2, "b": False}
    assert json.loads(made["metadata"]["annotations"][ANNOTATION]) == cluster.body({"n": 2})


def test_fields_that_an_endpoint_sets_back_are_nobodys(cluster: Cluster) -> None:
    body = {**cluster.body({"n": 1}), "status": {"phase": "A"}}
    resets = {"f:status": {".": True, "f:phase": {".": True}}}
    owner = FieldOwner("m", VERSION, "", "T")
    made = serversideapply.apply(None, body, TYPES, owner, force=False, resets=resets)
    assert made["metadata"]["managedFields"][0]["fieldsV1"] == {"f:spec": {"f:n": {}}}
    made = managed.update(None, body, TYPES, owner, resets=resets)
    assert made["metadata"]["managedFields"][0]["fieldsV1"] == {"f:spec": {".": {}, "f:n": {}}}


def test_a_null_asks_for_nothing_of_a_map_and_replaces_everything_else(cluster: Cluster) -> None:
    cluster.apply("one", {"gm": {"k": "1"}, "n": 1, "a": ["x"]})
    cluster.apply("two", {"gm": None, "n": None, "a": None}, force=True)
    assert cluster.spec == {"gm": {"k": "1"}, "n": None, "a": None}


def test_built_in_kinds_merge_by_the_tables() -> None:
    message = kind_message("apps", "v1", "Deployment")
    one, two = (FieldOwner(name, "apps/v1", "", "T") for name in ("one", "two"))
    common = {"force": False, "empty": empty_value(message)}

    def body(container: Json) -> Json:
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [container]}}},
        }

    live = serversideapply.apply(
        None, body({"name": "a", "ports": [{"containerPort": 80}]}), builtin(message), one, **common
    )
    live = serversideapply.apply(live, body({"name": "a", "env": [{"name": "X"}]}), builtin(message), two, **common)
    assert live["spec"]["template"]["spec"]["containers"] == [
        {"name": "a", "ports": [{"containerPort": 80}], "env": [{"name": "X"}]}
    ]
    fields = live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert fields["f:selector"] == {}  # a label selector is atomic
    port = fields["f:template"]["f:spec"]["f:containers"]['k:{"name":"a"}']["f:ports"]
    assert port == {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}
    # A key that Go always writes has its zero value: the item is not refused for want of a key.
    keyless = serversideapply.apply(None, body({"image": "i"}), builtin(message), one, **common)
    fields = keyless["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert fields["f:template"]["f:spec"]["f:containers"] == {'k:{"name":""}': {".": {}, "f:image": {}}}
