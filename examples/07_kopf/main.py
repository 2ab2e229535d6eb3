"""A kopf operator whose handlers look at other objects: in the mirror, without asking the server."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, cast

import kopf

from zestor_controller import CustomResource, Spec, Status, Unstructured
from zestor_controller.adapters.kopf import mirror

if TYPE_CHECKING:
    from zestor_controller.store import StoreKind


class SiteSpec(Spec):
    host: str
    theme: str = "plain"


class SiteStatus(Status):
    page: str | None = None
    message: str | None = None


class Site(CustomResource[SiteSpec, SiteStatus], group="demo.zestor.dev", version="v1", plural="sites"):
    """A page in a theme (a ConfigMap of its namespace) under a host that no other site has."""


Patch = MutableMapping[str, Any]

mirror(Site, "v1/ConfigMap", indexes={Site: {"host": lambda site: [site.spec.host]}})


@kopf.on.create("sites.demo.zestor.dev")
@kopf.on.update("sites.demo.zestor.dev")
def publish(
    spec: kopf.Spec, meta: kopf.Meta, name: str, namespace: str | None, memo: kopf.Memo, patch: Patch, **_: Any
) -> None:
    configmaps = cast("StoreKind[Unstructured]", memo.configmaps)
    sites = cast("StoreKind[Site]", memo.sites)

    claims = [
        (site.metadata.creation_timestamp or "", site.metadata.name or "")
        for site in sites.by_index("host", spec["host"])
    ]
    _, first = min([(meta["creationTimestamp"], name), *claims])  # the oldest
    theme = configmaps.get(f"{namespace}/{spec['theme']}")
    status: dict[str, Any]
    if first != name:
        status = {"page": None, "message": f"the host belongs to {first}"}
    elif theme is None:
        status = {"page": None, "message": f"there is no theme {spec['theme']}"}
    else:
        status = {"page": theme["data"]["frame"].format(name), "message": "published"}
    patch.setdefault("status", {}).update(status)
