"""Custom resources as classes: ``class Website(CustomResource[WebsiteSpec, WebsiteStatus], group=..., ...)``.

Invariant: wire names are camelCase, Python names are snake_case, and fields that a model does not know are kept, so
that an older operator never deletes a newer field by writing an object back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from pydantic import Field
from pydantic_core import PydanticUndefined

from zestor_controller.errors import ConfigError
from zestor_controller.objects.kind import Column, Kind, Presentation, Scale
from zestor_controller.objects.lastread import Reading
from zestor_controller.objects.meta import ObjectMeta, WireModel
from zestor_controller.objects.namerules import check_names
from zestor_controller.objects.registry import register
from zestor_controller.objects.wireform import as_read, wire_form

__all__ = ["CustomResource", "Spec", "Status"]

C = TypeVar("C", bound="CustomResource[Any, Any]")


class Spec(WireModel):
    """Base of specs: what a user asks for."""


class Status(WireModel):
    """Base of statuses: what a controller reports. Every field needs a default."""


SpecT = TypeVar("SpecT", bound=WireModel)
StatusT = TypeVar("StatusT", bound=WireModel)


class CustomResource(WireModel, Generic[SpecT, StatusT]):
    """Base of custom resources.

    Class arguments:
        group: the API group.
        version: such as ``v1``.
        plural: the name in paths, lower case.
        kind: the CamelCase name; the class's own unless given.
        namespaced: objects live in namespaces.
        short_names: what ``kubectl get`` takes beside the plural.
        categories: such as ``("all",)``.
        columns: what ``kubectl get`` prints.
        scale: where the scale subresource finds its numbers; None for no such subresource.
        external: the kind belongs to another operator. The class is for reading, owning, watching and writing its
            objects; its CRD is never generated, put into a chart or installed.

    What is sent is the same in every process: sets are sorted, None is sent as null unless it is the field's default,
    and what was read and not changed keeps its notation. A validator is not in the CRD: an object that the server
    stores and a validator rejects is reported as invalid and not reconciled.

    Raises:
        ConfigError: an argument is missing, a name is none that an API server takes, or the Status does not construct
            without arguments.
    """

    __kind__: ClassVar[Kind[Any] | None] = None

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: SpecT = Field(default=None)  # type: ignore[assignment]  # subclasses get Spec(), or require it
    status: StatusT = Field(default=None)  # type: ignore[assignment]  # subclasses get Status()

    def __init_subclass__(
        cls,
        *,
        group: str | None = None,
        version: str | None = None,
        plural: str | None = None,
        kind: str | None = None,
        namespaced: bool = True,
        short_names: tuple[str, ...] = (),
        categories: tuple[str, ...] = (),
        columns: tuple[Column, ...] = (),
        scale: Scale | None = None,
        external: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        group: str | None = None,
        version: str | None = None,
        plural: str | None = None,
        kind: str | None = None,
        namespaced: bool = True,
        short_names: tuple[str, ...] = (),
        categories: tuple[str, ...] = (),
        columns: tuple[Column, ...] = (),
        scale: Scale | None = None,
        external: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if group is None and version is None and plural is None:
            return  # CustomResource[Spec, Status] itself, or an intermediate base
        missing = [name for name, given in (("group", group), ("version", version), ("plural", plural)) if not given]
        if missing:
            raise ConfigError(
                f"class {cls.__name__}: give {', '.join(f'{name}=' for name in missing)} as class arguments"
            )
        assert group  # checked above, as the next two
        assert version
        assert plural
        check_names(cls.__name__, group, version, plural, kind or cls.__name__, short_names, categories)
        needed = _default_to_empty(cls, "status")
        if needed:
            raise ConfigError(
                f"class {cls.__name__}: status field {needed!r} needs a default: a Status must construct without "
                "arguments, because new objects have none"
            )
        _default_to_empty(cls, "spec")
        cls.model_rebuild(force=True)
        name = kind or cls.__name__
        made: Kind[Any] = Kind(
            group,
            version,
            name,
            plural,
            namespaced,
            cls,
            cls._decode,
            cls._encode,
            presentation=Presentation(tuple(short_names), tuple(categories), tuple(columns), scale),
            external=external,
        )
        cls.__kind__ = made
        register(made)

    def __init__(self, **data: Any) -> None:
        kind = type(self).__kind__
        if kind is not None:
            if "apiVersion" not in data and "api_version" not in data:
                data["apiVersion"] = kind.api_version
            data.setdefault("kind", kind.kind)
        super().__init__(**data)

    def to_dict(self) -> dict[str, Any]:
        """The object with wire names: apiVersion and kind set, absent values left out, an untouched status left out."""
        return type(self)._encode(self)

    @classmethod
    def _decode(cls: type[C], data: bytes | Mapping[str, Any]) -> C:
        if not isinstance(data, bytes):
            return cls.model_validate(data)
        obj = cls.model_validate_json(data)
        # As functools.cached_property does it: no field, so it is neither compared nor written. A private attribute of
        # pydantic's would double the time of a decode.
        obj.__dict__["_reading"] = Reading(data)
        return obj

    @classmethod
    def _encode(cls, obj: Any) -> dict[str, Any]:
        kind = cls.__kind__
        assert kind is not None  # only registered classes have a Kind that calls this
        if isinstance(obj, Mapping):
            body = dict(obj)
        else:
            body = wire_form(obj)
            reading: Reading | None = obj.__dict__.get("_reading")
            if reading is not None and reading.raw is not None:
                read = cls.model_validate_json(reading.raw)
                body = as_read(msgspec.json.decode(reading.raw), wire_form(read), body)
            # A list that was changed in place counts as no field being set, so the default is compared as well.
            if not obj.status.model_fields_set and obj.status == type(obj.status)():
                body.pop("status", None)
        return {**body, "apiVersion": kind.api_version, "kind": kind.kind}


def _default_to_empty(cls: type[CustomResource[Any, Any]], name: str) -> str:
    """Let an absent part be an empty one; answers the part's first field that has no default, "" when it was done."""
    field = cls.model_fields[name]
    part = field.annotation
    if not isinstance(part, type) or not issubclass(part, WireModel):
        raise ConfigError(f"class {cls.__name__}: {name} must be a Spec or Status class, not {part!r}")
    needed = [inner for inner, info in part.model_fields.items() if info.is_required()]
    if needed:
        field.default = PydanticUndefined
        return needed[0]
    field.default = PydanticUndefined
    field.default_factory = part
    return ""
