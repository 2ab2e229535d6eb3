"""Services: addresses and node ports from the server's ranges, and the rules that hang on the type.

Invariant: no two live Services hold the same cluster address or node port. What is taken is remembered per Service by
the allocator and checked against the live object at each allocation, so a deleted Service gives its addresses back
without telling anybody.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from zestor_controller.apiserver.builtin.addresses import check_ip
from zestor_controller.apiserver.builtin.checks import (
    bad_name_label,
    bad_port,
    bad_port_name,
    bad_subdomain,
    check_labels,
    check_text,
)
from zestor_controller.apiserver.builtin.strategy import BuiltinStrategy
from zestor_controller.apiserver.contract import Json, Writing
from zestor_controller.apiserver.status import invalid as refuse
from zestor_controller.schema.fielderror import FieldError, duplicate, forbidden, invalid, not_supported, required

__all__ = ["ServiceStrategy"]

_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
_EXTERNAL = ("NodePort", "LoadBalancer")
_PROTOCOLS = ["SCTP", "TCP", "UDP"]
_POLICIES = ["Cluster", "Local"]
_AFFINITIES = ["ClientIP", "None"]
_RANGE = ipaddress.IPv4Network("10.0.0.0/24")
_NODE_PORTS = range(30000, 32768)
_AFFINITY_SECONDS = 10800
_ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")

Owner = tuple[str, str]
Lookup = Callable[[str, str, str, str], Json | None]


class _Allocator:
    """Who holds which address and port."""

    def __init__(self) -> None:
        self._owners: dict[str | int, Owner] = {}
        self._next = 0

    def holder(self, value: str | int, lookup: Lookup) -> Owner | None:
        """The live Service that holds a value; None when it is free."""
        owner = self._owners.get(value)
        if owner is None:
            return None
        service = lookup("", "services", *owner)
        if service is not None and value in _held(service):
            return owner
        del self._owners[value]
        return None

    def claim(self, service: Json) -> None:
        """Remember what a Service holds."""
        for value in _held(service):
            self._owners[value] = _owner(service)

    def address(self, writing: Writing) -> str:
        """A free cluster address."""
        hosts = list(_RANGE.hosts())[1:]  # the first address belongs to the API server itself
        for step in range(len(hosts)):
            # An address that was given back is not given out again at once: somebody may still talk to it.
            at = (self._next + step) % len(hosts)
            if self.holder(str(hosts[at]), writing.lookup) is None:
                if not writing.dry_run:
                    self._next = at + 1
                return str(hosts[at])
        raise refuse("", "Service", "", [invalid("spec.clusterIPs", None, "failed to allocate IP: range is full")])

    def port(self, writing: Writing, taken: set[int]) -> int:
        """A free node port that is not in `taken` either."""
        for number in _NODE_PORTS:
            if number not in taken and self.holder(number, writing.lookup) is None:
                return number
        raise refuse("", "Service", "", [invalid("spec.ports", None, "failed to allocate a nodePort: range is full")])


def _owner(service: Json) -> Owner:
    return service["metadata"].get("namespace", ""), service["metadata"].get("name", "")


def _held(service: Json) -> list[str | int]:
    spec = service.get("spec") or {}
    values: list[str | int] = [address for address in spec.get("clusterIPs", ()) if address != "None"]
    values += [port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")]
    if spec.get("healthCheckNodePort"):
        values.append(spec["healthCheckNodePort"])
    return values


class ServiceStrategy(BuiltinStrategy):
    """Services."""

    def __init__(self, kind: str, version: str, message: str) -> None:
        super().__init__(kind, version, message)
        self._allocator = _Allocator()

    def adopt(self, service: Json) -> None:
        """Remember what a Service of an earlier life holds."""
        self._allocator.claim(service)

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
        if spec["type"] in _EXTERNAL:
            spec.setdefault("externalTrafficPolicy", "Cluster")
        if spec["type"] != "ExternalName":
            spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec["type"] == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Allocate what the type needs."""
        super().prepare_create(obj, writing)
        if obj.get("spec") is not None and not self.validate(obj):
            self._allocate(obj, writing)
        self._warn(obj, writing)

    def prepare_update(self, new: Json, old: Json, writing: Writing) -> None:
        """Keep what is allocated, drop what the type has no use for, allocate what it needs anew."""
        super().prepare_update(new, old, writing)
        if writing.subresource == "status":
            return
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
            self._allocate(new, writing)
        self._warn(new, writing)

    def _warn(self, service: Json, writing: Writing) -> None:
        spec = service.get("spec") or {}
        if spec.get("externalName") and spec.get("type") != "ExternalName":
            writing.warnings.append('spec.externalName is ignored when spec.type is not "ExternalName"')

    def _allocate(self, service: Json, writing: Writing) -> None:
        spec = service["spec"]
        if spec["type"] == "ExternalName":
            return
        self._allocate_address(service, writing)
        taken = {port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")}
        owner = _owner(service)
        for index, port in enumerate(spec.get("ports", ())):
            given = port.get("nodePort")
            if given:
                self._check_port(service, index, given, owner, writing)
            elif _wants_node_ports(spec):
                port["nodePort"] = self._allocator.port(writing, taken)
                taken.add(port["nodePort"])
        local = spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
        if local and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = self._allocator.port(writing, taken)
        if not writing.dry_run:
            self._allocator.claim(service)

    def _allocate_address(self, service: Json, writing: Writing) -> None:
        spec = service["spec"]
        given = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
        if not given:
            given = self._allocator.address(writing)
        elif given != "None":
            why = ""
            if ipaddress.ip_address(given) not in _RANGE:
                why = "the provided network does not match the current range"
            elif self._allocator.holder(given, writing.lookup) not in (None, _owner(service)):
                why = "provided IP is already allocated"
            if why:
                error = invalid("spec.clusterIPs", [given], f"failed to allocate IP {given}: {why}")
                raise refuse("", "Service", service["metadata"].get("name", ""), [error])
        spec["clusterIP"], spec["clusterIPs"] = given, [given]
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def _check_port(self, service: Json, index: int, number: int, owner: Owner, writing: Writing) -> None:
        why = ""
        if number not in _NODE_PORTS:
            low, high = _NODE_PORTS[0], _NODE_PORTS[-1]
            why = f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
        elif self._allocator.holder(number, writing.lookup) not in (None, owner):
            why = "provided port is already allocated"
        if why:
            error = invalid(f"spec.ports[{index}].nodePort", number, why)
            raise refuse("", "Service", service["metadata"].get("name", ""), [error])

    def validate(self, obj: Json) -> list[FieldError]:
        """The rules of the spec by its type."""
        spec = obj.get("spec") or {}
        kind = spec.get("type", "")
        errors: list[FieldError] = []
        headless = "None" in (spec.get("clusterIPs") or [spec.get("clusterIP")])
        if not spec.get("ports") and not headless and kind != "ExternalName":
            errors.append(required("spec.ports"))
        errors += self._check_type(spec, kind, headless)
        errors += _check_ports(spec, kind, headless)
        errors += check_labels("spec.selector", spec.get("selector"))
        affinity = spec.get("sessionAffinity", "")
        if affinity not in _AFFINITIES:
            errors.append(not_supported("spec.sessionAffinity", affinity, _AFFINITIES))
        elif affinity == "ClientIP":
            seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds", 0)
            if not 0 < seconds <= 86400:
                field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
                errors.append(invalid(field, seconds, "must be greater than 0 and less than 86400"))
        for index, address in enumerate(spec.get("externalIPs", ())):
            errors += check_ip(f"spec.externalIPs[{index}]", address)
        for name, wanted in (("externalTrafficPolicy", kind in _EXTERNAL), ("internalTrafficPolicy", True)):
            policy = spec.get(name)
            if policy and not wanted and not spec.get("externalIPs"):
                errors.append(invalid(f"spec.{name}", policy, "may only be set for externally-accessible services"))
            elif policy and policy not in _POLICIES:
                errors.append(not_supported(f"spec.{name}", policy, _POLICIES))
        return errors

    def _check_type(self, spec: Json, kind: str, headless: bool) -> list[FieldError]:
        if not kind:
            return [required("spec.type")]
        if kind not in _TYPES:
            return [not_supported("spec.type", kind, _TYPES)]
        errors: list[FieldError] = []
        if kind == "ExternalName":
            if spec.get("clusterIPs") or spec.get("clusterIP"):
                errors.append(forbidden("spec.clusterIPs", "may not be set when `type` is 'ExternalName'"))
            name = spec.get("externalName", "")
            if not name:
                errors.append(required("spec.externalName"))
            else:
                errors += check_text("spec.externalName", name.removesuffix("."), bad_subdomain)
            return errors
        if headless and kind in _EXTERNAL:
            words = "may not be set to 'None' for " + kind + " services"
            errors.append(invalid("spec.clusterIPs[0]", "None", words))
        addresses = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
        if spec.get("clusterIP") and addresses[0] != spec["clusterIP"]:
            words = "first value must match `clusterIP`"
            errors.append(invalid("spec.clusterIPs", addresses, words))
        for index, address in enumerate(addresses):
            if address != "None":
                errors += check_ip(f"spec.clusterIPs[{index}]", address)
        return errors

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """A cluster address stays as long as the Service has one."""
        now, was = new["spec"], old["spec"]
        if "ExternalName" in (now.get("type"), was.get("type")):
            return []
        before = was.get("clusterIPs") or ([was["clusterIP"]] if was.get("clusterIP") else [])
        after = now.get("clusterIPs") or ([now["clusterIP"]] if now.get("clusterIP") else [])
        if before and after and before[0] != after[0]:
            return [invalid("spec.clusterIPs[0]", after, "may not change once set")]
        return []


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


def _check_ports(spec: Json, kind: str, headless: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    ports = spec.get("ports", ())
    names: set[str] = set()
    pairs: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        where = f"spec.ports[{index}]"
        name, number, protocol = port.get("name", ""), port.get("port", 0), port.get("protocol", "")
        if not name and len(ports) > 1:
            errors.append(required(f"{where}.name"))
        elif name:
            errors += check_text(f"{where}.name", name, bad_name_label)
            if name in names:
                errors.append(duplicate(f"{where}.name", name))
            names.add(name)
        errors += [invalid(f"{where}.port", number, text) for text in bad_port(number)]
        if not protocol:
            errors.append(required(f"{where}.protocol"))
        elif protocol not in _PROTOCOLS:
            errors.append(not_supported(f"{where}.protocol", protocol, _PROTOCOLS))
        target = port.get("targetPort", 0)
        if isinstance(target, int):
            errors += [invalid(f"{where}.targetPort", target, text) for text in bad_port(target)]
        else:
            errors += check_text(f"{where}.targetPort", target, bad_port_name)
        if port.get("nodePort") and kind not in _EXTERNAL:
            words = "may not be used when `type` is '" + kind + "'"
            errors.append(forbidden(f"{where}.nodePort", words))
        if (number, protocol) in pairs:
            errors.append(duplicate(where, {"port": number, "protocol": protocol}))
        pairs.add((number, protocol))
    return errors
