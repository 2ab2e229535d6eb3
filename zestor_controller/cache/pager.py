"""Lists, page by page: what a reflector reads when it does not watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from zestor_controller.cache.record import Record, decode_object
from zestor_controller.cache.watchhandler import SLICE_S
from zestor_controller.client import Client
from zestor_controller.client.decoder import decode_page
from zestor_controller.errors import TransportError
from zestor_controller.objects import Kind
from zestor_controller.store import EncodedStage

__all__ = ["Pages"]

PAGE_BYTES: Final = 1 << 20
MAX_PAGE: Final = 500
ANSWER_S: Final = 10.0
JSON: Final = "application/json"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Pages:
    """Reads lists of one kind in one scope.

    Args:
        client: where to read.
        kind: what to read.
        namespace: one namespace, or None for all.
        selector: query parameters that narrow the lists.
        metadata_only: read metadata and nothing else of each object.

    Attributes:
        asked_at: the loop's time at which the server last told its present version, by a page or by a list.
    """

    def __init__(
        self, client: Client, kind: Kind[Any], namespace: str | None, selector: Mapping[str, str], metadata_only: bool
    ) -> None:
        self._client = client
        self._kind = kind
        self._namespace = namespace
        self._selector = dict(selector)
        self._accept = METADATA_LIST if metadata_only else JSON
        self._request = f"GET {kind.path(namespace=namespace)}"
        self._size = MAX_PAGE
        self.asked_at = -1.0

    def query(self, version: str, *, whole: bool) -> dict[str, str]:
        """The parameters of a list that is not older than a version; an empty one asks for a consistent list."""
        query = dict(self._selector)
        if not whole:
            query["limit"] = str(self._size)
        if version:
            query |= {"resourceVersion": version, "resourceVersionMatch": "NotOlderThan"}
        return query

    async def read(
        self,
        query: Mapping[str, str],
        stage: EncodedStage[Record],
        record: Callable[[str, str, bytes], Record],
        known: Callable[[str], object],
    ) -> tuple[str, int, int]:
        """Read all pages of one list into a stage; the next page is on its way while this one is decoded.

        Args:
            query: see :meth:`query`.
            stage: where to put the objects.
            record: makes a record of a uid, a resourceVersion and an object's JSON.
            known: what the cache holds under a name; None for nothing.

        Returns:
            The list's version, the number of its objects, and how many of their names the cache held before.

        Raises:
            ZestorError: the list could not be read.
        """
        put, clock = stage.put, asyncio.get_running_loop().time
        count = met = 0
        pending = asyncio.ensure_future(self._fetch(query))
        try:
            while True:
                body = await pending
                page = decode_page(body, self._request)
                items, token = page.objects, page.token
                if items:  # aim at pages of about a mebibyte: one page is one scan that nothing can interrupt (C8)
                    self._size = max(20, min(MAX_PAGE, PAGE_BYTES * len(items) // len(body)))
                if token:
                    follow = self._selector | {"limit": str(self._size), "continue": token}
                    pending = asyncio.ensure_future(self._fetch(follow))
                end = clock() + SLICE_S
                for index, raw in enumerate(items):
                    # A view would keep the whole page alive; bytes() copies this item out.
                    item = bytes(raw)
                    meta = decode_object(item).metadata
                    key = meta.key()
                    met += known(key) is not None
                    put(key, record(meta.uid, meta.resourceVersion, item))
                    if not index & 63 and clock() > end:
                        await asyncio.sleep(0)
                        end = clock() + SLICE_S
                count += len(items)
                if not token:
                    return page.version, count, met
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"{self._kind.store_name}: the server's list is not readable: {error}"
            raise TransportError(message) from error
        finally:
            pending.cancel()

    async def present(self) -> str:
        """The server's present version, by a consistent list of one object.

        Raises:
            ZestorError: it does not tell.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                body = await self._fetch(self._selector | {"limit": "1"})
            self.asked()
            return decode_page(body, self._request).version
        except TimeoutError:
            raise TransportError(f"the server did not respond to a list of one object within {ANSWER_S:g} s") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TransportError(f"the server's list of one object is not readable: {error}") from error

    def asked(self) -> None:
        """The server has told its present version just now."""
        self.asked_at = asyncio.get_running_loop().time()

    async def _fetch(self, query: Mapping[str, str]) -> bytes:
        return await self._client.read_page(self._kind, namespace=self._namespace, query=query, accept=self._accept)
