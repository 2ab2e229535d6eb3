"""The same operator without a mirror: two requests in each handler, one of them for every site there is."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import kopf
from kubernetes import client, config

Patch = MutableMapping[str, Any]


@kopf.on.startup()
def connect(**_: Any) -> None:
    config.load_kube_config()


@kopf.on.create("sites.demo.zestor.dev")
@kopf.on.update("sites.demo.zestor.dev")
def publish(spec: kopf.Spec, meta: kopf.Meta, name: str, namespace: str, patch: Patch, **_: Any) -> None:
    sites: Any = client.CustomObjectsApi().list_cluster_custom_object("demo.zestor.dev", "v1", "sites")["items"]
    theme: Any
    try:
        theme = client.CoreV1Api().read_namespaced_config_map(spec["theme"], namespace)
    except client.ApiException as error:
        if error.status != 404:
            raise
        theme = None

    found = [site["metadata"] for site in sites if site["spec"]["host"] == spec["host"]]
    claims = [(metadata["creationTimestamp"], metadata["name"]) for metadata in found]
    _, first = min([(meta["creationTimestamp"], name), *claims])  # the oldest
    status: dict[str, Any]
    if first != name:
        status = {"page": None, "message": f"the host belongs to {first}"}
    elif theme is None:
        status = {"page": None, "message": f"there is no theme {spec['theme']}"}
    else:
        status = {"page": theme.data["frame"].format(name), "message": "published"}
    patch.setdefault("status", {}).update(status)
