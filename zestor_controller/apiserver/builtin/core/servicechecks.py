"""What a Service may say: its ports, policies and addresses by its type, and which of them may change.

Source: pkg/apis/core/validation/validation.go (validateService, ValidateServiceUpdate, ValidateLoadBalancerStatus).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.address import check_cidr, check_endpoint_ip, check_ip, is_address
from zestor_controller.apiserver.builtin.core.servicefamilies import check_families, check_family_change, is_headless
from zestor_controller.apiserver.validation.fieldchecks import (
    bad_name_label,
    bad_port,
    bad_port_name,
    bad_qualified_name,
    bad_subdomain,
    check_labels,
    check_text,
)
from zestor_controller.schema.fielderror import FieldError, duplicate, forbidden, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["check_service_change", "check_service_spec", "check_service_status", "is_external"]

_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
_PROTOCOLS = ["SCTP", "TCP", "UDP"]
_POLICIES = ["Cluster", "Local"]
_AFFINITIES = ["ClientIP", "None"]
_MODES = ["Proxy", "VIP"]
_DISTRIBUTIONS = ["PreferClose", "PreferSameZone", "PreferSameNode"]
_BALANCED = "may only be used when `type` is 'LoadBalancer'"


def is_external(spec: Json) -> bool:
    """Whether traffic from outside the cluster reaches a Service."""
    kind = spec.get("type")
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def check_service_spec(spec: Json) -> list[FieldError]:
    """The rules of a spec, new or changed."""
    kind = spec.get("type", "")
    errors: list[FieldError] = []
    if not spec.get("ports") and not is_headless(spec) and kind != "ExternalName":
        errors.append(required("spec.ports"))
    errors += _check_type(spec, kind)
    errors += _check_ports(spec, kind)
    errors += check_labels("spec.selector", spec.get("selector"))
    affinity = spec.get("sessionAffinity", "")
    if affinity not in _AFFINITIES:
        errors.append(not_supported("spec.sessionAffinity", affinity, _AFFINITIES))
    elif affinity == "ClientIP":
        seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds", 0)
        if not 0 < seconds <= 86400:
            field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
            errors.append(invalid(field, seconds, "must be greater than 0 and less than 86400"))
    errors += check_families(spec)
    for index, address in enumerate(spec.get("externalIPs", ())):
        where = f"spec.externalIPs[{index}]"
        errors += check_ip(where, address) or check_endpoint_ip(where, address)
    return errors + _check_balancing(spec, kind) + _check_traffic(spec)


def _check_type(spec: Json, kind: str) -> list[FieldError]:
    if not kind:
        return [required("spec.type")]
    if kind not in _TYPES:
        return [not_supported("spec.type", kind, _TYPES)]
    errors: list[FieldError] = []
    if kind == "ExternalName":
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name) or (name == "clusterIPs" and spec.get("clusterIP")):
                errors.append(forbidden(f"spec.{name}", "may not be set for ExternalName services"))
        name = spec.get("externalName", "").removesuffix(".")
        if not name:
            errors.append(required("spec.externalName"))
        else:
            errors += check_text("spec.externalName", name, bad_subdomain)
    elif is_headless(spec) and kind != "ClusterIP":
        message = f"may not be set to 'None' for {kind} services"
        errors.append(invalid("spec.clusterIPs[0]", "None", message))
    return errors


def _check_ports(spec: Json, kind: str) -> list[FieldError]:
    errors: list[FieldError] = []
    ports = spec.get("ports", ())
    names: set[str] = set()
    pairs: set[tuple[int, str]] = set()
    node_ports: set[tuple[int, str]] = set()
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
        errors += _check_port(where, port)
        if port.get("nodePort") and kind not in ("NodePort", "LoadBalancer"):
            message = "may not be used when `type` is '" + kind + "'"
            errors.append(forbidden(f"{where}.nodePort", message))
        if port.get("nodePort"):
            if (port["nodePort"], protocol) in node_ports:
                errors.append(duplicate(f"{where}.nodePort", port["nodePort"]))
            node_ports.add((port["nodePort"], protocol))
        if (number, protocol) in pairs:
            errors.append(duplicate(where, {"port": number, "protocol": protocol}))
        pairs.add((number, protocol))
    return errors


def _check_port(field: str, port: Json) -> list[FieldError]:
    number, protocol, target = port.get("port", 0), port.get("protocol", ""), port.get("targetPort", 0)
    errors = [invalid(f"{field}.port", number, text) for text in bad_port(number)]
    if not protocol:
        errors.append(required(f"{field}.protocol"))
    elif protocol not in _PROTOCOLS:
        errors.append(not_supported(f"{field}.protocol", protocol, _PROTOCOLS))
    if isinstance(target, int):
        errors += [invalid(f"{field}.targetPort", target, text) for text in bad_port(target)]
    else:
        errors += check_text(f"{field}.targetPort", target, bad_port_name)
    if port.get("appProtocol") is not None:
        errors += check_text(f"{field}.appProtocol", port["appProtocol"], bad_qualified_name)
    return errors


def _check_balancing(spec: Json, kind: str) -> list[FieldError]:
    """What only a load balancer has."""
    errors: list[FieldError] = []
    balanced = kind == "LoadBalancer"
    ranges = spec.get("loadBalancerSourceRanges") or ()
    # The server spells this field in its Go name.
    if ranges and not balanced:
        errors.append(forbidden("spec.LoadBalancerSourceRanges", _BALANCED))
    for index, block in enumerate(ranges):
        errors += check_cidr(f"spec.LoadBalancerSourceRanges[{index}]", block.strip())
    if spec.get("allocateLoadBalancerNodePorts") is not None and not balanced:
        errors.append(forbidden("spec.allocateLoadBalancerNodePorts", _BALANCED))
    if spec.get("loadBalancerClass") is not None:
        if balanced:
            errors += check_text("spec.loadBalancerClass", spec["loadBalancerClass"], bad_qualified_name)
        else:
            errors.append(forbidden("spec.loadBalancerClass", _BALANCED))
    return errors


def _check_traffic(spec: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    outer, inner = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if outer and not is_external(spec):
        message = "may only be set for externally-accessible services"
        errors.append(invalid("spec.externalTrafficPolicy", outer, message))
    elif outer and outer not in _POLICIES:
        errors.append(not_supported("spec.externalTrafficPolicy", outer, _POLICIES))
    if inner and inner not in _POLICIES:
        errors.append(not_supported("spec.internalTrafficPolicy", inner, _POLICIES))
    checked = spec.get("type") == "LoadBalancer" and outer == "Local"
    if spec.get("healthCheckNodePort") and not checked:
        message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid("spec.healthCheckNodePort", spec["healthCheckNodePort"], message))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        errors.append(not_supported("spec.trafficDistribution", distribution, _DISTRIBUTIONS))
    return errors


def check_service_change(now: Json, was: Json) -> list[FieldError]:
    """What stays once it is set."""
    errors = check_family_change(now, was)
    if now.get("type") == was.get("type") == "LoadBalancer":
        if now.get("loadBalancerClass") != was.get("loadBalancerClass"):
            errors.append(invalid("spec.loadBalancerClass", now.get("loadBalancerClass"), "may not change once set"))
        local = now.get("externalTrafficPolicy") == was.get("externalTrafficPolicy") == "Local"
        if local and now.get("healthCheckNodePort") != was.get("healthCheckNodePort"):
            errors.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return errors


def check_service_status(new: Json, old: Json) -> list[FieldError]:
    """The addresses of a load balancer: only such a Service has any."""
    found = (((new.get("status") or {}).get("loadBalancer") or {}).get("ingress")) or ()
    before = (((old.get("status") or {}).get("loadBalancer") or {}).get("ingress")) or ()
    path = "status.loadBalancer.ingress"
    if found and (new.get("spec") or {}).get("type") != "LoadBalancer":
        return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    known = {each.get("ip") for each in before}
    errors: list[FieldError] = []
    for index, ingress in enumerate(found):
        errors += _check_ingress(f"{path}[{index}]", ingress, known)
    return errors


def _check_ingress(field: str, ingress: Json, known: set[str | None]) -> list[FieldError]:
    address, mode, host = ingress.get("ip", ""), ingress.get("ipMode"), ingress.get("hostname", "")
    errors = check_ip(f"{field}.ip", address) if address and address not in known else []
    if mode is not None and not address:
        errors.append(forbidden(f"{field}.ipMode", "may not be specified when `ip` is not set"))
    elif mode is not None and mode not in _MODES:
        errors.append(not_supported(f"{field}.ipMode", mode, _MODES))
    if host:
        errors += check_text(f"{field}.hostname", host, bad_subdomain)
        if is_address(host):
            errors.append(invalid(f"{field}.hostname", host, "must be a DNS name, not an IP address"))
    return errors
