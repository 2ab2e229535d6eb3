"""``Warning`` headers: what a client is warned of, in at most 4 KB.

Invariant: the headers of one response never exceed :data:`MAX_BYTES`, which clients and proxies accept; what is left
out is logged.

Source: apiserver pkg/endpoints/filters/warning.go, which truncates each text once their sum is too large.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

__all__ = ["MAX_BYTES", "warning_headers"]

_log = logging.getLogger(__name__)

MAX_BYTES: Final = 4096
MAX_TEXT: Final = 256  # characters of each, once all together are too large


def warning_headers(texts: Iterable[str]) -> list[tuple[str, str]]:
    """The headers for some texts, each once and in order."""
    unique = list(dict.fromkeys(texts))
    values = [_value(text) for text in unique]
    if sum(map(_size, values)) > MAX_BYTES:
        values = [_value(text[:MAX_TEXT]) for text in unique]
    found: list[tuple[str, str]] = []
    left = MAX_BYTES
    for at, value in enumerate(values):
        left -= _size(value)
        if left < 0:
            message = "%d of %d warnings are left out of a response: they exceed %d bytes"
            _log.warning(message, len(values) - at, len(values), MAX_BYTES)
            break
        found.append(("Warning", value))
    return found


def _value(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'


def _size(value: str) -> int:
    return len(f"Warning: {value}\r\n".encode("utf-8", "replace"))
