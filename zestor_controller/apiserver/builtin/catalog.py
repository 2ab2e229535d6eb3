"""The table of built-in resources: names, verbs, subresources, selectors and the strategy of each.

A kind stands here only when its semantics are implemented: the server answers 404 for everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.builtin.apps.controllerrevision import ControllerRevisionStrategy
from zestor_controller.apiserver.builtin.apps.daemonset import DaemonSetStrategy
from zestor_controller.apiserver.builtin.apps.deployment import DeploymentStrategy
from zestor_controller.apiserver.builtin.apps.replicaset import ReplicaSetStrategy
from zestor_controller.apiserver.builtin.apps.statefulset import StatefulSetStrategy
from zestor_controller.apiserver.builtin.autoscaling.horizontalpodautoscaler import (
    AutoscalerStrategy,
    AutoscalerV1Strategy,
)
from zestor_controller.apiserver.builtin.batch.cronjob import CronJobStrategy
from zestor_controller.apiserver.builtin.batch.job import JobStrategy
from zestor_controller.apiserver.builtin.coordination.lease import LeaseStrategy
from zestor_controller.apiserver.builtin.core.configmap import ConfigMapStrategy
from zestor_controller.apiserver.builtin.core.endpoints import EndpointsStrategy
from zestor_controller.apiserver.builtin.core.limitrange import LimitRangeStrategy
from zestor_controller.apiserver.builtin.core.namespace import NamespaceStrategy
from zestor_controller.apiserver.builtin.core.node import NodeStrategy
from zestor_controller.apiserver.builtin.core.persistentvolume import VolumeStrategy
from zestor_controller.apiserver.builtin.core.persistentvolumeclaim import ClaimStrategy
from zestor_controller.apiserver.builtin.core.replicationcontroller import ReplicationControllerStrategy
from zestor_controller.apiserver.builtin.core.resourcequota import QuotaStrategy
from zestor_controller.apiserver.builtin.core.secret import SecretStrategy
from zestor_controller.apiserver.builtin.core.service import ServiceStrategy
from zestor_controller.apiserver.builtin.core.serviceaccount import ServiceAccountStrategy
from zestor_controller.apiserver.builtin.endpointslices.endpointslice import EndpointSliceStrategy
from zestor_controller.apiserver.builtin.events.event import CoreEventStrategy, EventStrategy
from zestor_controller.apiserver.builtin.networking.ingress import IngressStrategy
from zestor_controller.apiserver.builtin.networking.ingressclass import IngressClassStrategy
from zestor_controller.apiserver.builtin.networking.networkpolicy import NetworkPolicyStrategy
from zestor_controller.apiserver.builtin.pods.pod import PodStrategy
from zestor_controller.apiserver.builtin.policy.poddisruptionbudget import DisruptionBudgetStrategy
from zestor_controller.apiserver.builtin.printcolumns import columns_of
from zestor_controller.apiserver.builtin.rbac.role import ClusterRoleStrategy, RoleStrategy
from zestor_controller.apiserver.builtin.rbac.rolebinding import BindingStrategy, ClusterBindingStrategy
from zestor_controller.apiserver.builtin.scheduling.priorityclass import PriorityClassStrategy
from zestor_controller.apiserver.builtin.storageclasses.storageclass import StorageClassStrategy
from zestor_controller.apiserver.rest.resource import Resource, Subresource
from zestor_controller.apiserver.typed.fieldtable import builtin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
    from zestor_controller.apiserver.typed.typedef import Json, TypeDef

__all__ = ["resources"]

_PACKAGES = {
    "": "core",
    "coordination.k8s.io": "coordination",
    "discovery.k8s.io": "discovery",
    "events.k8s.io": "events",
    "networking.k8s.io": "networking",
    "rbac.authorization.k8s.io": "rbac",
    "scheduling.k8s.io": "scheduling",
    "storage.k8s.io": "storage",
}
_OLD_ENDPOINTS = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
_CONNECT = ("create", "get")
_READ_WRITE = ("get", "patch", "update")
_WITHOUT_COLLECTION = ("create", "delete", "get", "list", "patch", "update", "watch")
_ALL = ("all",)
_SCALED = ("status", "scale")


def _message(group: str, version: str, kind: str) -> str:
    return f"k8s.io.api.{_PACKAGES.get(group, group)}.{version}.{kind}"


def _types(message: str) -> Callable[[], TypeDef]:
    return lambda: builtin(message)


def _subresource(name: str, group: str, version: str, kind: str) -> Subresource:
    special = {
        "scale": Subresource("scale", "Scale", "autoscaling", "v1", _READ_WRITE),
        "eviction": Subresource("eviction", "Eviction", "policy", "v1", ("create",)),
        "binding": Subresource("binding", "Binding", "", "v1", ("create",)),
        "token": Subresource("token", "TokenRequest", "authentication.k8s.io", "v1", ("create",)),
        "attach": Subresource("attach", "PodAttachOptions", "", "v1", _CONNECT),
        "exec": Subresource("exec", "PodExecOptions", "", "v1", _CONNECT),
        "portforward": Subresource("portforward", "PodPortForwardOptions", "", "v1", _CONNECT),
        "proxy": Subresource("proxy", "PodProxyOptions", "", "v1", ("create", "delete", "get", "patch", "update")),
        "log": Subresource("log", "Pod", "", "v1", ("get",)),
        "finalize": Subresource("finalize", "Namespace", "", "v1", ("update",)),
    }
    return special.get(name) or Subresource(name, kind, group, version, _READ_WRITE)


def _at(*path: str) -> Callable[[Json], str]:
    """The getter of a field selector: the value at a path, as text; empty when absent."""

    def read(obj: Json) -> str:
        value: Any = obj
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return read


def _flag(*path: str) -> Callable[[Json], str]:
    """The getter of a boolean field selector: ``false`` when absent."""
    read = _at(*path)
    return lambda obj: read(obj) or "false"


def _counter(*path: str) -> Callable[[Json], str]:
    """The getter of a numeric field selector: ``0`` when absent."""
    read = _at(*path)
    return lambda obj: read(obj) or "0"


_STRATEGIES: Mapping[str, type[BuiltinStrategy]] = {
    "ClusterRole": ClusterRoleStrategy,
    "ClusterRoleBinding": ClusterBindingStrategy,
    "ConfigMap": ConfigMapStrategy,
    "ControllerRevision": ControllerRevisionStrategy,
    "CronJob": CronJobStrategy,
    "DaemonSet": DaemonSetStrategy,
    "Deployment": DeploymentStrategy,
    "EndpointSlice": EndpointSliceStrategy,
    "Endpoints": EndpointsStrategy,
    "Event": CoreEventStrategy,
    "HorizontalPodAutoscaler": AutoscalerStrategy,
    "Ingress": IngressStrategy,
    "IngressClass": IngressClassStrategy,
    "Job": JobStrategy,
    "Lease": LeaseStrategy,
    "LimitRange": LimitRangeStrategy,
    "Namespace": NamespaceStrategy,
    "NetworkPolicy": NetworkPolicyStrategy,
    "Node": NodeStrategy,
    "PersistentVolume": VolumeStrategy,
    "PersistentVolumeClaim": ClaimStrategy,
    "Pod": PodStrategy,
    "PodDisruptionBudget": DisruptionBudgetStrategy,
    "PriorityClass": PriorityClassStrategy,
    "ReplicaSet": ReplicaSetStrategy,
    "ReplicationController": ReplicationControllerStrategy,
    "ResourceQuota": QuotaStrategy,
    "Role": RoleStrategy,
    "RoleBinding": BindingStrategy,
    "Secret": SecretStrategy,
    "Service": ServiceStrategy,
    "ServiceAccount": ServiceAccountStrategy,
    "StatefulSet": StatefulSetStrategy,
    "StorageClass": StorageClassStrategy,
    "events.k8s.io": EventStrategy,
}
_OBJECT_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_SELECTABLE: Mapping[tuple[str, str], Mapping[str, Callable[[Json], str]]] = {
    ("", "pods"): {
        "spec.nodeName": _at("spec", "nodeName"),
        "spec.restartPolicy": _at("spec", "restartPolicy"),
        "spec.schedulerName": _at("spec", "schedulerName"),
        "spec.serviceAccountName": _at("spec", "serviceAccountName"),
        "spec.hostNetwork": _flag("spec", "hostNetwork"),
        "status.phase": _at("status", "phase"),
        "status.podIP": _at("status", "podIP"),
        "status.nominatedNodeName": _at("status", "nominatedNodeName"),
    },
    ("", "nodes"): {"spec.unschedulable": _flag("spec", "unschedulable")},
    ("", "namespaces"): {"status.phase": _at("status", "phase")},
    ("", "secrets"): {"type": _at("type")},
    ("", "services"): {"spec.clusterIP": _at("spec", "clusterIP"), "spec.type": _at("spec", "type")},
    ("", "replicationcontrollers"): {"status.replicas": _counter("status", "replicas")},
    ("batch", "jobs"): {"status.successful": _counter("status", "succeeded")},
    ("", "events"): {
        **{f"involvedObject.{name}": _at("involvedObject", name) for name in _OBJECT_FIELDS},
        "reason": _at("reason"),
        "reportingComponent": _at("reportingComponent"),
        "source": lambda obj: _at("source", "component")(obj) or _at("reportingComponent")(obj),
        "type": _at("type"),
    },
    ("events.k8s.io", "events"): {
        **{f"regarding.{name}": _at("regarding", name) for name in _OBJECT_FIELDS},
        "reason": _at("reason"),
        "reportingController": _at("reportingController"),
        "type": _at("type"),
    },
}


def _make(
    group: str,
    version: str,
    kind: str,
    plural: str,
    short: str = "",
    *,
    namespaced: bool = True,
    categories: tuple[str, ...] = (),
    subresources: tuple[str, ...] = (),
    verbs: tuple[str, ...] = (),
    **more: Any,
) -> Resource:
    message = _message(group, version, kind)
    strategy = _STRATEGIES[kind if (group, kind) != ("events.k8s.io", "Event") else "events.k8s.io"]
    if (group, version) == ("autoscaling", "v1"):
        strategy = AutoscalerV1Strategy
    resource = Resource(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=namespaced,
        strategy=strategy(kind, version, message),
        types=_types(message),
        short_names=tuple(short.split()),
        categories=categories,
        subresources={name: _subresource(name, group, version, kind) for name in subresources},
        selectable=_SELECTABLE.get((group, plural), {}),
        columns=columns_of(plural),
        generation=strategy.generation,
        protobuf=message,
        **more,
    )
    if verbs:
        resource.verbs = verbs
    return resource


def _core() -> list[Resource]:
    group, version = "", "v1"
    return [
        _make(group, version, "ConfigMap", "configmaps", "cm"),
        _make(group, version, "Endpoints", "endpoints", "ep", deprecation=_OLD_ENDPOINTS, create_on_update=True),
        _make(group, version, "Event", "events", "ev", create_on_update=True),
        _make(group, version, "LimitRange", "limitranges", "limits", create_on_update=True),
        _make(
            group,
            version,
            "Namespace",
            "namespaces",
            "ns",
            namespaced=False,
            subresources=("finalize", "status"),
            verbs=_WITHOUT_COLLECTION,
            name_rule="label",
        ),
        _make(group, version, "Node", "nodes", "no", namespaced=False, subresources=("status",)),
        _make(
            group,
            version,
            "PersistentVolume",
            "persistentvolumes",
            "pv",
            namespaced=False,
            subresources=("status",),
            returns_deleted=True,
        ),
        _make(
            group,
            version,
            "PersistentVolumeClaim",
            "persistentvolumeclaims",
            "pvc",
            subresources=("status",),
            returns_deleted=True,
        ),
        _make(
            group,
            version,
            "Pod",
            "pods",
            "po",
            categories=_ALL,
            subresources=(
                "attach",
                "binding",
                "ephemeralcontainers",
                "eviction",
                "exec",
                "log",
                "portforward",
                "proxy",
                "resize",
                "status",
            ),
            returns_deleted=True,
        ),
        _make(
            group,
            version,
            "ReplicationController",
            "replicationcontrollers",
            "rc",
            categories=_ALL,
            subresources=_SCALED,
        ),
        _make(
            group, version, "ResourceQuota", "resourcequotas", "quota", subresources=("status",), returns_deleted=True
        ),
        _make(group, version, "Secret", "secrets"),
        _make(
            group,
            version,
            "Service",
            "services",
            "svc",
            categories=_ALL,
            subresources=("status",),
            returns_deleted=True,
            name_rule="label",  # RelaxedServiceNameValidation, on since 1.36
            create_on_update=True,
        ),
        _make(group, version, "ServiceAccount", "serviceaccounts", "sa", subresources=("token",), returns_deleted=True),
    ]


def _apps() -> list[Resource]:
    group, version = "apps", "v1"
    return [
        _make(group, version, "ControllerRevision", "controllerrevisions"),
        _make(group, version, "DaemonSet", "daemonsets", "ds", categories=_ALL, subresources=("status",)),
        _make(group, version, "Deployment", "deployments", "deploy", categories=_ALL, subresources=_SCALED),
        _make(group, version, "ReplicaSet", "replicasets", "rs", categories=_ALL, subresources=_SCALED),
        _make(group, version, "StatefulSet", "statefulsets", "sts", categories=_ALL, subresources=_SCALED),
    ]


def _batch() -> list[Resource]:
    group, version = "batch", "v1"
    return [
        _make(group, version, "CronJob", "cronjobs", "cj", categories=_ALL, subresources=("status",)),
        _make(group, version, "Job", "jobs", categories=_ALL, subresources=("status",)),
    ]


def _rbac() -> list[Resource]:
    group, version = "rbac.authorization.k8s.io", "v1"
    return [
        _make(
            group,
            version,
            "ClusterRoleBinding",
            "clusterrolebindings",
            namespaced=False,
            name_rule="path",
            create_on_update=True,
        ),
        _make(group, version, "ClusterRole", "clusterroles", namespaced=False, name_rule="path", create_on_update=True),
        _make(group, version, "RoleBinding", "rolebindings", name_rule="path", create_on_update=True),
        _make(group, version, "Role", "roles", name_rule="path", create_on_update=True),
    ]


def _others() -> list[Resource]:
    scaler = ("HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa")
    status = ("status",)
    return [
        _make("autoscaling", "v2", *scaler, categories=_ALL, subresources=status),
        _make("autoscaling", "v1", *scaler, categories=_ALL, subresources=status),
        _make("coordination.k8s.io", "v1", "Lease", "leases", unconditional_update=False, create_on_update=True),
        _make("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
        _make("events.k8s.io", "v1", "Event", "events", "ev", stored_as=("", "events"), create_on_update=True),
        _make("networking.k8s.io", "v1", "IngressClass", "ingressclasses", namespaced=False),
        _make("networking.k8s.io", "v1", "Ingress", "ingresses", "ing", subresources=status),
        _make("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", "netpol"),
        _make(
            "policy",
            "v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
            "pdb",
            subresources=status,
            unconditional_update=False,
        ),
        _make("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "pc", namespaced=False),
        _make("storage.k8s.io", "v1", "StorageClass", "storageclasses", "sc", namespaced=False),
    ]


def resources() -> list[Resource]:
    """Every built-in resource in every version served; the preferred version of a group comes first."""
    return [*_core(), *_apps(), *_batch(), *_rbac(), *_others()]
