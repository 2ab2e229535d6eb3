"""Defaults of pod specs: what the server fills into every pod template, and what it adds for pods themselves.

Invariant: filling twice changes nothing, so objects read from storage may be filled again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["default_claim_spec", "default_pod", "default_pod_spec", "default_pod_template", "quality_of_service"]

_FILE_MODE = 420
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_SOURCE_DEFAULTS: dict[str, dict[str, Any]] = {
    "secret": {"defaultMode": _FILE_MODE},
    "configMap": {"defaultMode": _FILE_MODE},
    "downwardAPI": {"defaultMode": _FILE_MODE},
    "projected": {"defaultMode": _FILE_MODE},
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4", "readOnly": False},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
_TRACKED = ("cpu", "memory")


def default_pod_template(template: Json) -> None:
    """Fill a pod template."""
    spec = template.get("spec")
    if spec is not None:
        default_pod_spec(spec)


def default_pod_spec(spec: Json) -> None:
    """Fill a pod's spec with what holds for pods and for templates alike."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    # The old field "serviceAccount" is an alias that the server always writes along.
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for volume in spec.get("volumes", ()):
        _default_volume(volume)
    host_network = bool(spec.get("hostNetwork"))
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(group) or ():
            _default_container(container, host_network)


def default_pod(spec: Json) -> None:
    """Fill the spec of a pod itself: also what templates leave open."""
    default_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or ():
            resources = container.get("resources") or {}
            limits = resources.get("limits")
            if limits:
                requests = resources.setdefault("requests", {})
                for name, amount in limits.items():
                    requests.setdefault(name, amount)


def default_claim_spec(spec: Json) -> None:
    """Fill the spec of a volume claim."""
    spec.setdefault("volumeMode", "Filesystem")


def _default_container(container: Json, host_network: bool) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if "imagePullPolicy" not in container:
        container["imagePullPolicy"] = _pull_policy(container.get("image", ""))
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if host_network and port.get("containerPort"):
            port.setdefault("hostPort", port["containerPort"])
    for variable in container.get("env", ()):
        reference = variable.get("valueFrom", {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            for field, value in _PROBE.items():
                probe.setdefault(field, value)
            _default_handler(probe)
    lifecycle = container.get("lifecycle")
    if lifecycle:
        for name in ("postStart", "preStop"):
            _default_handler(lifecycle.get(name) or {})


def _default_handler(handler: Json) -> None:
    get = handler.get("httpGet")
    if get is not None:
        get.setdefault("path", "/")
        get.setdefault("scheme", "HTTP")
    call = handler.get("grpc")
    if call is not None and call.get("service") is None:
        call["service"] = ""


def _pull_policy(image: str) -> str:
    """Always for the moving tag ``latest`` (also when no tag is given), else IfNotPresent."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or (not tag and not digest) else "IfNotPresent"


def _default_volume(volume: Json) -> None:
    sources = [name for name in volume if name != "name"]
    if not sources:
        volume["emptyDir"] = {}
    for name in sources:
        source = volume[name]
        for field, value in _SOURCE_DEFAULTS.get(name, {}).items():
            if source.get(field) is None:
                source[field] = value
        if name == "downwardAPI":
            _default_downward(source)
        elif name == "projected":
            for projection in source.get("sources") or ():
                _default_downward(projection.get("downwardAPI") or {})
                token = projection.get("serviceAccountToken")
                if token is not None:
                    token.setdefault("expirationSeconds", 3600)
        elif name == "ephemeral":
            default_claim_spec((source.get("volumeClaimTemplate") or {}).get("spec") or {})


def _default_downward(source: Json) -> None:
    for item in source.get("items", ()):
        if item.get("fieldRef") is not None:
            item["fieldRef"].setdefault("apiVersion", "v1")


def quality_of_service(spec: Json) -> str:
    """The class of a pod: Guaranteed when every container's limits equal its requests, BestEffort when none has any."""
    containers = [*(spec.get("containers") or ()), *spec.get("initContainers", ())]
    anything, guaranteed = False, True
    for container in containers:
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in _TRACKED:
            if requests.get(name, "0") != "0" or limits.get(name, "0") != "0":
                anything = True
            if limits.get(name, "0") == "0" or requests.get(name, limits[name]) != limits[name]:
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
