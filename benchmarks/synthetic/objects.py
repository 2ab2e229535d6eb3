"""Made-up objects of realistic size and shape, the same in every run: widgets of about 1.4 KB, pods of about 5.5 KB."""

from __future__ import annotations

import json
import random
import uuid
from typing import Any

FIRST_VERSION = 1_000_000
PATHS = {"widgets": "/apis/bench.test/v1/widgets", "pods": "/api/v1/pods"}


def _uid(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def _fields(*names: str) -> dict[str, Any]:
    """A managed-fields tree of leaves."""
    return {".": {}, **{f"f:{name}": {} for name in names}}


def _meta(number: int, version: int, name: str, owner: str) -> dict[str, Any]:
    source = random.Random(number)
    app = number % 200
    return {
        "name": name,
        "namespace": f"team-{number % 50:02d}",
        "uid": _uid(source),
        "resourceVersion": str(version),
        "generation": 3,
        "creationTimestamp": f"2026-10-02T08:11:{number % 60:02d}Z",
        "labels": {"app.kubernetes.io/name": f"app-{app}", "app.kubernetes.io/part-of": "shop", "tier": "web"},
        "annotations": {"bench.test/checksum": f"{source.getrandbits(256):064x}", "bench.test/team": f"team-{app}"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": owner,
                "name": f"app-{app}",
                "uid": _uid(random.Random(10_000_000 + app)),
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def widget(number: int, version: int) -> dict[str, Any]:
    """A custom resource."""
    meta = _meta(number, version, f"widget-{number:06d}", "Deployment")
    when = f"2026-11-02T08:12:{number % 60:02d}Z"
    meta["finalizers"] = ["bench.test/cleanup"]
    meta["managedFields"] = [
        {
            "manager": "bench-controller",
            "operation": "Update",
            "apiVersion": "bench.test/v1",
            "time": when,
            "fieldsType": "FieldsV1",
            "subresource": "status",
            "fieldsV1": {"f:status": _fields("conditions", "observedGeneration", "phase", "replicas")},
        }
    ]
    return {
        "apiVersion": "bench.test/v1",
        "kind": "Widget",
        "metadata": meta,
        "spec": {
            "replicas": number % 7,
            "image": f"registry.example.com/team/app-{number % 200}:1.{number % 40}.{number % 9}",
            "schedule": "*/5 * * * *",
            "resources": {"cpu": "250m", "memory": "512Mi"},
            "selector": {"matchLabels": {"app.kubernetes.io/name": f"app-{number % 200}"}},
        },
        "status": {
            "observedGeneration": 3,
            "replicas": number % 7,
            "phase": "Ready",
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "ReconcileSucceeded",
                    "observedGeneration": 3,
                    "lastTransitionTime": when,
                    "message": f"all {number % 7} replicas are available",
                }
            ],
        },
    }


CONDITIONS = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]


def pod(number: int, version: int) -> dict[str, Any]:
    """A running pod with one container."""
    app = f"app-{number % 200}"
    meta = _meta(number, version, f"{app}-6f7d9c-{number:05x}", "ReplicaSet")
    when = f"2026-11-02T08:12:{number % 60:02d}Z"
    meta["managedFields"] = _pod_fields(when)
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": meta,
        "spec": _pod_spec(number, app),
        "status": _pod_status(number, app, when),
    }


def _image(number: int, app: str) -> str:
    return f"registry.example.com/team/{app}:1.{number % 40}.{number % 9}"


def _container(number: int, app: str, token: str) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10}
    return {
        "name": "app",
        "image": _image(number, app),
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"APP_SETTING_{k}", "value": f"value-{k}-{number % 200}"} for k in range(6)],
        "resources": {
            "limits": {"cpu": "500m", "memory": "512Mi"},
            "requests": {"cpu": "100m", "memory": "256Mi"},
        },
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/app"},
            {"name": token, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ],
        "readinessProbe": {**probe, "successThreshold": 1, "failureThreshold": 3},
        "livenessProbe": {**probe, "successThreshold": 1, "failureThreshold": 5},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False},
    }


def _pod_fields(when: str) -> list[dict[str, Any]]:
    probed = {"f:httpGet": _fields("path", "port", "scheme"), **_fields("failureThreshold", "periodSeconds")}
    owned = {
        **_fields("image", "imagePullPolicy", "name", "terminationMessagePath", "terminationMessagePolicy"),
        "f:readinessProbe": probed,
        "f:livenessProbe": probed,
        "f:resources": {"f:limits": _fields("cpu", "memory"), "f:requests": _fields("cpu", "memory")},
        "f:env": {f'k:{{"name":"APP_SETTING_{k}"}}': _fields("name", "value") for k in range(6)},
    }
    statuses = {f'k:{{"type":"{one}"}}': _fields("lastTransitionTime", "status", "type") for one in CONDITIONS}
    managed = {"operation": "Update", "apiVersion": "v1", "time": when, "fieldsType": "FieldsV1"}
    return [
        {
            "manager": "kube-controller-manager",
            **managed,
            "fieldsV1": {
                "f:metadata": {"f:labels": _fields("app.kubernetes.io/name", "tier"), "f:ownerReferences": {".": {}}},
                "f:spec": {
                    "f:containers": {'k:{"name":"app"}': owned},
                    **_fields("dnsPolicy", "enableServiceLinks", "restartPolicy", "schedulerName", "securityContext"),
                },
            },
        },
        {
            "manager": "kubelet",
            **managed,
            "subresource": "status",
            "fieldsV1": {
                "f:status": {"f:conditions": statuses, **_fields("containerStatuses", "hostIP", "phase", "podIP")}
            },
        },
    ]


def _pod_spec(number: int, app: str) -> dict[str, Any]:
    token = f"kube-api-access-{number % 100000:05x}"
    return {
        "volumes": [
            {"name": "config", "configMap": {"name": f"{app}-config", "defaultMode": 420}},
            {
                "name": token,
                "projected": {
                    "sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}],
                    "defaultMode": 420,
                },
            },
        ],
        "containers": [_container(number, app, token)],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": app,
        "nodeName": f"node-{number % 300:04d}.example.internal",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for key in ("not-ready", "unreachable")
        ],
        "enableServiceLinks": True,
    }


def _pod_status(number: int, app: str, when: str) -> dict[str, Any]:
    source = random.Random(number)
    address = f"10.{(number >> 16) & 255}.{(number >> 8) & 255}.{number & 255}"
    return {
        "phase": "Running",
        "conditions": [
            {"type": one, "status": "True", "lastProbeTime": None, "lastTransitionTime": when} for one in CONDITIONS
        ],
        "hostIP": "172.16.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": when,
        "qosClass": "Burstable",
        "containerStatuses": [
            {
                "name": "app",
                "state": {"running": {"startedAt": when}},
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "image": _image(number, app),
                "imageID": f"registry.example.com/team/{app}@sha256:{source.getrandbits(256):064x}",
                "containerID": f"containerd://{source.getrandbits(256):064x}",
                "started": True,
            }
        ],
    }


MAKE = {"widgets": widget, "pods": pod}


def encode(obj: dict[str, Any]) -> bytes:
    """Compact JSON, as an API server sends it."""
    return json.dumps(obj, separators=(",", ":")).encode()
