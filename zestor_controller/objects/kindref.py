"""How a kind is given to a verb: a class, a registered Kind, or text; and what an object must have."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from typing_extensions import TypeVar

from zestor_controller.objects.kind import Kind
from zestor_controller.objects.unstructured import Unstructured

__all__ = ["HasMetadata", "KindRef", "KindT", "ObjectT"]


class HasMetadata(Protocol):
    """An object of a kind: an Unstructured, an instance of a CustomResource class, a model of ``kubernetes``."""

    @property
    def metadata(self) -> object:
        """The object's metadata."""
        ...


KindT = TypeVar("KindT", default=Unstructured)
"""What a kind's objects are; a kind that is given as text has Unstructured ones."""

ObjectT = TypeVar("ObjectT", bound=HasMetadata, default=Unstructured)
"""The same, where an object is given, too; a mapping is none."""

KindRef: TypeAlias = type[KindT] | Kind[KindT] | str
"""A class, a Kind, or ``"group/version/Kind"``. ``KindRef[object]`` takes any kind.

A text names a kind at run time only: its objects are Unstructured unless the caller annotates another type.
"""
