"""Which classes and texts name which kinds.

Invariant: what a program declares (:class:`~zestor_controller.objects.resource.CustomResource` classes,
:func:`declare`, the built-in kinds) is a fact of the process; what a client discovers at its server is a fact of that
server, and kept in the client's :class:`KindRegistry`. A class that is declared again replaces the former one, so that
a module can be reloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, overload

import msgspec

from zestor_controller.errors import ConfigError
from zestor_controller.objects.builtin import BUILTIN
from zestor_controller.objects.kind import GroupVersionKind, Kind
from zestor_controller.objects.officialkind import official_kind
from zestor_controller.objects.unstructured import Unstructured

__all__ = ["KindRegistry", "declare", "kind_of", "kind_of_object", "register"]

T = TypeVar("T")

_REGISTRY: dict[GroupVersionKind, Kind[Any]] = {}
_MODELS: Final[dict[type[Any], Kind[Any]]] = {}
_PLURALS: Final[dict[str, tuple[str, bool]]] = {}


def register(kind: Kind[Any]) -> None:
    """Make a kind known by its model's class, and by its text as an unstructured kind of the same plural and scope.

    A class that is declared again (a reloaded module) replaces the former one.
    """
    _MODELS[kind.model] = kind
    _PLURALS[str(kind)] = (kind.plural, kind.namespaced)
    _REGISTRY.pop(GroupVersionKind(kind.group, kind.version, kind.kind), None)


def declare(text: str, plural: str, *, namespaced: bool = True) -> Kind[Unstructured]:
    """Make a kind without a class known by its text, in the whole process.

    Args:
        text: ``group/version/Kind``.
        plural: its name in paths.
        namespaced: objects live in namespaces.
    """
    _PLURALS[text] = (plural, namespaced)
    _REGISTRY.pop(GroupVersionKind.parse(text), None)
    return _unstructured(text)


@overload
def kind_of(reference: Kind[T]) -> Kind[T]: ...
@overload
def kind_of(reference: type[T]) -> Kind[T]: ...
@overload
def kind_of(reference: str) -> Kind[Unstructured]: ...
def kind_of(reference: Any) -> Kind[Any]:
    """The Kind that a class or a text names.

    Args:
        reference: a CustomResource class, a model of the ``kubernetes`` package, or ``"group/version/Kind"``.

    Raises:
        ConfigError: the text has a wrong form or names a kind that is neither built in nor declared; the class is none.
    """
    if isinstance(reference, Kind):
        return reference
    if isinstance(reference, str):
        return _unstructured(reference)
    if isinstance(reference, type):
        known = _MODELS.get(reference)
        if known is not None:
            return known
        if reference.__module__.partition(".")[0] == "kubernetes":
            kind = _MODELS[reference] = official_kind(reference)
            return kind
        raise ConfigError(
            f"{reference.__qualname__} is no kind: derive it from CustomResource[Spec, Status] with group=, version= "
            "and plural="
        )
    raise ConfigError(f"{reference!r} names no kind: give a class or a text such as 'apps/v1/Deployment'")


def _unstructured(text: str) -> Kind[Unstructured]:
    gvk = GroupVersionKind.parse(text)
    known = _REGISTRY.get(gvk)
    if known is not None:
        return known
    entry = BUILTIN.get((gvk.api_version, gvk.kind)) or _PLURALS.get(text)
    if entry is None:
        raise ConfigError(
            f"unknown kind {text!r}: it is no built-in kind; declare a CustomResource class for it, or its plural with "
            f'objects.declare("{text}", plural)'
        )
    kind = _REGISTRY[gvk] = _made(gvk, *entry)
    return kind


def _made(gvk: GroupVersionKind, plural: str, namespaced: bool) -> Kind[Unstructured]:
    return Kind(gvk.group, gvk.version, gvk.kind, plural, namespaced, Unstructured, _decode(gvk), _encode(gvk))


def _decode(gvk: GroupVersionKind) -> Callable[[bytes | Mapping[str, Any]], Unstructured]:
    loads = msgspec.json.decode

    def decode(data: bytes | Mapping[str, Any]) -> Unstructured:
        body = loads(data) if isinstance(data, bytes) else dict(data)
        if not isinstance(body, dict):
            raise ValueError(f"a {gvk.kind} is an object, not {type(body).__name__}")
        # Items of a list carry neither, or null; an object always says what it is.
        body["apiVersion"] = body.get("apiVersion") or gvk.api_version
        body["kind"] = body.get("kind") or gvk.kind
        if not isinstance(body.setdefault("metadata", {}), dict):
            if body["metadata"] is not None:
                raise ValueError(f"the metadata of a {gvk.kind} is an object, not {type(body['metadata']).__name__}")
            body["metadata"] = {}
        return Unstructured(body, reading=data if isinstance(data, bytes) else None)

    return decode


def _encode(gvk: GroupVersionKind) -> Callable[[Any], dict[str, Any]]:
    def encode(obj: Any) -> dict[str, Any]:
        body = obj.to_dict() if isinstance(obj, Unstructured) else obj
        if not isinstance(body, Mapping):
            raise TypeError(f"a {gvk.kind} is given as a mapping, not {type(obj).__name__}")
        return {"apiVersion": gvk.api_version, "kind": gvk.kind, **body}

    return encode


def kind_of_object(obj: Any) -> tuple[Kind[Any], dict[str, Any]]:
    """The kind of an object, and the object as a mapping with wire names; see :meth:`KindRegistry.of_object`."""
    return KindRegistry().of_object(obj)


class KindRegistry:
    """The kinds of one server: those that the process declares, and those that were discovered there.

    What was discovered comes first: the plural and the scope of a kind are facts of a server, and two servers may
    differ in them.
    """

    def __init__(self) -> None:
        self._discovered: dict[GroupVersionKind, Kind[Unstructured]] = {}

    def learn(self, text: str, plural: str, *, namespaced: bool = True) -> Kind[Unstructured]:
        """Keep what the server says of a kind.

        Args:
            text: ``group/version/Kind``.
            plural: its name in paths.
            namespaced: objects live in namespaces.
        """
        gvk = GroupVersionKind.parse(text)
        kind = self._discovered[gvk] = _made(gvk, plural, namespaced)
        return kind

    @overload
    def of(self, reference: Kind[T]) -> Kind[T]: ...
    @overload
    def of(self, reference: type[T]) -> Kind[T]: ...
    @overload
    def of(self, reference: str) -> Kind[Unstructured]: ...
    def of(self, reference: Any) -> Kind[Any]:
        """The Kind that a class or a text names, as :func:`kind_of`.

        Raises:
            ConfigError: it is neither declared nor discovered.
        """
        if isinstance(reference, str):
            found = self._discovered.get(GroupVersionKind.parse(reference))
            if found is not None:
                return found
        kind: Kind[Any] = kind_of(reference)
        return kind

    def of_object(self, obj: Any) -> tuple[Kind[Any], dict[str, Any]]:
        """The kind of an object, and the object as a mapping with wire names.

        Args:
            obj: an instance of a registered class, an Unstructured, or a mapping with ``apiVersion`` and ``kind``.

        Raises:
            ConfigError: the object does not say what it is, or its kind is unknown.
        """
        if isinstance(obj, Unstructured | Mapping):
            version, name = obj.get("apiVersion"), obj.get("kind")
            if not version or not name:
                raise ConfigError(f"an object without apiVersion and kind cannot be written: {list(obj)[:8]}")
            unstructured = self.of(f"{version}/{name}")
            return unstructured, unstructured.encode(obj)
        kind = self.of(type(obj))
        return kind, kind.encode(obj)
