"""From a CustomResource class to its CustomResourceDefinition. No client, no event loop."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from zestor_controller.crd.paths import resolve
from zestor_controller.crd.structural import structural_schema
from zestor_controller.errors import ConfigError, SchemaError
from zestor_controller.objects import CustomResource, Kind, WireModel

__all__ = ["crd_for"]

Json = dict[str, Any]

_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. See "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
)
_KIND = (
    "Kind is a string value representing the REST resource this object represents. See "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)


@functools.cache
def _built(model: type[CustomResource[Any, Any]]) -> Json:
    kind = model.__kind__
    if kind is None:
        raise ConfigError(f"class {model.__name__} is no kind: give group=, version= and plural= as class arguments")
    if kind.external:
        raise ConfigError(
            f"class {model.__name__} is external: the CRD {kind.store_name} is its owner's; install that one, and do "
            "not generate one from this class"
        )
    schema = _schema(model)
    version: Json = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    _present(kind, schema, version)
    names: Json = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
    }
    if kind.presentation.short_names:
        names["shortNames"] = list(kind.presentation.short_names)
    if kind.presentation.categories:
        names["categories"] = list(kind.presentation.categories)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.store_name},
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


def crd_for(model: type[CustomResource[Any, Any]]) -> Json:
    """The CustomResourceDefinition of a class; a fresh copy each time.

    Args:
        model: a class with ``group=``, ``version=`` and ``plural=``.

    Raises:
        SchemaError: a field has no structural form, or a column or scale path leads nowhere; ``path`` names it.
        ConfigError: the class is no kind, or external.
    """
    copied: Json = _copy(_built(model))
    return copied


def _schema(model: type[CustomResource[Any, Any]]) -> Json:
    schema: Json = {"type": "object"}
    if model.__doc__ and model.__doc__ != CustomResource.__doc__:
        schema["description"] = inspect.cleandoc(model.__doc__)
    properties: Json = {
        "apiVersion": {"type": "string", "description": _API_VERSION},
        "kind": {"type": "string", "description": _KIND},
        "metadata": {"type": "object"},
    }
    required: list[str] = []
    for name in ("spec", "status"):
        field = model.model_fields[name]
        part = field.annotation
        assert isinstance(part, type)  # checked when the class was made
        assert issubclass(part, WireModel)
        properties[name] = structural_schema(part, name)
        if name == "spec" and field.is_required():
            required.append(name)
    others = [name for name in model.model_fields if name not in ("api_version", "kind", "metadata", "spec", "status")]
    if others:
        raise SchemaError("fields beside spec and status belong into one of them", path=others[0])
    schema["properties"] = properties
    if required:
        schema["required"] = required
    return schema


def _present(kind: Kind[Any], schema: Json, version: Json) -> None:
    presentation = kind.presentation
    if presentation.scale is not None:
        scale = presentation.scale
        for path in (scale.spec_replicas, scale.status_replicas, scale.selector):
            if path is not None:
                resolve(schema, path, f"scale of {kind.kind}")
        version["subresources"]["scale"] = {
            "specReplicasPath": scale.spec_replicas,
            "statusReplicasPath": scale.status_replicas,
        }
        if scale.selector is not None:
            version["subresources"]["scale"]["labelSelectorPath"] = scale.selector
    columns = []
    for column in presentation.columns:
        if not column.json_path.startswith(".metadata."):
            resolve(schema, column.json_path, f"column {column.name!r} of {kind.kind}")
        made: Json = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
        if column.priority:
            made["priority"] = column.priority
        if column.description:
            made["description"] = column.description
        columns.append(made)
    if columns:
        version["additionalPrinterColumns"] = columns


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value
