"""What the simulated controllers make of workloads, against a server on a socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from zestor_controller import EmbeddedCluster
from zestor_controller.client import BlockingClient
from zestor_controller.errors import ApiError, Invalid, NotFound
from zestor_controller.http import HttpRequest
from zestor_controller.objects import MergePatch

WAIT = timedelta(seconds=30)
DEPLOYMENT, SET, POD = "apps/v1/Deployment", "apps/v1/ReplicaSet", "v1/Pod"
STATEFUL_SET, JOB, CLAIM = "apps/v1/StatefulSet", "batch/v1/Job", "v1/PersistentVolumeClaim"
REVISION = "deployment.kubernetes.io/revision"


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as running:
        yield running


@pytest.fixture
def client(cluster: EmbeddedCluster, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    made = cluster.client.create("v1/Namespace", {"metadata": {"generateName": "w-"}})
    yield Namespace(cluster.client, made.metadata.name)
    cluster.client.delete("v1/Namespace", made.metadata.name)


class Namespace:
    """A client of one namespace."""

    def __init__(self, client: BlockingClient, name: str) -> None:
        self.client, self.name = client, name

    def create(self, kind: str, name: str, **fields: Any) -> Any:
        metadata = {"name": name, **fields.pop("metadata", {})}
        return self.client.create(kind, {"metadata": metadata, **fields}, namespace=self.name)

    def get(self, kind: str, name: str) -> Any:
        return self.client.get(kind, name, namespace=self.name)

    def list(self, kind: str) -> Any:
        return list(self.client.list(kind, namespace=self.name))

    def patch(self, kind: str, name: str, patch: Any) -> Any:
        return self.client.patch(kind, name, MergePatch(patch), namespace=self.name)

    def delete(self, kind: str, name: str) -> None:
        self.client.delete(kind, name, namespace=self.name)

    def until(self, kind: str, name: str, test: Callable[[Any], Any]) -> Any:
        return self.client.wait_for(kind, name, test, namespace=self.name, timeout=WAIT)

    def handled(self, name: str = "web") -> Any:
        def complete(found: Any) -> bool:
            status = (found or {}).get("status") or {}
            replicas = found["spec"]["replicas"] if found else 0
            names = ("replicas", "updatedReplicas", "availableReplicas")
            counts = [status.get(each, 0) for each in names]
            return status.get("observedGeneration") == found.metadata.generation and counts == [replicas] * 3

        return self.until(DEPLOYMENT, name, complete)

    def post(self, path: str, body: Any) -> Any:
        raw = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = HttpRequest("POST", f"/api/v1/namespaces/{self.name}/{path}", [], headers, raw)
        return self.client.wait(self.client.client.call(request))


def template(image: str = "v0", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": image}], **spec}}


def owner(**spec: Any) -> dict[str, Any]:
    return {"selector": {"matchLabels": {"a": "b"}}, "template": template(), **spec}


def image_of(pod: Any) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def roll(client: Namespace, image: str) -> Any:
    client.patch(DEPLOYMENT, "web", {"spec": {"template": template(image)}})
    return client.handled()


def test_only_its_user_moves_a_deployments_generation(client: Namespace) -> None:
    client.create(DEPLOYMENT, "web", spec=owner())
    web = client.handled()
    assert (web.metadata.generation, web["status"]["observedGeneration"]) == (1, 1)
    assert web.metadata.annotations == {REVISION: "1"}
    managers = {(entry["manager"], entry.get("subresource", "")) for entry in web["metadata"]["managedFields"]}
    assert ("kube-controller-manager", "status") in managers
    assert {manager for manager, sub in managers if not sub}.isdisjoint({"kube-controller-manager"})


def test_old_replica_sets_stay_up_to_the_limit_and_a_roll_back_is_a_new_revision(client: Namespace) -> None:
    client.create(DEPLOYMENT, "web", spec=owner(revisionHistoryLimit=1))
    client.handled()
    (first,) = client.list(SET)
    for image in ("v1", "v2", "v1"):
        web = roll(client, image)
    assert web.metadata.annotations[REVISION] == "4"
    client.until(SET, first.metadata.name, lambda s: s is None)
    images = {image_of(s["spec"]["template"]): s.metadata.annotations[REVISION] for s in client.list(SET)}
    assert images == {"v2": "3", "v1": "4"}


def test_a_paused_deployment_keeps_its_template_and_follows_its_size(client: Namespace) -> None:
    client.create(DEPLOYMENT, "web", spec=owner())
    client.handled()
    client.patch(DEPLOYMENT, "web", {"spec": {"paused": True, "replicas": 2, "template": template("v1")}})

    def paused(found: Any) -> bool:
        reasons = {each["type"]: each["reason"] for each in found["status"]["conditions"]}
        return reasons["Progressing"] == "DeploymentPaused" and found["status"].get("availableReplicas") == 2

    client.until(DEPLOYMENT, "web", paused)
    assert len(client.list(SET)) == 1
    client.patch(DEPLOYMENT, "web", {"spec": {"paused": False}})
    client.handled()
    assert len(client.list(SET)) == 2


def test_a_roll_out_never_has_more_pods_than_the_surge_allows(client: Namespace) -> None:
    rolling = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    client.create(DEPLOYMENT, "web", spec=owner(replicas=4, strategy=rolling))
    client.handled()
    most, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            most[0] = max(most[0], sum(s["spec"]["replicas"] for s in client.list(SET)))

    counting = threading.Thread(target=count)
    counting.start()
    try:
        roll(client, "v1")
    finally:
        stop.set()
        counting.join()
    assert most[0] == 5


def test_recreate_starts_nothing_before_everything_old_has_gone(client: Namespace) -> None:
    client.create(DEPLOYMENT, "web", spec=owner(replicas=2, strategy={"type": "Recreate"}))
    client.handled()
    before = {pod.metadata.uid for pod in client.list(POD)}
    roll(client, "v1")
    assert before.isdisjoint(pod.metadata.uid for pod in client.list(POD))
    old = min(client.list(SET), key=lambda s: s.metadata.annotations[REVISION])
    assert old["spec"]["replicas"] == 0


def test_a_pod_is_available_once_it_has_been_ready_for_long_enough(client: Namespace) -> None:
    client.create(DEPLOYMENT, "web", spec=owner(minReadySeconds=2))
    ready = client.until(DEPLOYMENT, "web", lambda d: d["status"].get("readyReplicas") == 1)
    assert "availableReplicas" not in ready["status"]
    client.handled()


def test_a_replication_controller_makes_its_pods(client: Namespace) -> None:
    spec = {"replicas": 2, "selector": {"a": "b"}, "template": template()}
    client.create("v1/ReplicationController", "rc", spec=spec)
    client.until("v1/ReplicationController", "rc", lambda rc: rc["status"].get("readyReplicas") == 2)


def test_a_direct_pod_is_bound_before_it_runs(client: Namespace) -> None:
    client.create(POD, "p", spec=template()["spec"])
    pod = client.until(POD, "p", lambda p: p["status"]["phase"] == "Running")
    node = client.client.list("v1/Node")[0].metadata.name
    assert pod["spec"]["nodeName"] == node
    assert {each["type"]: each["status"] for each in pod["status"]["conditions"]}["PodScheduled"] == "True"


def test_a_deleted_pod_ends_before_it_goes(client: Namespace) -> None:
    client.create(POD, "p", spec={**template()["spec"], "terminationGracePeriodSeconds": 7})
    client.until(POD, "p", lambda p: p["status"]["phase"] == "Running")
    seen = [(p["metadata"].get("deletionGracePeriodSeconds"), p["status"]["phase"]) for p in states(client)]
    assert (7, "Running") in seen
    assert (7, "Succeeded") in seen
    with pytest.raises(NotFound):
        client.get(POD, "p")


def states(client: Namespace) -> list[Any]:
    """Every state of the Pod ``p`` from its deletion on, by a raw watch."""
    path = f"/api/v1/namespaces/{client.name}/pods"
    version = client.client.list(POD, namespace=client.name).resource_version
    client.delete(POD, "p")
    client.until(POD, "p", lambda p: p is None)
    query = [("watch", "true"), ("resourceVersion", version), ("timeoutSeconds", "1")]
    request = HttpRequest("GET", path, query, {"Accept": "application/json"})
    lines = client.client.wait(client.client.client.call(request)).splitlines()
    return [json.loads(line)["object"] for line in lines if line]


def test_a_cordoned_node_takes_no_pod_until_it_is_uncordoned(client: Namespace) -> None:
    node = client.client.list("v1/Node")[0].metadata.name
    client.client.patch("v1/Node", node, MergePatch({"spec": {"unschedulable": True}}))
    try:
        client.create(POD, "p", spec=template()["spec"])

        def refused(pod: Any) -> bool:
            conditions = pod["status"].get("conditions") or []
            return any("unschedulable" in each.get("message", "") for each in conditions)

        client.until(POD, "p", refused)
    finally:
        client.client.patch("v1/Node", node, MergePatch({"spec": {"unschedulable": None}}))
    client.until(POD, "p", lambda p: p["status"]["phase"] == "Running")


def test_a_pod_that_selects_another_node_or_scheduler_waits(client: Namespace) -> None:
    client.create(POD, "gated", spec={**template()["spec"], "schedulingGates": [{"name": "example.com/g"}]})
    client.create(POD, "other", spec={**template()["spec"], "schedulerName": "mine"})
    client.create(POD, "picky", spec={**template()["spec"], "nodeSelector": {"disk": "fast"}})
    client.until(POD, "picky", lambda p: p["status"].get("conditions"))
    client.create(POD, "last", spec=template()["spec"])
    client.until(POD, "last", lambda p: p["status"]["phase"] == "Running")
    assert [client.get(POD, name)["status"]["phase"] for name in ("gated", "other", "picky")] == ["Pending"] * 3
    client.patch(POD, "gated", {"spec": {"schedulingGates": None}})
    client.until(POD, "gated", lambda p: p["status"]["phase"] == "Running")


def test_a_stateful_set_has_claims_and_starts_in_order(client: Namespace) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec = owner(replicas=2, serviceName="db", volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": claim}])
    spec["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/d"}]
    client.create(STATEFUL_SET, "db", spec=spec)
    client.until(STATEFUL_SET, "db", lambda s: s["status"].get("readyReplicas") == 2)
    pods = {pod.metadata.name: pod for pod in client.list(POD)}
    assert sorted(pods) == ["db-0", "db-1"]
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}}
    assert volume in pods["db-1"]["spec"]["volumes"]
    assert (pods["db-1"]["spec"]["hostname"], pods["db-1"]["spec"]["subdomain"]) == ("db-1", "db")
    assert pods["db-1"].metadata.labels["apps.kubernetes.io/pod-index"] == "1"
    versions = [int(pods[name].metadata.resource_version) for name in ("db-0", "db-1")]
    assert pods["db-0"]["status"]["startTime"] <= pods["db-1"]["metadata"]["creationTimestamp"], versions
    assert {claim.metadata.name for claim in client.list(CLAIM)} == {"data-db-0", "data-db-1"}
    client.patch(STATEFUL_SET, "db", {"spec": {"replicas": 1}})
    client.until(POD, "db-1", lambda p: p is None)
    assert len(client.list(CLAIM)) == 2


def test_a_partition_keeps_the_pods_below_it(client: Namespace) -> None:
    update = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    client.create(STATEFUL_SET, "db", spec=owner(replicas=2, updateStrategy=update))
    client.until(STATEFUL_SET, "db", lambda s: s["status"].get("readyReplicas") == 2)
    client.patch(STATEFUL_SET, "db", {"spec": {"template": template("v1")}})
    client.until(
        STATEFUL_SET, "db", lambda s: (s["status"].get("updatedReplicas"), s["status"].get("readyReplicas")) == (1, 2)
    )
    images = {p.metadata.name: image_of(p) for p in client.list(POD)}
    assert images == {"db-0": "v0", "db-1": "v1"}


def test_a_daemon_set_replaces_its_pod_when_the_template_changes(client: Namespace) -> None:
    client.create("apps/v1/DaemonSet", "d", spec=owner())
    client.until("apps/v1/DaemonSet", "d", lambda d: d["status"].get("numberReady") == 1)
    (pod,) = client.list(POD)
    client.patch("apps/v1/DaemonSet", "d", {"spec": {"template": template("v1")}})
    client.until(POD, pod.metadata.name, lambda p: p and image_of(p) == "v1")


def job(**spec: Any) -> dict[str, Any]:
    return {"template": template(restartPolicy="Never"), **spec}


def test_an_indexed_job_numbers_its_pods_and_goes_when_its_time_is_over(client: Namespace) -> None:
    spec = job(completions=3, parallelism=1, completionMode="Indexed", ttlSecondsAfterFinished=3)
    client.create(JOB, "j", spec=spec)
    done = client.until(JOB, "j", lambda j: j["status"].get("completionTime"))
    assert (done["status"]["succeeded"], done["status"]["completedIndexes"]) == (3, "0-2")
    client.until(JOB, "j", lambda j: j is None)


def test_a_suspended_job_runs_nothing_until_it_is_resumed(client: Namespace) -> None:
    client.create(JOB, "j", spec=job(suspend=True))
    held = client.until(JOB, "j", lambda j: j["status"].get("conditions"))
    assert held["status"]["conditions"][0]["reason"] == "JobSuspended"
    assert client.list(POD) == []
    client.patch(JOB, "j", {"spec": {"suspend": False}})
    done = client.until(JOB, "j", lambda j: j["status"].get("completionTime"))
    assert {each["type"]: each["status"] for each in done["status"]["conditions"]}["Suspended"] == "False"


def evict(client: Namespace, name: str) -> int:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": client.name}}
    try:
        client.post(f"pods/{name}/eviction", body)
    except ApiError as error:
        return error.status
    return 201


def test_a_budget_counts_and_lets_go_what_it_can_spare(client: Namespace) -> None:
    client.create(DEPLOYMENT, "web", spec=owner(replicas=2))
    client.handled()
    selector = {"matchLabels": {"a": "b"}}
    client.create("policy/v1/PodDisruptionBudget", "b", spec={"minAvailable": "50%", "selector": selector})
    budget = client.until("policy/v1/PodDisruptionBudget", "b", lambda b: b["status"].get("disruptionsAllowed") == 1)
    assert {name: budget["status"][name] for name in ("currentHealthy", "desiredHealthy", "expectedPods")} == {
        "currentHealthy": 2,
        "desiredHealthy": 1,
        "expectedPods": 2,
    }
    client.patch("policy/v1/PodDisruptionBudget", "b", {"spec": {"minAvailable": 2}})
    client.until("policy/v1/PodDisruptionBudget", "b", lambda b: b["status"].get("disruptionsAllowed") == 0)
    assert evict(client, client.list(POD)[0].metadata.name) == 429
    client.patch("policy/v1/PodDisruptionBudget", "b", {"spec": {"minAvailable": 1}})
    client.until("policy/v1/PodDisruptionBudget", "b", lambda b: b["status"].get("disruptionsAllowed") == 1)
    assert evict(client, client.list(POD)[0].metadata.name) == 201
    client.handled()


def test_each_namespace_has_the_certificate_and_gets_it_back(client: Namespace, cluster: EmbeddedCluster) -> None:
    name = "kube-root-ca.crt"
    found = client.until("v1/ConfigMap", name, bool)
    assert found["data"]["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")
    client.patch("v1/ConfigMap", name, {"data": {"ca.crt": "x"}})
    client.until("v1/ConfigMap", name, lambda c: c and c["data"] == found["data"])
    client.delete("v1/ConfigMap", name)
    client.until("v1/ConfigMap", name, bool)


def test_a_role_with_the_label_of_a_default_role_becomes_part_of_it(cluster: EmbeddedCluster) -> None:
    client, kind = cluster.client, "rbac.authorization.k8s.io/v1/ClusterRole"
    rule = {"apiGroups": ["example.com"], "resources": ["tests"], "verbs": ["get"]}
    labels = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    client.create(kind, {"metadata": {"name": "tests-view", "labels": labels}, "rules": [rule]})
    for name in ("view", "edit", "admin"):
        client.wait_for(kind, name, lambda role: rule in role["rules"], timeout=WAIT)
    client.delete(kind, "tests-view")
    for name in ("view", "edit", "admin"):
        client.wait_for(kind, name, lambda role: rule not in role["rules"], timeout=WAIT)


def test_what_the_server_refuses_reaches_the_user(client: Namespace) -> None:
    with pytest.raises(Invalid):
        client.create(STATEFUL_SET, "db", spec=owner(serviceName="No Name"))
