"""Rules reviews: everything that the user of the request may do in a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zestor_controller.apiserver.builtin.reviews.review import AUTHORIZATION, declare_review, read_review, reviewed
from zestor_controller.apiserver.rest.status import bad_request

if TYPE_CHECKING:
    from zestor_controller.apiserver.auth.authorization import RbacAuthorizer
    from zestor_controller.apiserver.rest.resource import Reply, RequestContext, Resource

__all__ = ["self_subject_rules_review"]

_EVERYTHING: Final = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)


def self_subject_rules_review(authorizer: RbacAuthorizer | None) -> Resource:
    """The resource ``selfsubjectrulesreviews``.

    Args:
        authorizer: None allows everything.
    """

    def create(ctx: RequestContext) -> Reply:
        review = read_review(ctx)
        namespace = str((review.get("spec") or {}).get("namespace", ""))
        if not namespace:
            raise bad_request("no namespace on request")
        rules = _EVERYTHING if authorizer is None else authorizer.rules(ctx.user, namespace)
        listed = list(rules)
        status = {
            "resourceRules": [
                {key: rule[key] for key in ("verbs", "apiGroups", "resources", "resourceNames") if rule.get(key)}
                for rule in listed
                if rule.get("resources")
            ],
            "nonResourceRules": [
                {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}
                for rule in listed
                if rule.get("nonResourceURLs")
            ],
            "incomplete": False,
        }
        return reviewed(review, status)

    return declare_review(AUTHORIZATION, "SelfSubjectRulesReview", create)
