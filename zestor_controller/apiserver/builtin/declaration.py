"""How a kind is declared: the Resource of a built-in kind, from what is particular to it.

A kind's module ends in ``def resource() -> Resource``, which calls :func:`declare`; collaborators of its strategy are
parameters of ``resource``. Everything that can be derived from group, version and kind is derived here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from zestor_controller.apiserver.encoding.typedstrategy import StatusStrategy
from zestor_controller.apiserver.rest.resource import Column, Resource, Subresource
from zestor_controller.apiserver.typed.fieldtable import builtin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["ALL", "CONNECT", "READ_WRITE", "SCALE", "Declaration", "declare", "message_name"]

ALL: Final = ("all",)
CONNECT: Final = ("create", "get")
READ_WRITE: Final = ("get", "patch", "update")
SCALE: Final = Subresource("scale", "Scale", "autoscaling", "v1", READ_WRITE, scales=True)
Part = str | Subresource | Callable[[Any], Subresource]
"""A subresource of a declaration: by its name, as it is, or made of the strategy of the kind."""


class Declaration(TypedDict, total=False):
    """What else a kind may declare; meanings and defaults are those of :class:`Resource`."""

    short_names: tuple[str, ...]
    categories: tuple[str, ...]
    verbs: tuple[str, ...]
    selectable_fields: Mapping[str, Callable[[Json], str]]
    returns_deleted_object: bool
    allow_unconditional_update: bool
    allow_create_on_update: bool
    deprecation: str
    storage: tuple[str, str]


def message_name(api_version: str, kind: str) -> str:
    """The full name of a kind's message: ``k8s.io.api.apps.v1.Deployment``."""
    group, _, version = api_version.rpartition("/")
    # A group of one word is the name of its package; the others are named by their first word.
    return f"k8s.io.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"


def declare(
    api_version: str,
    kind: str,
    plural: str,
    strategy: Callable[[str, str, str], BuiltinStrategy],
    columns: Sequence[Column],
    *,
    namespaced: bool = True,
    subresources: Sequence[Part] = (),
    **more: Unpack[Declaration],
) -> Resource:
    """The Resource of a built-in kind.

    Args:
        api_version: ``group/version``, or the version alone for the core group.
        kind: the kind.
        plural: the resource's name.
        strategy: makes the kind's strategy from kind, version and message.
        columns: the columns of its Tables.
        namespaced: objects live in a namespace.
        subresources: ``status`` is written by the kind's own rules; another name has no code yet.
        more: what else the kind declares.
    """
    group, _, version = api_version.rpartition("/")
    message = message_name(api_version, kind)
    made = strategy(kind, version, message)

    def part(given: Part) -> Subresource:
        if isinstance(given, Subresource):
            return given
        if callable(given):
            return given(made)
        return Subresource(given, kind, group, version, READ_WRITE, StatusStrategy(made) if given == "status" else None)

    parts = [part(given) for given in subresources]
    return Resource(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=namespaced,
        strategy=made,
        types=partial(builtin, message),
        subresources={sub.name: sub for sub in parts},
        columns=columns,
        message=message,
        **more,
    )
