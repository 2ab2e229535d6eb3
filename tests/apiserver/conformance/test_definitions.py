"""CustomResourceDefinitions: names, conditions, versions, what is stored, validation over time, and deletion."""

import asyncio
import copy

import pytest


def condition(obj, kind):
    found = [each for each in obj["status"]["conditions"] or () if each["type"] == kind]
    return (found[0]["status"], found[0]["reason"], found[0]["message"]) if found else None


def path_of(server, plural="widgets"):
    return f"{server.definitions}/{plural}.example.com"


def renamed(definition, plural, kind, **names):
    """A definition of another plural and kind."""
    other = definition()
    other["metadata"]["name"] = f"{plural}.example.com"
    other["spec"]["names"] = {"plural": plural, "kind": kind, **names}
    return other


def versions(definition, *flags):
    """A definition of several versions, each given as name, served, storage."""
    several = definition()
    (only,) = several["spec"]["versions"]
    several["spec"]["versions"] = [
        {**copy.deepcopy(only), "name": name, "served": served, "storage": storage} for name, served, storage in flags
    ]
    return several


async def established(server, plural="widgets"):
    return await server.until(
        path_of(server, plural),
        lambda response: (
            response.status == 200
            and any(
                each["type"] == "Established" and each["status"] == "True"
                for each in response.body["status"]["conditions"] or ()
            )
        ),
    )


async def test_a_definition_gets_its_names_and_conditions(server, definition):
    made = definition()
    made["spec"]["names"] = {"plural": "widgets", "kind": "Widget"}

    stored = await server.create(server.definitions, made)
    assert stored["spec"]["names"] == {
        "plural": "widgets",
        "singular": "widget",
        "kind": "Widget",
        "listKind": "WidgetList",
    }
    assert stored["spec"]["conversion"] == {"strategy": "None"}
    assert stored["status"]["storedVersions"] == ["v1"]

    live = (await established(server)).body
    assert live["status"]["acceptedNames"] == stored["spec"]["names"]
    assert condition(live, "NamesAccepted") == ("True", "NoConflicts", "no conflicts found")
    assert condition(live, "Established") == (
        "True",
        "InitialNamesAccepted",
        "the initial names have been accepted",
    )
    assert live["metadata"]["generation"] == 1


def only(broken):
    """The definition's one version."""
    return broken["spec"]["versions"][0]


