"""What Endpoints and EndpointSlices share: the rules of a port's protocols, and the API server as their writer.

Only the server's own objects, for default/kubernetes, name the address on which it listens, whatever that is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zestor_controller.apiserver.validation.fieldchecks import bad_qualified_name, check_text
from zestor_controller.schema.fielderror import FieldError, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["SERVER", "check_endpoint_port"]

SERVER: Final = "system:apiserver"
_PROTOCOLS = ["SCTP", "TCP", "UDP"]


def check_endpoint_port(field: str, port: Json) -> list[FieldError]:
    """Errors of a port's protocol and application protocol."""
    errors: list[FieldError] = []
    protocol = port.get("protocol", "")
    if not protocol:
        errors.append(required(f"{field}.protocol"))
    elif protocol not in _PROTOCOLS:
        errors.append(not_supported(f"{field}.protocol", protocol, _PROTOCOLS))
    if port.get("appProtocol") is not None:
        errors += check_text(f"{field}.appProtocol", port["appProtocol"], bad_qualified_name)
    return errors
