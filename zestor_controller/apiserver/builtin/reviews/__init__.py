"""The authentication.k8s.io and authorization.k8s.io groups: reviews, which are computed and never stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.reviews.accessreview import (
    local_subject_access_review,
    self_subject_access_review,
    subject_access_review,
)
from zestor_controller.apiserver.builtin.reviews.rulesreview import self_subject_rules_review
from zestor_controller.apiserver.builtin.reviews.selfsubjectreview import self_subject_review
from zestor_controller.apiserver.builtin.reviews.tokenreview import token_review

if TYPE_CHECKING:
    from zestor_controller.apiserver.auth.authentication import TokenAuthenticator
    from zestor_controller.apiserver.auth.authorization import RbacAuthorizer
    from zestor_controller.apiserver.rest.resource import Resource

__all__ = ["resources"]


def resources(authenticator: TokenAuthenticator, authorizer: RbacAuthorizer | None) -> list[Resource]:
    """The resources of the two groups.

    Args:
        authenticator: knows the tokens.
        authorizer: None allows everything.
    """
    return [
        self_subject_review(),
        token_review(authenticator),
        local_subject_access_review(authorizer),
        self_subject_access_review(authorizer),
        self_subject_rules_review(authorizer),
        subject_access_review(authorizer),
    ]
