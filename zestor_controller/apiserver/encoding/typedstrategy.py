"""The strategy that every built-in kind shares; a kind's own module overrides the few steps in which it differs.

Invariants: a main write never changes ``status``, a status write never changes anything but ``status`` and
metadata, and ``metadata.generation`` moves only when the counted fields change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.encoding import typedcodec as codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zestor_controller.apiserver.rest.resource import Writing
    from zestor_controller.apiserver.typed.typedef import Json
    from zestor_controller.schema.fielderror import FieldError

__all__ = ["BuiltinStrategy"]

_OWN_FIELDS = frozenset({"apiVersion", "kind", "metadata", "status"})


class BuiltinStrategy:
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

    def default(self, obj: Json) -> None:
        """Set the defaults of absent fields; none here."""

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Drop the status and start counting generations."""
        if self.has_status:
            self.reset_status(obj)
        if self.generation:
            obj["metadata"]["generation"] = 1

    def prepare_update(self, new: Json, old: Json, writing: Writing) -> None:
        """Keep what this write may not change, and count the generation."""
        if writing.subresource == "status":
            self.prepare_status(new, old)
        elif self.has_status and "status" in old:
            new["status"] = old["status"]
        if self.generation:
            # A status write may change annotations, which for some kinds count: it never moves the generation.
            self._set_generation(new, old, writing.subresource != "status" and self.counts_up(new, old))

    def prepare_status(self, new: Json, old: Json) -> None:
        """Keep everything but the status and the metadata."""
        for name in [name for name in new if name not in _OWN_FIELDS]:
            del new[name]
        for name, value in old.items():
            if name not in _OWN_FIELDS:
                new[name] = value

    def _set_generation(self, new: Json, old: Json, up: bool) -> None:
        generation = old["metadata"].get("generation", 0) + up
        if generation:
            new["metadata"]["generation"] = generation

    def counts_up(self, new: Json, old: Json) -> bool:
        """Whether a main write moves the generation: when anything but metadata and status changed."""
        return any(new.get(name) != old.get(name) for name in {*new, *old} - _OWN_FIELDS)

    def reset_fields(self, subresource: str) -> tuple[tuple[str, ...], ...]:
        """The paths that a write through a subresource (empty: the main one) sets back: they have no owner."""
        if subresource == "status":
            return (("spec",),)
        return (("status",),) if self.has_status else ()

    def reset_status(self, obj: Json) -> None:
        """Bring the status to its zero value."""
        obj["status"] = codec.zero(self.message)["status"]

    def validate(self, obj: Json) -> list[FieldError]:
        """The rules that hold for new and for changed objects alike; none here."""
        return []

    def validate_create(self, obj: Json, writing: Writing) -> list[FieldError]:
        """Every rule of a new object."""
        return self.validate(obj)

    def validate_update(self, new: Json, old: Json, writing: Writing) -> list[FieldError]:
        """Every rule of a changed object; a status write is held to the rules of the status alone."""
        if writing.subresource == "status":
            return self.validate_status(new, old)
        return self.validate(new) + self.validate_change(new, old)

    def validate_change(self, new: Json, old: Json) -> list[FieldError]:
        """What may not change in a main write; nothing here."""
        return []

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """The rules of a status write; none here."""
        return []

    def on_read(self, obj: Json) -> Json:
        """The object as it is served: as it is kept."""
        return obj

    def on_store(self, obj: Json) -> Json:
        """The object as it is kept: as it is served."""
        return obj
