"""The models of the ``kubernetes`` package as kinds, for users who want types for built-in kinds.

Those models drop fields that they do not know, so an object that was read as one of them must never be written back
whole: its Kind is not ``replaceable``. This module imports nothing of that package; it only handles classes that a
user passes.

Source: seen on kubernetes 37.0.2: ``extra="forbid"``, ``from_dict`` drops unknown fields, a MicroTime with zero
microseconds is written without the six digits that a server insists on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from zestor_controller.errors import ConfigError
from zestor_controller.objects.builtin import BUILTIN
from zestor_controller.objects.kind import Kind

__all__ = ["official_kind"]

T = TypeVar("T")

# The one kind that two groups have is told apart in the models' names.
_TWINS: Final = {"CoreV1Event": ("v1", "Event"), "EventsV1Event": ("events.k8s.io/v1", "Event")}
# The only MicroTime fields of built-in kinds; all other times have whole seconds.
_MICRO_TIMES: Final = {"Lease": ("acquireTime", "renewTime"), "Event": ("eventTime",)}
_NAME: Final = re.compile(r"V(\d+(?:(?:alpha|beta)\d+)?)([A-Z]\w*)$")
_WHOLE_SECONDS: Final = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$")


def official_kind(model: type[T]) -> Kind[T]:
    """The Kind of one of the package's top-level models, such as ``V1Deployment``.

    Raises:
        ConfigError: the class is no top-level model of a built-in kind.
    """
    match = _NAME.match(model.__name__)
    name = (f"v{match.group(1)}", match.group(2)) if match else None
    known = _TWINS.get(model.__name__) or next(
        (gvk for gvk in BUILTIN if name and gvk[1] == name[1] and gvk[0].rpartition("/")[2] == name[0]), None
    )
    if known is None or not hasattr(model, "from_dict"):
        raise ConfigError(f"{model.__name__} is no kind: take a top-level model such as V1Deployment, or a text")
    api_version, kind = known
    plural, namespaced = BUILTIN[api_version, kind]
    group, _, version = api_version.rpartition("/")

    def decode(data: bytes | Mapping[str, Any]) -> T:
        body = msgspec.json.decode(data) if isinstance(data, bytes) else data
        # Items of a list carry neither.
        made: T = model.from_dict({"apiVersion": api_version, "kind": kind, **body})  # type: ignore[attr-defined]
        return made

    def encode(obj: Any) -> dict[str, Any]:
        if isinstance(obj, Mapping):
            return {"apiVersion": api_version, "kind": kind, **obj}
        body = msgspec.json.decode(obj.model_dump_json(by_alias=True, exclude_none=True))
        for field in _MICRO_TIMES.get(kind, ()):
            holder = body.get("spec", {}) if kind == "Lease" else body
            if isinstance(holder.get(field), str):
                holder[field] = _six_digits(holder[field])
        return {**body, "apiVersion": api_version, "kind": kind}

    return Kind(group, version, kind, plural, namespaced, model, decode, encode, replaceable=False)


def _six_digits(moment: str) -> str:
    return _WHOLE_SECONDS.sub(lambda m: f"{m.group(1)}.{(m.group(2) or '').ljust(6, '0')}{m.group(3)}", moment)
