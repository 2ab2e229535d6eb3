"""The resources that are served now, and the code of what is not plain storage.

What always holds: :attr:`Registry.generation` moves with every change, so that whoever keeps something derived from the
resources (discovery, OpenAPI) can tell that it is stale.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource

__all__ = ["Endpoint", "Registry"]

Endpoint = Callable[["RequestContext"], "Reply | dict[str, Any] | Awaitable[Reply | dict[str, Any]]"]


class Registry:
    """Resources by (group, version, plural), and endpoints by (group, version, plural, subresource, verb).

    Attributes:
        generation: grows with every change.
    """

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self.generation = 0
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._endpoints: dict[tuple[str, str, str, str, str], Endpoint] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve a resource, or serve it anew in another shape."""
        self._resources[resource.group, resource.version, resource.plural] = resource
        self._changed()

    def remove(self, group: str, version: str, plural: str) -> Resource | None:
        """Stop to serve a resource; answers what was served."""
        found = self._resources.pop((group, version, plural), None)
        if found is not None:
            self._changed()
        return found

    def _changed(self) -> None:
        self.generation += 1

    def touch(self) -> None:
        """Say that something about a resource (its schema, its names) changed."""
        self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource of a path; None when it is not served."""
        return self._resources.get((group, version, plural))

    def resources(self) -> list[Resource]:
        """Everything that is served, in the order of registration."""
        return list(self._resources.values())

    def is_built_in(self, group: str, version: str) -> bool:
        """Whether a group and version belongs to built-in resources, which no custom resource joins."""
        return any((r.group, r.version) == (group, version) for r in self._resources.values() if r.wire.typed)

    def by_plural(self, group: str, plural: str) -> list[Resource]:
        """The served versions of a resource."""
        return [found for found in self._resources.values() if (found.group, found.plural) == (group, plural)]

    def by_kind(self, group: str, version: str, kind: str) -> Resource | None:
        """The resource that serves a kind."""
        for resource in self._resources.values():
            if (resource.group, resource.version, resource.kind) == (group, version, kind):
                return resource
        return None

    def add_endpoint(
        self, group: str, version: str, plural: str, subresource: str, verb: str, endpoint: Endpoint
    ) -> None:
        """Answer a verb of a resource or subresource by code of its own instead of the storage's."""
        self._endpoints[group, version, plural, subresource, verb] = endpoint

    def endpoint(self, group: str, version: str, plural: str, subresource: str, verb: str) -> Endpoint | None:
        """The code of its own that answers a verb; None where the storage does."""
        return self._endpoints.get((group, version, plural, subresource, verb))
