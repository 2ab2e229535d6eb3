"""Writes whose outcome is not known: the server may have carried them out.

Invariant: the caller that would decide again what to write waits first until the caches of these kinds are current
(C11). What is noted is noted for the code that opened the block, and for tasks begun in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from zestor_controller.objects import Kind

__all__ = ["LostWrites", "note_lost", "noting_lost_writes"]

LostWrites: TypeAlias = dict[tuple[str, str], Kind[object]]

_lost: ContextVar[LostWrites | None] = ContextVar("_lost", default=None)


@contextmanager
def noting_lost_writes() -> Iterator[LostWrites]:
    """Collect the kinds of the writes, made within this block or by tasks begun in it, whose outcome is not known."""
    kinds: LostWrites = {}
    token = _lost.set(kinds)
    try:
        yield kinds
    finally:
        _lost.reset(token)


def note_lost(kind: Kind[object]) -> None:
    """Note that it is not known whether a write to a kind was carried out."""
    kinds = _lost.get()
    if kinds is not None:
        kinds[kind.api_version, kind.kind] = kind
