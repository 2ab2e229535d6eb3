"""Resources, the context of a request for one, and the reply: what the generic code knows of everything it serves.

The registry holds :class:`Resource` values; the verbs know nothing of any kind but what its Resource says. Built-in
kinds and custom resources differ in the Strategy, the TypeDef and the WireProfile that they bring, and in nothing else.

Source: apiserver pkg/registry/rest/rest.go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.rest.wireprofile import TYPED, WireProfile
from zestor_controller.apiserver.typed.typedef import Json, TypeDef

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from zestor_controller.apiserver.rest.requestinfo import RequestInfo
    from zestor_controller.apiserver.rest.strategy import Strategy
    from zestor_controller.apiserver.rest.user import User
    from zestor_controller.http import HttpRequest

__all__ = ["Column", "Handler", "Reply", "RequestContext", "Resource", "ScalePaths", "Subresource", "custom_storage"]

Handler = Callable[["RequestContext"], "Reply | Awaitable[Reply]"]
"""Serves one verb of a resource or subresource in place of the storage."""


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
class ScalePaths:
    """Where an object keeps what its Scale shows: JSON paths that begin with a dot.

    Attributes:
        spec_replicas: the requested number.
        status_replicas: the present number.
        label_selector: the selector as text; empty: the kind keeps a LabelSelector, of which the text is made.
    """

    spec_replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    label_selector: str = ""


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource: its kind and verbs, and either a strategy or a handler per verb.

    Attributes:
        name: as in paths.
        kind: of what is sent and returned, with its group and version.
        verbs: in the order of discovery.
        strategy: how the object is written through it (status, finalize); the generic verbs do the rest.
        scales: it is the scale subresource, served as a Scale of the object.
        handlers: the code of its verbs, where it has code of its own.
    """

    name: str
    kind: str
    group: str
    version: str
    verbs: tuple[str, ...]
    strategy: Strategy | None = None
    scales: bool = False
    handlers: Mapping[str, Handler] = field(default_factory=dict)


def custom_storage(group: str, plural: str) -> tuple[str, str]:
    """What a custom resource is kept under: never the key of a built-in one, for no group's name has a slash."""
    return f"customresources/{group}", plural


@dataclass(slots=True)
class Resource:
    """One served resource in one version.

    Attributes:
        types: the object's TypeDef (a struct); called lazily, cached by the callee.
        wire: how requests for it are read and answered.
        verbs: in the order of discovery: ``create delete deletecollection get list patch update watch``.
        subresources: by their names.
        handlers: the code of verbs that the storage does not serve (reviews).
        selectable_fields: field selectors beyond metadata.name and metadata.namespace: label to the value's getter,
            which returns a string.
        scale_paths: where the scale subresource finds its numbers.
        openapi_schema: the schema to publish; None: that of the message.
        returns_deleted_object: DELETE returns the object, not a Status.
        allow_unconditional_update: PUT without resourceVersion is accepted.
        allow_create_on_update: PUT to a missing name creates.
        message: the name of the kind's protobuf message; empty without one.
        deprecation: the warning that every request gets; empty without one.
        storage: the key under which versions of one resource share their objects; (group, plural) unless given: by a
            resource that two groups serve, and by custom resources (:func:`custom_storage`).
        api_version: ``group/version``, or the version alone for the core group.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    strategy: Strategy
    types: Callable[[], TypeDef]
    wire: WireProfile = TYPED
    verbs: tuple[str, ...] = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    columns: Sequence[Column] = ()
    selectable_fields: Mapping[str, Callable[[Json], str]] = field(default_factory=dict)
    scale_paths: ScalePaths = ScalePaths()
    openapi_schema: Json | None = None
    returns_deleted_object: bool = False
    allow_unconditional_update: bool = True
    allow_create_on_update: bool = False
    message: str = ""
    deprecation: str = ""
    storage: tuple[str, str] = ("", "")
    api_version: str = field(init=False)

    def __post_init__(self) -> None:
        self.api_version = f"{self.group}/{self.version}" if self.group else self.version
        if self.storage == ("", ""):
            self.storage = (self.group, self.plural)

    @property
    def is_served_as_stored(self) -> bool:
        """Selectors may be tested on the stored form: no other group serves it, and no schema defaults it when read."""
        return self.storage == (self.group, self.plural)

    @property
    def storage_group(self) -> str:
        """The group of the stored kind."""
        return self.storage[0] if self.wire.typed else self.group

    @property
    def list_name(self) -> str:
        """The kind of its lists."""
        return self.list_kind or self.kind + "List"

    def group_kind(self, obj: Json) -> tuple[str, str]:
        """Group and kind by which failures name an object: those of its Go type, or those that it states itself."""
        return self.storage_group, self.kind if self.wire.typed else str(obj.get("kind") or self.kind)


@dataclass(slots=True)
class RequestContext:
    """A request whose path is understood and whose user is authorized.

    Attributes:
        request: as it was received.
        info: what its path and method say.
        user: who sent it.
        resource: the requested resource.
        subresource: the requested part of it; None for the object itself.
        now: the time, RFC 3339 with seconds.
        warnings: texts for ``Warning`` headers, whatever the outcome.
        strategy: that of the write: the subresource's, where it has one.
    """

    request: HttpRequest
    info: RequestInfo
    user: User
    resource: Resource
    subresource: Subresource | None
    now: str
    warnings: list[str] = field(default_factory=list)
    strategy: Strategy = field(init=False)

    def values(self, name: str) -> list[str]:
        """Every value of a query parameter."""
        return [value for key, value in self.request.query if key == name]

    def __post_init__(self) -> None:
        subresource = self.subresource
        own = subresource.strategy if subresource is not None else None
        self.strategy = own if own is not None else self.resource.strategy

    @property
    def manager(self) -> str:
        """The field manager of a write that names none: the user agent's first word."""
        agent = self.request.headers.get("user-agent", "")
        return agent.partition("/")[0][:128] or "unknown"


@dataclass(slots=True)
class Reply:
    """What a verb returns.

    Attributes:
        status: the HTTP status code.
        value: an object; None where `raw` or `stream` is given.
        raw: encoded bytes: an object or list as JSON, unless `media` says otherwise.
        media: the content type of `raw`; the negotiated one unless given.
        stream: the chunks of a watch.
        converted: `value` is not to be turned into a Table or a PartialObjectMetadata.
    """

    status: int = 200
    value: Json | None = None
    raw: bytes | None = None
    media: str = ""
    stream: AsyncIterator[bytes] | None = None
    converted: bool = False
