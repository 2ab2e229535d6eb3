"""YAML as the API server reads and writes it: YAML 1.1 with the rules of Go's ``yaml.v2``, by way of JSON.

Reading resolves ``y``, ``yes`` and ``on`` to booleans, keeps timestamps as strings, and makes every key a string.
Writing sorts the keys and quotes whatever would read back as something else.
"""

from __future__ import annotations

import base64
import json
import math
import re
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

import yaml

from zestor_controller.apiserver.syntax.depthlimit import TOO_DEEP, too_deep
from zestor_controller.apiserver.syntax.gobase64 import canonical_base64
from zestor_controller.apiserver.syntax.gojson import DocumentError, go_number

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["dump", "load"]

_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
for _truth, _names in ((True, ("y", "yes", "true", "on")), (False, ("n", "no", "false", "off"))):
    for _name in _names:
        _WORDS.update({_name: _truth, _name.capitalize(): _truth, _name.upper(): _truth})
for _name in (".nan", ".NaN", ".NAN"):
    _WORDS[_name] = math.nan
for _name in (".inf", ".Inf", ".INF"):
    _WORDS.update({_name: math.inf, f"+{_name}": math.inf, f"-{_name}": -math.inf})

_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INT = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_TIMESTAMP = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?( ?Z|[-+]\d{2}(:\d{2})?)?|)|"
    r"\d{4}-\d{1,2}-\d{1,2}[Tt]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?Z"
)
_LONGEST = 20  # digits of the largest 64-bit number
_NUMERIC_START = frozenset("+-.0123456789")
_STRING_TAG = "tag:yaml.org,2002:str"
_MAX_NODES = 1_000_000
_MAX_BYTES = 12 * 1024 * 1024
"""Text of a document whose aliases are expanded: four times the largest body."""
_FEW, _MANY = 400_000, 4_000_000
"""Between these numbers of nodes the share that may come of aliases falls from 99 to 10 %, as in Go."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _looks_numeric(text: str) -> bool:
    plain = text.replace("_", "")
    return _INT.fullmatch(plain) is not None or _FLOAT.fullmatch(plain) is not None


def _number(text: str) -> int | float | None:
    """An unquoted number; None for one that is out of Go's range, which stays a text."""
    plain = text.replace("_", "")
    if _INT.fullmatch(plain):
        digits = plain.lstrip("+-").lower()
        base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2])
        if base is not None:
            value = int(digits[2:], base)
        elif digits.startswith("0") and len(digits) > 1:
            value = int(digits, 8)
        elif len(digits) <= _LONGEST:
            value = int(digits)
        else:
            return _float(plain)
        value = -value if plain.startswith("-") else value
        if -(2**63) <= value < 2**63:
            return value
        return go_number(float(value)) if 0 < value < 2**64 else _float(plain)
    return _float(plain)


def _float(plain: str) -> int | float | None:
    if not _FLOAT.fullmatch(plain):
        return None
    number = float(plain)
    return None if math.isinf(number) else go_number(number)


def resolve(text: str) -> Any:
    """What an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if text[:1] in _NUMERIC_START:
        number = _number(text)
        if number is not None:
            return number
    return text


class _Composer:
    """Events to values: plain dicts, lists and scalars; the first document only."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, Any] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._nodes = 0
        self._bytes = 0
        self._aliased = 0
        self.duplicates: dict[str, None] = {}

    def run(self) -> Any:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                value = self._node(next(self._events), "")
                # The rest of this document must parse; later documents are not read.
                for rest in self._events:
                    if isinstance(rest, yaml.DocumentEndEvent):
                        break
                return value
        return None

    def _node(self, event: Any, path: str) -> Any:
        self._nodes += 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise DocumentError(f"yaml: unknown anchor '{event.anchor}' referenced")
            nodes, size = self._sizes[event.anchor]
            self._nodes += nodes
            self._aliased += nodes
            self._bytes += size
            self._check()  # before anything is expanded
            return _unshared(self._anchors[event.anchor])
        self._check()
        before, start, anchor = self._nodes - 1, self._bytes, event.anchor
        if isinstance(event, yaml.ScalarEvent):
            self._bytes += len(event.value)
            value: Any = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                value.append(self._node(event, f"{path}[{len(value)}]"))
        else:
            value = self._mapping(path)
        if anchor is not None:
            self._anchors[anchor] = value
            self._sizes[anchor] = self._nodes - before, self._bytes - start
        return value

    def _mapping(self, path: str) -> dict[str, Any]:
        value: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
                self._merge(merged, self._node(next(self._events), path))
                continue
            key = _key(self._node(event, path))
            inner = f"{path}.{key}" if path else key
            if key in value:
                self.duplicates[inner] = None
            value[key] = self._node(next(self._events), inner)
        return {**merged, **value} if merged else value

    def _merge(self, merged: dict[str, Any], found: Any) -> None:
        # Of several merged maps the first one that has a key wins.
        for source in found if isinstance(found, list) else [found]:
            if not isinstance(source, dict):
                raise DocumentError("yaml: map merge requires map or sequence of maps as the value")
            for key, item in source.items():
                merged.setdefault(key, item)

    def _scalar(self, event: Any) -> Any:
        if event.tag is None:
            return resolve(event.value) if event.implicit[0] else event.value
        if event.tag in (_STRING_TAG, "!"):
            return event.value
        if event.tag == "tag:yaml.org,2002:binary":
            try:
                return base64.b64decode(canonical_base64(event.value)).decode("utf-8", "replace")
            except ValueError:
                raise DocumentError("yaml: !!binary value contains invalid base64 data") from None
        found = resolve(event.value)
        if event.tag == "tag:yaml.org,2002:float" and isinstance(found, int) and not isinstance(found, bool):
            return found
        wanted = _TAGS.get(event.tag)
        if wanted is not None and type(found) is not wanted:
            short = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise DocumentError(f"yaml: cannot decode !!str `{event.value}` as a {short}")
        return found

    def _check(self) -> None:
        share = 0.99 - 0.89 * min(1.0, max(0.0, (self._nodes - _FEW) / (_MANY - _FEW)))
        excessive = self._aliased > 100 and self._nodes > 1000 and self._aliased > share * self._nodes
        if excessive or self._nodes > _MAX_NODES or self._bytes > _MAX_BYTES:
            raise DocumentError("yaml: document contains excessive aliasing")


