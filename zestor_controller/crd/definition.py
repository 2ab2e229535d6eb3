"""From a CustomResource class to its CustomResourceDefinition. No client, no event loop."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any, Final

from zestor_controller.crd.paths import resolve
from zestor_controller.crd.structural import structural_schema
from zestor_controller.errors import ConfigError, SchemaError
from zestor_controller.objects import CustomResource, Kind, WireModel
from zestor_controller.schema import definition_formats, validate_definition

__all__ = ["crd_for"]

Json = dict[str, Any]

_PARTS: Final = ("api_version", "kind", "metadata", "spec", "status")
_ROOT_EXTRAS: Final = re.compile("x-kubernetes-(?!preserve|embedded|int-or)|description$")
_STEP: Final = re.compile(r"\.(properties)\[([^]]+)\]|\.(items|additionalProperties)|\.([A-Za-z0-9]+)|(\[\d+\])")

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
    definition: Json = {
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
    _check(model, definition)
    return definition


def crd_for(model: type[CustomResource[Any, Any]]) -> Json:
    """The CustomResourceDefinition of a class; a fresh copy each time.

    Args:
        model: a class with ``group=``, ``version=`` and ``plural=``.

    Raises:
        SchemaError: a field has no structural form, a default breaks its own constraint or the server has another
            reason to reject the definition, or a column or scale path leads nowhere; ``path`` names it.
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
    schema |= _extras(model.model_config.get("json_schema_extra"), model.__name__, "")
    for name in ("spec", "status"):
        field = model.model_fields[name]
        part = field.annotation
        assert isinstance(part, type)  # checked when the class was made
        assert issubclass(part, WireModel)
        properties[name] = structural_schema(part, name) | _extras(field.json_schema_extra, model.__name__, name)
        if field.description:
            properties[name]["description"] = field.description
        if name == "spec" and field.is_required():
            required.append(name)
    others = [name for name in (*model.model_fields, *model.model_computed_fields) if name not in _PARTS]
    if others:
        raise SchemaError("fields beside spec and status belong into one of them", path=others[0])
    schema["properties"] = properties
    if required:
        schema["required"] = required
    return schema


def _extras(given: Any, owner: str, path: str) -> Json:
    """What a class, or its field `spec` or `status`, says with ``json_schema_extra``."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise SchemaError(f"json_schema_extra of {owner} is a function; give a dict", path=path or owner)
    for key in given:
        if not _ROOT_EXTRAS.match(key):
            raise SchemaError(
                f"{key!r} in json_schema_extra of {owner} has no place there; say it of a field of the Spec or Status",
                path=path or owner,
            )
    return dict(given)


def _check(model: type[CustomResource[Any, Any]], definition: Json) -> None:
    """Compare the definition with the server's own rules."""
    for error in validate_definition(definition):
        where = error.field.partition("openAPIV3Schema")[2]
        reason = f"{error.body()}"
        if not where:
            raise SchemaError(f"the CRD of class {model.__name__} breaks a rule of servers: {error.field}: {reason}")
        path, keyword = _field_of(where)
        what = f"the {keyword} of this field" if keyword else "this field"
        raise SchemaError(f"{what} breaks a rule of servers: {reason}; change it in {model.__name__}", path=path)
    for name in definition_formats(definition):
        raise SchemaError(f"class {model.__name__}: servers do not check the format {name!r}; use a pattern instead")


def _field_of(where: str) -> tuple[str, str]:
    """The field in dotted form, such as ``spec.ports[].name``, and the keyword, of a place in a schema."""
    path, keyword = "", ""
    for match in _STEP.finditer(where):
        _, name, inner, word, index = match.groups()
        if keyword:
            path += index or f".{word or name or ''}"  # inside a default
        elif name is not None:
            path += f".{name}"
        elif inner is not None:
            path += "[]" if inner == "items" else ".*"
        elif word is not None:
            keyword = word
    return path.removeprefix("."), keyword


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
