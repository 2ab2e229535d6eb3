"""Tables of built-in kinds: what kubectl shows of objects that have something to show.

Source: pkg/printers/internalversion/printers.go and printers_test.go.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

LABELS = {"a": "b"}
CONTAINERS = [{"name": "c", "image": "i:1"}, {"name": "d", "image": "j:2"}]
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": CONTAINERS}}
SELECTED = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}


async def stored(server: Any, kind: str, body: Any, status: Any = None, after: float = 90) -> Any:
    """The cells of an object some time after its creation."""
    await server.create(kind, body)
    if status is not None:
        await server.updated(kind, {"status": status}, "status")
    server.now += after
    return await server.cells(kind)


def at(server: Any, ago: float) -> str:
    return datetime.fromtimestamp(server.now - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# Workloads


async def test_a_deployment(server: Any) -> None:
    status = {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}
    assert await stored(server, "apps/v1/deployments", {"spec": {"replicas": 4, **SELECTED}}, status) == {
        "Name": "x",
        "Ready": "2/4",
        "Up-to-date": 3,
        "Available": 1,
        "Age": "90s",
        "Containers": "c,d",
        "Images": "i:1,j:2",
        "Selector": "a=b",
    }


async def test_a_replica_set(server: Any) -> None:
    status = {"replicas": 2, "readyReplicas": 1}
    assert await stored(server, "apps/v1/replicasets", {"spec": {"replicas": 3, **SELECTED}}, status, 7200) == {
        "Name": "x",
        "Desired": 3,
        "Current": 2,
        "Ready": 1,
        "Age": "120m",
        "Containers": "c,d",
        "Images": "i:1,j:2",
        "Selector": "a=b",
    }


async def test_a_stateful_set(server: Any) -> None:
    status = {"replicas": 2, "readyReplicas": 1}
    assert await stored(server, "apps/v1/statefulsets", {"spec": {"replicas": 2, **SELECTED}}, status) == {
        "Name": "x",
        "Ready": "1/2",
        "Age": "90s",
        "Containers": "c,d",
        "Images": "i:1,j:2",
    }


async def test_a_daemon_set(server: Any) -> None:
    spec = {**SELECTED, "template": {**TEMPLATE, "spec": {"containers": CONTAINERS, "nodeSelector": {"disk": "fast"}}}}
    status = {
        "desiredNumberScheduled": 5,
        "currentNumberScheduled": 4,
        "numberReady": 3,
        "updatedNumberScheduled": 2,
        "numberAvailable": 1,
        "numberMisscheduled": 0,
    }
    cells = await stored(server, "apps/v1/daemonsets", {"spec": spec}, status)
    numbers = [cells[name] for name in ("Desired", "Current", "Ready", "Up-to-date", "Available")]
    assert (numbers, cells["Node Selector"], cells["Selector"]) == ([5, 4, 3, 2, 1], "disk=fast", "a=b")


async def test_a_controller_revision_names_its_controller(server: Any) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "uid": "u", "controller": True}
    body = {"metadata": {"ownerReferences": [owner]}, "data": {}, "revision": 3}
    cells = await stored(server, "apps/v1/controllerrevisions", body)
    assert (cells["Controller"], cells["Revision"]) == ("statefulset.apps/s", 3)


@pytest.mark.parametrize(
    ("expressions", "text"),
    [
        ([{"key": "k", "operator": "In", "values": ["y", "x"]}], "a=b,k in (x,y)"),
        ([{"key": "k", "operator": "NotIn", "values": ["x"]}], "a=b,k notin (x)"),
        ([{"key": "k", "operator": "Exists"}], "a=b,k"),
        ([{"key": "k", "operator": "DoesNotExist"}], "a=b,!k"),
    ],
)
async def test_a_selector_is_shown_as_a_query_has_it(server: Any, expressions: Any, text: str) -> None:
    template = {**TEMPLATE, "metadata": {"labels": {**LABELS, "k": "x"}}}
    labelled = expressions[0]["operator"] in ("In", "Exists")
    selector = {"matchLabels": LABELS, "matchExpressions": expressions}
    spec = {"selector": selector, "template": template if labelled else TEMPLATE}
    assert (await stored(server, "apps/v1/replicasets", {"spec": spec}))["Selector"] == text


# Jobs

JOB = {"template": {"spec": {"restartPolicy": "Never", "containers": CONTAINERS}}}


@pytest.mark.parametrize(
    ("spec", "succeeded", "text"),
    [
        ({"completions": 3}, 1, "1/3"),
        ({"parallelism": 1}, 1, "1/1"),
        ({"parallelism": 2}, 1, "1/1 of 2"),
    ],
)
async def test_completions_of_a_job(server: Any, spec: Any, succeeded: int, text: str) -> None:
    status = {"succeeded": succeeded}
    assert (await stored(server, "batch/v1/jobs", {"spec": {**JOB, **spec}}, status))["Completions"] == text


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("", "Running"),
    ],
)
async def test_the_status_of_a_job_is_its_condition(server: Any, condition: str, word: str) -> None:
    conditions = [{"type": condition, "status": "True"}] if condition else []
    assert (await stored(server, "batch/v1/jobs", {"spec": JOB}, {"conditions": conditions}))["Status"] == word


async def test_the_duration_of_a_job_ends_with_it(server: Any) -> None:
    status = {"startTime": at(server, 100), "completionTime": at(server, 40)}
    assert (await stored(server, "batch/v1/jobs", {"spec": JOB}, status))["Duration"] == "60s"
    await server.updated("batch/v1/jobs", {"status": {"completionTime": None}}, "status")
    assert (await server.cells("batch/v1/jobs"))["Duration"] == "3m10s"


async def test_a_cron_job(server: Any) -> None:
    spec = {"schedule": "@daily", "timeZone": "Etc/UTC", "jobTemplate": {"spec": JOB}}
    status = {"lastScheduleTime": at(server, 30), "active": [{"name": "j"}]}
    cells = await stored(server, "batch/v1/cronjobs", {"spec": spec}, status)
    assert {name: cells[name] for name in ("Schedule", "Timezone", "Suspend", "Active", "Last Schedule")} == {
        "Schedule": "@daily",
        "Timezone": "Etc/UTC",
        "Suspend": "False",
        "Active": 1,
        "Last Schedule": "2m",
    }


async def test_a_cron_job_that_never_ran(server: Any) -> None:
    cells = await stored(server, "batch/v1/cronjobs", {"spec": {"schedule": "@daily", "jobTemplate": {"spec": JOB}}})
    assert (cells["Timezone"], cells["Active"], cells["Last Schedule"]) == ("<none>", 0, "<none>")


# Pods


def running(**fields: Any) -> dict[str, Any]:
    return {
        "name": "c",
        "image": "i",
        "imageID": "",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {}},
        **fields,
    }


@pytest.mark.parametrize(
    ("status", "ready", "word"),
    [
        ({"phase": "Running", "containerStatuses": [running()]}, "1/2", "Running"),
        ({"phase": "Failed", "reason": "Evicted"}, "0/2", "Evicted"),
        (
            {
                "phase": "Running",
                "containerStatuses": [running(ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}})],
            },
            "0/2",
            "CrashLoopBackOff",
        ),
        (
            {"phase": "Failed", "containerStatuses": [running(ready=False, state={"terminated": {"exitCode": 3}})]},
            "0/2",
            "ExitCode:3",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [running(ready=False, state={"terminated": {"exitCode": 0, "signal": 9}})],
            },
            "0/2",
            "Signal:9",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [running(ready=False, state={"terminated": {"exitCode": 1, "reason": "Error"}})],
            },
            "0/2",
            "Error",
        ),
    ],
)
async def test_the_state_of_a_pod_in_one_word(server: Any, status: Any, ready: str, word: str) -> None:
    cells = await stored(server, "v1/pods", {"spec": {"containers": CONTAINERS}}, status)
    assert (cells["Ready"], cells["Status"]) == (ready, word)


async def test_a_pod_that_initializes_counts_its_init_containers(server: Any) -> None:
    spec = {"containers": CONTAINERS, "initContainers": [{"name": "e", "image": "i"}, {"name": "f", "image": "i"}]}
    done, waiting = {"terminated": {"exitCode": 0}}, {"waiting": {"reason": "PodInitializing"}}
    statuses = [running(name="e", ready=True, state=done), running(name="f", ready=False, state=waiting)]
    cells = await stored(server, "v1/pods", {"spec": spec}, {"phase": "Pending", "initContainerStatuses": statuses})
    assert (cells["Status"], cells["Ready"]) == ("Init:1/2", "0/2")


async def test_restarts_of_a_pod_name_the_last_one(server: Any) -> None:
    last = {"terminated": {"exitCode": 1, "finishedAt": at(server, 30)}}
    statuses = [running(restartCount=2, lastState=last), running(name="d", restartCount=1)]
    status = {"phase": "Running", "containerStatuses": statuses, "podIP": "10.1.1.1"}
    cells = await stored(server, "v1/pods", {"spec": {"containers": CONTAINERS}}, status)
    assert (cells["Restarts"], cells["IP"], cells["Node"]) == ("3 (2m ago)", "10.1.1.1", "<none>")


async def test_readiness_gates_are_counted(server: Any) -> None:
    spec = {"containers": CONTAINERS, "readinessGates": [{"conditionType": "a.io/x"}, {"conditionType": "a.io/y"}]}
    status = {"phase": "Running", "conditions": [{"type": "a.io/x", "status": "True"}]}
    assert (await stored(server, "v1/pods", {"spec": spec}, status))["Readiness Gates"] == "1/2"


async def test_a_terminating_pod_says_so(server: Any) -> None:
    metadata = {"finalizers": ["a.io/f"]}
    await server.create("v1/pods", {"metadata": metadata, "spec": {"containers": CONTAINERS}})
    assert (await server.send("DELETE", "/api/v1/namespaces/default/pods/x"))[0] == 200
    assert (await server.cells("v1/pods"))["Status"] == "Terminating"


# Services and endpoints


@pytest.mark.parametrize(
    ("spec", "external", "ports"),
    [
        ({"ports": [{"port": 80}]}, "<none>", "80/TCP"),
        ({"ports": [{"port": 80}], "externalIPs": ["192.0.2.7"]}, "192.0.2.7", "80/TCP"),
        ({"type": "NodePort", "ports": [{"port": 53, "protocol": "UDP", "nodePort": 30053}]}, "<none>", "53:30053/UDP"),
        ({"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}]}, "<pending>", "80:30080/TCP"),
        ({"type": "ExternalName", "externalName": "example.com"}, "example.com", "<none>"),
    ],
)
async def test_a_service(server: Any, spec: Any, external: str, ports: str) -> None:
    cells = await stored(server, "v1/services", {"spec": {**spec, "selector": LABELS}})
    assert (cells["External-IP"], cells["Port(s)"], cells["Selector"]) == (external, ports, "a=b")
    assert cells["Type"] == spec.get("type", "ClusterIP")


async def test_addresses_of_a_load_balancer(server: Any) -> None:
    ingress = [{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}]
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    cells = await stored(server, "v1/services", {"spec": spec}, {"loadBalancer": {"ingress": ingress}})
    assert cells["External-IP"] == "192.0.2.1,lb.example.com"


async def test_the_first_three_endpoints_are_shown(server: Any) -> None:
    subset = {"addresses": [{"ip": f"10.1.1.{n}"} for n in range(1, 6)], "ports": [{"port": 80}]}
    cells = await stored(server, "v1/endpoints", {"subsets": [subset]})
    assert cells["Endpoints"] == "10.1.1.1:80,10.1.1.2:80,10.1.1.3:80 + 2 more..."


async def test_an_endpoint_slice(server: Any) -> None:
    endpoints = [{"addresses": [f"10.1.1.{n}"]} for n in range(1, 5)]
    body = {"addressType": "IPv4", "endpoints": endpoints, "ports": [{"port": 80}, {"name": "b"}]}
    cells = await stored(server, "discovery.k8s.io/v1/endpointslices", body)
    assert (cells["AddressType"], cells["Ports"]) == ("IPv4", "80,*")
    assert cells["Endpoints"] == "10.1.1.1,10.1.1.2,10.1.1.3 + 1 more..."


async def test_an_empty_endpoint_slice(server: Any) -> None:
    cells = await stored(
        server, "discovery.k8s.io/v1/endpointslices", {"addressType": "IPv6", "endpoints": [], "ports": []}
    )
    assert (cells["Ports"], cells["Endpoints"]) == ("<unset>", "<unset>")


# Volumes, nodes, quotas


async def test_a_volume_and_the_claim_that_has_it(server: Any) -> None:
    spec = {
        "accessModes": ["ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany"],
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": "/p"},
        "storageClassName": "fast",
        "claimRef": {"namespace": "n", "name": "c"},
    }
    cells = await stored(server, "v1/persistentvolumes", {"spec": spec}, {"phase": "Bound", "reason": "r"})
    assert {name: value for name, value in cells.items() if name not in ("Name", "Age")} == {
        "Capacity": "1Gi",
        "Access Modes": "RWO,ROX,RWX",
        "Reclaim Policy": "Retain",
        "Status": "Bound",
        "Claim": "n/c",
        "StorageClass": "fast",
        "VolumeAttributesClass": "<unset>",
        "Reason": "r",
        "VolumeMode": "Filesystem",
    }


async def test_a_claim_shows_a_capacity_once_it_is_bound(server: Any) -> None:
    kind, spec = (
        "v1/persistentvolumeclaims",
        {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Gi"}}},
    )
    status = {"phase": "Bound", "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOncePod"]}
    before = await stored(server, kind, {"spec": spec}, status)
    assert (before["Volume"], before["Capacity"], before["Access Modes"]) == ("", "", "")
    await server.updated(kind, {"spec": {"volumeName": "v"}})
    after = await server.cells(kind)
    assert (after["Volume"], after["Capacity"], after["Access Modes"], after["Status"]) == ("v", "2Gi", "RWOP", "Bound")


@pytest.mark.parametrize(
    ("ready", "unschedulable", "word"),
    [
        ("True", False, "Ready"),
        ("False", False, "NotReady"),
        ("Unknown", False, "NotReady"),
        ("True", True, "Ready,SchedulingDisabled"),
        (None, True, "Unknown,SchedulingDisabled"),
    ],
)
async def test_the_status_of_a_node(server: Any, ready: str | None, unschedulable: bool, word: str) -> None:
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    body = {"spec": {"unschedulable": unschedulable}, "status": {"conditions": conditions}}
    assert (await stored(server, "v1/nodes", body))["Status"] == word


async def test_a_node(server: Any) -> None:
    labels = {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": ""}
    info = {"kubeletVersion": "v1.36.0", "osImage": "Linux", "kernelVersion": "6.1", "containerRuntimeVersion": "c://2"}
    status = {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}], "nodeInfo": info}
    cells = await stored(server, "v1/nodes", {"metadata": {"labels": labels}, "status": status})
    assert {name: value for name, value in cells.items() if name not in ("Name", "Status", "Age")} == {
        "Roles": "control-plane,worker",
        "Version": "v1.36.0",
        "Internal-IP": "10.0.0.1",
        "External-IP": "<none>",
        "OS-Image": "Linux",
        "Kernel-Version": "6.1",
        "Container-Runtime": "c://2",
    }


async def test_a_quota_separates_requests_from_limits(server: Any) -> None:
    hard = {"pods": "4", "requests.cpu": "2", "limits.cpu": "3"}
    status = {"hard": hard, "used": {"pods": "1", "limits.cpu": "500m"}}
    cells = await stored(server, "v1/resourcequotas", {"spec": {"hard": hard}}, status)
    assert (cells["Request"], cells["Limit"]) == ("pods: 1/4, requests.cpu: 0/2", "limits.cpu: 500m/3")


# Configuration and the rest


async def test_data_are_counted(server: Any) -> None:
    config = await stored(server, "v1/secrets", {"data": {"a": "AQ==", "b": "AQ=="}})
    assert (config["Type"], config["Data"]) == ("Opaque", 2)


async def test_a_binding_lists_its_subjects_by_kind(server: Any) -> None:
    subjects = [
        {"kind": "User", "name": "u"},
        {"kind": "Group", "name": "g"},
        {"kind": "Group", "name": "h"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
    ]
    body = {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": subjects}
    cells = await stored(server, "rbac.authorization.k8s.io/v1/rolebindings", body)
    assert {name: value for name, value in cells.items() if name not in ("Name", "Age")} == {
        "Role": "ClusterRole/view",
        "Users": "u",
        "Groups": "g, h",
        "ServiceAccounts": "n/s",
    }


async def test_an_ingress(server: Any) -> None:
    rules = [{"host": f"{name}.example.com"} for name in "abcd"]
    spec = {"ingressClassName": "c", "rules": rules, "tls": [{"hosts": ["a.example.com"]}]}
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    cells = await stored(server, "networking.k8s.io/v1/ingresses", {"spec": spec}, status)
    assert {name: value for name, value in cells.items() if name not in ("Name", "Age")} == {
        "Class": "c",
        "Hosts": "a.example.com,b.example.com,c.example.com + 1 more...",
        "Address": "192.0.2.1",
        "Ports": "80, 443",
    }


async def test_an_ingress_for_every_host(server: Any) -> None:
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    cells = await stored(server, "networking.k8s.io/v1/ingresses", {"spec": {"defaultBackend": backend}})
    assert (cells["Class"], cells["Hosts"], cells["Address"], cells["Ports"]) == ("<none>", "*", "", "80")


async def test_an_ingress_class_names_its_parameters(server: Any) -> None:
    parameters = {"apiGroup": "a.io", "kind": "P", "name": "p"}
    spec = {"controller": "a.io/c", "parameters": parameters}
    cells = await stored(server, "networking.k8s.io/v1/ingressclasses", {"spec": spec})
    assert (cells["Controller"], cells["Parameters"]) == ("a.io/c", "P.a.io/p")


async def test_an_autoscaler_shows_its_targets(server: Any) -> None:
    metrics = [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
        {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
    ]
    spec = {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d"}, "metrics": metrics}
    cells = await stored(server, "autoscaling/v2/horizontalpodautoscalers", {"spec": spec})
    assert (cells["Reference"], cells["Targets"]) == ("Deployment/d", "cpu: <unknown>/50%, memory: <unknown>/1Gi")
    assert (cells["MinPods"], cells["MaxPods"], cells["Replicas"]) == ("1", 3, 0)


async def test_a_disruption_budget(server: Any) -> None:
    spec = {"maxUnavailable": "50%", "selector": {"matchLabels": LABELS}}
    status = {"disruptionsAllowed": 2, "currentHealthy": 4, "desiredHealthy": 2, "expectedPods": 4}
    cells = await stored(server, "policy/v1/poddisruptionbudgets", {"spec": spec}, status)
    assert {name: value for name, value in cells.items() if name not in ("Name", "Age")} == {
        "Min Available": "N/A",
        "Max Unavailable": "50%",
        "Allowed Disruptions": 2,
    }


@pytest.mark.parametrize(
    ("kind", "body", "cells"),
    [
        ("coordination.k8s.io/v1/leases", {"spec": {"holderIdentity": "h"}}, {"Holder": "h"}),
        (
            "scheduling.k8s.io/v1/priorityclasses",
            {"value": 5},
            {"Value": 5, "Global-Default": False, "PreemptionPolicy": "PreemptLowerPriority"},
        ),
        (
            "storage.k8s.io/v1/storageclasses",
            {"provisioner": "a.io/p", "allowVolumeExpansion": True},
            {
                "Provisioner": "a.io/p",
                "ReclaimPolicy": "Delete",
                "VolumeBindingMode": "Immediate",
                "AllowVolumeExpansion": True,
            },
        ),
        (
            "networking.k8s.io/v1/networkpolicies",
            {"spec": {"podSelector": {"matchLabels": LABELS}}},
            {"Pod-Selector": "a=b"},
        ),
        ("networking.k8s.io/v1/networkpolicies", {"spec": {"podSelector": {}}}, {"Pod-Selector": "<none>"}),
        ("v1/serviceaccounts", {"secrets": [{"name": "s"}]}, {"Secrets": 1}),
    ],
)
async def test_small_kinds(server: Any, kind: str, body: Any, cells: Any) -> None:
    found = await stored(server, kind, body)
    assert {name: value for name, value in found.items() if name not in ("Name", "Age")} == cells


async def test_an_event_shows_when_it_was_seen_and_its_source(server: Any) -> None:
    body = {
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default", "fieldPath": "spec.containers{c}"},
        "type": "Warning",
        "reason": "BackOff",
        "message": " failed \n",
        "source": {"component": "kubelet", "host": "n"},
        "firstTimestamp": at(server, 600),
        "lastTimestamp": at(server, 0),
        "count": 7,
    }
    assert await stored(server, "v1/events", body) == {
        "Last Seen": "90s",
        "Type": "Warning",
        "Reason": "BackOff",
        "Object": "pod/p",
        "Subobject": "spec.containers{c}",
        "Source": "kubelet, n",
        "Message": "failed",
        "First Seen": "11m",
        "Count": 7,
        "Name": "x",
    }
