"""When a request is worth repeating: the server requests it, another client wrote first, a failure may pass.

Invariant: only what has certainly not been carried out is repeated by itself: a 429, and a 503 that names a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from zestor_controller.errors import ApiError, Conflict, TooManyRequests, TransportError

__all__ = ["is_passing", "requested_wait", "retry_on_conflict"]

R = TypeVar("R")

LONGEST_S: Final = 30.0
FIRST_S: Final = 0.01


def requested_wait(error: ApiError) -> float | None:
    """Seconds after which the server wants the request again, at most 30; None where it must not be repeated.

    Source: client-go rest/with_retry.go.
    """
    if isinstance(error, TooManyRequests):
        return min(error.retry_after if error.retry_after is not None else 1.0, LONGEST_S)
    if error.status == 503 and error.retry_after is not None:
        return min(error.retry_after, LONGEST_S)
    return None


def is_passing(error: Exception) -> bool:
    """Whether a failure may pass by itself: the connection, the server's own trouble, an expired version."""
    return isinstance(error, TransportError) or (
        isinstance(error, ApiError) and (error.status in (410, 429) or error.status >= 500)
    )


async def retry_on_conflict(attempt: Callable[[], Awaitable[R]], *, attempts: int = 5) -> R:
    """Read, change and write again until no other client wrote in between.

    Args:
        attempt: does all three; called anew for each try.
        attempts: how many tries there are; the waits between them double from 10 ms.

    Returns:
        What the attempt that succeeded returned.

    Raises:
        Conflict: the last try met one too.
    """
    for number in range(attempts - 1):
        try:
            return await attempt()
        except Conflict:
            await asyncio.sleep(FIRST_S * 2**number)
    return await attempt()
