r"""Regular expressions as Go's ``regexp`` package reads them, matched by RE2 in time linear in the text.

Invariant: no user's pattern reaches a backtracking engine; matching costs at most a constant per byte of the text,
the constant bounded by :data:`MAX_MEMORY`. RE2 and Go share syntax and meaning; this module translates RE2's error
messages to Go's and rejects the little that only RE2 accepts (``\C``).

Source: the package documentation of Go's ``regexp/syntax``, RE2's ``regexp.cc`` (its messages).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import re2

__all__ = ["Pattern", "PatternError", "compile_pattern"]

MAX_MEMORY: Final = 8 << 20
"""Bytes that the program of one pattern and its automaton may take; a larger pattern is rejected."""

_MESSAGES: Final = {
    "invalid character class": "invalid character class",
    "invalid character class range": "invalid character class range",
    "invalid escape sequence": "invalid escape sequence",
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "unexpected )": "unexpected )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "invalid UTF-8": "invalid UTF-8",
    "expression nests too deeply": "expression nests too deeply",
}
_TOKEN: Final = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)
_ANY_BYTE: Final = r"\C"
_NEITHER: Final = r"\8"


class PatternError(ValueError):
    """Go does not accept the pattern; the message is Go's."""

    def __init__(self, why: str, part: str) -> None:
        super().__init__(f"error parsing regexp: {why}: `{part}`")


class Pattern:
    """A compiled pattern.

    Args:
        compiled: the expression of RE2 that it wraps.
    """

    __slots__ = ("_compiled",)

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def search(self, text: str) -> bool:
        """Whether any part of a text matches."""
        return self._compiled.search(_utf8(text)) is not None


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Pattern:
    """The pattern, compiled.

    Raises:
        PatternError: Go does not accept the pattern, or it needs more than :data:`MAX_MEMORY`.
    """
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False  # the error is raised; RE2 would also write it to stderr
    options.never_capture = True  # groups that are never read would force a slower matcher
    # Only RE2 knows \C, which matches one byte: it is replaced by an escape that neither accepts.
    source = _TOKEN.sub(lambda token: _NEITHER if token[0] == _ANY_BYTE else token[0], pattern)
    try:
        return Pattern(re2.compile(_utf8(source), options))
    except re2.error as error:
        raise _go_error(pattern, error.args[0].decode("utf-8", "replace")) from None


def _utf8(text: str) -> bytes:
    # JSON may hold half of a surrogate pair, which is no character and has no encoding.
    return text.encode("utf-8", "replace")


def _go_error(pattern: str, message: str) -> PatternError:
    """Go's error for a message of RE2: ``why: part``."""
    why, _, part = message.partition(": ")
    if why == "invalid perl operator" and part.startswith("(?<"):
        # Go reads a name here, to the ">" or the end of the pattern; RE2 gives up at the sign.
        named = pattern[pattern.find(part) :]
        return PatternError("invalid named capture", named[: named.find(">") + 1] or named)
    if why == "invalid repetition size":
        part = part.rstrip("?")
    known = _MESSAGES.get(why)
    if known is None:  # "pattern too large - compile failed"
        return PatternError("expression too large", pattern)
    return PatternError(known, _ANY_BYTE if part == _NEITHER else part)