BROKEN = {
    "a name that is not plural.group": (lambda d: d["metadata"].update(name="other.example.com"), "metadata.name"),
    "a kind with a space": (lambda d: d["spec"]["names"].update(kind="widget thing"), "spec.names.kind"),
    "a plural in capitals": (lambda d: d["spec"]["names"].update(plural="Widgets"), "spec.names.plural"),
    "a list kind that is the kind": (lambda d: d["spec"]["names"].update(listKind="Widget"), "spec.names.listKind"),
    "a group that is no domain": (lambda d: d["spec"].update(group="Bad_Group"), "spec.group"),
    "an unknown scope": (lambda d: d["spec"].update(scope="Somewhere"), "spec.scope"),
    "no versions": (lambda d: d["spec"].update(versions=[]), "spec.versions"),
    "no stored version": (lambda d: only(d).update(storage=False), "spec.versions"),
    "a version twice": (lambda d: d["spec"]["versions"].append(only(d)), "spec.versions"),
    "a version in capitals": (lambda d: only(d).update(name="V1"), "spec.versions[0].name"),
    "no schema": (lambda d: only(d).pop("schema"), "spec.versions[0].schema.openAPIV3Schema"),
    "a path without its dot": (
        lambda d: only(d)["subresources"]["scale"].update(specReplicasPath="spec.replicas"),
        "spec.subresources.scale.specReplicasPath",
    ),
    "unknown fields preserved everywhere": (
        lambda d: d["spec"].update(preserveUnknownFields=True),
        "spec.preserveUnknownFields",
    ),
    "a schema without a type": (
        lambda d: only(d)["schema"]["openAPIV3Schema"].pop("type"),
        "spec.validation.openAPIV3Schema.type",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_definition_that_breaks_a_rule_is_invalid_at_its_field(server, definition, name):
    change, field = BROKEN[name]
    broken = definition()
    change(broken)

    refused = await server.post(server.definitions, broken)

    assert (refused.status, refused.body["reason"]) == (422, "Invalid"), refused.body
    assert field in [each for each, _ in refused.causes]
    assert (await server.get(server.definitions)).names == []


async def test_names_that_another_definition_has_are_not_accepted_until_they_are_free(server, definition):
    await server.define(definition())
    await server.create(server.definitions, renamed(definition, "gadgets", "Widget"))

    refused = await server.until(
        path_of(server, "gadgets"), lambda response: condition(response.body, "NamesAccepted") is not None
    )
    assert condition(refused.body, "NamesAccepted") == ("False", "ListKindConflict", '"WidgetList" is already in use')
    assert condition(refused.body, "Established")[:2] == ("False", "NotAccepted")
    assert (await server.get("/apis/example.com/v1/gadgets")).status == 404

    await server.delete(path_of(server))

    accepted = await established(server, "gadgets")
    assert condition(accepted.body, "NamesAccepted")[0] == "True"


async def test_a_short_name_that_is_taken_is_not_accepted(server, definition):
    await server.define(renamed(definition, "widgets", "Widget", shortNames=["w"]))
    await server.create(server.definitions, renamed(definition, "wheels", "Wheel", shortNames=["w"]))

    refused = await server.until(
        path_of(server, "wheels"), lambda response: condition(response.body, "NamesAccepted") is not None
    )

    assert condition(refused.body, "NamesAccepted") == ("False", "ShortNamesConflict", '"w" is already in use')


async def test_an_accepted_kind_stays_served_when_its_new_name_is_taken(server, definition):
    await server.define(definition())
    await server.define(renamed(definition, "gadgets", "Gadget"))

    await server.patch("merge", path_of(server, "gadgets"), {"spec": {"names": {"shortNames": ["widgets"]}}})

    live = await server.until(
        path_of(server, "gadgets"), lambda response: condition(response.body, "NamesAccepted")[0] == "False"
    )
    assert condition(live.body, "Established")[0] == "True"
    assert "shortNames" not in live.body["status"]["acceptedNames"]
    assert (await server.get("/apis/example.com/v1/gadgets")).status == 200


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"spec": {"group": "other.com"}}, "spec.group"),
        ({"spec": {"scope": "Cluster"}}, "spec.scope"),
        ({"spec": {"names": {"kind": "Other", "listKind": "OtherList"}}}, "spec.names.kind"),
        ({"spec": {"names": {"plural": "others"}}}, "spec.names.plural"),
    ],
)
async def test_what_an_established_definition_is_called_does_not_change(server, definition, patch, field):
    await server.define(definition())

    refused = await server.patch("merge", path_of(server), patch)

    assert refused.status == 422
    assert field in [each for each, _ in refused.causes]


async def test_every_served_version_shows_the_same_object(server, definition, widget):
    await server.define(versions(definition, ("v1", True, True), ("v2", True, False), ("v3", False, False)))
    await server.create("/apis/example.com/v1/namespaces/default/widgets", widget("w", spec={"color": "red"}))

    other = await server.get("/apis/example.com/v2/namespaces/default/widgets/w")
    assert (other.body["apiVersion"], other.body["spec"]["color"]) == ("example.com/v2", "red")
    listed = await server.get("/apis/example.com/v2/widgets")
    assert {listed.body["apiVersion"], listed.body["items"][0]["apiVersion"]} == {"example.com/v2"}
    assert (await server.get("/apis/example.com/v3/namespaces/default/widgets/w")).status == 404

    stream = await server.watch("/apis/example.com/v2/widgets?watch=1")
    event = await stream.event()
    await stream.close()
    assert event["object"]["apiVersion"] == "example.com/v2"


async def test_a_body_of_another_version_is_a_bad_request(server, definition, widget):
    await server.define(versions(definition, ("v1", True, True), ("v2", True, False)))

    refused = await server.post("/apis/example.com/v2/namespaces/default/widgets", widget("w"))

    assert refused.failure[:2] == (400, "BadRequest")
    assert refused.message == (
        "the API version in the data (example.com/v1) does not match the expected API version (example.com/v2)"
    )


