"""Label and field selectors of requests, with kube-apiserver's words for what cannot be read.

Invariant: a selector that is not understood is refused; it never matches everything by mistake.

Source: apimachinery pkg/labels/selector.go, pkg/fields/selector.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from zestor_controller.apiserver.contract import Json, Resource
from zestor_controller.apiserver.status import bad_request

__all__ = ["Selection", "parse_selection"]

Test = Callable[[Json], bool]

_PART: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_TOKEN: Final = re.compile(r"\s*(==|!=|=|<|>|!|\(|\)|,|[^\s=!<>(),]+)")


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


def _labels(text: str) -> Test | None:
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise bad_request(f"unable to parse requirement: found '{text.strip()}', expected: identifier")
    tests: list[Test] = []
    at = 0
    while at < len(tokens):
        test, at = _requirement(tokens, at)
        tests.append(test)
        if at < len(tokens):
            if tokens[at] != ",":
                raise bad_request(f"found '{tokens[at]}', expected: ',' or 'end of string'")
            at += 1
            if at >= len(tokens):
                raise bad_request("found '', expected: identifier after ','")
    if not tests:
        return None
    return lambda obj: all(test(obj) for test in tests)


def _of(obj: Json) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def _requirement(tokens: list[str], at: int) -> tuple[Test, int]:
    if tokens[at] == "!":
        if at + 1 >= len(tokens):
            raise bad_request("unable to parse requirement: found '', expected: identifier")
        key = _key(tokens[at + 1])
        return (lambda obj: key not in _of(obj)), at + 2
    key = _key(tokens[at])
    if at + 1 >= len(tokens) or tokens[at + 1] == ",":
        return (lambda obj: key in _of(obj)), at + 1
    operator = tokens[at + 1]
    if operator in ("=", "==", "!="):
        value = tokens[at + 2] if at + 2 < len(tokens) and tokens[at + 2] != "," else ""
        _value(key, value)
        after = at + (3 if value else 2)
        if operator == "!=":
            return (lambda obj: _of(obj).get(key) != value if key in _of(obj) else True), after
        return (lambda obj: key in _of(obj) and _of(obj)[key] == value), after
    if operator in ("in", "notin"):
        values, after = _values(tokens, at + 2)
        for value in values:
            _value(key, value)
        if operator == "in":
            return (lambda obj: key in _of(obj) and _of(obj)[key] in values), after
        return (lambda obj: key not in _of(obj) or _of(obj)[key] not in values), after
    if operator in ("<", ">"):
        text = tokens[at + 2] if at + 2 < len(tokens) else ""
        if not re.fullmatch(r"-?\d+", text):
            raise bad_request(
                f"unable to parse requirement: values[0][{key}]: Invalid value: \"{text}\": for 'Gt', 'Lt' operators, "
                "the value must be an integer"
            )
        wanted = int(text)

        def compare(obj: Json) -> bool:
            have = _of(obj).get(key, "")
            if not re.fullmatch(r"-?\d+", have):
                return False
            return int(have) > wanted if operator == ">" else int(have) < wanted

        return compare, at + 3
    raise bad_request(f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _key(token: str) -> str:
    prefix, slash, name = token.rpartition("/")
    if not _PART.fullmatch(name) or len(name) > 63 or (slash and not prefix):
        why = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )
        if token in ("(", ")", "=", "==", "!=", ",", "<", ">"):
            raise bad_request(f"unable to parse requirement: found '{token}', expected: identifier")
        raise bad_request(f'unable to parse requirement: <nil>: Invalid value: "{token}": {why}')
    return token


def _value(key: str, value: str) -> None:
    if value and (not _PART.fullmatch(value) or len(value) > 63):
        why = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
            "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
            "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        )
        raise bad_request(f'unable to parse requirement: values[0][{key}]: Invalid value: "{value}": {why}')


def _values(tokens: list[str], at: int) -> tuple[frozenset[str], int]:
    if at >= len(tokens) or tokens[at] != "(":
        found = tokens[at] if at < len(tokens) else ""
        raise bad_request(f"unable to parse requirement: found '{found}' expected: '('")
    values: list[str] = []
    at += 1
    pending = True
    while at < len(tokens) and tokens[at] != ")":
        if tokens[at] == ",":
            if pending:
                values.append("")
            pending = True
        else:
            values.append(tokens[at])
            pending = False
        at += 1
    if at >= len(tokens):
        raise bad_request("unable to parse requirement: found '', expected: ',', ')' or identifier")
    if pending:
        values.append("")
    return frozenset(values), at + 1


def _fields(text: str, resource: Resource) -> tuple[Test | None, str]:
    tests: list[Test] = []
    name = ""
    for term in re.split(r"(?<!\\),", text):
        if not term:
            continue
        match = re.match(r"(.*?)(!=|==|=)(.*)$", term, re.S)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, value = match.groups()
        value = re.sub(r"\\(.)", r"\1", value)
        get = _getter(field, resource)
        if operator == "!=":
            tests.append(lambda obj, get=get, value=value: get(obj) != value)  # type: ignore[misc]
        else:
            tests.append(lambda obj, get=get, value=value: get(obj) == value)  # type: ignore[misc]
            if field == "metadata.name":
                name = value
    if not tests:
        return None, name
    return (lambda obj: all(test(obj) for test in tests)), name


def _getter(field: str, resource: Resource) -> Callable[[Json], str]:
    if field == "metadata.name":
        return lambda obj: str(obj["metadata"].get("name", ""))
    if field == "metadata.namespace":
        return lambda obj: str(obj["metadata"].get("namespace", ""))
    known = resource.selectable.get(field)
    if known is None:
        raise bad_request(f"field label not supported: {field}")
    return known


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
