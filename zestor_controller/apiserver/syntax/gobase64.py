"""Byte strings as Go's ``encoding/base64`` reads them: line breaks are ignored wherever they are, padding is required.

Go decodes every ``[]byte`` field this way (Secret.data, ConfigMap.binaryData, a CRD's caBundle); what is stored is the
canonical text of the bytes.
"""

from __future__ import annotations

import base64
import re

__all__ = ["canonical_base64"]

_GROUPS = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_LINE_BREAKS = b"\r\n"
_PADDING = ord("=")


def canonical_base64(text: str) -> str:
    """The text of the same bytes in one line, without stray bits in the last group.

    Raises:
        ValueError: with the message of Go's decoder, and the offset of the first byte that it cannot use.
    """
    joined = text.replace("\n", "").replace("\r", "") if "\n" in text or "\r" in text else text
    if _GROUPS.fullmatch(joined) is None:
        raise ValueError(f"illegal base64 data at input byte {_first_error(text.encode())}")
    return base64.b64encode(base64.b64decode(joined)).decode()


def _first_error(source: bytes) -> int:
    """The offset that Go's decoder reports for a text that it refuses (``Encoding.decodeQuantum``)."""
    at, size, in_group = 0, len(source), 0
    while at < size:
        byte = source[at]
        if byte in _LINE_BREAKS:
            at += 1
        elif byte in _ALPHABET:
            in_group = (in_group + 1) % 4
            at += 1
        elif byte == _PADDING and in_group >= 2:
            return _padding_error(source, at, in_group)
        else:
            return at
    return size - in_group


def _padding_error(source: bytes, at: int, in_group: int) -> int:
    """The offset reported when the first padding character, at `at`, does not end the text as it should."""
    first, at = at, _after_breaks(source, at + 1)
    if in_group == 2:
        if at == len(source):
            return at
        if source[at] != _PADDING:
            # The decoder has stepped over the line breaks by then, and reports the byte before the one it looks at.
            return max(first, at - 1)
        at = _after_breaks(source, at + 1)
    return at


def _after_breaks(source: bytes, at: int) -> int:
    while at < len(source) and source[at] in _LINE_BREAKS:
        at += 1
    return at
