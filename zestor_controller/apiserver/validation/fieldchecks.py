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
from zestor_controller.schema.nameformat import dns1123_label as bad_name_label
from zestor_controller.schema.nameformat import dns1123_subdomain as bad_subdomain
from zestor_controller.schema.nameformat import label_value as bad_label_value
from zestor_controller.schema.nameformat import qualified_name as bad_qualified_name

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

_CONFIG_KEY = r"[-._a-zA-Z0-9]+"

_CONFIG_KEY_RE = re.compile(_CONFIG_KEY)
_ENV_RE = re.compile(r"[ -<>-~]+")
_PERCENT_RE = re.compile(r"[0-9]+%")


def _regex(message: str, pattern: str, *examples: str) -> str:
    shown = "',  or '".join(examples)
    return f"{message} (e.g. '{shown}', regex used for validation is '{pattern}')"


_BAD_CONFIG_KEY = _regex(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def bad_config_key(value: str) -> list[str]:
    """Complaints about a key of a ConfigMap or Secret."""
    problems = ["must be no more than 253 characters"] if len(value) > 253 else []
    if _CONFIG_KEY_RE.fullmatch(value) is None:
        problems.append(_BAD_CONFIG_KEY)
    if value == ".":
        problems.append("must not be '.'")
    elif value.startswith(".."):
        problems.append("must not be '..'" if value == ".." else "must not start with '..'")
    return problems


def bad_env_name(value: str) -> list[str]:
    """Complaints about the name of an environment variable."""
    if not value:
        return ["environment variable name must be non-empty"]
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
