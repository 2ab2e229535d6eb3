"""The resources that are served now.

Invariant: :attr:`ResourceRegistry.generation` grows with every change, so that what is derived from the resources
(discovery, OpenAPI) can see that it is stale; built-in resources never change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["ResourceRegistry"]


class ResourceRegistry:
    """Resources by group, version and plural.

    Args:
        built_in: the resources that are always served.

    Attributes:
        generation: grows with every change.
    """

    def __init__(self, built_in: Iterable[Resource] = ()) -> None:
        self.generation = 0
        self._resources = {(each.group, each.version, each.plural): each for each in built_in}
        self._built_in = frozenset((group, version) for group, version, _ in self._resources)
        self._built_in_groups = frozenset(group for group, _ in self._built_in)

    def add(self, resource: Resource) -> None:
        """Serve a resource, in place of one of the same name and version."""
        self._resources[resource.group, resource.version, resource.plural] = resource
        self.generation += 1

    def remove(self, group: str, version: str, plural: str) -> None:
        """Stop to serve a resource; harmless when it is not served."""
        if self._resources.pop((group, version, plural), None) is not None:
            self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource of a path; None when it is not served."""
        return self._resources.get((group, version, plural))

    def resources(self) -> list[Resource]:
        """Everything that is served, in the order of registration."""
        return list(self._resources.values())

    def is_built_in(self, group: str, version: str) -> bool:
        """Whether a group and version belongs to built-in resources, which no custom resource joins."""
        return (group, version) in self._built_in

    def has_built_in(self, group: str) -> bool:
        """Whether a group has built-in resources."""
        return group in self._built_in_groups

    def by_plural(self, group: str, plural: str) -> list[Resource]:
        """The served versions of a resource."""
        return [found for found in self._resources.values() if (found.group, found.plural) == (group, plural)]

    def by_kind(self, group: str, version: str, kind: str) -> Resource | None:
        """The resource that serves a kind."""
        for resource in self._resources.values():
            if (resource.group, resource.version, resource.kind) == (group, version, kind):
                return resource
        return None
