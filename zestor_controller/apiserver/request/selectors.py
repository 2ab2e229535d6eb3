"""Label and field selectors of requests, with kube-apiserver's messages for what cannot be read.

Invariant: a selector that is not understood is refused; it never matches everything by mistake.

Source: apimachinery pkg/labels/selector.go, pkg/fields/selector.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from zestor_controller.apiserver.rest.fieldselector import FieldSelectorError, exact_value, parse_field_selector
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.rest.status import Failure, bad_request
from zestor_controller.apiserver.syntax.gonumber import parse_int
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation.fieldchecks import bad_label_value, bad_qualified_name
from zestor_controller.schema.fielderror import show

__all__ = ["Selection", "parse_selection"]

Test = Callable[[Json], bool]
LabelTest = Callable[[Mapping[str, str]], bool]

_TOKEN: Final = re.compile(r"\s*(?:([()=!<>,]+)|([^\s()=!<>,]+))")
_SYMBOLS: Final = ("==", "!=", "(", ")", ",", "!", "=", "<", ">")
_OPERATORS: Final = ("in", "notin", "=", "==", "!=", "gt", "lt")
_KEY_MESSAGE: Final = (
    "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
    "'example.com/MyName')"
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list or watch asks for.

    Attributes:
        matches: whether an object is asked for.
        empty: everything is.
        name: the one name that is asked for, empty for any.
    """

    matches: Test
    empty: bool
    name: str = ""


def _tokens(text: str) -> list[str]:
    """The tokens of a label selector, as the server's scanner cuts them; the last one is empty."""
    found: list[str] = []
    for special, word in _TOKEN.findall(text):
        while special:
            # The longest known symbol wins; the scanner gives up on a run that starts with none.
            symbol = next(known for known in _SYMBOLS if special.startswith(known))
            found.append(symbol)
            special = special[len(symbol) :]
        if word:
            found.append(word)
    return [*found, ""]


def _is_word(token: str) -> bool:
    return bool(token) and token not in _SYMBOLS


