"""The formats of strings that kube-apiserver 1.36 knows, and whether a text has one.

A format that is not known means nothing: the server warns about it when the definition is written, and checks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv6Address
from typing import Final
from urllib.parse import urlsplit

from zestor_controller.schema.pattern import compile_pattern

__all__ = ["checker", "is_known"]

Check = Callable[[str], bool]

_HOSTNAME = (
    r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}"
    r"[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$"
)
_ASCII_HOSTNAME = re.compile(
    r"[a-zA-Z0-9](?:-?[a-zA-Z0-9]{0,62})?|(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]{2,63}"
)
_ASCII_SIGNS = frozenset("$+<=>^`|~")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:.[0-9]+)?(?:z|[+-][0-9]{2}:[0-9]{2})")
# Values come from users: what is repeated is possessive, so that no text takes more than linear time (A7).
_GO_DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d++(?:\.\d*+)?+|\.\d++)(?:ns|us|µs|μs|ms|s|m|h))++)", re.ASCII)
_DURATION_PART = re.compile(r"(?<!\d)\d++\s*+([A-Za-zµ]+)", re.ASCII)
_UNITS = {"ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk"}
_UNIT_WORDS = ("nano", "micro", "milli", "sec", "min", "hour", "day", "week")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_LOCAL = rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[^"\\\r\n]|\\.)*")'
_ADDRESS = rf"{_LOCAL}@(?:{_ATOM}(?:\.{_ATOM})*|\[[^\]\s]+\])"
_WORDS = rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[^"\\\r\n]|\\.)*")'
_EMAIL = re.compile(rf"\s*+(?:{_ADDRESS}|(?:{_WORDS}(?:\s++{_WORDS})*+\s*+)?+<{_ADDRESS}>)\s*+", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


def _matches(pattern: str, *, any_case: bool = False) -> Check:
    found = re.compile(pattern, re.ASCII | (re.IGNORECASE if any_case else 0))
    return lambda text: found.fullmatch(text) is not None


def _day_exists(year: int, month: int, day: int) -> bool:
    if not 1 <= month <= 12 or day < 1:
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return day <= (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def _date(text: str) -> bool:
    found = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text, re.ASCII)
    return found is not None and _day_exists(int(found[1]), int(found[2]), int(found[3]))


def _date_time(text: str) -> bool:
    parts = text.lower().split("t")
    if len(parts) < 2 or not _date(parts[0]):
        return False
    found = _TIME.fullmatch(parts[1])
    # Offsets are not looked at, nor is what follows a second "t": so it is on the server.
    return found is not None and found[1] <= "23" and found[2] <= "59" and found[3] <= "59"


def _duration(text: str) -> bool:
    if _GO_DURATION.fullmatch(text):
        return True
    for found in _DURATION_PART.finditer(text):
        unit = found[1].lower()
        if unit in _UNITS or unit.startswith(_UNIT_WORDS):
            return True
    return False


def _ipv4(text: str) -> bool:
    if text.count(".") == 3 and ":" not in text:
        parts = text.split(".")
        # Leading zeros are read as decimal, as the server has always done.
        return all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts)
    return "." in text and _ipv6_address(text)


def _ipv6_address(text: str) -> bool:
    if "%" in text:
        return False
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def _ipv6(text: str) -> bool:
    return ":" in text and _ipv6_address(text)


def _cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    if not slash or not re.fullmatch(r"\d{1,3}", bits, re.ASCII):
        return False
    if ":" in address:
        return int(bits) <= 128 and _ipv6_address(address)
    return int(bits) <= 32 and _ipv4(address)


def _mac(text: str) -> bool:
    for pattern in (
        r"[0-9a-fA-F]{2}(?:([:\-])[0-9a-fA-F]{2})(?:\1[0-9a-fA-F]{2})*",
        r"(?:[0-9a-fA-F]{4}\.)+[0-9a-fA-F]{4}",
    ):
        if re.fullmatch(pattern, text):
            return len(re.sub(r"[^0-9a-fA-F]", "", text)) in (12, 16, 40)
    return False


def _uri(text: str) -> bool:
    if not text or any(char < " " or char == "\x7f" for char in text):
        return False
    if text == "*":
        return True
    scheme = _SCHEME.match(text)
    if scheme is None and not text.startswith("/"):
        return False
    try:
        parts = urlsplit(text)
        port = parts.netloc.rpartition("@")[2].rpartition("]")[2].partition(":")[2]
    except ValueError:
        return False
    if re.search(r"%(?![0-9A-Fa-f]{2})", parts.path):
        return False
    host = parts.netloc.rpartition("@")[2]
    return (not port or port.isdigit()) and not re.search(r"[ <>\"%^`{}|\\]", host)


def _hostname(text: str) -> bool:
    if len(text.encode("utf-8", "replace")) > 255 or any(
        len(part.encode("utf-8", "replace")) > 63 for part in text.split(".")
    ):
        return False
    if text.isascii() and not _ASCII_SIGNS.intersection(text):
        return _ASCII_HOSTNAME.fullmatch(text) is not None
    return compile_pattern(_HOSTNAME).search(text)


def _email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def _digits(text: str) -> str:
    return re.sub(r"[\s-]+", "", text)


def _isbn10(text: str) -> bool:
    found = _digits(text)
    if not re.fullmatch(r"[0-9]{9}[0-9X]", found):
        return False
    total = sum((index + 1) * int(digit) for index, digit in enumerate(found[:9]))
    return (total + 10 * (10 if found[9] == "X" else int(found[9]))) % 11 == 0


def _isbn13(text: str) -> bool:
    found = _digits(text)
    if not re.fullmatch(r"[0-9]{13}", found):
        return False
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(found[:12]))
    return int(found[12]) == (10 - total % 10) % 10


_CARD = re.compile(
    r"4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|"
    r"3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11}",
    re.ASCII,
)


def _credit_card(text: str) -> bool:
    found = re.sub(r"[^0-9]+", "", text)
    if not _CARD.fullmatch(found):
        return False
    total = 0
    for index, digit in enumerate(reversed(found)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


_OCTET = r"(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])"
_NAME = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SHORT_NAME = _matches(_NAME)
_LONG_NAME = _matches(rf"{_NAME}(?:\.{_NAME})*")

_CHECKS: Final[dict[str, Check]] = {
    "bsonobjectid": _matches(r"[0-9a-fA-F]{24}"),
    "uri": _uri,
    "email": _email,
    "hostname": _hostname,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "cidr": _cidr,
    "mac": _mac,
    "uuid": _matches(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", any_case=True),
    "uuid3": _matches(r"[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}", any_case=True),
    "uuid4": _matches(r"[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}", any_case=True),
    "uuid5": _matches(r"[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}", any_case=True),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _credit_card,
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matches(r"#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _matches(rf"rgb\(\s*{_OCTET}\s*,\s*{_OCTET}\s*,\s*{_OCTET}\s*\)"),
    "byte": _matches(
        r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})",
    ),
    "password": lambda text: True,
    "date": _date,
    "duration": _duration,
    "datetime": _date_time,
    "k8sshortname": lambda text: len(text) <= 63 and _SHORT_NAME(text),
    "k8slongname": lambda text: len(text) <= 253 and _LONG_NAME(text),
}
_NUMERIC: Final = {"integer": ("int32", "int64"), "number": ("float", "double")}


def is_known(name: str, types: tuple[str, ...]) -> bool:
    """Whether a format means anything for a schema of these types."""
    only = types[0] if len(types) == 1 else ""
    if only in ("", "string"):
        return name.replace("-", "") in _CHECKS
    return name in _NUMERIC.get(only, ())


def checker(name: str) -> Check | None:
    """What tells whether a text has a format; None for formats that strings do not have."""
    return _CHECKS.get(name.replace("-", ""))