async def test_versions_that_were_ever_stored_stay_in_the_status_until_they_are_taken_out(server, definition):
    await server.define(versions(definition, ("v1", True, True), ("v2", True, False)))
    path = path_of(server)
    spec = versions(definition, ("v1", True, False), ("v2", True, True))["spec"]

    switched = await server.patch("merge", path, {"spec": spec})
    assert switched.body["status"]["storedVersions"] == ["v1", "v2"]
    gone = await server.patch("merge", path, {"spec": {"versions": [spec["versions"][1]]}})
    assert gone.status == 422
    assert gone.causes[0][0] == "status.storedVersions[0]"

    assert (await server.patch("merge", f"{path}/status", {"status": {"storedVersions": ["v2"]}})).status == 200
    removed = await server.patch("merge", path, {"spec": {"versions": [spec["versions"][1]]}})
    assert removed.status == 200
    assert (await server.until("/apis/example.com/v1/widgets", lambda response: response.status == 404)).status == 404


async def test_a_version_that_is_not_served_any_more_is_not_found(server, definition, widget):
    path = await server.define(versions(definition, ("v1", True, True), ("v2", True, False)))
    await server.create(path, widget("w"))
    spec = versions(definition, ("v1", False, True), ("v2", True, False))["spec"]

    await server.patch("merge", path_of(server), {"spec": spec})

    await server.until(path, lambda response: response.status == 404)
    kept = await server.get("/apis/example.com/v2/namespaces/default/widgets/w")
    assert (kept.status, kept.body["apiVersion"]) == (200, "example.com/v2")


async def test_a_deprecated_version_warns_each_time(server, definition, widget):
    path = await server.define(definition(deprecated=True))
    assert (await server.get(path)).warnings == ["example.com/v1 Widget is deprecated"]
    made = await server.post(path, widget("w"))
    assert made.warnings == ["example.com/v1 Widget is deprecated"]

    await server.patch(
        "json", path_of(server), [{"op": "add", "path": "/spec/versions/0/deprecationWarning", "value": "use gadgets"}]
    )

    warned = await server.until(path, lambda response: response.warnings == ["use gadgets"])
    assert warned.status == 200


async def test_a_default_is_set_on_writes_and_shown_in_what_was_stored_before_it(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w", spec={"color": "red"}))
    place = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/color/default"

    await server.patch("json", path_of(server), [{"op": "add", "path": place, "value": "green"}])
    await server.create(path, widget("before", spec={}))
    live = await server.until(f"{path}/before", lambda response: response.body["spec"].get("color") == "green")

    assert live.body["spec"] == {"color": "green", "size": 3}
    assert (await server.get(f"{path}/w")).body["spec"]["color"] == "red"


async def test_a_tightened_schema_tolerates_what_is_unchanged(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w", spec={"size": 1, "color": "red"}))
    place = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/minimum"
    await server.patch("json", path_of(server), [{"op": "replace", "path": place, "value": 3}])

    refused = await server.post(path, widget("x", spec={"size": 1}))
    while refused.status != 422:
        await server.delete(f"{path}/x")
        await asyncio.sleep(0)  # the new schema is not served yet
        refused = await server.post(path, widget("x", spec={"size": 1}))
    assert refused.causes == [("spec.size", "Invalid value: 1: spec.size in body should be greater than or equal to 3")]

    assert (await server.patch("merge", f"{path}/w", {"spec": {"color": "blue"}})).status == 200
    assert (await server.patch("merge", f"{path}/w", {"spec": {"size": 2}})).status == 422
    assert (await server.patch("merge", f"{path}/w", {"spec": {"size": 4}})).status == 200


# Objects


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"color": "pink"}, "spec.color", 'Unsupported value: "pink": supported values: "red", "green", "blue"'),
        ({"size": 0}, "spec.size", "Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": "x"}, "spec.size", 'Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ({"size": 1.5}, "spec.size", 'Invalid value: "number": spec.size in body must be of type integer: "number"'),
        ({"tags": ["a", "a"]}, "spec.tags[1]", 'Duplicate value: "a"'),
        ({"ports": [{"name": "a"}, {"name": "a"}]}, "spec.ports[1]", 'Duplicate value: {"name":"a"}'),
        ({"ports": [{"port": 1}]}, "spec.ports[0].name", "Required value"),
        (
            {"labels": {"k": 1}},
            "spec.labels.k",
            'Invalid value: "integer": spec.labels.k in body must be of type string: "integer"',
        ),
    ],
)
async def test_an_object_is_validated_by_the_schema(server, definition, widget, spec, field, message):
    path = await server.define(definition())

    response = await server.post(path, widget("w", spec=spec))

    assert (response.status, response.body["reason"]) == (422, "Invalid")
    assert (field, message) in response.causes
    assert (await server.get(path)).names == []


