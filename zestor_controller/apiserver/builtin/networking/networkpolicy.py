"""NetworkPolicies."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.address import check_cidr
from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, selector_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import bad_port, bad_port_name, check_selector, check_text
from zestor_controller.schema.fielderror import FieldError, forbidden, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["NetworkPolicyStrategy", "resource"]

_PROTOCOLS = ["SCTP", "TCP", "UDP"]


class NetworkPolicyStrategy(BuiltinStrategy):
    """NetworkPolicies."""

    has_status = False
    generation = True

    def default(self, obj: Json) -> None:
        """Ports speak TCP; a policy is about ingress, and about egress when it has such rules."""
        spec = obj.get("spec")
        if spec is None:
            return
        for part in ("ingress", "egress"):
            for rule in spec.get(part, ()):
                for port in rule.get("ports", ()):
                    port.setdefault("protocol", "TCP")
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]

    def validate(self, obj: Json) -> list[FieldError]:
        """Selectors, peers and ports."""
        spec = obj.get("spec") or {}
        errors = check_selector("spec.podSelector", spec.get("podSelector"))
        for part, peers in (("ingress", "from"), ("egress", "to")):
            for index, rule in enumerate(spec.get(part, ())):
                where = f"spec.{part}[{index}]"
                for at, port in enumerate(rule.get("ports", ())):
                    errors += _check_policy_port(f"{where}.ports[{at}]", port)
                for at, peer in enumerate(rule.get(peers, ())):
                    errors += _check_peer(f"{where}.{peers}[{at}]", peer)
        types = spec.get("policyTypes", [])
        if len(types) > 2:
            errors.append(invalid("spec.policyTypes", types, "may not specify more than two policyTypes"))
        for index, kind in enumerate(types):
            if kind not in ("Ingress", "Egress"):
                errors.append(not_supported(f"spec.policyTypes[{index}]", kind, ["Egress", "Ingress"]))
        return errors


def _check_policy_port(field: str, port: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    if port.get("protocol") not in _PROTOCOLS:
        errors.append(not_supported(f"{field}.protocol", port.get("protocol"), _PROTOCOLS))
    number = port.get("port")
    if isinstance(number, int):
        errors += [invalid(f"{field}.port", number, text) for text in bad_port(number)]
        end = port.get("endPort")
        if end is not None and end < number:
            errors.append(invalid(f"{field}.endPort", end, "must be greater than or equal to `port`"))
    elif isinstance(number, str):
        errors += check_text(f"{field}.port", number, bad_port_name)
        if port.get("endPort") is not None:
            message = "may not be specified when `port` is non-numeric"
            errors.append(forbidden(f"{field}.endPort", message))
    elif port.get("endPort") is not None:
        errors.append(required(f"{field}.port", "must be specified if `endPort` is specified"))
    return errors


def _check_peer(field: str, peer: Json) -> list[FieldError]:
    if not peer:
        return [required(field, "must specify a peer")]
    errors = check_selector(f"{field}.podSelector", peer.get("podSelector"))
    errors += check_selector(f"{field}.namespaceSelector", peer.get("namespaceSelector"))
    block = peer.get("ipBlock")
    if block is not None:
        if "podSelector" in peer or "namespaceSelector" in peer:
            errors.append(forbidden(field, "may not specify both ipBlock and another peer"))
        if not block.get("cidr"):
            errors.append(required(f"{field}.ipBlock.cidr"))
        else:
            errors += _check_block(f"{field}.ipBlock", block)
    return errors


def _check_block(field: str, block: Json) -> list[FieldError]:
    errors = check_cidr(f"{field}.cidr", block["cidr"])
    if errors:
        return errors
    outer = ipaddress.ip_network(block["cidr"])
    for index, exception in enumerate(block.get("except", ())):
        where = f"{field}.except[{index}]"
        problems = check_cidr(where, exception)
        if not problems:
            inner = ipaddress.ip_network(exception)
            if inner.network_address not in outer or inner.prefixlen <= outer.prefixlen:
                problems = [invalid(where, exception, "must be a strict subset of `cidr`")]
        errors += problems
    return errors


def resource() -> Resource:
    """The resource ``networkpolicies`` of ``networking.k8s.io/v1``."""
    return declare(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "networkpolicies",
        NetworkPolicyStrategy,
        columns("networkpolicies", NAME, ("Pod-Selector", selector_at("spec", "podSelector"), 0), AGE),
        short_names=("netpol",),
    )
