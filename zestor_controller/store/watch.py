"""A watch: one consumer's view of a kind's changes, from a thread or from an event loop.

Invariant: one consumer at a time. How events are buffered, and how a consumer waits, is in ``_subscription``.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from zestor_controller.store._buffer import AGAIN
from zestor_controller.store._subscription import Subscription
from zestor_controller.store._waiter import running_loop
from zestor_controller.store._watchiterator import Batches, LoopIterator, ThreadIterator, next_on_loop
from zestor_controller.store.event import Event, Overflow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
    from types import TracebackType

__all__ = ["Batch", "Batches", "Watch"]

T = TypeVar("T")


class Batch(list[Event[T]]):
    """A list of events that may also be awaited, for code on an event loop."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Batch[T]]:
        yield from ()  # never suspends
        return self


class Watch(Generic[T]):
    """An open subscription to one kind: iterate it from a thread (``for``) or on an event loop (``async for``).

    Opened by ``kind.watch(...)``; leave its ``with`` or ``async with`` block, or call :meth:`cancel`, to end it. What
    was buffered then is still delivered before iteration ends. One consumer at a time: a second one gets RuntimeError.

    Args:
        subscription: the watch's place in the hub of the kind.
    """

    def __init__(self, subscription: Subscription[T]) -> None:
        self._subscription = subscription

    def __iter__(self) -> Iterator[Event[T]]:
        self._subscription.reject_loop("async for")
        return ThreadIterator(self._subscription)

    def __aiter__(self) -> AsyncIterator[Event[T]]:
        return LoopIterator(self._subscription)

    def get(self, timeout: float | None = None) -> Event[T] | None:
        """Return the next event; wait up to `timeout` seconds for it, without limit when None.

        On a thread whose event loop runs this returns an awaitable of the same (typed as :meth:`aget`, which is typed
        as one): ``event = await watch.get(timeout=1)``.

        Returns:
            The event; None when the time has passed or the watch has ended (see :attr:`closed`).

        Raises:
            WatchOverflow: the watch's policy is CLOSE and it fell a buffer behind; raised once.
            RuntimeError: another consumer uses this watch.
        """
        if running_loop() is not None:
            return cast("Event[T] | None", self.aget(timeout))
        subscription = self._subscription
        subscription.reject_other()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with subscription.lock:
                subscription.reject_second()
                event = subscription.take()
                if event is None and subscription.ended:
                    return None
            if event is AGAIN:
                continue
            if event is not None:
                return event
            if not subscription.wait_in_thread(deadline):
                return None

    def aget(self, timeout: float | None = None) -> Coroutine[Any, Any, Event[T] | None]:
        """Return the next event; the same as :meth:`get`, for an event loop: ``await watch.aget(timeout=1)``."""
        self._subscription.reject_other()  # in the caller's task: asyncio.wait_for may await in another one
        return self._get_on_loop(timeout)

    async def _get_on_loop(self, timeout: float | None) -> Event[T] | None:
        try:
            async with asyncio.timeout(timeout):
                return await next_on_loop(self._subscription)
        except TimeoutError:
            return None

    def drain(self) -> Batch[T]:
        """Return all events that are there now, the rest of a replay included; never waits.

        The list may also be awaited, so that ``await watch.drain()`` works on an event loop.

        Raises:
            WatchOverflow: nothing is left and the watch fell a buffer behind; raised once.
            RuntimeError: another consumer uses this watch.
        """
        subscription = self._subscription
        subscription.reject_other()
        with subscription.lock:
            return Batch(subscription.take_batch(None))

    def batches(self) -> Batches[T]:
        """Iterate lists of events instead of events: one wake-up a batch.

        ``for`` in a thread, ``async for`` on an event loop. A batch is never empty and has at most 512 events.
        """
        return Batches(self._subscription)

    def cancel(self) -> None:
        """End the watch; what is buffered is still delivered. Calling it again is harmless."""
        subscription = self._subscription
        with subscription.lock:
            if not subscription.ended:
                subscription.catch_up_to_end()
                subscription.end()

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self._subscription.hub.kind

    @property
    def overflow(self) -> Overflow:
        """What happens when the consumer falls a buffer behind (S6)."""
        return self._subscription.overflow

    @property
    def closed(self) -> bool:
        """Whether the watch has ended: no new event is buffered, buffered ones may still be there."""
        return self._subscription.closed

    @property
    def synced(self) -> bool:
        """Whether the consumer has been given the complete initial state (S4)."""
        return self._subscription.synced

    @property
    def dropped(self) -> int:
        """How many events the policy DROP has dropped."""
        return self._subscription.dropped

    @property
    def coalesced(self) -> int:
        """How many events the policy COALESCE has folded into others."""
        return self._subscription.coalesced

    @property
    def lost(self) -> int:
        """How many events the policy has dropped or folded so far, or 1 for a watch that it has closed."""
        return self._subscription.lost

    def __enter__(self) -> Watch[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.cancel()

    async def __aenter__(self) -> Watch[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.cancel()

    def __repr__(self) -> str:
        state = "closed" if self._subscription.ended else "open"
        return f"<Watch of {self.kind!r}, {self.overflow.value}, {state}>"
