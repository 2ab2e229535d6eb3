"""The Strategy protocol: everything that a kind decides about reading, writing and deleting its objects.

A resource has one strategy; a subresource that writes the object (status, finalize, ...) has one of its own, which is
used in its place. Every member has a default in :class:`BaseStrategy`; generic code calls members and looks up none.

Invariant: a strategy is pure. It changes the objects that it is given where its member says "in place", appends to
``ctx.warnings``, and does nothing else.

Source: apiserver pkg/registry/rest/{create,update,delete}.go, pkg/registry/generic/registry/store.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.schema.fielderror import FieldError
from zestor_controller.schema.nameformat import dns1123_subdomain

__all__ = ["BaseStrategy", "Strategy", "SubresourceStrategy", "WriteContext"]


@dataclass(slots=True)
class WriteContext:
    """What a strategy may know about a write, beside its objects.

    Attributes:
        user: who writes.
        dry_run: nothing will be persisted.
        now: the time of the write, RFC 3339 with seconds.
        warnings: texts for ``Warning`` headers; a strategy appends.
    """

    user: User
    dry_run: bool
    now: str
    warnings: list[str] = field(default_factory=list)


class Strategy(Protocol):
    """What a kind decides: the members of writes in the order of their calls, then those of reads and deletes."""

    def decode(self, body: Json, validation: str, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
        """Bring a request's object into the kind's shape.

        Drops (or, when strict, rejects) unknown fields, rejects values of the wrong JSON type, normalises.

        Args:
            body: the decoded object; may be kept and changed.
            validation: ``Strict``, ``Warn`` or ``Ignore``.
            duplicates: paths of keys that occur twice in the document.

        Returns:
            The object and, for ``Warn``, the texts of the warnings.

        Raises:
            Failure: 400 for strict violations and for values of the wrong type.
        """
        ...

    def default(self, obj: Json) -> None:
        """Set the defaults of absent fields, in place, before anything else looks at the object."""
        ...

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Set or drop what a client may not decide on create (status, generation), in place.

        Raises:
            Failure: 403 where nothing may be created now.
        """
        ...

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Carry over from `old` what this write may not change, and set the generation, in place."""
        ...

    def validate_name(self, name: str) -> list[str]:
        """What is wrong with a name, one message each; a prefix (``generateName``) comes without its last hyphen."""
        ...

    def validate_finalizers(self, finalizers: Sequence[str]) -> list[FieldError]:
        """The kind's rules of finalizers, beyond those of every ObjectMeta."""
        ...

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """Every rule of a new object, beyond those of its metadata."""
        ...

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """Every rule of a changed object, immutable fields included, beyond those of its metadata."""
        ...

    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        """The paths that a write through this endpoint sets back whatever it sends: no manager comes to own them."""
        ...

    def on_read(self, obj: Json) -> Json:
        """The object as it is served in this resource's version (conversion, defaults); may change and return `obj`."""
        ...

    def on_store(self, obj: Json) -> Json:
        """The object as it is kept (the storage version); may change and return `obj`."""
        ...

    def prepare_for_delete(self, ctx: WriteContext, obj: Json) -> bool:
        """Mark an object on its first DELETE, in place, before finalizers and grace are considered.

        Returns:
            Whether a controller finishes the deletion: the object stays now, whatever the options of the DELETE say.
        """
        ...

    def graceful_delete(self, obj: Json, seconds: int | None) -> int | None:
        """The grace period of a DELETE.

        Args:
            obj: the object, as it is.
            seconds: the requested period; None without one.

        Returns:
            Seconds for which the object stays; None for a kind whose objects are not deleted gracefully.
        """
        ...

    def should_delete(self, obj: Json) -> bool:
        """Whether an object that is being deleted and has no finalizers in its metadata is removed."""
        ...


class BaseStrategy:
    """The defaults of every member: a kind with a DNS subdomain as name, without status, and deleted at once."""

    def decode(self, body: Json, validation: str, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
        """Take the object as it is."""
        return body, []

    def default(self, obj: Json) -> None:
        """Set no defaults."""

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Leave everything to the client."""

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Leave everything to the client."""

    def validate_name(self, name: str) -> list[str]:
        """A name is a DNS subdomain."""
        return dns1123_subdomain(name)

    def validate_finalizers(self, finalizers: Sequence[str]) -> list[FieldError]:
        """Add no rules."""
        return []

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """Add no rules."""
        return []

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """Add no rules."""
        return []

    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        """Every field may be owned."""
        return ()

    def on_read(self, obj: Json) -> Json:
        """Objects are served as they are kept."""
        return obj

    def on_store(self, obj: Json) -> Json:
        """Objects are kept as they are served."""
        return obj

    def prepare_for_delete(self, ctx: WriteContext, obj: Json) -> bool:
        """Nothing is marked, and no controller is waited for."""
        return False

    def graceful_delete(self, obj: Json, seconds: int | None) -> int | None:
        """Objects are not deleted gracefully."""
        return None

    def should_delete(self, obj: Json) -> bool:
        """Nothing but finalizers keeps an object."""
        return True


class SubresourceStrategy(BaseStrategy):
    """The base of strategies that write a part of an object: reading and names are those of the object's own strategy.

    Args:
        main: the strategy of the object.
    """

    def __init__(self, main: Strategy) -> None:
        self._main = main

    def decode(self, body: Json, validation: str, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
        """A part is written with the complete object around it."""
        return self._main.decode(body, validation, duplicates)

    def default(self, obj: Json) -> None:
        """Set the defaults of the object."""
        self._main.default(obj)

    def validate_finalizers(self, finalizers: Sequence[str]) -> list[FieldError]:
        """The rules of the object."""
        return self._main.validate_finalizers(finalizers)

    def on_read(self, obj: Json) -> Json:
        """As the object itself."""
        return self._main.on_read(obj)

    def on_store(self, obj: Json) -> Json:
        """As the object itself."""
        return self._main.on_store(obj)

    def should_delete(self, obj: Json) -> bool:
        """As the object itself."""
        return self._main.should_delete(obj)
