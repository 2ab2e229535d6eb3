"""DeleteOptions: read from a request's body, or from its query where it has no body, and validated.

Invariant: every DELETE, of whatever kind, object or collection, reads its options here, so an option is either valid
and honoured or the request is rejected before anything is deleted.

Source: apiserver pkg/endpoints/handlers/delete.go, apimachinery pkg/apis/meta/v1/validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from zestor_controller.apiserver.encoding import typedcodec as codec
from zestor_controller.apiserver.request.body import decode_object, media_type, type_meta_error
from zestor_controller.apiserver.request.options import dry_run
from zestor_controller.apiserver.rest.requestinfo import is_true
from zestor_controller.apiserver.rest.resource import RequestContext
from zestor_controller.apiserver.rest.status import bad_request, invalid
from zestor_controller.apiserver.rest.wireprofile import JSON
from zestor_controller.apiserver.syntax.gojson import DocumentError
from zestor_controller.apiserver.syntax.gojson import load as load_json
from zestor_controller.apiserver.syntax.gonumber import parse_int
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.schema.fielderror import FieldError, not_supported
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["DeleteOptions", "delete_options", "validated"]

POLICIES: Final = ("Foreground", "Background", "Orphan")
_MESSAGE: Final = "k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions"
_SCHEME: Final = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete.

    Attributes:
        dry_run: delete nothing.
        uid: precondition; None without one.
        version: precondition on the resourceVersion; None without one.
        policy: ``Background``, ``Foreground``, ``Orphan``, or empty for the kind's default.
        grace: seconds; None for the object's own, never negative.
        accepted: the response is 202 where the object is not deleted at once (``orphanDependents=false``).
    """

    dry_run: bool
    uid: str | None
    version: str | None
    policy: str
    grace: int | None
    accepted: bool


def delete_options(ctx: RequestContext) -> DeleteOptions:
    """The options of a DELETE. A body that is not empty replaces the query, as in kube-apiserver.

    Raises:
        Failure: 400, 413 or 415 for options that cannot be read, 422 for those that are not valid.
    """
    return validated(_of_body(ctx) if ctx.request.body else _of_query(ctx))


def validated(given: Json) -> DeleteOptions:
    """The options that a decoded DeleteOptions document states.

    Raises:
        Failure: 422 for those that are not valid.
    """
    policy, orphan, grace = (given.get(n) for n in ("propagationPolicy", "orphanDependents", "gracePeriodSeconds"))
    is_dry, wrong_dry = dry_run(given.get("dryRun") or [])
    errors: list[FieldError] = []
    if policy is not None and orphan is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(wrong("propagationPolicy", policy, why))
    if policy is not None and policy not in POLICIES:
        errors.append(not_supported("propagationPolicy", policy, [*POLICIES, "nil"]))
    errors += wrong_dry
    if errors:
        raise invalid("meta.k8s.io", "DeleteOptions", "", errors)
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    if grace is not None and grace < 0:
        grace = 1  # a negative one counts as a second
    conditions = given.get("preconditions") or {}
    return DeleteOptions(
        is_dry, conditions.get("uid"), conditions.get("resourceVersion"), policy or "", grace, orphan is False
    )


def _of_query(ctx: RequestContext) -> Json:
    query = ctx.info.query
    found: Json = {"dryRun": ctx.values("dryRun")}
    if "propagationPolicy" in query:
        found["propagationPolicy"] = query["propagationPolicy"]
    if "orphanDependents" in query:
        found["orphanDependents"] = is_true(query["orphanDependents"])
    if "gracePeriodSeconds" in query:
        try:
            found["gracePeriodSeconds"] = parse_int(query["gracePeriodSeconds"])
        except ValueError as error:
            raise bad_request(str(error)) from None
    return found


def _of_body(ctx: RequestContext) -> Json:
    content = ctx.request.headers.get("content-type")
    if media_type(content) == JSON:
        body = _of_json(ctx.request.body)
    else:
        body = decode_object(content, ctx.request.body, "DeleteOptions").value
    kind, version = body.get("kind") or "DeleteOptions", body.get("apiVersion") or ""
    if kind != "DeleteOptions":
        raise bad_request(f'no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"')
    try:
        return codec.decode(_MESSAGE, body, ())[0]
    except ValueError as error:
        raise bad_request(str(error)) from None


def _of_json(data: bytes) -> Json:
    body: Any = None
    try:
        body = load_json(data)[0]
        why = type_meta_error(body)
    except DocumentError as error:
        why = str(error)
    if why is not None:
        raise bad_request(f"couldn't get version/kind; json parse error: {why}")
    return body or {}
