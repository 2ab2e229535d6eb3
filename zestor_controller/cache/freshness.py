"""Whether a cache is current: how far one stream has come, and how to make sure (C11).

How it works: a consistent list of one object tells the server's present version. A busy stream passes it by itself. A
quiet one says nothing until its next bookmark, up to a minute away, but a watch that is to last 3 s brings one after
about a second, because a bookmark is due 2 s before a watch's end. Where there are no bookmarks, a list tells.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from zestor_controller.backoff import Backoff
from zestor_controller.cache.record import version_of
from zestor_controller.errors import ZestorError

__all__ = ["EVIDENCE_S", "SOON_S", "Freshness", "has_reached", "is_older"]

QUIET_S: Final = 0.2  # how long the stream has to bring what is missing by itself
SOON_S: Final = 3.0  # how long a watch is asked for that is to bring a bookmark soon
EVIDENCE_S: Final = 5.0  # how long it has for that before a list is made


def is_older(version: str, than: str) -> bool:
    """Whether a version lies below another one; False where they cannot be compared."""
    one, other = version_of(version), version_of(than)
    return isinstance(one, int) and isinstance(other, int) and one < other


def has_reached(version: str, wanted: str) -> bool:
    """Whether a stream at a version has brought everything up to another one."""
    one, other = version_of(version), version_of(wanted)
    return one >= other if isinstance(one, int) and isinstance(other, int) else version == wanted


class Freshness:
    """Waits for one stream to be current, and asks its reflector for evidence.

    Args:
        present: asks the server for its present version.
        version: tells the last version that the stream has brought, or an empty text while it is not whole.
        rng: jitter.

    Attributes:
        sooner: the next watch is to be a short one, for the sake of its bookmark.
        list_wanted: the next step is to be a consistent list.
        interrupted: the open watch was ended early, for one of the two.
    """

    def __init__(self, present: Callable[[], Awaitable[str]], version: Callable[[], str], rng: random.Random) -> None:
        self._present = present
        self._version = version
        self._rng = rng
        self._moved = asyncio.Event()
        self._waiting = 0
        self._begun = 0
        self._consistent = 0
        self._deadline: asyncio.Timeout | None = None
        self._listing = False
        self.sooner = False
        self.list_wanted = False
        self.interrupted = False

    async def wait(self) -> None:
        """Return once the stream, or a list, holds everything that the server had acknowledged at this moment."""
        begun, before = self._begun, self._version()
        present = await self._ask()
        restored = is_older(present, before)  # perhaps: the list that follows finds out

        def current() -> bool:
            return self._consistent > begun or (not restored and has_reached(self._version(), present))

        self._waiting += 1
        try:
            if restored:
                self.want_list()
            clock = asyncio.get_running_loop().time
            late = clock() + EVIDENCE_S
            while not await self._comes_true(current):
                if self._listing or clock() < late:
                    self._look_sooner()
                else:
                    self.want_list()
        finally:
            self._waiting -= 1

    async def _ask(self) -> str:
        backoff = Backoff(rng=self._rng, clock=asyncio.get_running_loop().time)
        while True:
            try:
                return await self._present()
            except ZestorError:  # the reflector meets the same, and its status says so
                await asyncio.sleep(backoff.next())

    async def _comes_true(self, current: Callable[[], bool]) -> bool:
        try:
            async with asyncio.timeout(QUIET_S):
                while not current():
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    # The reflector's side

    def moved(self) -> None:
        """The stream has brought something, or a list has been swapped in."""
        if self._waiting:
            self._moved.set()
            self._moved = asyncio.Event()

    def begin_list(self) -> int:
        """A list is asked for now; returns its number."""
        self.list_wanted = False
        self._listing = True
        self._begun += 1
        return self._begun

    def listed(self, number: int, consistent: bool) -> None:
        """The list of this number has been swapped in."""
        self._listing = False
        if consistent:
            self._consistent = number
        self.moved()

    @asynccontextmanager
    async def watching(self, deadline: asyncio.Timeout) -> AsyncIterator[None]:
        """While a watch is open, or being opened; its deadline may be brought forward."""
        self._deadline, self._listing, self.interrupted = deadline, False, False
        if self.list_wanted:
            self._interrupt()
        try:
            yield
        finally:
            self._deadline, self.sooner = None, self.sooner and self.interrupted

    def want_list(self) -> None:
        """Make the reflector list now, consistently."""
        self.list_wanted = True
        self._interrupt()

    def _look_sooner(self) -> None:
        if not self.sooner:
            self.sooner = True
            self._interrupt()

    def _interrupt(self) -> None:
        if self._deadline is not None and not self._deadline.expired():
            self.interrupted = True
            self._deadline.reschedule(asyncio.get_running_loop().time())
