"""GET and LIST.

Invariant: a page of a list shows the state of the revision that its first page was read at.

Source: apiserver pkg/endpoints/handlers/get.go, pkg/registry/generic/registry/store.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from zestor_controller.apiserver.request.options import Continue, ListParameters, list_options, object_version
from zestor_controller.apiserver.request.selectors import Selection, parse_selection
from zestor_controller.apiserver.response.negotiation import negotiate, to_json
from zestor_controller.apiserver.response.table import include_object, shape_list
from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource
from zestor_controller.apiserver.rest.status import expired, not_found, too_large_version
from zestor_controller.apiserver.rest.wireprofile import JSON
from zestor_controller.apiserver.storage.revisionlog import Storage, Table, Version, object_key
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.verbs.objectview import is_selected, item_bytes, item_view, object_bytes, object_view

__all__ = ["Retrieval", "wait_for_revision"]

FUTURE_WAIT_S: Final = 3.0


class Retrieval:
    """GET and LIST of one server.

    Args:
        storage: what is read.
        wall: seconds since the epoch, for ages in Tables.
    """

    def __init__(self, storage: Storage, wall: Callable[[], float]) -> None:
        self._storage = storage
        self._wall = wall

    async def get(self, ctx: RequestContext) -> Reply:
        """One object.

        Raises:
            Failure: 404, or 504 for a version that is not there after three seconds.
        """
        output = negotiate(ctx.request, ctx.resource.wire)
        text = ctx.info.query.get("resourceVersion", "")
        if text:
            await wait_for_revision(self._storage, object_version(text))
        resource = ctx.resource
        version = self._storage.table(resource.storage).get(ctx.info.namespace, ctx.info.name)
        if version is None:
            raise not_found(resource.group, resource.plural, ctx.info.name)
        if output.plain:
            return Reply(raw=object_bytes(resource, version), media=JSON)
        return Reply(value=object_view(resource, version))

    async def collection(self, ctx: RequestContext) -> Reply:
        """A list, or a page of one."""
        resource = ctx.resource
        output = negotiate(ctx.request, resource.wire, listing=True)
        chosen, metadata = await self.chosen(ctx)
        if not resource.wire.typed and not output.transform:
            metadata.setdefault("continue", "")  # lists without a Go type have it always
        if output.plain:
            head = {"kind": resource.list_name, "apiVersion": resource.api_version, "metadata": metadata}
            raw = (
                to_json(head)[:-1]
                + b',"items":['
                + b",".join(item_bytes(resource, version) for version in chosen)
                + b"]}"
            )
            return Reply(raw=raw, media=JSON)
        items = [item_view(resource, version) for version in chosen]
        table = shape_list(resource, metadata, items, output, include_object(ctx.request), self._wall())
        return Reply(value=table, converted=True)

    async def chosen(self, ctx: RequestContext) -> tuple[list[Version], Json]:
        """The objects that the query of a request chooses, or one page of them, and the metadata of their list."""
        resource = ctx.resource
        options = list_options(ctx.info.query, watching=False)
        selection = parse_selection(ctx.info.query, resource)
        table = self._storage.table(resource.storage)
        versions, revision = await self._versions(table, ctx.info.namespace, options)
        return self._page(resource, versions, revision, options, selection, ctx.info.namespace)

    async def _versions(self, table: Table, namespace: str, options: ListParameters) -> tuple[list[Version], int]:
        """The objects to choose from, and the version that they show."""
        storage = self._storage
        if options.page is not None:
            wanted = options.page.revision
            if wanted and wanted < storage.compacted:
                token = Continue(0, options.page.start).token()  # goes on with what there is now
                raise expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a "
                    "new list without the continue parameter, or use the continue token in this response to retrieve "
                    "the remainder of the results. Continuing with the provided token results in an inconsistent "
                    "list - objects that were created, modified, or deleted between the time the first chunk was "
                    "returned and now may show up in the list.",
                    token,
                )
            revision = wanted or storage.revision
            found = table.snapshot(revision, namespace) if wanted else table.versions(namespace)
            start = object_key(namespace, options.page.start)
            return [version for version in found if version.key > start], revision
        if options.version:
            await wait_for_revision(storage, options.version)
            exact = options.match == "Exact" or (not options.match and options.limit > 0)
            if exact and options.version < storage.revision:
                if options.version < storage.compacted:
                    raise expired("The resourceVersion for the provided list is too old.")
                return table.snapshot(options.version, namespace), options.version
        return table.versions(namespace), storage.revision

    def _page(
        self,
        resource: Resource,
        versions: list[Version],
        revision: int,
        options: ListParameters,
        selection: Selection,
        namespace: str,
    ) -> tuple[list[Version], Json]:
        metadata: Json = {"resourceVersion": str(revision)}
        limit = 0 if options.version == 0 else options.limit  # "any version" is served from memory, complete
        if not limit:
            return [v for v in versions if is_selected(resource, selection, v)], metadata
        chosen: list[Version] = []
        for index, version in enumerate(versions):
            if not is_selected(resource, selection, version):
                continue
            if len(chosen) == limit:
                metadata["continue"] = Continue(
                    revision, chosen[-1].key[len(namespace) + 1 if namespace else 0 :]
                ).token()
                if selection.empty:
                    metadata["remainingItemCount"] = len(versions) - index
                break
            chosen.append(version)
        return chosen, metadata


async def wait_for_revision(storage: Storage, revision: int) -> None:
    """Wait a moment for a revision that is still to come.

    Raises:
        Failure: 504 when it does not come.
    """
    if revision <= storage.revision:
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + FUTURE_WAIT_S
    while revision > storage.revision:
        if loop.time() >= deadline:
            raise too_large_version(revision, storage.revision)
        await asyncio.sleep(0.05)
