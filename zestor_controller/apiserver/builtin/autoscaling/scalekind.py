"""Scale: the kind of the scale subresource, whatever the object; it is not served by itself."""

from __future__ import annotations

from functools import partial
from typing import Final

from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.typed.fieldtable import builtin

__all__ = ["scale_kind"]

_MESSAGE: Final = "k8s.io.api.autoscaling.v1.Scale"


def scale_kind() -> Resource:
    """The kind, as bodies and patches of the subresource are read."""
    return Resource(
        group="autoscaling",
        version="v1",
        kind="Scale",
        plural="scales",
        singular="scale",
        namespaced=True,
        strategy=BuiltinStrategy("Scale", "v1", _MESSAGE),
        types=partial(builtin, _MESSAGE),
        message=_MESSAGE,
    )
