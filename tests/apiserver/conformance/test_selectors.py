"""Label and field selectors of lists, watches and collections: what each operator chooses, and each error."""

from urllib.parse import quote

import pytest

LABELS = {
    "red": {"app": "web", "tier": "1"},
    "blue": {"app": "api", "tier": "2"},
    "bare": {},
    "empty": {"app": "", "tier": "x"},
    "deep": {"example.com/team": "core"},
}


@pytest.fixture
async def labelled(server):
    for name, labels in LABELS.items():
        await server.configmap(name, labels=labels)
    return server


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("", ["bare", "blue", "deep", "empty", "red"]),
        ("app=web", ["red"]),
        ("app==web", ["red"]),
        ("app = web ", ["red"]),
        ("app!=web", ["bare", "blue", "deep", "empty"]),
        ("app=", ["empty"]),
        ("app!=", ["bare", "blue", "deep", "red"]),
        ("app", ["blue", "empty", "red"]),
        ("!app", ["bare", "deep"]),
        ("! app", ["bare", "deep"]),
        ("app in (web, api)", ["blue", "red"]),
        ("app in ()", ["empty"]),
        ("app in (web,)", ["empty", "red"]),
        ("app notin (web)", ["bare", "blue", "deep", "empty"]),
        ("app notin (web,api,)", ["bare", "deep"]),
        ("tier>1", ["blue"]),
        ("tier<2", ["red"]),
        ("tier>0,tier<2", ["red"]),
        ("tier>2", []),
        ("app=web,tier=1", ["red"]),
        ("app=web,tier=2", []),
        ("app=web,app=api", []),
        ("app,app!=web", ["blue", "empty"]),
        ("example.com/team=core", ["deep"]),
        ("example.com/team", ["deep"]),
        ("in in (in)", []),
        ("notin=in", []),
    ],
)
async def test_a_label_selector_chooses(labelled, selector, names):
    found = await labelled.get(f"{labelled.configmaps}?labelSelector={quote(selector)}")

    assert (found.status, found.names) == (200, names)


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("app in (web", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"),
        ("=web", "unable to parse requirement: found '=', expected: !, identifier, or 'end of string'"),
        ("app===web", "unable to parse requirement: found '=', expected: identifier"),
        ("app=web,", "found '', expected: identifier after ','"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("app=web tier=1", "unable to parse requirement: found 'tier', expected: ',' or 'end of string'"),
        ("!app=web", "unable to parse requirement: found '=', expected: ',' or 'end of string'"),
        ("app>web", None),
        ("app>", None),
        ("-app", None),
        ("app=-", None),
        ("app=" + "v" * 64, None),
        ("k" * 64, None),
        ("a/b/c", None),
        ("app=a\u00fc", None),
    ],
)
async def test_a_label_selector_that_cannot_be_read_is_a_bad_request(labelled, selector, why):
    refused = await labelled.get(f"{labelled.configmaps}?labelSelector={quote(selector)}")

    assert refused.failure[:2] == (400, "BadRequest")
    assert refused.message.startswith("unable to parse requirement: ") or why is not None
    if why is not None:
        assert why.removeprefix("unable to parse requirement: ") in refused.message


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_bad_selector_selects_nothing_and_deletes_nothing(labelled, method):
    assert (await labelled.ask(method, f"{labelled.configmaps}?labelSelector=a==")).status == 200
    assert (await labelled.ask(method, f"{labelled.configmaps}?labelSelector=a===")).status == 400
    assert (await labelled.ask(method, f"{labelled.configmaps}?fieldSelector=data.x=1")).status == 400
    assert len((await labelled.get(labelled.configmaps)).names) == 5


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("metadata.name=red", ["red"]),
        ("metadata.name==red", ["red"]),
        ("metadata.name!=red", ["bare", "blue", "deep", "empty"]),
        ("metadata.name=red,metadata.namespace=default", ["red"]),
        ("metadata.namespace=other", []),
        ("metadata.namespace!=other", ["bare", "blue", "deep", "empty", "red"]),
        ("metadata.name=red,metadata.name=blue", []),
        ("metadata.name!=red,metadata.name!=blue", ["bare", "deep", "empty"]),
        ("metadata.name=", []),
        ("", ["bare", "blue", "deep", "empty", "red"]),
        (",", ["bare", "blue", "deep", "empty", "red"]),
    ],
)
async def test_a_field_selector_chooses_by_the_fields_of_every_kind(labelled, selector, names):
    found = await labelled.get(f"{labelled.configmaps}?fieldSelector={quote(selector)}")

    assert (found.status, found.names) == (200, names)


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("data.x=1", '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        (
            "metadata.labels.app=web",
            '"metadata.labels.app" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("=a", '"" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("metadata.name in (a)", "invalid selector: 'metadata.name in (a)'; can't understand 'metadata.name in (a)'"),
    ],
)
async def test_another_field_of_a_configmap_is_a_bad_request(labelled, selector, message):
    refused = await labelled.get(f"{labelled.configmaps}?fieldSelector={quote(selector)}")

    assert refused.failure[:2] == (400, "BadRequest")
    assert message in refused.message


