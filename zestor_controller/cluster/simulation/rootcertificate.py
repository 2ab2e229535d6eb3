"""The certificate of the server's authority, in a ConfigMap of each namespace.

Source: pkg/controller/certificates/rootcacertpublisher.
"""

from __future__ import annotations

from typing import Any

from zestor_controller.controller import Context, Controller, Result
from zestor_controller.errors import Conflict, Forbidden, NotFound
from zestor_controller.objects import Unstructured

__all__ = ["CONFIG_MAP", "DESCRIPTION", "ROOT_CA", "TEXT", "root_certificates"]

CONFIG_MAP = "v1/ConfigMap"
ROOT_CA = "kube-root-ca.crt"
DESCRIPTION = "kubernetes.io/description"
TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


def root_certificates(ca: str) -> Controller[Any]:
    """The controller that keeps ``kube-root-ca.crt`` in each namespace as it should be.

    Args:
        ca: the certificate, as PEM text.
    """
    certificates = Controller("v1/Namespace", name="root-ca-certificate-publisher").watches(
        CONFIG_MAP, map=lambda found: [found.metadata.namespace] if found.metadata.name == ROOT_CA else None
    )
    data = {"ca.crt": ca}

    @certificates.reconciler
    async def reconcile(namespace: Unstructured, ctx: Context) -> Result | None:
        name = namespace.metadata.name
        if namespace.metadata.deletion_timestamp is not None:
            return None
        present = ctx.get(CONFIG_MAP, ROOT_CA, namespace=name)
        if present is not None and present.get("data") == data:
            return None
        body = {"metadata": {"name": ROOT_CA, "namespace": name, "annotations": {DESCRIPTION: TEXT}}, "data": data}
        try:
            if present is None:
                await ctx.client.create(CONFIG_MAP, body, namespace=name)
            else:
                whole = present.copy()
                whole["data"] = data
                await ctx.client.replace(CONFIG_MAP, whole, namespace=name)
        except (Conflict, Forbidden, NotFound):
            return None  # it is there already, it has changed meanwhile, or the namespace is terminating
        return None

    return certificates
