"""Names that have changed: the old ones work for one minor version, with a warning.

Invariant: an alias is the new object itself; only looking it up by its old name warns.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

from zestor_controller.errors import ZestorDeprecationWarning

__all__ = ["renamed"]


def renamed(module: str, aliases: Mapping[str, tuple[str, object]], *, since: str) -> Callable[[str], object]:
    """The ``__getattr__`` of a module some of whose names have changed.

    Assign it under ``if not TYPE_CHECKING``: a type checker would take any name for one of the module otherwise.

    Args:
        module: the module's ``__name__``.
        aliases: by old name: the new name, for the message, and the object.
        since: the version that introduced the new names.
    """

    def lookup(name: str) -> object:
        if name not in aliases:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new, value = aliases[name]
        warnings.warn(
            f"{module}.{name} is deprecated since {since} and will be removed in the next minor version; use {new}",
            ZestorDeprecationWarning,
            stacklevel=2,
        )
        return value

    return lookup
