"""Services: their type decides about addresses, node ports and rules.

A write that is rejected, or a dry run, holds nothing that it was allocated: the allocator looks at stored Services.
"""

from __future__ import annotations

import ipaddress
from functools import partial

from zestor_controller.apiserver.builtin.core.serviceallocator import (
    CLUSTER_IPS,
    NODE_PORTS,
    ServiceAllocator,
    owner_of,
)
from zestor_controller.apiserver.builtin.core.servicechecks import (
    check_service_change,
    check_service_spec,
    check_service_status,
    is_external,
)
from zestor_controller.apiserver.builtin.core.servicefamilies import choose_families
from zestor_controller.apiserver.builtin.declaration import ALL, declare
from zestor_controller.apiserver.builtin.fieldgetter import text_at
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, NONE, columns, selector_at, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.rest.status import invalid as refuse
from zestor_controller.apiserver.rest.strategy import WriteContext
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation.fieldchecks import bad_name_label
from zestor_controller.schema.fielderror import FieldError, invalid

__all__ = ["ServiceStrategy", "resource"]

_EXTERNAL = ("NodePort", "LoadBalancer")
_AFFINITY_SECONDS = 10800
_ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")


class ServiceStrategy(BuiltinStrategy):
    """Services.

    Args:
        allocator: of cluster IPs and node ports.
    """

    def __init__(self, kind: str, version: str, message: str, *, allocator: ServiceAllocator) -> None:
        super().__init__(kind, version, message)
        self._allocator = allocator

    def default(self, obj: Json) -> None:
        """Fill the spec by its type."""
        spec = obj.get("spec")
        if spec is None:
            return
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        if spec["sessionAffinity"] == "None":
            spec.pop("sessionAffinityConfig", None)
        elif spec["sessionAffinity"] == "ClientIP":
            client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
            client.setdefault("timeoutSeconds", _AFFINITY_SECONDS)
        for port in spec.get("ports", ()):
            port.setdefault("protocol", "TCP")
            if port.get("targetPort") in (None, 0, ""):
                port["targetPort"] = port.get("port", 0)
        if is_external(spec):
            spec.setdefault("externalTrafficPolicy", "Cluster")
        if spec["type"] != "ExternalName":
            spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec["type"] == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
            if ingress.get("ip") and spec["type"] == "LoadBalancer":
                ingress.setdefault("ipMode", "VIP")

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Allocate what the type needs."""
        super().prepare_for_create(ctx, obj)
        if obj.get("spec") is not None and not self.validate(obj):
            self._allocate(obj, None, ctx)
        self._warn(obj, ctx)

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Keep what is allocated, drop what the type has no use for, allocate what it needs anew."""
        super().prepare_for_update(ctx, new, old)
        now, was = new["spec"], old["spec"]
        if was["type"] != "ExternalName" and now["type"] != "ExternalName":
            if "clusterIP" not in now and "clusterIPs" not in now:
                for name in ("clusterIP", "clusterIPs"):
                    if name in was:
                        now[name] = was[name]
            for name in ("ipFamilies", "ipFamilyPolicy"):
                if name not in now and name in was:
                    now[name] = was[name]
            _follow_address(now, was)
        if now["type"] in _EXTERNAL and was["type"] in _EXTERNAL:
            _keep_node_ports(now, was)
        untouched = all(now.get(name) == was.get(name) for name in ("clusterIP", "clusterIPs"))
        if now["type"] == "ExternalName" and was["type"] != "ExternalName" and untouched:
            for name in _ALLOCATED:
                now.pop(name, None)
        _drop_unused(now, was)
        if not self.validate(new) and not self.validate_change(new, old):
            self._allocate(new, was, ctx)
        self._warn(new, ctx)

    def _warn(self, service: Json, ctx: WriteContext) -> None:
        spec = service.get("spec") or {}
        if spec.get("externalName") and spec.get("type") != "ExternalName":
            ctx.warnings.append('spec.externalName is ignored when spec.type is not "ExternalName"')

    def _allocate(self, service: Json, was: Json | None, ctx: WriteContext) -> None:
        spec = service["spec"]
        if spec["type"] == "ExternalName":
            return
        errors = choose_families(spec, was)
        if errors:
            raise refuse("", "Service", service["metadata"].get("name", ""), errors)
        self._allocate_address(service, ctx)
        taken = {port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")}
        owner = owner_of(service)
        for index, port in enumerate(spec.get("ports", ())):
            given = port.get("nodePort")
            if given:
                self._check_port(service, index, given, owner)
            elif _wants_node_ports(spec):
                port["nodePort"] = self._allocator.node_port(taken)
                taken.add(port["nodePort"])
        local = spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
        if local and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = self._allocator.node_port(taken)
        if not ctx.dry_run:
            self._allocator.claim(service)

    def _allocate_address(self, service: Json, ctx: WriteContext) -> None:
        spec = service["spec"]
        given = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
        if not given:
            given = self._allocator.cluster_ip(dry_run=ctx.dry_run)
        elif given != "None":
            why = ""
            if ipaddress.ip_address(given) not in CLUSTER_IPS:
                why = "the provided network does not match the current range"
            elif self._allocator.holder(given) not in (None, owner_of(service)):
                why = "provided IP is already allocated"
            if why:
                error = invalid("spec.clusterIPs", [given], f"failed to allocate IP {given}: {why}")
                raise refuse("", "Service", service["metadata"].get("name", ""), [error])
        spec["clusterIP"], spec["clusterIPs"] = given, [given]

    def _check_port(self, service: Json, index: int, number: int, owner: tuple[str, str]) -> None:
        why = ""
        if number not in NODE_PORTS:
            low, high = NODE_PORTS[0], NODE_PORTS[-1]
            why = f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
        elif self._allocator.holder(number) not in (None, owner):
            why = "provided port is already allocated"
        if why:
            error = invalid(f"spec.ports[{index}].nodePort", number, why)
            raise refuse("", "Service", service["metadata"].get("name", ""), [error])

    def validate_name(self, name: str) -> list[str]:
        """A label (RelaxedServiceNameValidation, on since 1.36)."""
        return bad_name_label(name)

    def validate(self, obj: Json) -> list[FieldError]:
        """The rules of the spec by its type."""
        return check_service_spec(obj.get("spec") or {})

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """A cluster address stays as long as the Service has one."""
        return check_service_change(new["spec"], old["spec"])

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """Only a load balancer has addresses."""
        return check_service_status(new, old)


def _follow_address(now: Json, was: Json) -> None:
    """A client that knows ``clusterIP`` alone changes that; the list follows."""
    one = now.get("clusterIP")
    if (one and one != was.get("clusterIP") and now.get("clusterIPs") == was.get("clusterIPs")) or (
        one and "clusterIPs" not in now
    ):
        now["clusterIPs"] = [one]
    elif "clusterIPs" in now and not one:
        now["clusterIP"] = now["clusterIPs"][0]


def _keep_node_ports(now: Json, was: Json) -> None:
    """A port that does not say its node port keeps the one that it had."""
    given = {port["nodePort"] for port in now.get("ports", ()) if port.get("nodePort")}
    before = {(port.get("port"), port.get("protocol")): port.get("nodePort") for port in was.get("ports", ())}
    for port in now.get("ports", ()):
        kept = before.get((port.get("port"), port.get("protocol")))
        if not port.get("nodePort") and kept and kept not in given:
            port["nodePort"] = kept
    local = now.get("type") == "LoadBalancer" and now.get("externalTrafficPolicy") == "Local"
    if local and not now.get("healthCheckNodePort") and was.get("healthCheckNodePort"):
        now["healthCheckNodePort"] = was["healthCheckNodePort"]


def _drop_unused(now: Json, was: Json) -> None:
    """When the type changes, what only the old type used goes, unless the client changed it too."""
    if was["type"] in _EXTERNAL and now["type"] not in _EXTERNAL:
        old_ports = {port.get("nodePort") for port in was.get("ports", ())}
        for port in now.get("ports", ()):
            if port.get("nodePort") in old_ports:
                port.pop("nodePort", None)
        if now.get("externalTrafficPolicy") == was.get("externalTrafficPolicy"):
            now.pop("externalTrafficPolicy", None)
    if was["type"] == "LoadBalancer" and now["type"] != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if now.get(name) == was.get(name):
                now.pop(name, None)
    local = now["type"] == "LoadBalancer" and now.get("externalTrafficPolicy") == "Local"
    if not local and now.get("healthCheckNodePort") == was.get("healthCheckNodePort"):
        now.pop("healthCheckNodePort", None)


def _wants_node_ports(spec: Json) -> bool:
    if spec["type"] == "LoadBalancer":
        return bool(spec.get("allocateLoadBalancerNodePorts", True))
    return bool(spec["type"] == "NodePort")


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
    return ",".join(external) or NONE


def _service_ports(obj: Json, now: float) -> str:
    pieces = []
    for port in (obj.get("spec") or {}).get("ports", ()):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        pieces.append(f"{port.get('port')}{node}/{port.get('protocol', '')}")
    return ",".join(pieces) or NONE


def resource(storage: Storage) -> Resource:
    """The resource ``services`` of ``v1``.

    Args:
        storage: has the Services, whose addresses are unique.
    """
    return declare(
        "v1",
        "Service",
        "services",
        partial(ServiceStrategy, allocator=ServiceAllocator(storage)),
        columns(
            "services",
            NAME,
            ("Type", value_at("spec", "type"), 0),
            ("Cluster-IP", value_at("spec", "clusterIP", absent=NONE), 0),
            ("External-IP", _service_external, 0),
            ("Port(s)", _service_ports, 0),
            AGE,
            ("Selector", selector_at("spec", "selector"), 1),
        ),
        short_names=("svc",),
        categories=ALL,
        subresources=("status",),
        selectable_fields={"spec.clusterIP": text_at("spec", "clusterIP"), "spec.type": text_at("spec", "type")},
        returns_deleted_object=True,
        allow_create_on_update=True,
    )
