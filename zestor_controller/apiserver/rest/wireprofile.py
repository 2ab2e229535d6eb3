"""Wire profiles: how requests for a resource are read and responses encoded, as far as its strategy does not decide it.

kube-apiserver serves two sorts of resources. Those with a Go type are behind a router that matches paths, methods and
media types before any handler runs, and their bodies may leave out what the type says. Custom resources are served
without a router, as documents that must say what they are. Everything that clients can see of this difference is here.

Invariant: a profile is data; no profile names a resource.

Source: apiserver pkg/endpoints/installer.go, apiextensions-apiserver pkg/apiserver/customresource_handler.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = [
    "APPLY_PATCH",
    "JSON",
    "JSON_PATCH",
    "MERGE_PATCH",
    "PROTOBUF",
    "STRATEGIC_PATCH",
    "TYPED",
    "UNSTRUCTURED",
    "YAML",
    "WireProfile",
]

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class WireProfile:
    """How requests for a resource are read and responses encoded.

    Attributes:
        typed: objects have a Go type: a body may leave out kind and apiVersion, items of a list carry neither, and
            messages name the Go type.
        routed: a router refuses paths, methods and media types that it does not know, with Statuses of its own.
        body_types: media types in which an object may be sent.
        patch_types: media types of patches.
    """

    typed: bool
    routed: bool
    body_types: tuple[str, ...]
    patch_types: tuple[str, ...]


TYPED: Final = WireProfile(
    typed=True,
    routed=True,
    body_types=(JSON, YAML, PROTOBUF),
    patch_types=(JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH),
)
"""Resources with a Go type: the built-in ones and CustomResourceDefinitions."""

UNSTRUCTURED: Final = WireProfile(
    typed=False,
    routed=False,
    body_types=(JSON, YAML),
    patch_types=(JSON_PATCH, MERGE_PATCH, APPLY_PATCH),
)
"""Custom resources."""
