"""Endpoints: the addresses behind a Service.

No address may be one that means the machine itself or its neighbours, since every node would send traffic there.
Addresses that did not change are not validated again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.address import check_endpoint_ip, check_ip
from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.endpointport import SERVER, check_endpoint_port
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, first_few
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import bad_name_label, bad_port, bad_subdomain, check_text
from zestor_controller.schema.fielderror import FieldError, invalid, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["EndpointsStrategy", "resource"]


class EndpointsStrategy(BuiltinStrategy):
    """Endpoints."""

    has_status = False

    def default(self, obj: Json) -> None:
        """Ports speak TCP."""
        for subset in obj.get("subsets", ()):
            for port in subset.get("ports", ()):
                port.setdefault("protocol", "TCP")

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """Addresses and ports."""
        return [] if ctx.user.name == SERVER else self.validate(obj)

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """The same, when they changed."""
        return [] if new.get("subsets") == old.get("subsets") else self.validate(new)

    def validate(self, obj: Json) -> list[FieldError]:
        """Addresses and ports."""
        errors: list[FieldError] = []
        for index, subset in enumerate(obj.get("subsets", ())):
            where = f"subsets[{index}]"
            if not subset.get("addresses") and not subset.get("notReadyAddresses"):
                errors.append(required(where, "must specify `addresses` or `notReadyAddresses`"))
            for part in ("addresses", "notReadyAddresses"):
                for at, address in enumerate(subset.get(part, ())):
                    errors += _check_address(f"{where}.{part}[{at}]", address)
            ports = subset.get("ports", ())
            for at, port in enumerate(ports):
                errors += _check_port(f"{where}.ports[{at}]", port, named=len(ports) > 1)
        return errors


def _check_address(field: str, address: Json) -> list[FieldError]:
    errors = check_ip(f"{field}.ip", address.get("ip", ""))
    if address.get("hostname"):
        errors += check_text(f"{field}.hostname", address["hostname"], bad_name_label)
    if address.get("nodeName") is not None:
        errors += check_text(f"{field}.nodeName", address["nodeName"], bad_subdomain)
    return errors + check_endpoint_ip(f"{field}.ip", address.get("ip", ""))


def _check_port(field: str, port: Json, *, named: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if port.get("name"):
        errors += check_text(f"{field}.name", port["name"], bad_name_label)
    elif named:
        errors.append(required(f"{field}.name"))
    number = port.get("port", 0)
    errors += [invalid(f"{field}.port", number, text) for text in bad_port(number)]
    return errors + check_endpoint_port(field, port)


_DEPRECATION = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"


def _endpoints(obj: Json, now: float) -> str:
    pieces = [
        f"{address.get('ip', '')}:{port.get('port', 0)}"
        for subset in obj.get("subsets", ())
        for port in subset.get("ports", ())
        for address in subset.get("addresses", ())
    ]
    return first_few(pieces)


def resource() -> Resource:
    """The resource ``endpoints`` of ``v1``."""
    return declare(
        "v1",
        "Endpoints",
        "endpoints",
        EndpointsStrategy,
        columns("endpoints", NAME, ("Endpoints", _endpoints, 0), AGE),
        short_names=("ep",),
        allow_create_on_update=True,
        deprecation=_DEPRECATION,
    )
