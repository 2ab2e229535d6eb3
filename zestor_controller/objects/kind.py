"""What a registered Kubernetes type is: group, version, kind, plural, scope and the model that its objects decode to.

Invariant: a Kind is a value; nothing here talks to a server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from zestor_controller.errors import ConfigError
from zestor_controller.objects.jsonvalue import JsonObject, JsonValue

__all__ = ["Column", "GroupVersionKind", "Kind", "Presentation", "Scale"]

T_co = TypeVar("T_co", covariant=True)


class GroupVersionKind(NamedTuple):
    """The three names of a type; the core group is empty."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """``group/version``, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @classmethod
    def parse(cls, text: str) -> GroupVersionKind:
        """From ``group/version/Kind`` or, for the core group, ``version/Kind``.

        Raises:
            ConfigError: the text has another form.
        """
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise ConfigError(
                f'{text!r} names no kind: write "group/version/Kind", such as "apps/v1/Deployment", '
                'or "v1/ConfigMap" for the core group'
            )
        group = parts[0] if len(parts) == 3 else ""
        return cls(group, parts[-2], parts[-1])


@dataclass(frozen=True, slots=True)
class Column:
    """A column that ``kubectl get`` prints.

    Attributes:
        name: the header.
        json_path: where the value is, such as ``.spec.replicas``.
        type: ``string``, ``integer``, ``number``, ``boolean`` or ``date``.
        priority: above 0 the column is shown with ``-o wide`` only.
        description: for people.
    """

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where the scale subresource finds its numbers."""

    spec_replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    selector: str | None = None


@dataclass(frozen=True, slots=True)
class Presentation:
    """What a custom resource's class says about its looks; the CRD compiler reads it."""

    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    scale: Scale | None = None


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """A registered type.

    Attributes:
        group: empty for the core group.
        version: such as ``v1``.
        kind: the CamelCase name.
        plural: the name in paths.
        namespaced: objects live in namespaces.
        model: what objects decode to.
        decode: from the JSON of an object, or its mapping, to a private object.
        encode: from an object to its mapping, wire names, apiVersion and kind set.
        replaceable: an object read as this kind may be written back whole; False for models that drop fields.
        presentation: looks, for custom resources.
        external: the kind of another operator; its CRD is never generated, charted or installed.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    model: type[T_co]
    decode: Callable[[bytes | Mapping[str, JsonValue]], T_co] = field(compare=False)
    encode: Callable[[object], JsonObject] = field(compare=False)
    replaceable: bool = True
    presentation: Presentation = Presentation()
    external: bool = False

    @property
    def api_version(self) -> str:
        """``group/version``, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def store_name(self) -> str:
        """The name of the kind in stores, logs and metrics: ``plural.group``, or ``plural`` for the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, *, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of a collection, an object, or a subresource; `namespace` is ignored for cluster-scoped kinds."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"
