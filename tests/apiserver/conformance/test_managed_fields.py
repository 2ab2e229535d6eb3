"""Field ownership through the whole server: who owns what after applies, updates, patches, status writes and resets."""

import pytest


def entries(obj):
    """Manager, operation and subresource of each entry, with its fields."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", ())
    }


def conflict(manager, using=""):
    """The cause; of an updater it names the version."""
    return f'conflict with "{manager}"' + (f" using {using}" if using else "")


@pytest.fixture
def apply(server):
    """Applies data to the ConfigMap `a` as a manager."""

    async def send(manager, data, query="", **metadata):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}}
        if data is not None:
            body["data"] = data
        return await server.patch("apply", f"{server.configmaps}/a?fieldManager={manager}{query}", body)

    return send


async def test_an_apply_owns_the_leaves_that_it_sends_and_nothing_else(apply):
    made = await apply("m1", {"k": "v"}, labels={"l": "1"})

    assert made.status == 201
    assert entries(made.body) == {("m1", "Apply", ""): {"f:data": {"f:k": {}}, "f:metadata": {"f:labels": {"f:l": {}}}}}
    entry = made.body["metadata"]["managedFields"][0]
    assert (entry["apiVersion"], entry["fieldsType"]) == ("v1", "FieldsV1")
    assert entry["time"] == made.body["metadata"]["creationTimestamp"]


async def test_a_create_owns_the_maps_that_it_makes_too(server):
    made = await server.configmap("a", {"k": "v"}, labels={"l": "1"}, finalizers=["a.example/f"])

    assert entries(made) == {
        ("tester", "Update", ""): {
            "f:data": {".": {}, "f:k": {}},
            "f:metadata": {
                "f:labels": {".": {}, "f:l": {}},
                "f:finalizers": {".": {}, 'v:"a.example/f"': {}},
            },
        }
    }


async def test_another_value_of_an_owned_field_is_a_conflict_that_names_owner_and_field(apply, server):
    await apply("m1", {"k": "v", "l": "v"})

    refused = await apply("m2", {"k": "w", "l": "w"})

    assert refused.failure[:2] == (409, "Conflict")
    assert refused.message == 'Apply failed with 2 conflicts: conflicts with "m1":\n- .data.k\n- .data.l'
    assert refused.causes == [(".data.k", conflict("m1")), (".data.l", conflict("m1"))]
    assert [cause["reason"] for cause in refused.body["details"]["causes"]] == ["FieldManagerConflict"] * 2
    assert (await server.get(f"{server.configmaps}/a")).body["data"] == {"k": "v", "l": "v"}


async def test_a_conflict_with_several_managers_names_each(apply):
    await apply("m1", {"k": "v"})
    await apply("m2", {"l": "v"})

    refused = await apply("m3", {"k": "w", "l": "w"})

    assert refused.message == (
        'Apply failed with 2 conflicts: conflicts with "m1":\n- .data.k\nconflicts with "m2":\n- .data.l'
    )
    assert refused.causes == [(".data.k", conflict("m1")), (".data.l", conflict("m2"))]


async def test_the_same_value_is_owned_by_both_and_goes_with_the_last(apply):
    await apply("m1", {"k": "v", "l": "v"})
    shared = await apply("m2", {"k": "v"})
    assert entries(shared.body)[("m1", "Apply", "")] == {"f:data": {"f:k": {}, "f:l": {}}}
    assert entries(shared.body)[("m2", "Apply", "")] == {"f:data": {"f:k": {}}}

    kept = await apply("m1", {"l": "v"})
    assert kept.body["data"] == {"k": "v", "l": "v"}
    gone = await apply("m2", {})
    assert gone.body["data"] == {"l": "v"}
    assert entries(gone.body)[("m1", "Apply", "")] == {"f:data": {"f:l": {}}}


async def test_force_takes_the_field_from_its_owner(apply):
    await apply("m1", {"k": "v", "l": "v"})

    forced = await apply("m2", {"k": "w"}, "&force=true")

    assert forced.body["data"] == {"k": "w", "l": "v"}
    assert entries(forced.body) == {
        ("m1", "Apply", ""): {"f:data": {"f:l": {}}},
        ("m2", "Apply", ""): {"f:data": {"f:k": {}}},
    }


async def test_a_manager_without_any_field_left_has_no_entry(apply):
    await apply("m1", {"k": "v"})

    forced = await apply("m2", {"k": "w"}, "&force=true")

    assert set(entries(forced.body)) == {("m2", "Apply", "")}


async def test_a_dropped_field_without_another_owner_is_removed(apply):
    await apply("m1", {"k": "v", "l": "v"}, labels={"x": "1"})

    after = await apply("m1", {"k": "v"})

    assert after.body["data"] == {"k": "v"}
    assert "labels" not in after.body["metadata"]


async def test_the_same_apply_again_is_no_write(apply):
    first = await apply("m1", {"k": "v"})

    again = await apply("m1", {"k": "v"})

    assert (again.status, again.body) == (200, first.body)


async def test_an_update_takes_the_fields_that_it_changes(server, apply):
    await apply("m1", {"k": "v", "l": "v"})

    updated = await server.patch("merge", f"{server.configmaps}/a?fieldManager=u", {"data": {"k": "w", "n": "1"}})

    assert entries(updated.body) == {
        ("m1", "Apply", ""): {"f:data": {"f:l": {}}},
        ("u", "Update", ""): {"f:data": {"f:k": {}, "f:n": {}}},
    }
    refused = await apply("m1", {"k": "v", "l": "v"})
    assert refused.causes == [(".data.k", conflict("u", "v1"))]


async def test_an_update_owns_nothing_of_what_it_leaves_as_it_is(server, apply):
    await apply("m1", {"k": "v"})
    live = (await server.get(f"{server.configmaps}/a")).body

    updated = await server.put(f"{server.configmaps}/a?fieldManager=u", {**live, "data": {"k": "v", "n": "1"}})

    assert entries(updated.body)[("u", "Update", "")] == {"f:data": {"f:n": {}}}
    assert entries(updated.body)[("m1", "Apply", "")] == {"f:data": {"f:k": {}}}


async def test_a_field_that_an_update_removes_has_no_owner(server, apply):
    await apply("m1", {"k": "v", "l": "v"})

    removed = await server.patch("json", f"{server.configmaps}/a?fieldManager=u", [{"op": "remove", "path": "/data/k"}])

    assert entries(removed.body) == {("m1", "Apply", ""): {"f:data": {"f:l": {}}}}
    back = await apply("m1", {"k": "v", "l": "v"})
    assert back.body["data"] == {"k": "v", "l": "v"}


async def test_one_manager_has_an_entry_for_applies_and_one_for_updates(server, apply):
    await apply("m", {"k": "v"})

    both = await server.patch("merge", f"{server.configmaps}/a?fieldManager=m", {"data": {"n": "1"}})

    assert set(entries(both.body)) == {("m", "Apply", ""), ("m", "Update", "")}
    refused = await apply("m", {"k": "v", "n": "2"})
    assert refused.causes == [(".data.n", conflict("m", "v1"))]


@pytest.mark.parametrize("value", [[], [{}]])
async def test_an_empty_list_of_entries_stops_the_tracking_of_updates(server, apply, value):
    await apply("m1", {"k": "v"})

    reset = await server.patch(
        "json", f"{server.configmaps}/a", [{"op": "replace", "path": "/metadata/managedFields", "value": value}]
    )
    assert "managedFields" not in reset.body["metadata"]
    updated = await server.patch("merge", f"{server.configmaps}/a?fieldManager=u", {"data": {"n": "1"}})
    assert "managedFields" not in updated.body["metadata"]

    refused = await apply("m2", {"k": "w"})
    assert refused.causes == [(".data.k", conflict("before-first-apply", "v1"))]
    begun = await apply("m2", {"z": "1"})
    assert entries(begun.body) == {
        ("m2", "Apply", ""): {"f:data": {"f:z": {}}},
        ("before-first-apply", "Update", ""): {"f:data": {".": {}, "f:k": {}, "f:n": {}}},
    }


async def test_an_object_made_without_fields_is_not_tracked_until_it_is_applied(server, apply):
    made = await server.configmap("a")
    assert "managedFields" not in made["metadata"]
    updated = await server.patch("merge", f"{server.configmaps}/a?fieldManager=u", {"data": {"n": "1"}})
    assert "managedFields" not in updated.body["metadata"]

    applied = await apply("m1", {"k": "v"})

    assert set(entries(applied.body)) == {("m1", "Apply", ""), ("before-first-apply", "Update", "")}


async def test_entries_that_are_invalid_are_ignored_and_the_old_ones_kept(server):
    before = await server.configmap("a", {"k": "v"})
    good = before["metadata"]["managedFields"][0]

    for wrong in ({"operation": "Weird"}, {"fieldsType": "FieldsV2"}, {"fieldsV1": {"x": 1}}):
        entry = {**good, **wrong}
        after = await server.patch("merge", f"{server.configmaps}/a", {"metadata": {"managedFields": [entry]}})
        assert after.status == 200
        assert after.body["metadata"]["managedFields"] == [good], wrong


async def test_an_apply_brings_no_entries(apply):
    refused = await apply("m1", {"k": "v"}, managedFields=[{"manager": "x"}])

    assert refused.failure == (400, "BadRequest", "metadata.managedFields must be nil")


async def test_an_apply_needs_a_manager_and_the_name_of_its_object(server):
    path = f"{server.configmaps}/a"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}

    unnamed = await server.patch("apply", path, body)
    assert unnamed.causes == [("fieldManager", "Required value: is required for apply patch")]
    other = await server.patch("apply", f"{path}?fieldManager=m", {**body, "metadata": {"name": "b"}})
    assert other.failure == (400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)")
    missing = await server.patch("apply", f"{path}?fieldManager=m", {**body, "metadata": {"name": "a", "uid": "x"}})
    assert missing.failure == (
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "a": '
        "uid mismatch: the provided object specified uid x, and no existing object was found",
    )


async def test_an_apply_of_a_stale_version_is_a_conflict(server, apply):
    made = await apply("m1", {"k": "v"})
    version = made.body["metadata"]["resourceVersion"]
    assert (await apply("m1", {"k": "w"}, resourceVersion=version)).status == 200

    refused = await apply("m1", {"k": "x"}, resourceVersion=version)

    assert refused.failure[:2] == (409, "Conflict")
    assert "the object has been modified" in refused.message


async def test_updates_of_the_same_manager_make_one_entry_and_others_one_each(server):
    await server.configmap("a", {"k": "v"})
    for number in range(3):
        await server.patch("merge", f"{server.configmaps}/a?fieldManager=same", {"data": {f"s{number}": "1"}})
    for number in range(3):
        await server.patch("merge", f"{server.configmaps}/a?fieldManager=u{number}", {"data": {f"u{number}": "1"}})

    found = entries((await server.get(f"{server.configmaps}/a")).body)

    assert found[("same", "Update", "")] == {"f:data": {"f:s0": {}, "f:s1": {}, "f:s2": {}}}
    assert {name for name, _, _ in found} == {"tester", "same", "u0", "u1", "u2"}


async def test_the_oldest_of_more_than_ten_updaters_become_one(server):
    await server.configmap("a", {"k": "v"})
    for number in range(12):
        server.now += 1
        await server.patch("merge", f"{server.configmaps}/a?fieldManager=u{number}", {"data": {f"u{number}": "1"}})

    found = entries((await server.get(f"{server.configmaps}/a")).body)

    assert len(found) == 10
    ancient = found[("ancient-changes", "Update", "")]
    assert {"f:k", "f:u0", "f:u1"} <= set(ancient["f:data"])
    assert ("u11", "Update", "") in found


async def test_an_empty_list_resets_no_custom_resource_but_a_list_of_an_empty_entry_does(server, definition, widget):
    path = await server.define(definition())
    before = await server.create(path, widget("w", spec={"color": "red"}))

    kept = await server.patch("merge", f"{path}/w", {"metadata": {"managedFields": []}})
    assert kept.body == before
    reset = await server.patch("merge", f"{path}/w", {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in reset.body["metadata"]


# Custom resources: lists by keys, sets, and the subresources


@pytest.fixture
async def widgets(server, definition):
    return await server.define(definition())


async def test_items_of_a_keyed_list_are_owned_one_by_one(server, widgets, widget):
    path = f"{widgets}/w?fieldManager="
    await server.patch("apply", f"{path}m1", widget(spec={"ports": [{"name": "a", "port": 1}]}))

    both = await server.patch("apply", f"{path}m2", widget(spec={"ports": [{"name": "b", "port": 2}]}))

    assert both.body["spec"]["ports"] == [{"name": "a", "port": 1}, {"name": "b", "port": 2}]
    assert entries(both.body)[("m2", "Apply", "")] == {
        "f:spec": {"f:ports": {'k:{"name":"b"}': {".": {}, "f:name": {}, "f:port": {}}}}
    }
    refused = await server.patch("apply", f"{path}m2", widget(spec={"ports": [{"name": "a", "port": 9}]}))
    assert refused.causes == [('.spec.ports[name="a"].port', conflict("m1"))]
    alone = await server.patch("apply", f"{path}m2", widget(spec={}))
    assert alone.body["spec"]["ports"] == [{"name": "a", "port": 1}]


async def test_members_of_a_set_are_owned_one_by_one(server, widgets, widget):
    path = f"{widgets}/w?fieldManager="
    await server.patch("apply", f"{path}m1", widget(spec={"tags": ["a", "b"]}))

    both = await server.patch("apply", f"{path}m2", widget(spec={"tags": ["b", "c"]}))
    assert sorted(both.body["spec"]["tags"]) == ["a", "b", "c"]
    assert entries(both.body)[("m2", "Apply", "")] == {"f:spec": {"f:tags": {'v:"b"': {}, 'v:"c"': {}}}}

    left = await server.patch("apply", f"{path}m1", widget(spec={}))
    assert sorted(left.body["spec"]["tags"]) == ["b", "c"]


async def test_an_apply_with_a_key_or_member_twice_is_refused(server, widgets, widget):
    path = f"{widgets}/w?fieldManager=m"

    for spec, message in (
        ({"ports": [{"name": "a"}, {"name": "a"}]}, '.spec.ports: duplicate entries for key [name="a"]'),
        ({"tags": ["a", "a"]}, '.spec.tags: duplicate entries for key [="a"]'),
        (
            {"ports": [{"port": 1}]},
            '.spec.ports: element 0: associative list with keys has an element that omits all key fields ["name"]',
        ),
        ({"size": "big"}, ".spec.size: expected numeric"),
    ):
        refused = await server.patch("apply", path, widget(spec=spec))
        assert refused.failure[:2] == (500, None), spec
        assert refused.message.startswith("failed to create typed patch object (/w; example.com/v1, Kind=Widget): ")
        assert message in refused.message
    assert (await server.get(f"{widgets}/w")).status == 404


async def test_defaults_are_owned_by_no_applier(server, widgets, widget):
    made = await server.patch("apply", f"{widgets}/w?fieldManager=m1", widget(spec={"color": "red"}))

    assert made.body["spec"] == {"color": "red", "size": 3}
    assert entries(made.body) == {("m1", "Apply", ""): {"f:spec": {"f:color": {}}}}


async def test_a_status_has_entries_of_its_own(server, widgets, widget):
    path = f"{widgets}/w"
    await server.patch("apply", f"{path}?fieldManager=m", widget(spec={"color": "red"}))

    written = await server.patch("merge", f"{path}/status?fieldManager=u", {"status": {"phase": "Up"}})
    assert entries(written.body)[("u", "Update", "status")] == {"f:status": {".": {}, "f:phase": {}}}
    applied = await server.patch("apply", f"{path}/status?fieldManager=m", widget(status={"replicas": 1}))
    assert entries(applied.body)[("m", "Apply", "status")] == {"f:status": {"f:replicas": {}}}
    assert entries(applied.body)[("m", "Apply", "")] == {"f:spec": {"f:color": {}}}

    refused = await server.patch("apply", f"{path}/status?fieldManager=m", widget(status={"phase": "Down"}))
    message = 'conflict with "u" with subresource "status" using example.com/v1'
    assert refused.causes == [(".status.phase", message)]
    ignored = await server.patch(
        "apply", f"{path}?fieldManager=m", widget(spec={"color": "red"}, status={"phase": "x"})
    )
    assert (ignored.status, ignored.body["status"]) == (200, {"phase": "Up", "replicas": 1})
    assert entries(ignored.body)[("m", "Apply", "")] == {"f:spec": {"f:color": {}}}


async def test_a_scale_owns_the_replicas_of_the_object(server, widgets, widget):
    path = f"{widgets}/w"
    await server.patch("apply", f"{path}?fieldManager=m", widget(spec={"replicas": 1, "color": "red"}))

    scaled = await server.patch("merge", f"{path}/scale?fieldManager=hpa", {"spec": {"replicas": 5}})
    assert scaled.body["spec"] == {"replicas": 5}
    after = (await server.get(path)).body

    assert after["spec"]["replicas"] == 5
    assert entries(after)[("m", "Apply", "")] == {"f:spec": {"f:color": {}}}
    assert entries(after)[("hpa", "Update", "scale")] == {"f:spec": {"f:replicas": {}}}
    refused = await server.patch("apply", f"{path}?fieldManager=m", widget(spec={"replicas": 1, "color": "red"}))
    assert refused.causes == [(".spec.replicas", 'conflict with "hpa" with subresource "scale" using example.com/v1')]
