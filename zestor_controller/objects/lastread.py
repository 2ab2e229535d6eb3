"""What an object was when it was read from a server: what tells a changed field from one that was only read."""

from __future__ import annotations

from typing import Any

__all__ = ["Reading"]


class Reading:
    """What an object was when it was read.

    All readings are equal: two objects with the same fields are, whenever they were read.

    Attributes:
        raw: the object's JSON as it came; None for an object that was not read.
        managed: its ``managedFields`` as the server last returned them, when that is newer than `raw`.
    """

    __slots__ = ("managed", "raw")

    def __init__(self, raw: bytes | None = None) -> None:
        self.raw = raw
        self.managed: list[dict[str, Any]] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading)

    __hash__ = None  # type: ignore[assignment]  # mutable
