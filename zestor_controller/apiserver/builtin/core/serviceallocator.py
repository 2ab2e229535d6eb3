"""The allocator of cluster IPs and node ports.

Invariant: no two live Services hold the same cluster IP or node port. What is allocated is remembered per Service and
compared with the stored object at each allocation, so a deleted Service releases everything without a notification.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from zestor_controller.apiserver.rest.status import invalid as rejection
from zestor_controller.schema.fielderror import invalid

if TYPE_CHECKING:
    from zestor_controller.apiserver.storage.revisionlog import Storage
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["CLUSTER_IPS", "NODE_PORTS", "ServiceAllocator", "owner_of"]

CLUSTER_IPS: Final = ipaddress.IPv4Network("10.0.0.0/24")
NODE_PORTS: Final = range(30000, 32768)
_SERVICES: Final = ("", "services")

Owner = tuple[str, str]


class ServiceAllocator:
    """Which Service holds which cluster IP and node port.

    Args:
        storage: has the Services; those that are stored already keep what they hold.
    """

    def __init__(self, storage: Storage) -> None:
        self._services = storage.table(_SERVICES)
        self._owners: dict[str | int, Owner] = {}
        self._next = 0
        for version in self._services.versions():
            self.claim(version.obj)

    def holder(self, value: str | int) -> Owner | None:
        """The live Service that holds a value; None when it is free."""
        owner = self._owners.get(value)
        if owner is None:
            return None
        version = self._services.get(*owner)
        if version is not None and value in _held(version.obj):
            return owner
        del self._owners[value]
        return None

    def claim(self, service: Json) -> None:
        """Remember what a Service holds."""
        for value in _held(service):
            self._owners[value] = owner_of(service)

    def cluster_ip(self, *, dry_run: bool) -> str:
        """A free cluster IP; of a dry run, the next write gets the same."""
        hosts = list(CLUSTER_IPS.hosts())[1:]  # the first address belongs to the API server itself
        for step in range(len(hosts)):
            # A released address is not allocated again at once: clients may still connect to it.
            at = (self._next + step) % len(hosts)
            if self.holder(str(hosts[at])) is None:
                if not dry_run:
                    self._next = at + 1
                return str(hosts[at])
        raise rejection("", "Service", "", [invalid("spec.clusterIPs", None, "failed to allocate IP: range is full")])

    def node_port(self, taken: set[int]) -> int:
        """A free node port that is not in `taken` either."""
        for number in NODE_PORTS:
            if number not in taken and self.holder(number) is None:
                return number
        message = "failed to allocate a nodePort: range is full"
        raise rejection("", "Service", "", [invalid("spec.ports", None, message)])


def owner_of(service: Json) -> Owner:
    """Namespace and name of a Service."""
    return service["metadata"].get("namespace", ""), service["metadata"].get("name", "")


def _held(service: Json) -> list[str | int]:
    spec = service.get("spec") or {}
    values: list[str | int] = [address for address in spec.get("clusterIPs", ()) if address != "None"]
    values += [port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")]
    if spec.get("healthCheckNodePort"):
        values.append(spec["healthCheckNodePort"])
    return values
