"""The strategies that built-in kinds share; a kind's own module overrides the few members in which it differs.

Invariants: a main write never changes ``status``, a status write never changes anything but ``status`` and
metadata, and ``metadata.generation`` moves only when the counted fields change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.encoding import typedcodec as codec
from zestor_controller.apiserver.rest.strategy import BaseStrategy, SubresourceStrategy
from zestor_controller.schema.fielderror import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json
    from zestor_controller.schema.fielderror import FieldError

__all__ = ["BuiltinStrategy", "StatusStrategy"]

_OWN_FIELDS = frozenset({"apiVersion", "kind", "metadata", "status"})
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})


class BuiltinStrategy(BaseStrategy):
    """Decoding by the field tables, and the common rules about status and generation.

    Attributes:
        kind: the kind, as messages name it.
        version: the version without the group.
        message: the full name of the kind's message.
        has_status: main writes cannot touch ``status``.
        generation: the kind counts generations.
    """

    has_status = True
    generation = False

    def __init__(self, kind: str, version: str, message: str) -> None:
        self.kind = kind
        self.version = version
        self.message = message

    def decode(self, body: Json, validation: str, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
        """Bring a request's object into the kind's shape."""
        try:
            obj, complaints = codec.decode(self.message, body, duplicates)
        except ValueError as error:
            raise codec.DecodeFailure(self.kind, self.version, str(error)) from None
        if complaints and validation == "Strict":
            raise codec.DecodeFailure(self.kind, self.version, "strict decoding error: " + ", ".join(complaints))
        return obj, complaints if validation == "Warn" else []

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Drop the status and start counting generations."""
        if self.has_status:
            self.reset_status(obj)
        if self.generation:
            obj["metadata"]["generation"] = 1

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Keep what this write may not change, and count the generation."""
        if self.has_status and "status" in old:
            new["status"] = old["status"]
        if self.generation:
            self.set_generation(new, old, self.counts_up(new, old))

    def prepare_status(self, new: Json, old: Json) -> None:
        """Keep everything but the status and the metadata."""
        for name in [name for name in new if name not in _OWN_FIELDS]:
            del new[name]
        for name, value in old.items():
            if name not in _OWN_FIELDS:
                new[name] = value

    def set_generation(self, new: Json, old: Json, up: bool) -> None:
        """Keep the generation of the object, or let it go up by one."""
        generation = old["metadata"].get("generation", 0) + up
        if generation:
            new["metadata"]["generation"] = generation

    def counts_up(self, new: Json, old: Json) -> bool:
        """Whether a main write moves the generation: when anything but metadata and status changed."""
        return any(new.get(name) != old.get(name) for name in {*new, *old} - _OWN_FIELDS)

    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        """The status, where it has an endpoint of its own."""
        return (("status",),) if self.has_status else ()

    def reset_status_fields(self) -> tuple[tuple[str, ...], ...]:
        """The paths that a status write sets back."""
        return (("spec",),)

    def validate_finalizers(self, finalizers: Sequence[str]) -> list[FieldError]:
        """A finalizer has a standard name, or one with a domain."""
        message = "name is neither a standard finalizer name nor is it fully qualified"
        return [
            invalid(f"metadata.finalizers[{index}]", name, message)
            for index, name in enumerate(finalizers)
            if "/" not in name and name not in _STANDARD_FINALIZERS
        ]

    def reset_status(self, obj: Json) -> None:
        """Bring the status to its zero value."""
        obj["status"] = codec.zero(self.message)["status"]

    def validate(self, obj: Json) -> list[FieldError]:
        """The rules that hold for new and for changed objects alike; none here."""
        return []

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """Every rule of a new object."""
        return self.validate(obj)

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """Every rule of a changed object."""
        return self.validate(new) + self.validate_change(new, old)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """What may not change in a main write; nothing here."""
        return []

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """The rules of a status write; none here."""
        return []


class StatusStrategy(SubresourceStrategy):
    """How the status of a built-in kind is written: as the kind's own strategy prepares and validates it.

    Args:
        main: the strategy of the object.
    """

    def __init__(self, main: BuiltinStrategy) -> None:
        super().__init__(main)
        self._kind = main

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Keep everything but the status and the metadata, and the generation, which no status write moves."""
        self._kind.prepare_status(new, old)
        if self._kind.generation:
            self._kind.set_generation(new, old, False)

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """Every rule of the status."""
        return self._kind.validate_status(new, old)

    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        """Everything but the status."""
        return self._kind.reset_status_fields()
