"""Namespaces: each gets its default ServiceAccount and the server's certificate; a terminating one is emptied."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from zestor_controller.client import served_resources
from zestor_controller.controller import Context, Controller, Request, Result
from zestor_controller.errors import ApiError, Conflict, Forbidden, MethodNotAllowed, NotFound
from zestor_controller.http import HttpRequest
from zestor_controller.objects import Unstructured

__all__ = ["namespace_controllers"]

SERVICE_ACCOUNT = "v1/ServiceAccount"
CONFIG_MAP = "v1/ConfigMap"
ROOT_CA = "kube-root-ca.crt"
DESCRIPTION = "kubernetes.io/description"
WORDS = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


def namespace_controllers(ca: str) -> list[Controller[Any]]:
    """Fresh controllers: for ServiceAccounts, for the authority's certificate, and for terminating namespaces.

    Args:
        ca: the certificate, as PEM text; without one no ConfigMap is made.
    """
    return [_service_accounts(), *([_certificates(ca)] if ca else []), _terminating()]


def _service_accounts() -> Controller[Any]:
    accounts = Controller("v1/Namespace", name="serviceaccount-controller").watches(
        SERVICE_ACCOUNT, map=lambda account: [account.metadata.namespace]
    )

    @accounts.reconciler
    async def reconcile(namespace: Unstructured, ctx: Context) -> Result | None:
        name = namespace.metadata.name
        if namespace.metadata.deletion_timestamp is not None or ctx.get(SERVICE_ACCOUNT, "default", namespace=name):
            return None
        try:
            await ctx.client.create(
                SERVICE_ACCOUNT, {"metadata": {"name": "default", "namespace": name}}, namespace=name
            )
        except (Conflict, Forbidden, NotFound):
            return None  # it is there already, or the namespace is going
        return None

    return accounts


def _certificates(ca: str) -> Controller[Any]:
    """Keeps ``kube-root-ca.crt`` in each namespace as it should be (pkg/controller/certificates)."""
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
        body = {"metadata": {"name": ROOT_CA, "namespace": name, "annotations": {DESCRIPTION: WORDS}}, "data": data}
        try:
            if present is None:
                await ctx.client.create(CONFIG_MAP, body, namespace=name)
            else:
                whole = present.copy()
                whole["data"] = data
                await ctx.client.replace(CONFIG_MAP, whole, namespace=name)
        except (Conflict, Forbidden, NotFound):
            return None  # it is there already, it has changed meanwhile, or the namespace is going
        return None

    return certificates


def _terminating() -> Controller[Any]:
    namespaces = Controller("v1/Namespace", name="namespace-controller")

    @namespaces.requests  # a reconciler is not called for what is being deleted
    async def reconcile(request: Request, ctx: Context) -> Result | None:
        namespace = ctx.get("v1/Namespace", request.name)
        if namespace is None or namespace.metadata.deletion_timestamp is None:
            return None
        finalizers = (namespace.get("spec") or {}).get("finalizers") or []
        if "kubernetes" not in finalizers:
            return None
        if await _empty(ctx, namespace.metadata.name):
            body = namespace.copy()
            body["spec"]["finalizers"] = [name for name in finalizers if name != "kubernetes"]
            path = f"/api/v1/namespaces/{namespace.metadata.name}/finalize"
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            try:
                await ctx.client.call(HttpRequest("PUT", path, [], headers, msgspec.json.encode(body.to_dict())))
            except (NotFound, Conflict):
                return None
            return None
        return Result(requeue_after=timedelta(milliseconds=200))

    return namespaces


async def _empty(ctx: Context, namespace: str) -> bool:
    """Delete everything in a namespace; whether nothing was left."""
    left = 0
    for resource in await served_resources(ctx.client):
        if not resource.namespaced or not {"list", "deletecollection"} <= set(resource.verbs):
            continue
        kind = ctx.client.kinds.learn(f"{resource.api_version}/{resource.kind}", resource.plural)
        try:
            found = await ctx.client.list(kind, namespace=namespace)
            left += len(found)
            if any(obj.metadata.deletion_timestamp is None for obj in found):
                await ctx.client.delete_collection(kind, namespace=namespace, propagation="Background")
        except (NotFound, MethodNotAllowed):
            continue  # the kind vanished meanwhile
        except ApiError as error:
            ctx.log.warning("cannot empty %s of %s: %s", namespace, kind.store_name, error)
            left += 1
    return left == 0
