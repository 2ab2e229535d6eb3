"""Self subject reviews: who the user of the request is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.reviews.review import (
    AUTHENTICATION,
    declare_review,
    read_review,
    reviewed,
    user_info,
)

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource

__all__ = ["self_subject_review"]


def self_subject_review() -> Resource:
    """The resource ``selfsubjectreviews``."""

    def create(ctx: RequestContext) -> Reply:
        review = read_review(ctx)
        review["metadata"] = {**review["metadata"], "creationTimestamp": ctx.now}
        return reviewed(review, {"userInfo": user_info(ctx.user)})

    return declare_review(AUTHENTICATION, "SelfSubjectReview", create)
