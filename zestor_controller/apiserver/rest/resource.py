"""The server's inner seams: what a resource is, what a type looks like, and what a strategy decides.

The registry holds :class:`Resource` values; the verbs know nothing of any kind but what its Resource says. Built-in
kinds and custom resources differ only in the Strategy and the TypeDef that they bring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from zestor_controller.apiserver.typed.typedef import Json, TypeDef
from zestor_controller.schema.fielderror import FieldError

__all__ = ["Column", "Resource", "Strategy", "Subresource", "User", "Writing", "custom_storage"]


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Writing:
    """What a strategy may know about the write it judges.

    Attributes:
        user: who writes.
        subresource: ``""``, ``status``, ``scale``, ...
        dry_run: nothing will be persisted.
        now: the time of the write, RFC 3339 with seconds.
        lookup: reads a live object: ``lookup(group, plural, namespace, name)``, None when absent.
        warnings: texts for ``Warning`` headers; a strategy appends.
    """

    user: User
    subresource: str
    dry_run: bool
    now: str
    lookup: Callable[[str, str, str, str], Json | None]
    warnings: list[str] = field(default_factory=list)


class Strategy(Protocol):
    """Everything kind-specific about reading and writing an object; pure but for `Writing.lookup`."""

    def decode(self, body: Json, validation: str, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
        """Bring a request's object into the kind's shape.

        Drops (or, when strict, refuses) unknown fields, refuses values of the wrong JSON type, normalises.

        Args:
            body: the decoded object; may be kept and changed.
            validation: ``Strict``, ``Warn`` or ``Ignore``.
            duplicates: paths of keys that stood twice in the document.

        Returns:
            The object and, for ``Warn``, the texts of the warnings.

        Raises:
            Failure: 400 for strict violations and for values of the wrong type.
        """
        ...

    def default(self, obj: Json) -> None:
        """Set the defaults of absent fields, in place; before validation, and on reads where the kind wants it."""
        ...

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Set or drop what a client may not decide on create (status, generation), in place."""
        ...

    def prepare_update(self, new: Json, old: Json, writing: Writing) -> None:
        """Carry over from `old` what this write may not change, and set generation, in place."""
        ...

    def validate_create(self, obj: Json, writing: Writing) -> list[FieldError]:
        """Every rule of a new object, beyond those of ObjectMeta (which the verbs check)."""
        ...

    def validate_update(self, new: Json, old: Json, writing: Writing) -> list[FieldError]:
        """Every rule of a changed object, immutable fields included, beyond those of ObjectMeta."""
        ...

    def on_read(self, obj: Json) -> Json:
        """The object as it is served in this resource's version (conversion, defaults); may return `obj` itself."""
        ...

    def on_store(self, obj: Json) -> Json:
        """The object as it is kept (the storage version); may return `obj` itself."""
        ...


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a Table: the header's fields, and how a row's cell is computed.

    Attributes:
        cell: from the object and the present time (seconds since the epoch) to the cell.
    """

    name: str
    type: str
    format: str
    description: str
    priority: int
    cell: Callable[[Json, float], Any]


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource: its own kind and verbs; the verbs' code is looked up by name."""

    name: str
    kind: str
    group: str
    version: str
    verbs: tuple[str, ...]


def custom_storage(group: str, plural: str) -> tuple[str, str]:
    """What a custom resource is kept under: never the key of a built-in one, for no group's name has a slash."""
    return f"customresources/{group}", plural


@dataclass(slots=True)
class Resource:
    """One served resource in one version.

    Attributes:
        types: the object's TypeDef (a struct); called lazily, cached by the callee.
        selectable: field selectors beyond metadata.name and metadata.namespace: label to the value's getter, which
            answers a string.
        returns_deleted: DELETE answers the object, not a Status.
        unconditional_update: PUT without resourceVersion is accepted.
        create_on_update: PUT to a missing name creates.
        generation: the kind counts generations.
        strategic: strategic merge patches are accepted (built-in kinds only).
        storage: the key under which versions of one resource share their objects: (group, plural), with a prefix for
            custom resources.
        protobuf: the message name of the kind, empty for custom resources.
        name_rule: what a name must be: ``subdomain``, ``label`` (RFC 1123), ``label1035`` or ``path``.
        stored_as: the storage key where it is not (group, plural): a resource that two groups serve.
        verbs: in the order of discovery: ``create delete deletecollection get list patch update watch``.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    strategy: Strategy
    types: Callable[[], TypeDef]
    verbs: tuple[str, ...] = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    columns: Sequence[Column] = ()
    selectable: Mapping[str, Callable[[Json], str]] = field(default_factory=dict)
    returns_deleted: bool = False
    unconditional_update: bool = True
    create_on_update: bool = False
    generation: bool = False
    strategic: bool = True
    protobuf: str = ""
    custom: bool = False
    deprecation: str = ""
    name_rule: str = "subdomain"
    stored_as: tuple[str, str] | None = None

    @property
    def api_version(self) -> str:
        """``group/version``, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage(self) -> tuple[str, str]:
        """What its objects are kept under: the group and the plural, whatever the version."""
        return custom_storage(self.group, self.plural) if self.custom else self.stored_as or (self.group, self.plural)

    @property
    def list_name(self) -> str:
        """The kind of its lists."""
        return self.list_kind or self.kind + "List"
