"""The names of a custom resource's class, by the rules that an API server has for the CRD made of it.

Source: ``k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation`` and ``k8s.io/apimachinery`` (DNS labels).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from zestor_controller.errors import ConfigError

__all__ = ["check_names"]

_LABEL: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_GROUP: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")


def check_names(
    owner: str, group: str, version: str, plural: str, kind: str, short_names: Iterable[str], categories: Iterable[str]
) -> None:
    """Check the names that a class gives to its kind.

    Args:
        owner: the class's name; errors begin with it.
        group: a DNS subdomain with at least one dot.
        version: a DNS label, such as ``v1``.
        plural: a DNS label.
        kind: CamelCase; its lower case is a DNS label, also with ``List`` behind it.
        short_names: DNS labels.
        categories: DNS labels.

    Raises:
        ConfigError: a name breaks its rule.
    """
    if len(group) > 253 or not _GROUP.fullmatch(group):
        raise ConfigError(
            f"class {owner}: group={group!r} is no API group: use a domain in lower case with at least one dot, "
            "such as 'example.com'"
        )
    if len(f"{plural}.{group}") > 253:
        raise ConfigError(f"class {owner}: the CRD's name '{plural}.{group}' is longer than 253 characters")
    for argument, given in (("short_names", short_names), ("categories", categories)):
        if isinstance(given, str):
            raise ConfigError(f"class {owner}: {argument}={given!r} is one text: give a tuple, such as ({given!r},)")
    if len(kind) > 59:
        raise ConfigError(f"class {owner}: kind: {kind!r} is longer than 59 characters, and {kind}List than 63")
    named = [("version", version), ("plural", plural), ("kind", kind)]
    named += [("short_names", name) for name in short_names] + [("categories", name) for name in categories]
    for argument, name in named:
        if not _LABEL.fullmatch(name.lower() if argument == "kind" else name):
            raise ConfigError(
                f"class {owner}: {argument}: {name!r} is no name that an API server takes: use lower-case letters, "
                "digits and '-', beginning with a letter and ending with a letter or digit, at most 63"
                + (" (a kind may have capitals)" if argument == "kind" else "")
            )
