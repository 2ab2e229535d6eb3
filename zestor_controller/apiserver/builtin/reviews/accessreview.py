"""Reviews: virtual resources that answer questions about users and rights, and keep nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from zestor_controller.apiserver.auth.authentication import AUDIENCE, TokenAuthenticator
from zestor_controller.apiserver.auth.authorization import Attributes, RbacAuthorizer
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.patch import managedfields as managed
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.request.body import decode_object
from zestor_controller.apiserver.rest.context import Call, Reply
from zestor_controller.apiserver.rest.resource import Resource, User
from zestor_controller.apiserver.rest.resourceregistry import Registry
from zestor_controller.apiserver.rest.status import bad_request
from zestor_controller.apiserver.rest.status import invalid as refuse
from zestor_controller.apiserver.typed.fieldtable import builtin
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.schema.fielderror import FieldError, invalid

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

    def judged(call: Call, body: Json, user: User) -> Reply:
        wanted = _wanted(body["spec"])
        yes = not enforced or authorizer.allowed(user, wanted)
        status: Json = {"allowed": yes}
        reason = authorizer.reason(user, wanted) if enforced and yes else ""
        if reason:
            status["reason"] = reason
        return Reply(201, {**_owned(call, body), "status": status}, shaped=True)

    def subject(call: Call) -> Reply:
        body = _body(call)
        spec = body.setdefault("spec", {})
        _check(spec, somebody=True)
        extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
        return judged(
            call, body, User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)
        )

    def local(call: Call) -> Reply:
        body = _body(call)
        spec = body.setdefault("spec", {})
        errors = _errors(spec, somebody=True)
        resource = spec.get("resourceAttributes")
        if resource is not None and resource.get("namespace", "") != call.info.namespace:
            why = "must match metadata.namespace"
            errors.append(invalid("spec.resourceAttributes.namespace", resource.get("namespace", ""), why))
        if spec.get("nonResourceAttributes") is not None:
            why = "disallowed on this kind of request"
            errors.append(invalid("spec.nonResourceAttributes", _path_value(spec), why))
        if errors:
            raise refuse(AUTHORIZATION, "", "", errors)
        return judged(call, body, User(spec.get("user", ""), groups=tuple(spec.get("groups") or ())))

    def self_access(call: Call) -> Reply:
        body = _body(call)
        _check(body.setdefault("spec", {}), somebody=False)
        return judged(call, body, call.user)

    def self_subject(call: Call) -> Reply:
        body = _body(call)
        metadata = {**body["metadata"], "creationTimestamp": call.now}
        return Reply(201, {**body, "metadata": metadata, "status": {"userInfo": _shown(call.user)}}, shaped=True)

    def self_rules(call: Call) -> Reply:
        body = _body(call)
        namespace = str((body.get("spec") or {}).get("namespace", ""))
        if not namespace:
            raise bad_request("no namespace on request")
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
        spec = body.setdefault("spec", {})
        if not spec.get("token"):
            raise bad_request("token is required for TokenReview in authentication")
        body = _owned(call, body)
        audiences = tuple(spec.get("audiences") or (AUDIENCE,))
        user = authenticator.review(spec["token"], audiences)
        if user is None:
            return Reply(201, {**body, "status": {"user": {}, "error": "invalid bearer token"}}, shaped=True)
        status = {"authenticated": True, "user": _shown(user), "audiences": list(audiences)}
        return Reply(201, {**body, "status": status}, shaped=True)

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
    # A status that somebody sends is no answer.
    return {**head, **{key: value for key, value in obj.items() if key not in head and key != "status"}}


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


def _owned(call: Call, body: Json) -> Json:
    """The review with the manager that wrote it, as every create has it."""
    resource = call.resource
    return managed.update(
        None,
        body,
        builtin(f"{_PACKAGES[resource.group]}.{resource.kind}"),
        FieldOwner(call.query.get("fieldManager") or call.manager, resource.api_version, "", call.now),
        empty={"spec": {}},
    )


def _check(spec: Json, *, somebody: bool) -> None:
    errors = _errors(spec, somebody=somebody)
    if errors:
        raise refuse(AUTHORIZATION, "", "", errors)


def _errors(spec: Json, *, somebody: bool) -> list[FieldError]:
    """What is wrong with an access review. Source: kubernetes pkg/apis/authorization/validation."""
    errors = []
    both = [key for key in ("resourceAttributes", "nonResourceAttributes") if spec.get(key) is not None]
    if len(both) == 2:
        why = "cannot be specified in combination with resourceAttributes"
        errors.append(invalid("spec.nonResourceAttributes", _path_value(spec), why))
    elif not both:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        errors.append(invalid("spec.resourceAttributes", None, why))
    if somebody and not spec.get("user") and not spec.get("groups"):
        errors.append(invalid("spec.user", "", "at least one of user or group must be specified"))
    return errors


def _path_value(spec: Json) -> Json:
    """Non-resource attributes as messages show them: by the names that they have inside the server."""
    path = spec["nonResourceAttributes"]
    return {"Path": path.get("path", ""), "Verb": path.get("verb", "")}


def _shown(user: User) -> Json:
    shown: Json = {"username": user.name}
    if user.uid:
        shown["uid"] = user.uid
    if user.groups:
        shown["groups"] = list(user.groups)
    if user.extra:
        shown["extra"] = {key: list(values) for key, values in user.extra.items()}
    return shown
