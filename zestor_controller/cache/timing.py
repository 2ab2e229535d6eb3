"""The clocks of a reflector."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """The clocks of a reflector, in seconds.

    Attributes:
        watch: what the server is requested to end a watch after, at most 290; jittered downward by up to a sixth.
        margin: how much longer than that the client waits before it ends the watch itself (C5).
        idle: end a watch that brought no line for so long; None waits for the deadline only, because bookmarks are
            promised by no server.
    """

    watch: float = 290.0
    margin: float = 10.0
    idle: float | None = None
