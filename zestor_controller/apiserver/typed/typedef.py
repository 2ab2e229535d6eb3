"""What a type looks like: the shape that merging, ownership of fields and decoding go by.

Invariant: a TypeDef never changes once it is made. The same shape serves built-in kinds (from the published field
tables) and custom resources (from the schema of their definition).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["UNTYPED", "Json", "TypeDef"]

Json = dict[str, Any]


@dataclass(slots=True)
class TypeDef:
    """The shape of a value, whether it comes from the tables of built-in kinds or from a CRD's schema.

    Attributes:
        form: ``scalar``, ``struct`` (named fields), ``map`` (any keys, one value type), ``list``, or ``any``
            (untyped: ownership and merging are deduced from the value itself).
        scalar: for scalars: ``string integer number boolean bytes quantity int-or-string time microtime duration``.
        fields: a struct's fields; a callable because types may be recursive. Called once, then cached by the holder.
        element: the type of a map's values or a list's items.
        topology: ``granular`` or ``atomic`` for maps and structs; ``atomic``, ``set`` or ``map`` for lists.
        keys: the key fields of a ``map`` list, with `key_defaults` for those that may be absent.
        patch_strategy: of strategic merge patches: ``""``, ``merge``, ``replace``, ``retainKeys``, comma-joined.
        patch_merge_key: the key field of a merging list of objects.
        preserve_unknown: fields that are not named are kept and owned as untyped values.
    """

    form: str
    scalar: str = ""
    fields: Callable[[], Mapping[str, TypeDef]] | None = None
    element: TypeDef | None = None
    topology: str = "granular"
    keys: tuple[str, ...] = ()
    key_defaults: Mapping[str, Any] = field(default_factory=dict)
    patch_strategy: str = ""
    patch_merge_key: str = ""
    preserve_unknown: bool = False

    def child(self, name: str) -> TypeDef | None:
        """The type of a named field or map value; None when the type does not know it."""
        if self.form == "struct" and self.fields is not None:
            found = self.fields().get(name)
            if found is not None:
                return found
            return UNTYPED if self.preserve_unknown else self.element
        if self.form == "map":
            return self.element
        return UNTYPED if self.form == "any" else None


UNTYPED = TypeDef("any")
