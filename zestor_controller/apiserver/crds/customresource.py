"""Custom resources: the Resource of each served version of a definition.

Invariant: the Resources of one definition share their storage, so every version shows the same objects.

Source: ``k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from zestor_controller.apiserver.crds import crdcolumns
from zestor_controller.apiserver.crds.crdversion import CompiledVersion, compile_version
from zestor_controller.apiserver.crds.customstrategy import CustomStatusStrategy, CustomStrategy
from zestor_controller.apiserver.rest.resource import Resource, ScalePaths, Subresource, custom_storage
from zestor_controller.apiserver.rest.wireprofile import UNSTRUCTURED
from zestor_controller.apiserver.typed.fieldtable import structural
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation import scalepaths
from zestor_controller.schema.celrules import RuleEngine
from zestor_controller.schema.definition import version_schema
from zestor_controller.schema.structural import Schema

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import TypeDef

__all__ = ["resources_of"]

_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_READ_WRITE = ("get", "patch", "update")
_KUBE_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")


def resources_of(crd: Json, rules: RuleEngine | None = None) -> list[Resource]:
    """The resources that a definition serves: one for each served version, under the accepted names.

    Args:
        crd: the definition, known to be valid.
        rules: the CEL engine; None: ``x-kubernetes-validations`` hold nothing back.
    """
    spec = crd["spec"]
    group = spec["group"]
    versions = {
        f"{group}/{version['name']}": compile_version(
            f"{group}/{version['name']}", version_schema(version) or {}, rules
        )
        for version in spec["versions"]
    }
    stored = next(f"{group}/{version['name']}" for version in spec["versions"] if version.get("storage"))
    accepted = (crd.get("status") or {}).get("acceptedNames") or {}
    called = accepted if accepted.get("kind") else spec["names"]
    terminating = bool(crd["metadata"].get("deletionTimestamp"))
    return [
        _resource(spec, called, version, versions, stored, terminating)
        for version in spec["versions"]
        if version.get("served")
    ]


def _resource(
    spec: Json, called: Json, version: Json, versions: Mapping[str, CompiledVersion], stored: str, terminating: bool
) -> Resource:
    group, name, kind = spec["group"], version["name"], called["kind"]
    own = f"{group}/{name}"
    given = version.get("subresources") or {}
    scale_paths = None
    if given.get("scale") is not None:
        scale_paths = scalepaths.paths_of(given["scale"])
    strategy = CustomStrategy(
        kind,
        name,
        versions,
        own,
        stored,
        has_status=given.get("status") is not None,
        scale_paths=scale_paths,
        terminating=called["plural"] if terminating else "",
    )
    subresources: dict[str, Subresource] = {}
    if strategy.has_status:
        subresources["status"] = Subresource("status", kind, group, name, _READ_WRITE, CustomStatusStrategy(strategy))
    if scale_paths is not None:
        subresources["scale"] = Subresource("scale", "Scale", "autoscaling", "v1", _READ_WRITE, scales=True)
    return Resource(
        group=group,
        version=name,
        kind=kind,
        plural=called["plural"],
        singular=called.get("singular") or kind.lower(),
        namespaced=spec["scope"] == "Namespaced",
        strategy=strategy,
        types=_types(versions[own].schema),
        wire=UNSTRUCTURED,
        verbs=_VERBS,
        list_kind=called.get("listKind") or f"{kind}List",
        short_names=tuple(called.get("shortNames") or ()),
        categories=tuple(called.get("categories") or ()),
        subresources=subresources,
        columns=crdcolumns.columns(version.get("additionalPrinterColumns")),
        selectable_fields=crdcolumns.selectors(version.get("selectableFields")),
        scale_paths=scale_paths or ScalePaths(),
        openapi_schema=dict(versions[own].schema),
        allow_unconditional_update=False,
        deprecation=_deprecation(spec, version, kind),
        storage=custom_storage(group, called["plural"]),
    )


def _types(schema: Schema) -> Callable[[], TypeDef]:
    made: list[TypeDef] = []

    def types() -> TypeDef:
        if not made:
            made.append(structural(schema))
        return made[0]

    return types


def _deprecation(spec: Json, version: Json, kind: str) -> str:
    if not version.get("deprecated"):
        return ""
    given = version.get("deprecationWarning")
    if given is not None:
        return str(given)
    group, name = spec["group"], version["name"]
    warning = f"{group}/{name} {kind} is deprecated"
    newer = _newer(name, spec["versions"])
    return f"{warning}; use {group}/{newer} {kind}" if newer else warning


def _rank(name: str) -> tuple[int, ...]:
    """The order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, then all other names, backwards."""
    found = _KUBE_VERSION.fullmatch(name)
    if found is None:
        return (0, *(-ord(char) for char in name), 1)
    maturity = {None: 2, "beta": 1, "alpha": 0}[found[2]]
    return (1, maturity, int(found[1]), int(found[3] or 0))


def _newer(name: str, versions: Sequence[Json]) -> str:
    """The best version to go to: served, not deprecated, at least as stable, and newer than the one given."""
    mine = _rank(name)
    others = [
        other["name"]
        for other in versions
        if other.get("served") and not other.get("deprecated") and _rank(other["name"]) > mine
    ]
    return max(others, key=_rank, default="")