def _unshared(value: Any) -> Any:
    """A copy of what an alias stands for: whoever changes one must not change the other."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


_TAGS = {
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:null": type(None),
}


def _key(value: Any) -> str:
    """A key as JSON has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    raise DocumentError(f"error converting YAML to JSON: unsupported map key of type: {type(value).__name__}")


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_finite(item) for item in value.values())
    return all(_finite(item) for item in value) if isinstance(value, list) else True


def _words(error: yaml.MarkedYAMLError) -> str:
    """The error as Go's port of libyaml words it."""
    line = 0
    if error.problem_mark is not None and error.problem_mark.line:
        line = error.problem_mark.line + isinstance(error, yaml.scanner.ScannerError)
    elif error.context_mark is not None:
        line = error.context_mark.line
    where = f"line {line}: " if line else ""
    return f"yaml: {where}{error.problem or 'unknown problem parsing YAML content'}"


def load(data: bytes) -> tuple[Any, list[str]]:
    """Read the first YAML document of a text.

    Returns:
        The value as JSON would have it, and the paths of keys that stand twice.

    Raises:
        DocumentError: in Go's words.
    """
    try:
        composer = _Composer(iter(yaml.parse(data, Loader=_LOADER)))
        value = composer.run()
    except yaml.MarkedYAMLError as error:
        raise DocumentError(_words(error)) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise DocumentError("yaml: control characters are not allowed") from None
    except RecursionError:
        raise DocumentError(f"yaml: {TOO_DEEP}") from None
    if too_deep(value):
        raise DocumentError(f"yaml: {TOO_DEEP}")
    if not _finite(value):
        raise DocumentError("json: unsupported value: +Inf")
    return value, list(composer.duplicates)


def _before(first: str, second: str) -> int:
    """The order of keys: letters after everything else, runs of digits by their number."""
    for at, (left, right) in enumerate(zip(first, second, strict=False)):
        if left == right:
            continue
        if left.isalpha() and right.isalpha():
            return -1 if left < right else 1
        if left.isalpha() or right.isalpha():
            return -1 if right.isalpha() else 1
        one, two = _DIGITS.match(first, at), _DIGITS.match(second, at)
        if one and two and one.group() and two.group():
            # Compared as text: a run may have more digits than Python converts.
            low, high = (found.group().lstrip("0") for found in (one, two))
            if low != high:
                return -1 if (len(low), low) < (len(high), high) else 1
        return -1 if left < right else 1
    return len(first) - len(second)


_DIGITS = re.compile(r"[0-9]*")
_ORDER = cmp_to_key(_before)


def _events(value: Any) -> Iterator[Any]:
    plain = (True, False)
    if isinstance(value, dict):
        yield yaml.MappingStartEvent(None, None, True, flow_style=not value)
        for key in sorted(value, key=_ORDER):
            yield _text(key)
            yield from _events(value[key])
        yield yaml.MappingEndEvent()
    elif isinstance(value, list | tuple):
        yield yaml.SequenceStartEvent(None, None, True, flow_style=not value)
        for item in value:
            yield from _events(item)
        yield yaml.SequenceEndEvent()
    elif isinstance(value, str):
        yield _text(value)
    else:
        yield yaml.ScalarEvent(None, None, plain, json.dumps(value))


def _text(value: str) -> Any:
    style = None
    numeric = value[:1] in _NUMERIC_START and _looks_numeric(value)
    if numeric or value in _WORDS or _BASE60.fullmatch(value) or _TIMESTAMP.fullmatch(value) or value == "<<":
        style = '"'
    elif "\n" in value:
        style = "|"
    return yaml.ScalarEvent(None, None, (True, True), value, style=style)


def dump(value: Any) -> bytes:
    """Write a value as the server's YAML encoder does: sorted keys, two spaces, lists not indented."""
    events: list[Any] = [yaml.StreamStartEvent(), yaml.DocumentStartEvent(explicit=False)]
    events += _events(value)
    events += [yaml.DocumentEndEvent(explicit=False), yaml.StreamEndEvent()]
    text: str = yaml.emit(events, Dumper=_DUMPER, allow_unicode=True)
    return text.encode()
