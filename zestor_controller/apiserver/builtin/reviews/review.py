"""What all reviews share: they are created and returned at once with a status, and never stored.

Invariant: a status that a client sends is ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zestor_controller.apiserver.builtin.declaration import message_name
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.patch import managedfields
from zestor_controller.apiserver.request.body import decode_object
from zestor_controller.apiserver.rest.resource import Reply, Resource
from zestor_controller.apiserver.typed.fieldtable import builtin

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Handler, RequestContext
    from zestor_controller.apiserver.rest.user import User
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["AUTHENTICATION", "AUTHORIZATION", "declare_review", "owned", "read_review", "reviewed", "user_info"]

AUTHENTICATION: Final = "authentication.k8s.io"
AUTHORIZATION: Final = "authorization.k8s.io"
_VERSION: Final = "v1"


def declare_review(group: str, kind: str, create: Handler, *, namespaced: bool = False) -> Resource:
    """The Resource of a review.

    Args:
        group: the API group.
        kind: the kind; its plural is the name of the resource.
        create: serves the one verb.
        namespaced: the review is about one namespace, that of its path.
    """
    message = message_name(f"{group}/{_VERSION}", kind)
    return Resource(
        group=group,
        version=_VERSION,
        kind=kind,
        plural=kind.lower() + "s",
        singular=kind.lower(),
        namespaced=namespaced,
        strategy=BuiltinStrategy(kind, _VERSION, message),
        types=lambda: builtin(message),
        verbs=("create",),
        handlers={"create": create},
        message=message,
    )


def read_review(ctx: RequestContext) -> Json:
    """The review of a request, without its status; it has a spec."""
    request, resource = ctx.request, ctx.resource
    body = decode_object(request.headers.get("content-type"), request.body, resource.kind).value
    obj, _ = resource.strategy.decode(body, "Ignore", ())
    head = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": obj.get("metadata") or {}}
    return {**head, **{key: value for key, value in obj.items() if key not in head and key != "status"}}


def owned(ctx: RequestContext, review: Json) -> Json:
    """The review with the manager that wrote it, as every create has it."""
    resource = ctx.resource
    owner = managedfields.FieldOwner(
        ctx.info.query.get("fieldManager") or ctx.manager, resource.api_version, "", ctx.now
    )
    return managedfields.update(None, review, resource.types(), owner, empty={"spec": {}})


def reviewed(review: Json, status: Json) -> Reply:
    """The response: the review with its status."""
    return Reply(201, {**review, "status": status}, converted=True)


def user_info(user: User) -> Json:
    """A user, as reviews describe one."""
    info: Json = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info
