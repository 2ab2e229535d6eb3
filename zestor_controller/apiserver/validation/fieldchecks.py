"""Rules that many kinds share: names, labels, selectors, ports, numbers; each with the server's message.

A function named ``bad_*`` returns the messages for one value, none when it is valid; a function named ``check_*``
returns field errors.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from zestor_controller.schema.fielderror import (
    FieldError,
    forbidden,
    invalid,
    not_supported,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from zestor_controller.apiserver.typed.typedef import Json

__all__ = [
    "bad_config_key",
    "bad_env_name",
    "bad_label_value",
    "bad_name_label",
    "bad_port",
    "bad_port_name",
    "bad_qualified_name",
    "bad_subdomain",
    "check_enum",
    "check_immutable",
    "check_label_name",
    "check_labels",
    "check_not_negative",
    "check_percent_or_int",
    "check_selector",
    "check_text",
    "selector_matches",
    "shown_fields",
]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME_PART = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = rf"({_NAME_PART})?"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"

_LABEL_RE = re.compile(_LABEL)
_SUBDOMAIN_RE = re.compile(_SUBDOMAIN)
_NAME_PART_RE = re.compile(_NAME_PART)
_CONFIG_KEY_RE = re.compile(_CONFIG_KEY)
_ENV_RE = re.compile(r"[ -<>-~]+")
_PERCENT_RE = re.compile(r"[0-9]+%")


def _regex(message: str, pattern: str, *examples: str) -> str:
    shown = "',  or '".join(examples)
    return f"{message} (e.g. '{shown}', regex used for validation is '{pattern}')"


_BAD_LABEL = _regex(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_BAD_SUBDOMAIN = _regex(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_NAME_PART_MESSAGE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_BAD_NAME_PART = "name part " + _regex(_NAME_PART_MESSAGE, _NAME_PART, "MyName", "my.name", "123-abc")
_BAD_QUALIFIED = "a valid label key " + _regex(_NAME_PART_MESSAGE, _NAME_PART, "MyName", "my.name", "123-abc")
_BAD_LABEL_VALUE = _regex(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character",
    _LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_BAD_CONFIG_KEY = _regex(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def _too_long(limit: int, unit: str = "characters") -> str:
    return f"must be no more than {limit} {unit}"


def bad_name_label(value: str) -> list[str]:
    """Complaints about a DNS-1123 label."""
    return _named(value, 63, _LABEL_RE, _BAD_LABEL)


def bad_subdomain(value: str) -> list[str]:
    """Complaints about a DNS-1123 subdomain."""
    return _named(value, 253, _SUBDOMAIN_RE, _BAD_SUBDOMAIN)


def bad_label_value(value: str) -> list[str]:
    """Complaints about the value of a label."""
    if not value:
        return []
    return _named(value, 63, _NAME_PART_RE, _BAD_LABEL_VALUE, "bytes")


def _named(value: str, limit: int, pattern: re.Pattern[str], message: str, unit: str = "characters") -> list[str]:
    problems = [_too_long(limit, unit)] if len(value.encode()) > limit else []
    if pattern.fullmatch(value) is None:
        problems.append(message)
    return problems


def bad_qualified_name(value: str) -> list[str]:
    """Complaints about an optionally prefixed name, such as the key of a label."""
    prefix, slash, name = value.rpartition("/")
    problems: list[str] = []
    if "/" in prefix:
        return [f"{_BAD_QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        else:
            found = _named(prefix, 253, _SUBDOMAIN_RE, _BAD_SUBDOMAIN, "bytes")
            problems += [f"prefix part {text}" for text in found]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        problems.append(f"name part {_too_long(63, 'bytes')}")
    if _NAME_PART_RE.fullmatch(name) is None:
        problems.append(_BAD_NAME_PART)
    return problems


def bad_config_key(value: str) -> list[str]:
    """Complaints about a key of a ConfigMap or Secret."""
    problems = [_too_long(253)] if len(value) > 253 else []
    if _CONFIG_KEY_RE.fullmatch(value) is None:
        problems.append(_BAD_CONFIG_KEY)
    if value == ".":
        problems.append("must not be '.'")
    elif value.startswith(".."):
        problems.append("must not be '..'" if value == ".." else "must not start with '..'")
    return problems


def bad_env_name(value: str) -> list[str]:
    """Complaints about the name of an environment variable."""
    if _ENV_RE.fullmatch(value) is None:
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    return []


def bad_port_name(value: str) -> list[str]:
    """Complaints about the name of a container's port (an IANA service name)."""
    problems: list[str] = []
    if len(value) > 15:
        problems.append("must be no more than 15 characters")
    if re.fullmatch(r"[-a-z0-9]+", value) is None:
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if re.search(r"[a-z]", value) is None:
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def bad_port(value: int) -> list[str]:
    """Complaints about a port number."""
    return [] if 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]