async def test_both_selectors_must_match(labelled):
    path = f"{labelled.configmaps}?labelSelector=app&fieldSelector=metadata.name!%3Dred"

    assert (await labelled.get(path)).names == ["blue", "empty"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("spec.nodeName=n1", ["placed"]),
        ("spec.nodeName=", ["waiting"]),
        ("spec.nodeName!=n1", ["waiting"]),
        ("status.phase=Running", ["placed"]),
        ("status.phase!=Running", ["waiting"]),
        ("status.phase=Pending,spec.nodeName=", ["waiting"]),
        ("spec.restartPolicy=Never", ["waiting"]),
        ("spec.serviceAccountName=bot", ["placed"]),
        ("spec.schedulerName=default-scheduler", ["placed", "waiting"]),
        ("spec.hostNetwork=true", []),
        ("spec.hostNetwork=false", ["placed", "waiting"]),
        ("status.podIP=", ["placed", "waiting"]),
        ("status.nominatedNodeName=", ["placed", "waiting"]),
    ],
)
async def test_pods_are_selected_by_their_own_fields(server, selector, names):
    container = [{"name": "c", "image": "i"}]
    placed = {"containers": container, "nodeName": "n1", "serviceAccountName": "bot"}
    await server.create(server.pods, {"metadata": {"name": "placed"}, "spec": placed})
    await server.patch("merge", f"{server.pods}/placed/status", {"status": {"phase": "Running"}})
    waiting = {"containers": container, "restartPolicy": "Never"}
    await server.create(server.pods, {"metadata": {"name": "waiting"}, "spec": waiting})

    assert (await server.get(f"{server.pods}?fieldSelector={quote(selector)}")).names == names


SUPPORTED = [
    ("/api/v1/namespaces", "status.phase=Active"),
    ("/api/v1/nodes", "spec.unschedulable=true"),
    ("/api/v1/secrets", "type=Opaque"),
    ("/api/v1/services", "spec.clusterIP=None"),
    ("/api/v1/services", "spec.type=ClusterIP"),
    ("/api/v1/events", "involvedObject.kind=Pod"),
    ("/api/v1/events", "involvedObject.uid=1"),
    ("/api/v1/events", "reason=Started"),
    ("/api/v1/events", "reportingComponent=kubelet"),
    ("/api/v1/events", "source=kubelet"),
    ("/api/v1/events", "type=Warning"),
    ("/apis/events.k8s.io/v1/events", "regarding.name=p"),
    ("/apis/events.k8s.io/v1/events", "reportingController=kubelet"),
    ("/apis/batch/v1/jobs", "status.successful=1"),
]


@pytest.mark.parametrize(("path", "selector"), SUPPORTED)
async def test_each_kind_has_field_labels_of_its_own(server, path, selector):
    assert (await server.get(f"{path}?fieldSelector={quote(selector)}")).status == 200


