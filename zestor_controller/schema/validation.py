"""Validation of values against a schema, with the words of kube-apiserver.

What always holds: a schema is compiled once, into closures that go over a value a single time; a valid value costs no
path and no message. On an update what was wrong before and is unchanged is not complained about (see
:mod:`zestor_controller.schema.ratchet`).

Source: ``k8s.io/kube-openapi/pkg/validation`` and ``k8s.io/apiextensions-apiserver/pkg/apiserver/validation``, whose
oddities are kept: of several failed alternatives the one is told in which most checks passed, so every check counts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from zestor_controller.schema import stringformat
from zestor_controller.schema.fielderror import (
    FieldError,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
    type_invalid,
)
from zestor_controller.schema.fieldpruner import Path, dotted
from zestor_controller.schema.gotext import encode, quote
from zestor_controller.schema.numbercheck import is_whole, number_check
from zestor_controller.schema.pattern import PatternError, compile_pattern
from zestor_controller.schema.ratchet import UNCORRELATED, equal, item_finder, unchanged
from zestor_controller.schema.structural import Schema, Structural
from zestor_controller.schema.valuetype import WHOLE_ONLY, schema_types, type_table

__all__ = ["Validator"]

Errors = list[FieldError]
Check = Callable[[Any, "Path | None", Errors, Any], int]
"""Looks at a value with its path and its old value; adds complaints and answers how many checks passed."""

_TOO_LARGE = 2**63


class Validator:
    """A schema, ready to look at values.

    Args:
        schema: of a version of a CRD, or a part of it.
        node: the same schema as a tree; without it nothing is ratcheted.
        of_default: what is validated are the schema's own defaults, where the server is laxer: integer-or-string takes
            anything, and formats that it does not know count as types of their own.
    """

    def __init__(self, schema: Schema, node: Structural | None = None, *, of_default: bool = False) -> None:
        self._check = _compile(schema, node, of_default)

    def validate(self, value: Any, path: str = "") -> list[FieldError]:
        """What is wrong with a new value that stands at `path`."""
        found: Errors = []
        self._check(value, None, found, UNCORRELATED)
        return _finished(found, path) if found else found

    def validate_update(self, new: Any, old: Any, path: str = "") -> list[FieldError]:
        """What is wrong with a value and was not so before."""
        found: Errors = []
        self._check(new, None, found, UNCORRELATED)
        if not found:
            return found
        found = []
        self._check(new, None, found, old)
        return _finished(found, path)


def _finished(found: Errors, path: str) -> Errors:
    """The complaints under their full paths, each once."""
    placed: dict[tuple[str, str], FieldError] = {}
    for error in found:
        error = error.under(path) if path else error if error.field else replace(error, field="<nil>")
        placed.setdefault((error.type.value, error.message()), error)
    return list(placed.values())


def _name(text: str) -> str:
    return text.removeprefix(".")


def _type_error(path: Path | None, wrong: tuple[str, str]) -> FieldError:
    text = dotted(path)
    return type_invalid(_name(text), wrong[1], f"{text} in body must be of type {wrong[0]}: {quote(wrong[1])}")


def _compile(schema: Schema, node: Structural | None, of_default: bool) -> Check:
    types = schema_types(schema, of_default)
    form = schema.get("format") or ""
    if form and not of_default and not stringformat.is_known(form, types):
        form = ""
    typed = bool(types or form)
    table = type_table(types, form)
    null_wrong = (",".join(types), "null") if types and not schema.get("nullable") else None
    restrict = _branches(schema, node, of_default)
    handlers: dict[type, Check] = {
        str: _string_check(schema, form),
        list: _list_check(schema, node, of_default),
        dict: _object_check(schema, node, of_default),
    }
    handlers[int] = handlers[float] = _number_handler(schema, types)
    get_handler = handlers.get
    enum = _enum_check(schema.get("enum"))
    is_float_only = (form, "float64") if form else (",".join(types), "number")

    def check(value: Any, path: Path | None, errors: Errors, old: Any) -> int:
        start = len(errors)
        if value is None:
            if null_wrong is not None:
                errors.append(_type_error(path, null_wrong))
            if enum is not None:
                enum(value, path, errors)
            if len(errors) > start and old is None:
                del errors[start:]
            return int(null_wrong is None)
        kind = type(value)
        if kind is int and not -_TOO_LARGE <= value < _TOO_LARGE:
            # More than 64 bits: the server has read a float.
            kind = float
        count = 4
        if typed:
            wrong = table[kind]
            if wrong is WHOLE_ONLY:
                wrong = None if is_whole(value) else is_float_only
            if wrong is None:
                count = 6
            else:
                count = 5
                errors.append(_type_error(path, wrong))
        if restrict is not None:
            count += restrict(value, path, errors, old)
        handler = get_handler(kind)
        if handler is not None:
            count += handler(value, path, errors, old)
        if enum is not None:
            enum(value, path, errors)
        if len(errors) > start and old is not UNCORRELATED and node is not None and unchanged(value, old, node):
            del errors[start:]
        return count

    return check


def _enum_check(allowed: list[Any] | None) -> Callable[[Any, Path | None, Errors], None] | None:
    if not allowed:
        return None
    texts = frozenset(value for value in allowed if isinstance(value, str))
    others = [value for value in allowed if not isinstance(value, str) and value is not None]
    shown = [value if isinstance(value, str) else encode(value) for value in allowed]

    def check(value: Any, path: Path | None, errors: Errors) -> None:
        if type(value) is str:
            if value in texts:
                return
        elif any(equal(value, other) for other in others):
            return
        elif type(value) is float and any(type(other) is int and other == int(value) for other in others):
            # The server converts to the type of the allowed value before it compares: floats lose their fraction,
            return
        elif type(value) is int and 0 <= value <= sys.maxunicode and chr(value) in texts:
            # and integers become the characters that they number.
            return
        errors.append(not_supported(_name(dotted(path)), value, shown))

    return check


def _string_check(schema: Schema, form: str) -> Check:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    pattern = schema.get("pattern") or ""
    matches, broken = None, ""
    if pattern:
        try:
            matches = compile_pattern(pattern).search
        except PatternError as error:
            broken = f", but pattern is invalid: {error}"
    has_format = stringformat.checker(form) if form else None
    passed = 2 if has_format is not None else 1

    def check(value: str, path: Path | None, errors: Errors, old: Any) -> int:
        length = len(value)
        if longest is not None and length > longest:
            errors.append(too_long(_name(dotted(path)), int(longest)))
        elif shortest is not None and length < shortest:
            text = dotted(path)
            errors.append(invalid(_name(text), value, f"{text} in body should be at least {shortest} chars long"))
        elif (matches is not None and not matches(value)) or broken:
            text = dotted(path)
            errors.append(invalid(_name(text), value, f"{text} in body should match '{pattern}{broken}'"))
        if has_format is not None and not has_format(value):
            text = dotted(path)
            message = f"{text} in body must be of type {form}: {quote(value)}"
            errors.append(type_invalid(_name(text), value, message))
        return passed

    return check


def _number_handler(schema: Schema, types: tuple[str, ...]) -> Check:
    complaints = number_check(schema, types)

    def check(value: Any, path: Path | None, errors: Errors, old: Any) -> int:
        # Only a wrong number needs its path.
        if complaints is not None and complaints(value, ""):
            text = dotted(path)
            for wrong, why in complaints(value, text):
                errors.append(invalid("", "", why) if wrong is None else invalid(_name(text), wrong, why))
        return 2

    return check


def _list_check(schema: Schema, node: Structural | None, of_default: bool) -> Check:
    items = schema.get("items")
    step = _compile(items, node.items if node is not None else None, of_default) if isinstance(items, dict) else None
    fewest, most = schema.get("minItems"), schema.get("maxItems")
    keys = node.map_keys if node is not None and node.list_type == "map" else ()

    def check(value: list[Any], path: Path | None, errors: Errors, old: Any) -> int:
        count = 2
        if step is not None:
            if keys and old is not UNCORRELATED:
                find = item_finder(old, keys)
                for index, inner in enumerate(value):
                    count += step(inner, (path, index), errors, find(inner))
            else:
                for index, inner in enumerate(value):
                    count += step(inner, (path, index), errors, UNCORRELATED)
        size = len(value)
        if fewest is not None and size < fewest:
            text = dotted(path)
            errors.append(invalid(_name(text), size, f"{text} in body should have at least {fewest} items"))
        if most is not None and size > most:
            errors.append(too_many(_name(dotted(path)), size, int(most)))
        return count

    return check


def _object_check(schema: Schema, node: Structural | None, of_default: bool) -> Check:
    fields: dict[str, Check] = {
        name: _compile(inner, node.child(name) if node is not None else None, of_default)
        for name, inner in (schema.get("properties") or {}).items()
    }
    get_field = fields.get
    extra = schema.get("additionalProperties")
    others = (
        _compile(extra, node.additional if node is not None else None, of_default) if isinstance(extra, dict) else None
    )
    closed = extra is False
    needed: Iterable[str] = schema.get("required") or ()
    fewest, most = schema.get("minProperties"), schema.get("maxProperties")

    def check(value: dict[str, Any], path: Path | None, errors: Errors, old: Any) -> int:
        count = 1
        size = len(value)
        if fewest is not None and size < fewest:
            text = dotted(path)
            errors.append(invalid(_name(text), size, f"{text} in body should have at least {fewest} properties"))
        if most is not None and size > most:
            errors.append(too_many(_name(dotted(path)), size, int(most)))
        correlated = type(old) is dict
        for name, inner in value.items():
            step = get_field(name)
            place: Path = (path, name)
            if step is None:
                if others is None:
                    if closed:
                        text = dotted(path)
                        errors.append(invalid(_name(text), name, f"{text}.{name} in body is a forbidden property"))
                    continue
                step = others
                if path is None:
                    place = (None, f".{name}")
            before = old.get(name, UNCORRELATED) if correlated else UNCORRELATED
            if path is None and (name == "kind" or name == "apiVersion"):
                # Both objects were brought to the same version: what was wrong with it is not to be seen any more.
                before = UNCORRELATED
            count += step(inner, place, errors, before)
        for name in needed:
            if name not in value:
                errors.append(required(_name(dotted((path, name)))))
        return count

    return check


def _branches(schema: Schema, node: Structural | None, of_default: bool) -> Check | None:
    parts = [
        part
        for part in (
            _any_of([_compile(branch, node, of_default) for branch in schema.get("anyOf") or ()]),
            _one_of([_compile(branch, node, of_default) for branch in schema.get("oneOf") or ()]),
            _all_of([_compile(branch, node, of_default) for branch in schema.get("allOf") or ()]),
            _not(_compile(schema["not"], node, of_default) if schema.get("not") is not None else None),
        )
        if part is not None
    ]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    return lambda value, path, errors, old: sum(part(value, path, errors, old) for part in parts)


def _any_of(branches: list[Check]) -> Check | None:
    if not branches:
        return None

    def check(value: Any, path: Path | None, errors: Errors, old: Any) -> int:
        best: tuple[int, Errors] | None = None
        for branch in branches:
            found: Errors = []
            count = branch(value, path, found, old)
            if not found:
                return count
            if best is None or count > best[0]:
                best = (count, found)
        errors.append(invalid("", "", f"{quote(dotted(path))} must validate at least one schema (anyOf)"))
        if best is None:
            return 0
        errors += best[1]
        return best[0]

    return check


def _one_of(branches: list[Check]) -> Check | None:
    if not branches:
        return None

    def check(value: Any, path: Path | None, errors: Errors, old: Any) -> int:
        best: tuple[int, Errors] | None = None
        passed = first = 0
        for branch in branches:
            found: Errors = []
            count = branch(value, path, found, old)
            if not found:
                passed += 1
                best = None
                first = first or count
            elif passed == 0 and (best is None or count > best[0]):
                best = (count, found)
        if passed == 1:
            return first
        why = f"Found {passed} valid alternatives" if passed else "Found none valid"
        errors.append(invalid("", "", f"{quote(dotted(path))} must validate one and only one schema (oneOf). {why}"))
        if best is None:
            return 0
        errors += best[1]
        return best[0]

    return check


def _all_of(branches: list[Check]) -> Check | None:
    if not branches:
        return None

    def check(value: Any, path: Path | None, errors: Errors, old: Any) -> int:
        passed = total = 0
        for branch in branches:
            found: Errors = []
            total += branch(value, path, found, old)
            passed += not found
            errors += found
        if passed != len(branches):
            more = "" if passed else ". None validated"
            errors.append(invalid("", "", f"{quote(dotted(path))} must validate all the schemas (allOf){more}"))
        return total

    return check


def _not(branch: Check | None) -> Check | None:
    if branch is None:
        return None

    def check(value: Any, path: Path | None, errors: Errors, old: Any) -> int:
        found: Errors = []
        branch(value, path, found, old)
        if not found:
            errors.append(invalid("", "", f"{quote(dotted(path))} must not validate the schema (not)"))
        return 0

    return check