async def test_a_null_where_none_is_allowed_counts_as_absent(server, definition, widget):
    path = await server.define(definition())

    made = await server.create(path, widget("w", spec={"color": None, "size": None}))

    assert made["spec"] == {"size": 3}


async def test_unknown_fields_are_pruned_unless_they_are_preserved(server, definition, widget):
    pruning = definition()
    properties = pruning["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["free"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    path = await server.define(pruning)

    made = await server.create(path, widget("w", spec={"nope": 1}, free={"any": {"thing": [1]}}, other=1))

    assert made["spec"] == {"size": 3}
    assert made["free"] == {"any": {"thing": [1]}}
    assert "other" not in made


async def test_a_custom_resource_says_its_type_and_version_and_needs_a_version_to_be_replaced(
    server, definition, widget
):
    path = await server.define(definition())
    await server.create(path, widget("w"))

    untyped = await server.post(path, {"metadata": {"name": "x"}})
    assert untyped.failure[:2] == (400, "BadRequest")
    assert "Object 'Kind' is missing in" in untyped.message
    unversioned = await server.put(f"{path}/w", widget("w"))
    assert unversioned.causes == [("metadata.resourceVersion", "Invalid value: 0: must be specified for an update")]


async def test_objects_of_the_cluster_have_no_namespace(server, definition, widget):
    cluster = definition()
    cluster["spec"]["scope"] = "Cluster"
    path = await server.define(cluster)

    made = await server.create(path, widget("w"))
    assert "namespace" not in made["metadata"]
    assert (await server.get("/apis/example.com/v1/namespaces/default/widgets")).status == 404
    placed = await server.create(path, widget("x", metadata={"namespace": "default"}))
    assert "namespace" not in placed["metadata"]


# Deletion


async def test_a_definition_goes_after_its_objects_and_takes_them_with_it(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w"))
    stream = await server.watch(f"{path}?watch=1&resourceVersion=0")
    assert await stream.events(1) == [("ADDED", "w")]

    gone = await server.delete(path_of(server))
    assert (gone.status, gone.body["kind"]) == (200, "CustomResourceDefinition")
    assert gone.body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]

    await server.until(path_of(server), lambda response: response.status == 404)
    await server.until(path, lambda response: response.status == 404)
    assert await stream.events(1) == [("DELETED", "w")]
    await stream.close()
    again = await server.define(definition())
    assert (await server.get(again)).names == []


async def test_while_an_object_holds_it_a_definition_terminates_and_takes_no_new_objects(server, definition, widget):
    path = await server.define(definition())
    await server.create(path, widget("w", metadata={"finalizers": ["a.example/hold"]}))

    await server.delete(path_of(server))
    live = await server.until(
        path_of(server), lambda response: (condition(response.body, "Terminating") or ("",))[0] == "True"
    )
    assert condition(live.body, "Terminating")[1] in ("InstanceDeletionPending", "InstanceDeletionInProgress")
    held = await server.until(f"{path}/w", lambda response: "deletionTimestamp" in response.body["metadata"])
    assert held.status == 200
    refused = await server.post(path, widget("x"))
    assert refused.failure == (
        403,
        "Forbidden",
        'widgets.example.com "x" is forbidden: create not allowed while custom resource definition is terminating',
    )

    await server.patch("merge", f"{path}/w", {"metadata": {"finalizers": None}})
    await server.until(path_of(server), lambda response: response.status == 404)