@pytest.mark.parametrize(
    ("path", "selector"),
    [
        ("/api/v1/nodes", "status.phase=x"),
        ("/api/v1/services", "spec.ports=1"),
        ("/api/v1/events", "regarding.name=p"),
        ("/apis/apps/v1/deployments", "status.replicas=1"),
        ("/apis/apps/v1/replicasets", "status.replicas=1"),
        ("/apis/apps/v1/statefulsets", "spec.replicas=1"),
        ("/apis/batch/v1/cronjobs", "spec.suspend=true"),
        ("/api/v1/persistentvolumeclaims", "status.phase=Bound"),
        ("/api/v1/pods", "spec.containers=1"),
        ("/api/v1/serviceaccounts", "secrets=1"),
    ],
)
async def test_a_field_label_of_another_kind_is_a_bad_request(server, path, selector):
    refused = await server.get(f"{path}?fieldSelector={quote(selector)}")

    assert refused.failure[:2] == (400, "BadRequest")
    assert "field label not supported" in refused.message or "not a known field selector" in refused.message


async def test_custom_resources_are_selected_by_their_selectable_fields_alone(server, definition, widget):
    selectable = [{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.size"}]
    path = await server.define(definition(selectableFields=selectable))
    await server.create(path, widget("r", spec={"color": "red", "size": 1}))
    await server.create(path, widget("b", spec={"color": "blue"}))
    await server.create(path, widget("n", spec={"size": 1}))

    async def names(selector):
        return (await server.get(f"{path}?fieldSelector={quote(selector)}")).names

    assert await names("spec.color=red") == ["r"]
    assert await names("spec.color!=red") == ["b", "n"]
    assert await names("spec.color=") == ["n"]
    assert await names("spec.size=1") == ["n", "r"]
    assert await names("spec.size=1,spec.color=red,metadata.name=r") == ["r"]
    refused = await server.get(f"{path}?fieldSelector=spec.replicas%3D1")
    assert refused.failure[:2] == (400, "BadRequest")
    assert "field label not supported: spec.replicas" in refused.message


async def test_a_watch_by_a_field_sees_objects_come_and_go_by_it(server, definition, widget):
    path = await server.define(definition(selectableFields=[{"jsonPath": ".spec.color"}]))
    made = await server.create(path, widget("w", spec={"color": "blue"}))
    version = made["metadata"]["resourceVersion"]
    stream = await server.watch(f"{path}?watch=1&fieldSelector=spec.color%3Dred&resourceVersion={version}")

    await server.patch("merge", f"{path}/w", {"spec": {"color": "red"}})
    await server.patch("merge", f"{path}/w", {"spec": {"size": 9}})
    left = await server.patch("merge", f"{path}/w", {"spec": {"color": "green"}})
    await server.delete(f"{path}/w")
    await server.create(path, widget("x", spec={"color": "red"}))

    assert await stream.events(2) == [("ADDED", "w"), ("MODIFIED", "w")]
    gone = await stream.event()
    assert (gone["type"], gone["object"]["spec"]["color"]) == ("DELETED", "red")
    assert gone["object"]["metadata"]["resourceVersion"] == left.body["metadata"]["resourceVersion"]
    assert await stream.events(1) == [("ADDED", "x")]
    await stream.close()


async def test_a_collection_is_deleted_by_both_selectors(labelled):
    gone = await labelled.delete(f"{labelled.configmaps}?labelSelector=app&fieldSelector=metadata.name!%3Dred")

    assert gone.names == ["blue", "empty"]
    assert (await labelled.get(labelled.configmaps)).names == ["bare", "deep", "red"]


async def test_a_continued_list_keeps_no_selector_of_its_own(labelled):
    """The token carries the place only: each page is selected by what its own request says."""
    first = await labelled.get(f"{labelled.configmaps}?labelSelector=app&limit=1")
    assert first.names == ["blue"]
    assert "remainingItemCount" not in first.body["metadata"]

    rest = await labelled.get(f"{labelled.configmaps}?limit=9&continue={first.body['metadata']['continue']}")

    assert rest.names == ["deep", "empty", "red"]
