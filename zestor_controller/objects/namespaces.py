"""Which namespaces: the one check of a selection that a user wrote, so that none is silently empty."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from zestor_controller.errors import ConfigError

__all__ = ["checked_namespaces"]

MAX_LENGTH: Final = 63
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def checked_namespaces(namespaces: Iterable[str] | None, *, where: str = "namespaces") -> tuple[str, ...] | None:
    """Names of namespaces as a user gave them, each once; None for all of them.

    Args:
        namespaces: a collection of names, or None.
        where: what it was given to, for the error.

    Raises:
        ConfigError: it is one text, it is empty, or one of its items can be no namespace's name: a pattern, a negation,
            several names in one text, blanks.
    """
    if namespaces is None:
        return None
    if isinstance(namespaces, str | bytes):
        raise ConfigError(f"{where}: takes a list of names, not one text; write {_as_list(namespaces)}")
    try:
        names: list[Any] = list(namespaces)
    except TypeError:
        raise ConfigError(f"{where}: takes a list of names, not {namespaces!r}") from None
    if not names:
        raise ConfigError(f"{where}: an empty list selects nothing; leave it out, or give None, for all namespaces")
    for name in names:
        if not isinstance(name, str) or len(name) > MAX_LENGTH or not _LABEL.fullmatch(name):
            raise ConfigError(f"{where}: {name!r} is no name of a namespace; {_advice(name)}")
    return tuple(dict.fromkeys(names))


def _as_list(text: str | bytes) -> str:
    given = text.decode(errors="replace") if isinstance(text, bytes) else text
    return repr([part.strip() for part in given.split(",")])


def _advice(name: object) -> str:
    if not isinstance(name, str):
        return "write the name as a text"
    if not name.strip():
        return "leave the list out, or give None, for all namespaces"
    if "," in name:
        return f"write {_as_list(name)}"
    if name.strip() == "*":
        return "leave the list out, or give None, for all namespaces"
    if re.search(r"[*?\[\]!]", name):
        return "patterns and negations are not supported: list the namespaces by name, or watch all and use a selector"
    if name != name.strip():
        return f"write {name.strip()!r}, without blanks"
    return f"it takes lower-case letters, digits and '-', at most {MAX_LENGTH}, with a letter or digit at both ends"