def check_text(field: str, value: str, rule: Callable[[str], list[str]]) -> list[FieldError]:
    """Field errors for the complaints of one rule about one text."""
    return [invalid(field, value, text) for text in rule(value)]


def check_enum(field: str, value: Any, allowed: Iterable[str]) -> list[FieldError]:
    """An error when the value is none of those allowed; absent values are required."""
    choices = list(allowed)
    if not value:
        return [required(field)]
    return [] if value in choices else [not_supported(field, value, choices)]


def check_not_negative(field: str, value: int | None) -> list[FieldError]:
    """An error for a negative number; absent values pass."""
    if value is not None and value < 0:
        return [invalid(field, value, "must be greater than or equal to 0")]
    return []


def check_immutable(field: str, new: Any, old: Any) -> list[FieldError]:
    """An error when a value that is set once has changed."""
    return [] if new == old else [invalid(field, new, "field is immutable")]


def check_percent_or_int(field: str, value: Any) -> list[FieldError]:
    """Errors for what is neither a non-negative number nor a percentage."""
    if isinstance(value, str):
        if _PERCENT_RE.fullmatch(value) is None:
            message = "a valid percent string must be a numeric string followed by an ending '%'"
            return [invalid(field, value, _regex(message, "[0-9]+%", "1%", "93%"))]
        return []
    return check_not_negative(field, value)


def check_label_name(field: str, name: str) -> list[FieldError]:
    """Errors for the key of a label."""
    return check_text(field, name, bad_qualified_name)


def check_labels(field: str, labels: Mapping[str, str] | None) -> list[FieldError]:
    """Errors for the keys and values of labels."""
    errors: list[FieldError] = []
    for name, value in sorted((labels or {}).items()):
        errors += check_label_name(field, name)
        errors += check_text(field, value, bad_label_value)
    return errors


def check_selector(field: str, selector: Json | None) -> list[FieldError]:
    """Errors of a label selector."""
    if not selector:
        return []
    errors = check_labels(f"{field}.matchLabels", selector.get("matchLabels"))
    for index, term in enumerate(selector.get("matchExpressions", ())):
        where = f"{field}.matchExpressions[{index}]"
        operator, values = term.get("operator", ""), term.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                errors.append(required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                message = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(forbidden(f"{where}.values", message))
        else:
            errors.append(invalid(f"{where}.operator", operator, "not a valid selector operator"))
        errors += check_label_name(f"{where}.key", term.get("key", ""))
        for at, value in enumerate(values):
            errors += check_text(f"{where}.values[{at}]", value, bad_label_value)
    return errors


def selector_matches(selector: Json | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a label selector selects the labels; an empty selector selects all, an absent one nothing."""
    if selector is None:
        return False
    have = labels or {}
    if any(have.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or ():
        operator, key, values = term.get("operator"), term.get("key"), term.get("values") or ()
        present = key in have
        if operator == "In":
            matches = present and have[key] in values
        elif operator == "NotIn":
            matches = not present or have[key] not in values
        elif operator == "Exists":
            matches = present
        else:
            matches = operator == "DoesNotExist" and not present
        if not matches:
            return False
    return True


def shown_fields(value: Json, *names: str) -> str:
    """A value as refusals show structs that have no JSON names inside the server: Go's names, all fields."""
    return json.dumps({name[0].upper() + name[1:]: value.get(name) for name in names}, separators=(",", ":"))
