"""Access reviews: whether a user may do something.

Source: kubernetes pkg/apis/authorization/validation, pkg/registry/authorization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.auth.authorization import Attributes, RbacAuthorizer
from zestor_controller.apiserver.builtin.reviews.review import (
    AUTHORIZATION,
    declare_review,
    owned,
    read_review,
    reviewed,
)
from zestor_controller.apiserver.rest.status import invalid as rejection
from zestor_controller.apiserver.rest.user import User
from zestor_controller.schema.fielderror import FieldError, invalid

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["local_subject_access_review", "self_subject_access_review", "subject_access_review"]


def subject_access_review(authorizer: RbacAuthorizer | None) -> Resource:
    """The resource ``subjectaccessreviews``: about any user.

    Args:
        authorizer: None allows everything.
    """

    def create(ctx: RequestContext) -> Reply:
        review = read_review(ctx)
        spec = review.setdefault("spec", {})
        _require(_check_attributes(spec) + _check_subject(spec))
        extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
        user = User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)
        return _decide(ctx, review, user, authorizer)

    return declare_review(AUTHORIZATION, "SubjectAccessReview", create)


def local_subject_access_review(authorizer: RbacAuthorizer | None) -> Resource:
    """The resource ``localsubjectaccessreviews``: about any user, in the namespace of the review.

    Args:
        authorizer: None allows everything.
    """

    def create(ctx: RequestContext) -> Reply:
        review = read_review(ctx)
        spec = review.setdefault("spec", {})
        errors = _check_attributes(spec) + _check_subject(spec)
        resource = spec.get("resourceAttributes")
        if resource is not None and resource.get("namespace", "") != ctx.info.namespace:
            message = "must match metadata.namespace"
            errors.append(invalid("spec.resourceAttributes.namespace", resource.get("namespace", ""), message))
        if spec.get("nonResourceAttributes") is not None:
            message = "disallowed on this kind of request"
            errors.append(invalid("spec.nonResourceAttributes", _path_value(spec), message))
        _require(errors)
        user = User(spec.get("user", ""), groups=tuple(spec.get("groups") or ()))
        return _decide(ctx, review, user, authorizer)

    return declare_review(AUTHORIZATION, "LocalSubjectAccessReview", create, namespaced=True)


def self_subject_access_review(authorizer: RbacAuthorizer | None) -> Resource:
    """The resource ``selfsubjectaccessreviews``: about the user of the request.

    Args:
        authorizer: None allows everything.
    """

    def create(ctx: RequestContext) -> Reply:
        review = read_review(ctx)
        _require(_check_attributes(review.setdefault("spec", {})))
        return _decide(ctx, review, ctx.user, authorizer)

    return declare_review(AUTHORIZATION, "SelfSubjectAccessReview", create)


def _decide(ctx: RequestContext, review: Json, user: User, authorizer: RbacAuthorizer | None) -> Reply:
    attributes = _attributes(review["spec"])
    allowed = authorizer is None or authorizer.allowed(user, attributes)
    status: Json = {"allowed": allowed}
    reason = authorizer.reason(user, attributes) if authorizer is not None and allowed else ""
    if reason:
        status["reason"] = reason
    return reviewed(owned(ctx, review), status)


def _attributes(spec: Json) -> Attributes:
    resource = spec.get("resourceAttributes")
    if resource is not None:
        return Attributes(
            str(resource.get("verb", "")),
            str(resource.get("group", "")),
            str(resource.get("resource", "")) or "*",
            str(resource.get("subresource", "")),
            str(resource.get("namespace", "")),
            str(resource.get("name", "")),
        )
    path = spec.get("nonResourceAttributes") or {}
    return Attributes(str(path.get("verb", "")), path=str(path.get("path", "")))


def _check_attributes(spec: Json) -> list[FieldError]:
    given = [key for key in ("resourceAttributes", "nonResourceAttributes") if spec.get(key) is not None]
    if len(given) == 2:
        message = "cannot be specified in combination with resourceAttributes"
        return [invalid("spec.nonResourceAttributes", _path_value(spec), message)]
    if not given:
        message = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [invalid("spec.resourceAttributes", None, message)]
    return []


def _check_subject(spec: Json) -> list[FieldError]:
    if spec.get("user") or spec.get("groups"):
        return []
    return [invalid("spec.user", "", "at least one of user or group must be specified")]


def _require(errors: list[FieldError]) -> None:
    """Reject a review with errors.

    Raises:
        Failure: 422.
    """
    if errors:
        raise rejection(AUTHORIZATION, "", "", errors)


def _path_value(spec: Json) -> Json:
    """Non-resource attributes as messages show them: by the names that they have inside the server."""
    path = spec["nonResourceAttributes"]
    return {"Path": path.get("path", ""), "Verb": path.get("verb", "")}
