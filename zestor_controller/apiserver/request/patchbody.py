"""PATCH: the patch in a request's body, the object that it makes, and the failure for what is no such object.

Invariant: what comes out has the apiVersion and kind of a built-in kind's endpoint, and of a custom resource texts that
its strategy validates; it is nested no deeper than :data:`~zestor_controller.apiserver.syntax.depthlimit.MAX_DEPTH`.

Source: apiserver pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zestor_controller.apiserver.patch.jsonpatch import json_patch, merge_patch, text
from zestor_controller.apiserver.patch.managedfields import strip_null_times
from zestor_controller.apiserver.patch.strategicmerge import strategic_merge
from zestor_controller.apiserver.request.body import type_meta_error
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.rest.status import Failure, bad_request, invalid
from zestor_controller.apiserver.rest.wireprofile import JSON_PATCH, STRATEGIC_PATCH
from zestor_controller.apiserver.syntax.depthlimit import TOO_DEEP, too_deep
from zestor_controller.apiserver.syntax.gojson import DocumentError, duplicate_paths
from zestor_controller.apiserver.syntax.gojson import load as load_json
from zestor_controller.apiserver.syntax.goyaml import load as load_yaml
from zestor_controller.apiserver.typed.typecheck import go_value
from zestor_controller.apiserver.typed.typedef import UNTYPED, Json
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["Patch", "read_applied", "read_patch"]


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that is not a server-side apply.

    Attributes:
        kind: its media type.
        value: the operations of a JSON patch, the object of any other.
        duplicates: paths of the keys that occur twice in it.
    """

    kind: str
    value: Any
    duplicates: list[str]

    def applied(self, live: Json, resource: Resource) -> Json:
        """The object that the patch makes of the live one, which is not changed.

        Raises:
            Failure: 400, 413 or 422 for a patch that cannot be applied, or whose result names no type.
        """
        new: Any
        if self.kind == JSON_PATCH:
            new = json_patch(live, self.value)
        elif self.kind == STRATEGIC_PATCH:
            new = strategic_merge(live, self.value, resource.types())
        else:
            new = merge_patch(live, self.value)
        if too_deep(new):
            raise bad_request(f"the patched object {TOO_DEEP}")
        why = self._type_error(new, resource)
        if why:
            raise self.failure(why, new, live, resource)
        if resource.wire.typed:
            typed = (
                {}
                if self.kind == STRATEGIC_PATCH
                else {key: new[key] for key in ("apiVersion", "kind") if new.get(key)}
            )
            new = {**new, "apiVersion": resource.api_version, "kind": resource.kind, **typed}
        changed: Json = new
        return changed

    def _type_error(self, new: Any, resource: Resource) -> str:
        """Why the type of a patched document cannot be read; empty if it can."""
        if self.kind == STRATEGIC_PATCH:
            # Merged into the Go struct itself, which takes any text for a kind and uses none.
            values = (new.get(key) for key in ("apiVersion", "kind"))
            bad = next((value for value in values if value is not None and not isinstance(value, str)), None)
            return "" if bad is None else f"cannot convert {_go_type(bad)} to string"
        why = type_meta_error(new)
        if why is not None:
            return f"couldn't get version/kind; json parse error: {why}"
        if not resource.wire.typed and not new.get("kind"):
            return f"Object 'Kind' is missing in '{text(new, {}, UNTYPED)}'"
        return ""

    def failure(self, why: str, new: Any, live: Json, resource: Resource) -> Failure:
        """422 for a patched document that is no object of the kind: with the document, or with a strategic patch."""
        if self.kind == STRATEGIC_PATCH:
            shown = go_value(self.value)
        else:
            shown = text(new, live, resource.types() if resource.wire.typed else UNTYPED)
        return invalid("", "", "", [wrong("patch", shown, why)])


def _go_type(value: Any) -> str:
    names = {bool: "bool", int: "int64", float: "float64", list: "slice", dict: "map"}
    return names.get(type(value), "string")


def read_patch(data: bytes, kind: str) -> Patch:
    """The patch in a body.

    Args:
        data: the body.
        kind: its media type.

    Raises:
        Failure: 400 for a body that is no patch of this kind.
    """
    try:
        value, twice = load_json(data)
    except DocumentError as error:
        raise bad_request(str(error) if kind == STRATEGIC_PATCH else f"error decoding patch: {error}") from None
    wanted, go = (list, "[]handlers.jsonPatchOp") if kind == JSON_PATCH else (dict, "map[string]interface {}")
    if not isinstance(value, wanted):
        found = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "number")
        raise bad_request(f"error decoding patch: json: cannot unmarshal {found} into Go value of type {go}")
    return Patch(kind, value, duplicate_paths(data) if twice and isinstance(value, dict) else [])


def read_applied(data: bytes, resource: Resource) -> Json:
    """The configuration of a server-side apply in a body.

    Args:
        data: the body.
        resource: whose kind it must be.

    Raises:
        Failure: 400 for one that cannot be read, or is of another kind.
    """
    try:
        applied, _ = load_yaml(data)
    except DocumentError as error:
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from None
    if not isinstance(applied, dict):
        found = {list: "array", str: "string", bool: "bool"}.get(type(applied), "number")
        why = f"json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    # A value that is no text counts as absent, as in an unstructured object of Go.
    given = (applied.get(name) for name in ("apiVersion", "kind"))
    version, kind = (value if isinstance(value, str) else "" for value in given)
    if (version, kind) != (resource.api_version, resource.kind):
        shown = version if "/" in version else f"/{version}"
        raise bad_request(f"invalid object type: {shown}, Kind={kind}")
    strip_null_times(applied)
    return applied
