"""The annotation of client-side apply, for managers that go over to server-side apply.

Invariant: the annotation is only ever renewed, never added: an object that client-side apply has not touched stays
without it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from zestor_controller.apiserver.typed.comparison import compare
from zestor_controller.apiserver.typed.fieldset import FieldSet, difference
from zestor_controller.apiserver.typed.typecheck import type_errors
from zestor_controller.apiserver.typed.typedef import Json, TypeDef
from zestor_controller.apiserver.typed.value import field_set

__all__ = ["ANNOTATION", "renewed", "unchanged"]

ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"


def _annotations(obj: Json) -> dict[str, Any]:
    found = (obj.get("metadata") or {}).get("annotations")
    return found if isinstance(found, dict) else {}


def unchanged(live: Json, typedef: TypeDef, api_version: str) -> FieldSet:
    """The fields that client-side apply wrote and that still have its values; they may be taken without a conflict."""
    text = _annotations(live).get(ANNOTATION)
    if not isinstance(text, str) or not text:
        return {}
    try:
        last = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(last, dict) or last.get("apiVersion") != api_version or type_errors(last, typedef):
        return {}
    changed = compare(last, live, typedef)
    fields = field_set(last, typedef)
    for part in (changed.modified, changed.added, changed.removed):
        fields = difference(fields, part)
    return fields


def renewed(merged: Json, applied: Json) -> Json:
    """The merged object with the annotation saying what has been applied now, where there is one."""
    annotations = _annotations(merged)
    if not annotations.get(ANNOTATION):
        return merged
    meta = dict(applied.get("metadata") or {})
    others = {name: value for name, value in _annotations(applied).items() if name != ANNOTATION}
    meta.pop("annotations", None)
    if others:
        meta["annotations"] = others
    text = json.dumps({**applied, "metadata": meta}, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    return {**merged, "metadata": {**merged["metadata"], "annotations": {**annotations, ANNOTATION: text}}}
