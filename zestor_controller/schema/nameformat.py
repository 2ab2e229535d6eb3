"""The rules of names, labels and annotations, with the API machinery's messages.

Each rule returns the messages for a text; none when it is valid.
"""

from __future__ import annotations

import re

__all__ = [
    "dns1035_label",
    "dns1123_label",
    "dns1123_subdomain",
    "label_value",
    "path_segment",
    "qualified_name",
]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


def _wrong(message: str, pattern: re.Pattern[str], *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern.pattern}')"


def _limited(text: str, limit: int, unit: str = "characters") -> list[str]:
    return [f"must be no more than {limit} {unit}"] if len(text.encode()) > limit else []


def dns1123_label(text: str) -> list[str]:
    """RFC 1123: lower case letters, digits and ``-``, at most 63 bytes."""
    found = _limited(text, 63)
    if not _LABEL.fullmatch(text):
        if _SUBDOMAIN.fullmatch(text):
            found.append("must not contain dots")
        else:
            why = (
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
                "and end with an alphanumeric character"
            )
            found.append(_wrong(why, _LABEL, "my-name", "123-abc"))
    return found


def dns1035_label(text: str) -> list[str]:
    """RFC 1035: like a label of RFC 1123, but starting with a letter."""
    found = _limited(text, 63)
    if not _LABEL_1035.fullmatch(text):
        why = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character"
        )
        found.append(_wrong(why, _LABEL_1035, "my-name", "abc-123"))
    return found


def dns1123_subdomain(text: str) -> list[str]:
    """Labels of RFC 1123 with dots between them, at most 253 bytes."""
    return _subdomain(text, "characters")


def _subdomain(text: str, unit: str) -> list[str]:
    found = _limited(text, 253, unit)
    if not _SUBDOMAIN.fullmatch(text):
        why = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character"
        )
        found.append(_wrong(why, _SUBDOMAIN, "example.com"))
    return found


def qualified_name(text: str) -> list[str]:
    """An optional subdomain with a slash, then a name of at most 63 bytes."""
    why = (
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character"
    )
    examples = ("MyName", "my.name", "123-abc")
    parts = text.split("/")
    if len(parts) > 2:
        base = "a valid label key " + _wrong(why, _QUALIFIED, *examples)
        return [f"{base} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    found: list[str] = []
    if len(parts) == 2:
        if not parts[0]:
            found.append("prefix part must be non-empty")
        else:
            found += [f"prefix part {message}" for message in _subdomain(parts[0], "bytes")]
    name = parts[-1]
    if not name:
        found.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        found += [f"name part {message}" for message in _limited(name, 63, "bytes")]
    if not _QUALIFIED.fullmatch(name):
        found.append("name part " + _wrong(why, _QUALIFIED, *examples))
    return found


def label_value(text: str) -> list[str]:
    """A label's value: empty, or a name of at most 63 bytes."""
    found = _limited(text, 63, "bytes")
    if not _VALUE.fullmatch(text):
        why = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character"
        )
        found.append(_wrong(why, _VALUE, "MyValue", "my_value", "12345"))
    return found


def path_segment(text: str) -> list[str]:
    """A name that may be part of a path: no ``/``, no ``%``, neither ``.`` nor ``..``."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{sign}'" for sign in "/%" if sign in text]
