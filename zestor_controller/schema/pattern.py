r"""Regular expressions as Go reads them (RE2), translated for Python's engine.

What Go refuses is refused here in Go's words: look-around, back references, possessive quantifiers. What both accept
means the same: ``$`` is the end of the text and not a place before a last line break, ``\d \s \w \b`` are ASCII,
flags in the middle hold to the end of their group. Python's engine backtracks; a pattern that takes exponential time
there does not in Go.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache, lru_cache

__all__ = ["PatternError", "compile_pattern"]

_MAX_REPEAT = 1000
_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_GROUP_NAME = re.compile(r"\(\?P?<([^>]*)>")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ", "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_PERL = {"d": "0-9", "s": "\\t\\n\\f\\r ", "w": "0-9A-Za-z_"}
_SCRIPTS = {
    "Latin": "LATIN ", "Greek": "GREEK ", "Cyrillic": "CYRILLIC ", "Han": "CJK UNIFIED IDEOGRAPH",
    "Hiragana": "HIRAGANA ", "Katakana": "KATAKANA ", "Hebrew": "HEBREW ", "Arabic": "ARABIC ", "Thai": "THAI ",
    "Hangul": "HANGUL ", "Devanagari": "DEVANAGARI ",
}  # fmt: skip
_CATEGORY = re.compile("C[cfos]?|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?")
_SIMPLE_ESCAPES = {"a": "\\x07", "f": "\\f", "t": "\\t", "n": "\\n", "r": "\\r", "v": "\\v"}


class PatternError(ValueError):
    """Go does not accept the pattern; the message is Go's."""

    def __init__(self, why: str, part: str) -> None:
        super().__init__(f"error parsing regexp: {why}: `{part}`")


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern, to be used with ``search``.

    Raises:
        PatternError: Go refuses the pattern.
    """
    source = _Translation(pattern).run()
    try:
        return re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(str(error), pattern) from None


@cache
def _unicode_ranges(name: str) -> str:
    """A general category, or one of the larger scripts, as the inside of a character class."""
    prefix = _SCRIPTS.get(name)
    found: list[str] = []
    start = -1
    for code in range(sys.maxunicode + 2):
        char = chr(code) if code <= sys.maxunicode else ""
        if not char:
            inside = False
        elif prefix is None:
            inside = unicodedata.category(char).startswith(name)
        else:
            inside = unicodedata.name(char, "").startswith(prefix)
        if inside and start < 0:
            start = code
        elif not inside and start >= 0:
            last = code - 1
            found.append(f"\\U{start:08x}" if start == last else f"\\U{start:08x}-\\U{last:08x}")
            start = -1
    return "".join(found)


def _known_class(name: str) -> bool:
    return name in _SCRIPTS or _CATEGORY.fullmatch(name) is not None


class _Translation:
    """One pass over a pattern; `flags` are those in force in the present group."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._out: list[str] = []
        self._flags = frozenset[str]()
        self._groups: list[tuple[frozenset[str], int]] = []
        self._scopes = 0
        self._last = ""
        """What the last thing was: "" (nothing to repeat), "atom" or "repeat"."""

    def run(self) -> str:
        while self._at < len(self._text):
            self._step()
        if self._groups:
            raise PatternError("missing closing )", self._text)
        return "".join(self._out) + ")" * self._scopes

    def _step(self) -> None:
        text, at = self._text, self._at
        char = text[at]
        if char == "\\":
            self._escape()
        elif char == "[":
            self._class()
        elif char == "(":
            self._open()
        elif char == ")":
            self._close()
        elif char in "*+?":
            self._repeat(char)
        elif char == "{" and (found := _REPEAT.match(text, at)):
            self._count(found)
        else:
            self._at += 1
            self._plain(char)

    def _plain(self, char: str) -> None:
        if char == "|":
            # A flag that was set in one branch holds in the next ones too, and its scope was opened outside of neither.
            self._out.append(")" * self._scopes + "|" + self._reopened())
            self._last = ""
        elif char == "^":
            self._emit("(?m:^)" if "m" in self._flags else "\\A")
        elif char == "$":
            self._emit("(?m:$)" if "m" in self._flags else "\\Z")
        elif char == ".":
            self._emit("(?s:.)" if "s" in self._flags else "[^\\n]")
        else:
            self._emit(re.escape(char))

    def _reopened(self) -> str:
        if not self._scopes:
            return ""
        self._scopes = 1
        return self._scope()

    def _scope(self) -> str:
        return "(?i:" if "i" in self._flags else "(?:"

    def _emit(self, source: str) -> None:
        self._out.append(source)
        self._last = "atom"

    def _escape(self) -> None:
        text, at = self._text, self._at
        if at + 1 >= len(text):
            raise PatternError("trailing backslash at end of expression", "")
        char = text[at + 1]
        if char == "Q":
            end = text.find("\\E", at + 2)
            literal = text[at + 2 : end if end >= 0 else len(text)]
            self._at = len(text) if end < 0 else end + 2
            for one in literal:
                self._emit(re.escape(one))
            return
        if char in "AzbB":
            self._at += 2
            # \b of Python looks at Unicode letters unless told otherwise.
            self._emit({"A": "\\A", "z": "\\Z", "b": "(?a:\\b)", "B": "(?a:\\B)"}[char])
            return
        if char in "dswDSW":
            self._at += 2
            self._emit(f"[{'^' if char.isupper() else ''}{_PERL[char.lower()]}]")
            return
        if char in "pP":
            inside, negated = self._unicode_class()
            self._emit(f"[{'^' if negated else ''}{inside}]")
            return
        self._emit(self._single())

    def _single(self) -> str:
        """An escaped character, as the source of that character in Python."""
        text, at = self._text, self._at
        if at + 1 >= len(text):
            raise PatternError("trailing backslash at end of expression", "")
        char = text[at + 1]
        if char in _SIMPLE_ESCAPES:
            self._at += 2
            return _SIMPLE_ESCAPES[char]
        if char == "x":
            return self._hex()
        if char in "01234567" and (found := re.match(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})", text[at:])):
            self._at += found.end()
            return f"\\U{int(found[1], 8):08x}"
        if char.isascii() and not char.isalnum() and char != "_":
            self._at += 2
            return re.escape(char)
        raise PatternError("invalid escape sequence", text[at : at + 2])

    def _hex(self) -> str:
        text, at = self._text, self._at
        found = re.match(r"\\x(?:\{([0-9A-Fa-f]{1,8})\}|([0-9A-Fa-f]{2}))", text[at:])
        if found is None or int(found[1] or found[2], 16) > sys.maxunicode:
            raise PatternError("invalid escape sequence", text[at : at + 3])
        self._at += found.end()
        return f"\\U{int(found[1] or found[2], 16):08x}"

    def _unicode_class(self) -> tuple[str, bool]:
        text, at = self._text, self._at
        found = re.match(r"\\[pP](?:\{(\^?)([^}]*)\}|(.))", text[at:], re.DOTALL)
        if found is None:
            raise PatternError("invalid character class range", text[at:])
        name = found[2] if found[3] is None else found[3]
        if name != "Any" and not _known_class(name):
            raise PatternError("invalid character class range", found[0])
        self._at += found.end()
        negated = (text[at + 1] == "P") != bool(found[1])
        return ("\\U00000000-\\U0010ffff" if name == "Any" else _unicode_ranges(name)), negated

    def _class(self) -> None:
        text, start = self._text, self._at
        self._at += 1
        negated = text.startswith("^", self._at)
        self._at += negated
        parts: list[str] = []
        lookups: list[str] = []
        first = True
        while first or not text.startswith("]", self._at):
            if self._at >= len(text):
                raise PatternError("missing closing ]", text[start:])
            first = False
            self._class_item(start, parts, lookups)
        self._at += 1
        inside = "".join(parts)
        if not lookups:
            self._emit(f"[{'^' if negated else ''}{inside}]")
            return
        # A negated class within a class has no spelling in Python; one of several alternatives does.
        alternatives = "|".join([*([f"[{inside}]"] if inside else []), *(f"[^{lookup}]" for lookup in lookups)])
        self._emit(f"(?!{alternatives})(?s:.)" if negated else f"(?:{alternatives})")
        if negated:
            self._out[-1] = f"(?:{self._out[-1]})"

    def _class_item(self, start: int, parts: list[str], lookups: list[str]) -> None:
        text, at = self._text, self._at
        if text.startswith("[:", at) and (end := text.find(":]", at)) > 0:
            name = text[at + 2 : end]
            known = _POSIX.get(name.removeprefix("^"))
            if known is None:
                raise PatternError("invalid character class range", text[at : end + 2])
            self._at = end + 2
            (lookups if name.startswith("^") else parts).append(known)
            return
        if text.startswith("\\", at) and at + 1 < len(text):
            char = text[at + 1]
            if char in "dswDSW":
                self._at += 2
                (lookups if char.isupper() else parts).append(_PERL[char.lower()])
                return
            if char in "pP":
                inside, negated = self._unicode_class()
                (lookups if negated else parts).append(inside)
                return
        low = self._class_char(start)
        if text.startswith("-", self._at) and not text.startswith("-]", self._at):
            self._at += 1
            if self._at >= len(text):
                raise PatternError("missing closing ]", text[start:])
            high = self._class_char(start)
            if _code(high) < _code(low):
                raise PatternError("invalid character class range", text[at : self._at])
            parts.append(f"{low}-{high}")
            return
        parts.append(low)

    def _class_char(self, start: int) -> str:
        text, at = self._text, self._at
        if at >= len(text):
            raise PatternError("missing closing ]", text[start:])
        if text[at] == "\\":
            return self._single()
        self._at += 1
        return f"\\U{ord(text[at]):08x}" if text[at] in "[]^-&~|\\" else text[at]

    def _open(self) -> None:
        text, at = self._text, self._at
        if not text.startswith("(?", at):
            self._push("(", self._flags)
            self._at += 1
            return
        if text.startswith(("(?P<", "(?<"), at):
            found = _GROUP_NAME.match(text, at)
            if found is None or not re.fullmatch(r"[A-Za-z0-9_]+", found[1]):
                raise PatternError("invalid named capture", found[0] if found else text[at:])
            # Nothing can refer to the name, and Go lets two groups have the same one.
            self._push("(", self._flags)
            self._at = found.end()
            return
        found = _FLAGS.match(text, at)
        if found is None or (found[0] == "(?)") or (found[2] is None and "-" in found[0]):
            end = re.match(r"\(\?.?", text[at:])
            raise PatternError("invalid or unsupported Perl syntax", end[0] if end else text[at:])
        flags = (self._flags | set(found[1])) - set(found[2] or "")
        self._at = found.end()
        if found[3] == ":":
            inner = "(?i:" if "i" in flags else "(?-i:" if "i" in self._flags else "(?:"
            self._push(inner, flags)
            return
        self._flags = flags
        self._out.append("(?i:" if "i" in flags else "(?-i:" if self._scopes else "(?:")
        self._scopes += 1
        self._last = ""

    def _push(self, source: str, flags: frozenset[str]) -> None:
        self._groups.append((self._flags, self._scopes))
        self._flags, self._scopes = flags, 0
        self._out.append(source)
        self._last = ""

    def _close(self) -> None:
        if not self._groups:
            raise PatternError("unexpected )", self._text)
        self._out.append(")" * self._scopes)
        self._flags, self._scopes = self._groups.pop()
        self._at += 1
        self._emit(")")

    def _repeat(self, sign: str) -> None:
        start = self._at
        self._at += 1
        lazy = self._text.startswith("?", self._at)
        self._at += lazy
        self._repeated(sign, lazy, start)

    def _repeated(self, sign: str, lazy: bool, start: int) -> None:
        part = self._text[start : self._at]
        if not self._last:
            raise PatternError("missing argument to repetition operator", part)
        if self._last == "repeat":
            raise PatternError("invalid nested repetition operator", self._previous(start) + part)
        self._out.append(sign + ("?" if lazy != ("U" in self._flags) else ""))
        self._last = "repeat"

    def _previous(self, start: int) -> str:
        found = re.search(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??$", self._text[:start])
        return found[0] if found else ""

    def _count(self, found: re.Match[str]) -> None:
        low = int(found[1])
        high = low if not found[2] else int(found[3]) if found[3] else None
        if low > _MAX_REPEAT or (high is not None and (high > _MAX_REPEAT or high < low)):
            raise PatternError("invalid repeat count", found[0])
        start = self._at
        self._at = found.end()
        lazy = self._text.startswith("?", self._at)
        self._at += lazy
        self._repeated(found[0], lazy, start)


def _code(source: str) -> int:
    if len(source) == 1:
        return ord(source)
    if source[:2] in ("\\U", "\\x"):
        return int(source[2:], 16)
    simple = {"\\f": 12, "\\t": 9, "\\n": 10, "\\r": 13, "\\v": 11}
    return simple[source] if source in simple else ord(source[1])