class _Parser:
    """Reads requirements, one after the other, with the messages and the order of the server's own parser."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def read(self) -> list[LabelTest]:
        tests: list[LabelTest] = []
        while True:
            token = self._peek()
            if not token:
                return tests
            if token != "!" and not _is_word(token):
                raise bad_request(f"found '{token}', expected: !, identifier, or 'end of string'")
            tests.append(self._requirement())
            token = self._take()
            if not token:
                return tests
            if token != ",":
                raise bad_request(f"found '{token}', expected: ',' or 'end of string'")
            after = self._peek()
            if after != "!" and not _is_word(after):
                raise bad_request(f"found '{after}', expected: identifier after ','")

    def _requirement(self) -> LabelTest:
        token = self._take()
        absent = token == "!"
        if absent:
            token = self._take()
        if not token:
            raise _unparsed("found '', expected: identifier")
        if not _is_word(token):
            raise _unparsed(f"found '{token}', expected: identifier")
        key = token
        if bad_qualified_name(key):
            raise _unparsed(f"<nil>: Invalid value: {show(key)}: {'; '.join(_key_messages(key))}")
        if absent:
            return lambda labels: key not in labels
        if self._peek() in ("", ","):
            return lambda labels: key in labels
        return self._comparison(key, self._take())

    def _comparison(self, key: str, operator: str) -> LabelTest:
        if operator in ("in", "notin"):
            values = self._values()
            for index, value in enumerate(values):
                _check_value(key, value, index)
            chosen = frozenset(values)
            if operator == "in":
                return lambda labels: labels.get(key) in chosen if key in labels else False
            return lambda labels: key not in labels or labels[key] not in chosen
        if operator in ("=", "==", "!="):
            value = self._exact()
            _check_value(key, value, 0)
            if operator == "!=":
                return lambda labels: labels.get(key) != value if key in labels else True
            return lambda labels: labels.get(key) == value if key in labels else False
        if operator in ("<", ">"):
            value = self._exact()
            number = _number(value)
            if number is None:
                why = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise _unparsed(f"values[0]: Invalid value: {show(value)}: {why}")
            return _compare(key, number, operator == ">")
        raise _unparsed(f"found '{operator}', expected: {', '.join(_OPERATORS)}")

    def _exact(self) -> str:
        token = self._peek()
        if token in ("", ","):
            return ""
        if not _is_word(token):
            raise _unparsed(f"found '{token}', expected: identifier")
        return self._take()

    def _values(self) -> list[str]:
        token = self._take()
        if token != "(":
            raise _unparsed(f"found '{token}' expected: '('")
        values: list[str] = []
        token = self._peek()
        if token != "," and token != ")" and not _is_word(token):
            raise _unparsed(f"found '{token}', expected: ',', ')' or identifier")
        open_value = True  # a value is wanted here, and an empty one is a value
        while True:
            token = self._take()
            if token == ")":
                if open_value:
                    values.append("")
                return sorted(set(values))
            if token == ",":
                if open_value:
                    values.append("")
                open_value = True
                after = self._peek()
                if after not in (",", ")") and not _is_word(after):
                    raise _unparsed(f"found '{after}', expected: ',', or ')'")
            elif _is_word(token) and open_value:
                values.append(token)
                open_value = False
            else:
                raise _unparsed(f"found '{token}', expected: ',' or ')'")


def _unparsed(why: str) -> Failure:
    return bad_request(f"unable to parse requirement: {why}")


def _key_messages(key: str) -> list[str]:
    return [_KEY_MESSAGE] if key.count("/") > 1 else bad_qualified_name(key)


def _check_value(key: str, value: str, index: int) -> None:
    messages = bad_label_value(value)
    if messages:
        raise _unparsed(f"values[{index}][{key}]: Invalid value: {show(value)}: {'; '.join(messages)}")


def _number(text: str) -> int | None:
    try:
        return parse_int(text)
    except ValueError:
        return None


def _compare(key: str, wanted: int, greater: bool) -> LabelTest:
    def test(labels: Mapping[str, str]) -> bool:
        have = _number(labels.get(key, ""))
        if have is None:
            return False
        return have > wanted if greater else have < wanted

    return test


@lru_cache(maxsize=256)
def _labels(text: str) -> Test | None:
    tests = _Parser(text).read()
    if not tests:
        return None

    def test(obj: Json) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return test


def _fields(text: str, resource: Resource) -> tuple[Test | None, str]:
    try:
        terms = parse_field_selector(text)
    except FieldSelectorError as error:
        raise bad_request(str(error)) from None
    tests = [_field_test(_getter(term.field, resource), term.value, term.differs) for term in terms]
    if not tests:
        return None, ""
    return (lambda obj: all(test(obj) for test in tests)), exact_value(terms, "metadata.name") or ""


def _field_test(get: Callable[[Json], str], value: str, differs: bool) -> Test:
    return (lambda obj: get(obj) != value) if differs else (lambda obj: get(obj) == value)


def _getter(field: str, resource: Resource) -> Callable[[Json], str]:
    if field == "metadata.name":
        return lambda obj: str(obj["metadata"].get("name", ""))
    if field == "metadata.namespace" and (
        resource.namespaced or (resource.wire.typed and not resource.selectable_fields)
    ):
        return lambda obj: str(obj["metadata"].get("namespace", ""))
    known = resource.selectable_fields.get(field)
    if known is not None:
        return known
    # Kinds with selectors of their own, and custom ones, have messages of their own.
    if resource.selectable_fields or not resource.wire.typed:
        raise bad_request(f"field label not supported: {field}")
    message = 'is not a known field selector: only "metadata.name", "metadata.namespace"'
    raise bad_request(f"{show(field)} {message}")


def parse_selection(query: Mapping[str, str], resource: Resource) -> Selection:
    """The selection of a request's query.

    Raises:
        Failure: 400 for a selector that cannot be read, or a field that cannot be selected by.
    """
    labels = _labels(query.get("labelSelector", ""))
    fields, name = _fields(query.get("fieldSelector", ""), resource)
    if labels is None and fields is None:
        return Selection(lambda obj: True, True)
    if labels is None or fields is None:
        only = labels or fields
        assert only is not None  # one of them is
        return Selection(only, False, name)
    first, second = labels, fields
    return Selection(lambda obj: first(obj) and second(obj), False, name)
