"""The Service ``default/kubernetes`` with its endpoints: how a program inside a cluster finds the API server.

kube-apiserver writes these three objects itself, without any controller. Here they name the address on which the socket
listens, also when that is a loopback address, which no client may write into endpoints.

Source: pkg/controlplane/controller/kubernetesservice, pkg/controlplane/reconcilers.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from typing import Final

from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["publish_service"]

_log = logging.getLogger(__name__)

NAMESPACE: Final = "default"
NAME: Final = "kubernetes"
CLUSTER_ADDRESS: Final = "10.0.0.1"
_PORT: Final = "https"


def publish_service(storage: Storage, create: Callable[[str, str, Json], None], address: str, port: int) -> None:
    """Create the three objects, or correct those of a previous run, which may have listened on another port.

    Args:
        storage: where they are kept.
        create: creates an object of a group and plural unless it exists.
        address: an IP address at which clients reach the server.
        port: the port on which it listens.
    """
    for group, plural, body in _objects(address, port):
        try:
            create(group, plural, body)
        except Failure as failure:
            message = failure.body.get("message", "")
            _log.warning(
                "cannot create %s %s/%s, programs will not find the server there: %s", plural, NAMESPACE, NAME, message
            )
            continue
        present = storage.table((group, plural)).get(NAMESPACE, NAME)
        assert present is not None  # created just now, or restored
        changed = present.copy()
        changed |= {name: value for name, value in body.items() if name not in ("metadata", "spec")}
        if "spec" in body:
            changed["spec"]["ports"] = body["spec"]["ports"]
        if changed != present.obj:
            storage.write((group, plural), NAMESPACE, NAME, changed)


def _objects(address: str, port: int) -> list[tuple[str, str, Json]]:
    listening = {"name": _PORT, "port": port, "protocol": "TCP"}
    service: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta({"component": "apiserver", "provider": "kubernetes"}),
        "spec": {
            "clusterIP": CLUSTER_ADDRESS,
            "clusterIPs": [CLUSTER_ADDRESS],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": _PORT, "port": 443, "protocol": "TCP", "targetPort": port}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }
    endpoints: Json = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": _meta({"endpointslice.kubernetes.io/skip-mirror": "true"}),
        "subsets": [{"addresses": [{"ip": address}], "ports": [listening]}],
    }
    endpoint_slice: Json = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _meta({"kubernetes.io/service-name": NAME}),
        "addressType": f"IPv{ipaddress.ip_address(address).version}",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [listening],
    }
    return [
        ("", "services", service),
        ("", "endpoints", endpoints),
        ("discovery.k8s.io", "endpointslices", endpoint_slice),
    ]


def _meta(labels: dict[str, str]) -> Json:
    return {"name": NAME, "namespace": NAMESPACE, "labels": labels}
