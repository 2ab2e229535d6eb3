"""Token reviews: whose a token is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.auth.authentication import AUDIENCE, TokenAuthenticator
from zestor_controller.apiserver.builtin.reviews.review import (
    AUTHENTICATION,
    declare_review,
    owned,
    read_review,
    reviewed,
    user_info,
)
from zestor_controller.apiserver.rest.status import bad_request

if TYPE_CHECKING:
    from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource

__all__ = ["token_review"]


def token_review(authenticator: TokenAuthenticator) -> Resource:
    """The resource ``tokenreviews``.

    Args:
        authenticator: knows the tokens.
    """

    def create(ctx: RequestContext) -> Reply:
        review = read_review(ctx)
        spec = review.setdefault("spec", {})
        if not spec.get("token"):
            raise bad_request("token is required for TokenReview in authentication")
        review = owned(ctx, review)
        audiences = tuple(spec.get("audiences") or (AUDIENCE,))
        user = authenticator.review(spec["token"], audiences)
        if user is None:
            return reviewed(review, {"user": {}, "error": "invalid bearer token"})
        return reviewed(review, {"authenticated": True, "user": user_info(user), "audiences": list(audiences)})

    return declare_review(AUTHENTICATION, "TokenReview", create)
