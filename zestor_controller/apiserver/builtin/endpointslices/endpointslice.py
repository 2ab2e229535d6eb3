"""EndpointSlices: the addresses behind a Service, a part in each.

No address may be one that means the machine itself or its neighbours, since every node would send traffic there.
Addresses that did not change are not validated again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.address import address_family, check_endpoint_ip, check_ip
from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.endpointport import SERVER, check_endpoint_port
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, UNSET, columns, first_few, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import (
    bad_name_label,
    bad_subdomain,
    check_immutable,
    check_labels,
    check_text,
)
from zestor_controller.schema.fielderror import FieldError, duplicate, invalid, not_supported, required, too_many

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["EndpointSliceStrategy", "resource"]

_ADDRESS_TYPES = ["FQDN", "IPv4", "IPv6"]
_MAX_ENDPOINTS, _MAX_ADDRESSES, _MAX_PORTS = 1000, 100, 20000


class EndpointSliceStrategy(BuiltinStrategy):
    """EndpointSlices."""

    has_status = False
    generation = True

    def default(self, obj: Json) -> None:
        """Ports speak TCP and have a name, if only an empty one."""
        for port in obj.get("ports") or ():
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """The type of the addresses, the ports and the endpoints."""
        errors = self.validate(obj)
        return errors if ctx.user.name == SERVER else errors + _check_endpoints(obj)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """The type of the addresses stays; endpoints are validated when they changed."""
        errors = [] if new.get("endpoints") == old.get("endpoints") else _check_endpoints(new)
        return errors + check_immutable("addressType", new.get("addressType"), old.get("addressType"))

    def validate(self, obj: Json) -> list[FieldError]:
        """The type of the addresses, and the ports."""
        kind = obj.get("addressType", "")
        errors: list[FieldError] = []
        if not kind:
            errors.append(required("addressType"))
        elif kind not in _ADDRESS_TYPES:
            errors.append(not_supported("addressType", kind, _ADDRESS_TYPES))
        ports = obj.get("ports") or ()
        if len(ports) > _MAX_PORTS:
            return [*errors, too_many("ports", len(ports), _MAX_PORTS)]
        names: set[str] = set()
        for index, port in enumerate(ports):
            name = port.get("name", "")
            if name:
                errors += check_text(f"ports[{index}].name", name, bad_name_label)
            if name in names:
                errors.append(duplicate(f"ports[{index}].name", name))
            names.add(name)
            errors += check_endpoint_port(f"ports[{index}]", port)
        return errors


def _check_endpoints(obj: Json) -> list[FieldError]:
    kind, endpoints = obj.get("addressType", ""), obj.get("endpoints") or ()
    if len(endpoints) > _MAX_ENDPOINTS:
        return [too_many("endpoints", len(endpoints), _MAX_ENDPOINTS)]
    errors: list[FieldError] = []
    for index, endpoint in enumerate(endpoints):
        field = f"endpoints[{index}]"
        addresses = endpoint.get("addresses") or ()
        if not addresses:
            errors.append(required(f"{field}.addresses", "must contain at least 1 address"))
        elif len(addresses) > _MAX_ADDRESSES:
            errors.append(too_many(f"{field}.addresses", len(addresses), _MAX_ADDRESSES))
        for at, address in enumerate(addresses):
            errors += _check_typed_address(f"{field}.addresses", at, address, kind)
        if endpoint.get("nodeName") is not None:
            errors += check_text(f"{field}.nodeName", endpoint["nodeName"], bad_subdomain)
        errors += check_labels(f"{field}.deprecatedTopology", endpoint.get("deprecatedTopology"))
        if endpoint.get("hostname") is not None:
            errors += check_text(f"{field}.hostname", endpoint["hostname"], bad_name_label)
    return errors


def _check_typed_address(field: str, index: int, address: str, kind: str) -> list[FieldError]:
    where = f"{field}[{index}]"
    if kind == "FQDN":
        return _check_domain(where, address)
    if kind not in _ADDRESS_TYPES:
        return []
    errors = check_ip(where, address, canonical=kind == "IPv6")
    if errors:
        return errors
    if address_family(address) != kind:
        errors.append(invalid(field, address, f"must be an {kind} address"))
    return errors + check_endpoint_ip(where, address)


def _check_domain(field: str, name: str) -> list[FieldError]:
    if not name:
        return [required(field)]
    errors = check_text(field, name.removesuffix("."), bad_subdomain)
    if not errors and "." not in name.removesuffix("."):
        errors.append(invalid(field, name, "should be a domain with at least two segments separated by dots"))
    return errors


def _slice_ports(obj: Json, now: float) -> str:
    return first_few((str(port.get("port", "*")) for port in obj.get("ports") or ()), UNSET)


def _slice_endpoints(obj: Json, now: float) -> str:
    return first_few((a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()), UNSET)


def resource() -> Resource:
    """The resource ``endpointslices`` of ``discovery.k8s.io/v1``."""
    return declare(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "endpointslices",
        EndpointSliceStrategy,
        columns(
            "endpointslices",
            NAME,
            ("AddressType", value_at("addressType"), 0),
            ("Ports", _slice_ports, 0),
            ("Endpoints", _slice_endpoints, 0),
            AGE,
        ),
    )
