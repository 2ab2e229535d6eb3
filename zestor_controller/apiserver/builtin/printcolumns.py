"""The columns of the Tables of built-in kinds, as ``kubectl get`` prints them.

The descriptions stand in ``columns.json``; here stands how each cell is computed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from zestor_controller.apiserver.builtin.pods.podstatus import pod_cells
from zestor_controller.apiserver.encoding.gotime import parse_seconds
from zestor_controller.apiserver.response.table import age, since
from zestor_controller.apiserver.rest.resource import Column
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["columns_of"]

Cell = Callable[[Json, float], Any]
_NONE = "<none>"
_UNSET = "<unset>"


@cache
def _descriptions() -> Mapping[str, Mapping[str, str]]:
    loaded: Mapping[str, Mapping[str, str]] = json.loads((files(__package__) / "columns.json").read_text("utf-8"))
    return loaded


def _at(*path: str, absent: Any = "") -> Cell:
    def cell(obj: Json, now: float) -> Any:
        value: Any = obj
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return absent if value is None or value == "" else value

    return cell


def _age_at(*path: str) -> Cell:
    read = _at(*path, absent=None)
    return lambda obj, now: age(read(obj, now), now)


def _count(*path: str) -> Cell:
    read = _at(*path, absent=())
    return lambda obj, now: len(read(obj, now))


def _ready(wanted: str = "replicas") -> Cell:
    def cell(obj: Json, now: float) -> str:
        return f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{(obj.get('spec') or {}).get(wanted, 0)}"

    return cell


def _template(obj: Json) -> list[Json]:
    spec = obj.get("spec") or {}
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"].get("spec") or {}
    found: list[Json] = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    return found


def _containers(field: str) -> Cell:
    return lambda obj, now: ",".join(container.get(field, "") for container in _template(obj))


def _pairs(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted((labels or {}).items()))


def _selector_text(selector: Any) -> str:
    """A selector in the form of query parameters."""
    if not isinstance(selector, dict):
        return _NONE
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return _pairs(selector) or _NONE
    terms = [_pairs(selector["matchLabels"])] if selector.get("matchLabels") else []
    for term in selector.get("matchExpressions", ()):
        key, operator = term.get("key", ""), term.get("operator")
        if operator in ("In", "NotIn"):
            word = "in" if operator == "In" else "notin"
            terms.append(f"{key} {word} ({','.join(sorted(term.get('values', ())))})")
        else:
            terms.append(key if operator == "Exists" else f"!{key}")
    return ",".join(terms) or _NONE


def _selector(*path: str) -> Cell:
    read = _at(*path, absent=None)
    return lambda obj, now: _selector_text(read(obj, now))


def _some(values: Iterable[str], absent: str = _NONE, most: int = 3) -> str:
    """The first few values, and how many more there are."""
    listed = list(values)
    if not listed:
        return absent
    more = f" + {len(listed) - most} more..." if len(listed) > most else ""
    return ",".join(listed[:most]) + more


def _service_external(obj: Json, now: float) -> str:
    spec = obj.get("spec") or {}
    kind = spec.get("type")
    external = list(spec.get("externalIPs", ()))
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress", ())
        addresses = [point.get("ip") or point.get("hostname", "") for point in points]
        return ",".join(addresses + external) or "<pending>"
    return ",".join(external) or _NONE


def _service_ports(obj: Json, now: float) -> str:
    pieces = []
    for port in (obj.get("spec") or {}).get("ports", ()):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        pieces.append(f"{port.get('port')}{node}/{port.get('protocol', '')}")
    return ",".join(pieces) or _NONE


def _endpoints(obj: Json, now: float) -> str:
    pieces = [
        f"{address.get('ip', '')}:{port.get('port', 0)}"
        for subset in obj.get("subsets", ())
        for port in subset.get("ports", ())
        for address in subset.get("addresses", ())
    ]
    return _some(pieces)


def _event_seen(last: bool) -> Cell:
    def cell(obj: Json, now: float) -> str:
        first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
        latest = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp")
        series = obj.get("series")
        if series:
            latest = series.get("lastObservedTime")
        return age((latest or first) if last else first, now)

    return cell


def _event_object(obj: Json, now: float) -> str:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    return (
        f"{about.get('kind', '').lower()}/{about.get('name', '')}"
        if about.get("name")
        else about.get("kind", "").lower()
    )


def _event_source(obj: Json, now: float) -> str:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    component = source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def _event_count(obj: Json, now: float) -> int:
    series = obj.get("series")
    if series:
        return int(series.get("count", 0))
    return int(obj.get("count") or obj.get("deprecatedCount") or 1)


def _condition(obj: Json, kind: str) -> str:
    conditions = (obj.get("status") or {}).get("conditions", ())
    return next((str(each.get("status", "")) for each in conditions if each.get("type") == kind), "")


def _job_status(obj: Json, now: float) -> str:
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    for kind in ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget", "Suspended"):
        if _condition(obj, kind) == "True":
            return kind
    return "Running"


def _job_completions(obj: Json, now: float) -> str:
    spec, done = obj.get("spec") or {}, (obj.get("status") or {}).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallel = spec.get("parallelism", 0)
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_duration(obj: Json, now: float) -> str:
    status = obj.get("status") or {}
    start = parse_seconds(status.get("startTime") or "")
    if start is None:
        return ""
    end = parse_seconds(status.get("completionTime") or "")
    return since((now if end is None else end) - start)


def _node_status(obj: Json, now: float) -> str:
    ready = _condition(obj, "Ready")
    words = {"True": "Ready", "": "Unknown"}.get(ready, "NotReady")
    return words + (",SchedulingDisabled" if (obj.get("spec") or {}).get("unschedulable") else "")


def _node_roles(obj: Json, now: float) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    return ",".join(sorted(name.removeprefix(prefix) for name in labels if name.startswith(prefix))) or _NONE


def _node_address(kind: str) -> Cell:
    def cell(obj: Json, now: float) -> str:
        addresses = (obj.get("status") or {}).get("addresses", ())
        return next((each.get("address", "") for each in addresses if each.get("type") == kind), _NONE)

    return cell


_SHORT_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(part: str) -> Cell:
    def cell(obj: Json, now: float) -> str:
        modes = (obj.get(part) or {}).get("accessModes") or ()
        return ",".join(short for mode, short in _SHORT_MODES.items() if mode in modes)

    return cell


def _phase(obj: Json, now: float) -> str:
    return "Terminating" if "deletionTimestamp" in obj["metadata"] else str((obj.get("status") or {}).get("phase", ""))


def _claim_capacity(obj: Json, now: float) -> str:
    status = obj.get("status") or {}
    return str((status.get("capacity") or {}).get("storage", "")) if (obj.get("spec") or {}).get("volumeName") else ""


def _volume_claim(obj: Json, now: float) -> str:
    claim = (obj.get("spec") or {}).get("claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def _subjects(kind: str) -> Cell:
    def cell(obj: Json, now: float) -> str:
        found = [each for each in obj.get("subjects", ()) if each.get("kind") == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{each.get('namespace', '')}/{each.get('name', '')}" for each in found)
        return ", ".join(each.get("name", "") for each in found)

    return cell


def _role(obj: Json, now: float) -> str:
    reference = obj.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


def _hosts(obj: Json, now: float) -> str:
    hosts = [rule["host"] for rule in (obj.get("spec") or {}).get("rules", ()) if rule.get("host")]
    return _some(hosts, "*")


def _ingress_address(obj: Json, now: float) -> str:
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress", ())
    return ",".join(point.get("ip") or point.get("hostname", "") for point in points)


def _slice_ports(obj: Json, now: float) -> str:
    return _some((str(port.get("port", "*")) for port in obj.get("ports") or ()), _UNSET)


def _slice_endpoints(obj: Json, now: float) -> str:
    return _some((a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()), _UNSET)


def _scaler_reference(obj: Json, now: float) -> str:
    target = (obj.get("spec") or {}).get("scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _scaler_targets(obj: Json, now: float) -> str:
    pieces = []
    for metric in (obj.get("spec") or {}).get("metrics") or ():
        kind = metric.get("type", "")
        source = metric.get(kind[:1].lower() + kind[1:]) or {}
        target = source.get("target") or {}
        wanted = (
            f"{target['averageUtilization']}%"
            if "averageUtilization" in target
            else target.get("averageValue") or target.get("value", "")
        )
        name = f"{source.get('name')}: " if source.get("name") else ""
        pieces.append(f"{name}<unknown>/{wanted}")
    return ", ".join(pieces) or _NONE


def _quota(prefix: str) -> Cell:
    def cell(obj: Json, now: float) -> str:
        status = obj.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        names = [name for name in sorted(hard) if name.startswith("limits.") == (prefix == "limits.")]
        return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)

    return cell


def _controller(obj: Json, now: float) -> str:
    owners = obj["metadata"].get("ownerReferences", ())
    owner = next((each for each in owners if each.get("controller")), None)
    if owner is None:
        return _NONE
    group = owner.get("apiVersion", "").partition("/")
    kind = owner.get("kind", "").lower()
    return f"{kind}.{group[0]}/{owner.get('name', '')}" if group[1] else f"{kind}/{owner.get('name', '')}"


_NAME: tuple[str, Cell, int] = ("Name", _at("metadata", "name"), 0)
_AGE: tuple[str, Cell, int] = ("Age", _age_at("metadata", "creationTimestamp"), 0)
_IMAGES: tuple[tuple[str, Cell, int], ...] = (
    ("Containers", _containers("name"), 1),
    ("Images", _containers("image"), 1),
)
_POD_SELECTOR: tuple[str, Cell, int] = ("Selector", _selector("spec", "selector"), 1)
_BINDING: tuple[tuple[str, Cell, int], ...] = (
    _NAME,
    ("Role", _role, 0),
    _AGE,
    ("Users", _subjects("User"), 1),
    ("Groups", _subjects("Group"), 1),
    ("ServiceAccounts", _subjects("ServiceAccount"), 1),
)
_REPLICAS: tuple[tuple[str, Cell, int], ...] = (
    _NAME,
    ("Desired", _at("spec", "replicas", absent=0), 0),
    ("Current", _at("status", "replicas", absent=0), 0),
    ("Ready", _at("status", "readyReplicas", absent=0), 0),
    _AGE,
    *_IMAGES,
    _POD_SELECTOR,
)
_COLUMNS: Mapping[str, Sequence[tuple[str, Cell, int]]] = {
    "configmaps": (
        _NAME,
        ("Data", lambda obj, now: len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), 0),
        _AGE,
    ),
    "secrets": (_NAME, ("Type", _at("type"), 0), ("Data", _count("data"), 0), _AGE),
    "serviceaccounts": (_NAME, ("Secrets", _count("secrets"), 0), _AGE),
    "namespaces": (_NAME, ("Status", _at("status", "phase"), 0), _AGE),
    "endpoints": (_NAME, ("Endpoints", _endpoints, 0), _AGE),
    "pods": (
        _NAME,
        ("Ready", lambda obj, now: pod_cells(obj, now)[0], 0),
        ("Status", lambda obj, now: pod_cells(obj, now)[1], 0),
        ("Restarts", lambda obj, now: pod_cells(obj, now)[2], 0),
        _AGE,
        ("IP", _at("status", "podIP", absent=_NONE), 1),
        ("Node", _at("spec", "nodeName", absent=_NONE), 1),
        ("Nominated Node", _at("status", "nominatedNodeName", absent=_NONE), 1),
        ("Readiness Gates", lambda obj, now: pod_cells(obj, now)[3], 1),
    ),
    "services": (
        _NAME,
        ("Type", _at("spec", "type"), 0),
        ("Cluster-IP", _at("spec", "clusterIP", absent=_NONE), 0),
        ("External-IP", _service_external, 0),
        ("Port(s)", _service_ports, 0),
        _AGE,
        ("Selector", _selector("spec", "selector"), 1),
    ),
    "events": (
        ("Last Seen", _event_seen(True), 0),
        ("Type", _at("type"), 0),
        ("Reason", _at("reason"), 0),
        ("Object", _event_object, 0),
        (
            "Subobject",
            lambda obj, now: (obj.get("involvedObject") or obj.get("regarding") or {}).get("fieldPath", ""),
            1,
        ),
        ("Source", _event_source, 1),
        ("Message", lambda obj, now: (obj.get("message") or obj.get("note") or "").strip(), 0),
        ("First Seen", _event_seen(False), 1),
        ("Count", _event_count, 1),
        ("Name", _at("metadata", "name"), 1),
    ),
    "nodes": (
        _NAME,
        ("Status", _node_status, 0),
        ("Roles", _node_roles, 0),
        _AGE,
        ("Version", _at("status", "nodeInfo", "kubeletVersion"), 0),
        ("Internal-IP", _node_address("InternalIP"), 1),
        ("External-IP", _node_address("ExternalIP"), 1),
        ("OS-Image", _at("status", "nodeInfo", "osImage", absent="<unknown>"), 1),
        ("Kernel-Version", _at("status", "nodeInfo", "kernelVersion", absent="<unknown>"), 1),
        ("Container-Runtime", _at("status", "nodeInfo", "containerRuntimeVersion", absent="<unknown>"), 1),
    ),
    "persistentvolumes": (
        _NAME,
        ("Capacity", _at("spec", "capacity", "storage"), 0),
        ("Access Modes", _modes("spec"), 0),
        ("Reclaim Policy", _at("spec", "persistentVolumeReclaimPolicy"), 0),
        ("Status", _phase, 0),
        ("Claim", _volume_claim, 0),
        ("StorageClass", _at("spec", "storageClassName"), 0),
        ("VolumeAttributesClass", _at("spec", "volumeAttributesClassName", absent=_UNSET), 0),
        ("Reason", _at("status", "reason"), 0),
        _AGE,
        ("VolumeMode", _at("spec", "volumeMode", absent=_UNSET), 1),
    ),
    "persistentvolumeclaims": (
        _NAME,
        ("Status", _phase, 0),
        ("Volume", _at("spec", "volumeName"), 0),
        ("Capacity", _claim_capacity, 0),
        (
            "Access Modes",
            lambda obj, now: _modes("status")(obj, now) if (obj.get("spec") or {}).get("volumeName") else "",
            0,
        ),
        ("StorageClass", _at("spec", "storageClassName"), 0),
        ("VolumeAttributesClass", _at("spec", "volumeAttributesClassName", absent=_UNSET), 0),
        _AGE,
        ("VolumeMode", _at("spec", "volumeMode", absent=_UNSET), 1),
    ),
    "resourcequotas": (_NAME, ("Request", _quota(""), 0), ("Limit", _quota("limits."), 0), _AGE),
    "replicationcontrollers": _REPLICAS,
    "replicasets": _REPLICAS,
    "deployments": (
        _NAME,
        ("Ready", _ready(), 0),
        ("Up-to-date", _at("status", "updatedReplicas", absent=0), 0),
        ("Available", _at("status", "availableReplicas", absent=0), 0),
        _AGE,
        *_IMAGES,
        _POD_SELECTOR,
    ),
    "statefulsets": (_NAME, ("Ready", _ready(), 0), _AGE, *_IMAGES),
    "daemonsets": (
        _NAME,
        ("Desired", _at("status", "desiredNumberScheduled", absent=0), 0),
        ("Current", _at("status", "currentNumberScheduled", absent=0), 0),
        ("Ready", _at("status", "numberReady", absent=0), 0),
        ("Up-to-date", _at("status", "updatedNumberScheduled", absent=0), 0),
        ("Available", _at("status", "numberAvailable", absent=0), 0),
        ("Node Selector", _selector("spec", "template", "spec", "nodeSelector"), 0),
        _AGE,
        *_IMAGES,
        _POD_SELECTOR,
    ),
    "controllerrevisions": (_NAME, ("Controller", _controller, 0), ("Revision", _at("revision", absent=0), 0), _AGE),
    "jobs": (
        _NAME,
        ("Status", _job_status, 0),
        ("Completions", _job_completions, 0),
        ("Duration", _job_duration, 0),
        _AGE,
        *_IMAGES,
        _POD_SELECTOR,
    ),
    "cronjobs": (
        _NAME,
        ("Schedule", _at("spec", "schedule"), 0),
        ("Timezone", _at("spec", "timeZone", absent=_NONE), 0),
        ("Suspend", lambda obj, now: str(bool((obj.get("spec") or {}).get("suspend"))), 0),
        ("Active", _count("status", "active"), 0),
        (
            "Last Schedule",
            lambda obj, now: (
                age(_at("status", "lastScheduleTime")(obj, now), now)
                if (obj.get("status") or {}).get("lastScheduleTime")
                else _NONE
            ),
            0,
        ),
        _AGE,
        *_IMAGES,
        ("Selector", _selector("spec", "jobTemplate", "spec", "selector"), 1),
    ),
    "roles": (_NAME, ("Created At", _at("metadata", "creationTimestamp"), 0)),
    "clusterroles": (_NAME, ("Created At", _at("metadata", "creationTimestamp"), 0)),
    "rolebindings": _BINDING,
    "clusterrolebindings": _BINDING,
    "leases": (_NAME, ("Holder", _at("spec", "holderIdentity"), 0), _AGE),
    "horizontalpodautoscalers": (
        _NAME,
        ("Reference", _scaler_reference, 0),
        ("Targets", _scaler_targets, 0),
        ("MinPods", lambda obj, now: str(_at("spec", "minReplicas", absent=_UNSET)(obj, now)), 0),
        ("MaxPods", _at("spec", "maxReplicas", absent=0), 0),
        ("Replicas", _at("status", "currentReplicas", absent=0), 0),
        _AGE,
    ),
    "poddisruptionbudgets": (
        _NAME,
        ("Min Available", lambda obj, now: str(_at("spec", "minAvailable", absent="N/A")(obj, now)), 0),
        ("Max Unavailable", lambda obj, now: str(_at("spec", "maxUnavailable", absent="N/A")(obj, now)), 0),
        ("Allowed Disruptions", _at("status", "disruptionsAllowed", absent=0), 0),
        _AGE,
    ),
    "networkpolicies": (_NAME, ("Pod-Selector", _selector("spec", "podSelector"), 0), _AGE),
    "ingresses": (
        _NAME,
        ("Class", _at("spec", "ingressClassName", absent=_NONE), 0),
        ("Hosts", _hosts, 0),
        ("Address", _ingress_address, 0),
        ("Ports", lambda obj, now: "80, 443" if (obj.get("spec") or {}).get("tls") else "80", 0),
        _AGE,
    ),
    "ingressclasses": (
        _NAME,
        ("Controller", _at("spec", "controller"), 0),
        ("Parameters", lambda obj, now: _parameters(obj), 0),
        _AGE,
    ),
    "endpointslices": (
        _NAME,
        ("AddressType", _at("addressType"), 0),
        ("Ports", _slice_ports, 0),
        ("Endpoints", _slice_endpoints, 0),
        _AGE,
    ),
    "priorityclasses": (
        _NAME,
        ("Value", _at("value", absent=0), 0),
        ("Global-Default", _at("globalDefault", absent=False), 0),
        _AGE,
        ("PreemptionPolicy", _at("preemptionPolicy"), 0),
    ),
    "storageclasses": (
        _NAME,
        ("Provisioner", _at("provisioner"), 0),
        ("ReclaimPolicy", _at("reclaimPolicy"), 0),
        ("VolumeBindingMode", _at("volumeBindingMode"), 0),
        ("AllowVolumeExpansion", _at("allowVolumeExpansion", absent=False), 0),
        _AGE,
    ),
    "limitranges": (_NAME, ("Created At", _at("metadata", "creationTimestamp"), 0)),
}
_SAME = {"clusterroles": "roles", "limitranges": "roles", "clusterrolebindings": "rolebindings"}


def _parameters(obj: Json) -> str:
    found = (obj.get("spec") or {}).get("parameters")
    if not found:
        return _NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind', '')}{group}/{found.get('name', '')}"


def columns_of(plural: str) -> Sequence[Column]:
    """The columns of a built-in resource's Tables.

    Args:
        plural: the resource; two groups that serve the same resource have the same columns.
    """
    texts = _descriptions()
    own, common = texts.get(_SAME.get(plural, plural), {}), texts["*"]
    columns = []
    for name, cell, priority in _COLUMNS.get(plural, ()):
        text = own.get(name) or common[name]
        columns.append(Column(name, "string", "name" if name == "Name" else "", text, priority, cell))
    return columns
