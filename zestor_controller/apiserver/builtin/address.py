"""IP addresses and blocks of them, as the server validates them with StrictIPCIDRValidation (on since 1.36).

What is refused beyond what is no address: leading zeros, which some programs read as octal; IPv4 in IPv6, which some
read as IPv4; bits beyond a block's prefix. IPv6 addresses need not be in canonical form, except where a field is newer
than that rule.
"""

from __future__ import annotations

import ipaddress
import re

from zestor_controller.schema import gotext
from zestor_controller.schema.fielderror import FieldError, invalid

__all__ = ["address_family", "check_cidr", "check_endpoint_ip", "check_ip", "is_address"]

_BAD_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_BAD_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_LEADING_ZEROS = re.compile(r"(^|(?<=[.:]))0+(?=[0-9])")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_address(text: str) -> bool:
    """Whether a text is an IP address, in a loose reading that ignores leading zeros."""
    return _loosely(text) is not None


def address_family(text: str) -> str:
    """``IPv4`` or ``IPv6``; empty for what is no address."""
    found = _loosely(text)
    return "" if found is None else f"IPv{4 if _mapped(found) else found.version}"


def check_ip(field: str, value: str, *, canonical: bool = False) -> list[FieldError]:
    """Errors of an IP address; with `canonical`, also for another spelling of it than Go's."""
    found = _loosely(value)
    if found is None:
        return [invalid(field, value, _BAD_IP)]
    errors = []
    if _strictly(value) is None:
        errors.append(invalid(field, value, "must not have leading 0s"))
    if _mapped(found):
        errors.append(invalid(field, value, "must not be an IPv4-mapped IPv6 address"))
    if not errors and canonical and value != str(found):
        errors.append(invalid(field, value, f"must be in canonical form ({gotext.quote(str(found))})"))
    return errors


def check_cidr(field: str, value: str) -> list[FieldError]:
    """Errors of a block of addresses."""
    head, slash, length = value.partition("/")
    found = _loosely(head)
    valid_length = slash and length.isascii() and length.isdecimal() and len(length.lstrip("0")) <= 3
    if found is None or not valid_length or int(length) > found.max_prefixlen:
        return [invalid(field, value, _BAD_CIDR)]
    if _strictly(head) is None or length != str(int(length)):
        return [invalid(field, value, "must not have leading 0s in IP or prefix length")]
    if _mapped(found):
        return [invalid(field, value, "must not have an IPv4-mapped IPv6 address")]
    if int(found) & ((1 << (found.max_prefixlen - int(length))) - 1):
        return [invalid(field, value, "must not have bits set beyond the prefix length")]
    return []


def check_endpoint_ip(field: str, value: str) -> list[FieldError]:
    """Errors of an address that traffic of the whole cluster would be sent to; the text has to be an address."""
    found = _loosely(value)
    if found is None:
        return [invalid(field, value, "must be a valid IP address")]
    embedded = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    address = embedded or found
    if address.is_unspecified:
        return [invalid(field, value, f"may not be unspecified ({value})")]
    if address.is_loopback:
        return [invalid(field, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")]
    if address.is_link_local:
        return [invalid(field, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
    if _is_link_local_multicast(address):
        message = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        return [invalid(field, value, message)]
    return []


def _is_link_local_multicast(address: Address) -> bool:
    packed = address.packed
    if address.version == 4:
        return packed[:3] == b"\xe0\x00\x00"
    return packed[0] == 0xFF and packed[1] & 0x0F == 2


def _strictly(text: str) -> Address | None:
    if "%" in text:  # a zone is part of no address that a cluster can use
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _loosely(text: str) -> Address | None:
    found = _strictly(text)
    if found is None and "." in text:
        head, _, dotted = text.rpartition(":")
        without = _LEADING_ZEROS.sub("", dotted)
        found = _strictly(f"{head}:{without}" if head else without)
    return found


def _mapped(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
