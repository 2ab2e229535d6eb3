"""Applying manifests: CRDs first and served, then the rest; an error names the file and the line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from zestor_controller.cli.manifests import Manifest
from zestor_controller.client import Client
from zestor_controller.errors import ApiError, ConfigError

__all__ = ["CRD", "apply_crd", "apply_manifests", "condition_of"]

CRD: Final = "apiextensions.k8s.io/v1/CustomResourceDefinition"


def condition_of(obj: Any, type: str) -> Any:
    """The condition of a type in an unstructured object's status; None when there is none."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((condition for condition in conditions if condition.get("type") == type), None)


async def apply_crd(client: Client, definition: dict[str, Any], *, field_manager: str) -> None:
    """Apply a CRD and wait until it is served.

    Raises:
        ApiError: the server refuses it.
        TimeoutError: its names are not accepted, because another CRD has them.
    """
    name = definition["metadata"]["name"]
    await client.apply(CRD, definition, field_manager=field_manager)
    await client.wait_for(CRD, name, lambda crd: (condition_of(crd or {}, "Established") or {}).get("status") == "True")


async def apply_manifests(client: Client, manifests: Iterable[Manifest], *, field_manager: str = "kubectl") -> None:
    """Apply every object, CRDs first.

    Raises:
        ConfigError: an object is refused, or its kind is unknown; the message begins with the file and the line.
    """
    ordered = sorted(manifests, key=lambda manifest: manifest.body["kind"] != "CustomResourceDefinition")
    for manifest in ordered:
        body = manifest.body
        text = f"{body['apiVersion']}/{body['kind']}"
        what = f"{body['kind']} {body['metadata'].get('name') or body['metadata'].get('generateName')}"
        try:
            if text == CRD:
                await apply_crd(client, body, field_manager=field_manager)
                continue
            try:
                kind = client.kinds.of(text)
            except ConfigError:
                kind = await client.discover(text)
            if body["metadata"].get("name"):
                await client.apply(kind, body, field_manager=field_manager)
            else:
                await client.create(kind, body)
        except ConfigError as error:
            raise ConfigError(f"{manifest.where}: {error}") from error
        except (ApiError, TimeoutError) as error:
            raise ConfigError(f"{manifest.where}: {what}: {str(error) or 'timed out'}") from error
