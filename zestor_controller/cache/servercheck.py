"""Questions that a reflector puts to its server beside its list and its watch.

Invariant: an answer changes nothing by itself: it makes the reflector list, or it is shown in the status.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from zestor_controller.cache.freshness import Freshness, is_older
from zestor_controller.cache.history import VersionHistory
from zestor_controller.cache.pager import ANSWER_S, Pages
from zestor_controller.cache.status import InformerStatus
from zestor_controller.cache.sync import SHORT_WATCH_S
from zestor_controller.client import Client
from zestor_controller.errors import NotFound, ZestorError

__all__ = ["ServerCheck"]

_log = logging.getLogger(__name__)


class ServerCheck:
    """Checks whether a server was restored from a backup, and whether a namespace exists.

    Args:
        client: where to look.
        namespace: the one that is watched; None for all.
        pages: asks for the present version.
        status: of the informer.
        history: is given the suspicion.
        fresh: is asked for a list.
    """

    def __init__(
        self,
        client: Client,
        namespace: str | None,
        pages: Pages,
        status: InformerStatus,
        history: VersionHistory,
        fresh: Freshness,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._pages = pages
        self._status = status
        self._history = history
        self._fresh = fresh

    @asynccontextmanager
    async def beside_watch(self, version: str) -> AsyncIterator[None]:
        """Check beside a watch that goes on from a version; not when the server has sent its version just now."""
        loop = asyncio.get_running_loop()
        if not self._status.synced or loop.time() - self._pages.asked_at < SHORT_WATCH_S:
            yield
            return
        checking = loop.create_task(self._check(version), name=f"check {self._status.kind}")
        try:
            yield
        finally:
            checking.cancel()
            await asyncio.wait({checking})

    async def _check(self, version: str) -> None:
        """See whether the server's present version lies below the one that a watch goes on from (C2).

        A server that was restored from a backup keeps such a watch open and sends nothing.
        """
        try:
            present = await self._pages.present()
        except ZestorError as error:  # the watch meets the same error and reports it, or it goes on without this
            _log.debug("%s: the present version is not known: %s", self._status.kind, error)
            return
        if is_older(present, version):
            self._history.suspect(present)
            self._fresh.want_list()
        if self._status.no_namespace:
            await self.look_for_namespace()

    async def look_for_namespace(self) -> None:
        """A namespace with nothing in it may not exist: a typing error that would look like an empty cluster."""
        missing = False
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._client.get("v1/Namespace", str(self._namespace))
        except NotFound:
            missing = True
        except (ZestorError, TimeoutError) as error:  # reading it may be forbidden
            _log.debug("whether the namespace %s exists is not known: %s", self._namespace, error)
        if missing and not self._status.no_namespace:
            _log.warning(
                "%s: the server has no namespace %r, so nothing of it is cached; create it, or watch another one",
                self._status.kind,
                self._namespace,
            )
        self._status.no_namespace = missing
