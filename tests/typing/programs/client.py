"""What the client's verbs give, awaited and blocking, for each way to name a kind."""

from typing import Any, assert_type

from models import Site

from zestor_controller import Client, Unstructured
from zestor_controller.client import BlockingClient, ObjectList, ServerWatch, WatchEvent
from zestor_controller.objects import ApplyPatch, Kind, MergePatch, kind_of


async def awaited(
    client: Client, site: Site, pod: Unstructured, kind: Kind[Site], text: str, body: dict[str, Any]
) -> None:
    assert_type(await client.get(Site, "a"), Site)
    assert_type(await client.get(kind, "a"), Site)
    assert_type(await client.get("v1/Pod", "a"), Unstructured)
    assert_type(await client.get(text, "a", namespace="b"), Unstructured)
    assert_type((await client.get(Site, "a")).spec.image, str)
    assert_type((await client.get(Site, "a")).status.ready_replicas, int)

    assert_type(await client.list(Site, labels={"app": "a"}, limit=5), ObjectList[Site])
    assert_type(await client.list("v1/Pod", fields="spec.nodeName=a"), ObjectList[Unstructured])
    assert_type(list(await client.list(Site)), list[Site])
    assert_type(client.watch(Site), ServerWatch[Site])
    assert_type(client.watch("v1/Pod"), ServerWatch[Unstructured])
    async for event in client.watch(Site, resource_version="5"):
        assert_type(event, WatchEvent[Site])
        assert_type(event.object, Site)

    assert_type(await client.create(Site, site), Site)
    assert_type(await client.create(Site, {"spec": {}}), Site)
    assert_type(await client.create(kind, body), Site)
    assert_type(await client.create(site, dry_run=True), Site)
    assert_type(await client.create("v1/Pod", {}), Unstructured)
    assert_type(await client.create("v1/Pod", body, namespace="b"), Unstructured)
    assert_type(await client.create(body), Unstructured)
    assert_type(await client.create(pod), Unstructured)
    assert_type(await client.replace(Site, site, subresource="status"), Site)
    assert_type(await client.replace(site), Site)
    assert_type(await client.replace("v1/Pod", pod), Unstructured)
    assert_type(await client.patch(Site, "a", MergePatch({})), Site)
    assert_type(await client.patch("v1/Pod", "a", ApplyPatch({}), subresource="status"), Unstructured)
    assert_type(await client.apply(Site, site), Site)
    assert_type(await client.apply(site, field_manager="m", force=False), Site)
    assert_type(await client.apply("v1/Pod", {}), Unstructured)
    assert_type(await client.apply({"apiVersion": "v1", "kind": "Pod"}), Unstructured)
    assert_type(await client.apply_status(site), Site)
    assert_type(await client.apply_status(Site, site), Site)
    assert_type(await client.delete(Site, "a", propagation="Foreground", missing_ok=True), None)
    assert_type(await client.get_scale("apps/v1/Deployment", "a"), int)

    assert_type(await client.wait_for(Site, "a", "Ready"), Site)
    assert_type(await client.wait_for(Site, "a", lambda s: s and s.status.ready_replicas == 1), Site)
    assert_type(await client.wait_for("v1/Pod", "a", lambda p: p and p["status"]["phase"] == "Running"), Unstructured)
    assert_type(await client.resolve("g.example.org/v1/Other"), Kind[Unstructured])
    assert_type(kind_of(Site), Kind[Site])
    assert_type(kind_of("apps/v1/Deployment"), Kind[Unstructured])

    print((await client.get(Site, "a")).spec.image + 1)  # error
    await client.create(Site, 5)  # error
    await client.list(Site, label="a")  # error
    await client.delete(Site, "a", propogation="Orphan")  # error
    await client.wait_for(Site, "a", lambda s: s and s.status.ready == 1)  # error
    client.get(Site)  # error


def blocking(client: BlockingClient, site: Site, body: dict[str, Any]) -> None:
    assert_type(client.get(Site, "a"), Site)
    assert_type(client.get("v1/Pod", "a"), Unstructured)
    assert_type(client.list(Site, limit=5), ObjectList[Site])
    assert_type(client.create("v1/Pod", body), Unstructured)
    assert_type(client.create(site), Site)
    assert_type(client.replace(Site, site), Site)
    assert_type(client.patch(Site, "a", MergePatch({})), Site)
    assert_type(client.apply(Site, {"spec": {}}), Site)
    assert_type(client.apply(body), Unstructured)
    assert_type(client.apply_status(site), Site)
    assert_type(client.wait_for(Site, "a", lambda s: s and s.spec.replicas), Site)
    assert_type(client.wait_for("v1/Pod", "a", lambda p: p and p["spec"]), Unstructured)
    assert_type(client.wait(client.client.get(Site, "a")), Site)

    client.apply(site, dryrun=True)  # error
