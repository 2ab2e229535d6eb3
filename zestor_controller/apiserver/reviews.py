"""Reviews: virtual resources that answer questions about users and rights, and keep nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from zestor_controller.apiserver.authentication import TokenAuthenticator
from zestor_controller.apiserver.bodies import decode_object
from zestor_controller.apiserver.builtin.strategy import BuiltinStrategy
from zestor_controller.apiserver.context import Call, Reply
from zestor_controller.apiserver.contract import Json, Resource, User
from zestor_controller.apiserver.rbac import Attributes, RbacAuthorizer
from zestor_controller.apiserver.registry import Registry
from zestor_controller.apiserver.status import Failure
from zestor_controller.apiserver.typedefs import builtin

__all__ = ["add_reviews"]

AUTHENTICATION: Final = "authentication.k8s.io"
AUTHORIZATION: Final = "authorization.k8s.io"
_PACKAGES: Final = {
    AUTHENTICATION: "k8s.io.api.authentication.v1",
    AUTHORIZATION: "k8s.io.api.authorization.v1",
}


def add_reviews(
    registry: Registry, authorizer: RbacAuthorizer, authenticator: TokenAuthenticator, *, enforced: bool
) -> None:
    """Serve the reviews.

    Args:
        registry: where.
        authorizer: judges.
        authenticator: knows tokens.
        enforced: rights are checked; else everything is allowed.
    """

    def allowed(user: User, wanted: Attributes) -> bool:
        return not enforced or authorizer.allowed(user, wanted)

    def subject(call: Call) -> Reply:
        body = _body(call)
        spec = body.get("spec") or {}
        user = User(str(spec.get("user", "")), str(spec.get("uid", "")), tuple(spec.get("groups") or ()))
        return _judged(body, allowed(user, _wanted(spec)))

    def local(call: Call) -> Reply:
        body = _body(call)
        spec = body.get("spec") or {}
        user = User(str(spec.get("user", "")), groups=tuple(spec.get("groups") or ()))
        return _judged(body, allowed(user, _wanted(spec)))

    def self_access(call: Call) -> Reply:
        body = _body(call)
        return _judged(body, allowed(call.user, _wanted(body.get("spec") or {})))

    def self_subject(call: Call) -> Reply:
        body = _body(call)
        return Reply(201, {**body, "status": {"userInfo": _shown(call.user)}}, shaped=True)

    def self_rules(call: Call) -> Reply:
        body = _body(call)
        namespace = str((body.get("spec") or {}).get("namespace", ""))
        everything = [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
        ]
        rules = list(authorizer.rules(call.user, namespace)) if enforced else everything
        status: Json = {
            "resourceRules": [
                {key: rule[key] for key in ("verbs", "apiGroups", "resources", "resourceNames") if rule.get(key)}
                for rule in rules
                if rule.get("resources")
            ],
            "nonResourceRules": [
                {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}
                for rule in rules
                if rule.get("nonResourceURLs")
            ],
            "incomplete": False,
        }
        return Reply(201, {**body, "status": status}, shaped=True)

    def token(call: Call) -> Reply:
        body = _body(call)
        try:
            user = authenticator.user_of(str((body.get("spec") or {}).get("token", "")))
        except Failure:
            return Reply(201, {**body, "status": {"user": {}, "error": "invalid bearer token"}}, shaped=True)
        return Reply(201, {**body, "status": {"authenticated": True, "user": _shown(user)}}, shaped=True)

    served: list[tuple[str, str, str, bool, Callable[[Call], Reply]]] = [
        (AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews", False, self_subject),
        (AUTHENTICATION, "TokenReview", "tokenreviews", False, token),
        (AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews", True, local),
        (AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", False, self_access),
        (AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews", False, self_rules),
        (AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews", False, subject),
    ]
    for group, kind, plural, namespaced, function in served:
        registry.add(_resource(group, kind, plural, namespaced))
        registry.add_endpoint(group, "v1", plural, "", "create", function)


def _resource(group: str, kind: str, plural: str, namespaced: bool) -> Resource:
    message = f"{_PACKAGES[group]}.{kind}"
    return Resource(
        group=group,
        version="v1",
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=namespaced,
        strategy=BuiltinStrategy(kind, "v1", message),
        types=lambda: builtin(message),
        verbs=("create",),
        protobuf=message,
    )


def _body(call: Call) -> Json:
    request, resource = call.request, call.resource
    body = decode_object(request.headers.get("content-type"), request.body, resource.kind, custom=False).value
    obj, _ = resource.strategy.decode(body, "Ignore", ())
    head = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": obj.get("metadata") or {}}
    return {**head, **{key: value for key, value in obj.items() if key not in head}}


def _wanted(spec: Json) -> Attributes:
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


def _judged(body: Json, yes: bool) -> Reply:
    return Reply(201, {**body, "status": {"allowed": yes}}, shaped=True)


def _shown(user: User) -> Json:
    shown: Json = {"username": user.name}
    if user.uid:
        shown["uid"] = user.uid
    if user.groups:
        shown["groups"] = list(user.groups)
    if user.extra:
        shown["extra"] = {key: list(values) for key, values in user.extra.items()}
    return shown
