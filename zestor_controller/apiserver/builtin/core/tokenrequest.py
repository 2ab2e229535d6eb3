"""The subresource ``serviceaccounts/token``: issues tokens, as ``kubectl create token`` requests them; stores none.

Source: pkg/registry/core/serviceaccount/storage/token.go, pkg/apis/authentication/validation.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from zestor_controller.apiserver.auth.authentication import AUDIENCE
from zestor_controller.apiserver.auth.tokens import BOUND_KINDS, TokenIssuer
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.patch import managedfields
from zestor_controller.apiserver.request.body import decode_object
from zestor_controller.apiserver.request.options import write_options
from zestor_controller.apiserver.rest.resource import Reply, Subresource
from zestor_controller.apiserver.rest.status import bad_request, conflict, invalid, not_found
from zestor_controller.apiserver.typed.fieldtable import builtin
from zestor_controller.apiserver.validation.objectmeta import new_uid
from zestor_controller.schema.fielderror import invalid as field_invalid

if TYPE_CHECKING:
    import random

    from zestor_controller.apiserver.rest.resource import RequestContext
    from zestor_controller.apiserver.storage.revisionlog import Storage
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["token_subresource"]

API: Final = "authentication.k8s.io/v1"
MESSAGE: Final = "k8s.io.api.authentication.v1.TokenRequest"
HOUR: Final = 3600
LEAST: Final = 600
MOST: Final = 1 << 32
_STRATEGY: Final = BuiltinStrategy("TokenRequest", "v1", MESSAGE)


def token_subresource(storage: Storage, issuer: TokenIssuer, rng: random.Random) -> Subresource:
    """The subresource.

    Args:
        storage: has the ServiceAccounts and the objects to which tokens are bound.
        issuer: signs the tokens.
        rng: makes their ids.
    """

    def create(ctx: RequestContext) -> Reply:
        requested, owner = _decode(ctx)
        name, namespace = ctx.info.name, ctx.info.namespace
        stored = storage.table(("", "serviceaccounts")).get(namespace, name)
        if stored is None:
            raise not_found("", "serviceaccounts", name)
        account = stored.copy()
        spec = requested.get("spec") or {}
        seconds = int(spec.get("expirationSeconds") or HOUR)
        audiences = list(spec.get("audiences") or ())
        reference = spec.get("boundObjectRef")
        metadata = {
            "name": name,
            "namespace": namespace,
            "uid": account["metadata"]["uid"],
            "creationTimestamp": ctx.now,
        }
        written: Json = {"expirationSeconds": seconds, "boundObjectRef": reference}
        response = managedfields.update(
            None,
            {
                "kind": "TokenRequest",
                "apiVersion": API,
                "metadata": metadata,
                "spec": {"audiences": audiences, **written} if audiences else written,
            },
            builtin(MESSAGE),
            owner,
            empty={"spec": {"boundObjectRef": None}},
        )
        _check_expiration(seconds)
        bound = _bound_object(storage, namespace, reference) if reference else None
        audiences = audiences or [AUDIENCE]
        response["spec"] = {"audiences": audiences, **written}
        token = issuer.issue(account, seconds, audiences, bound, new_uid(rng))
        until = datetime.fromisoformat(ctx.now) + timedelta(seconds=seconds)
        expires = until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        response["status"] = {"token": token, "expirationTimestamp": expires}
        return Reply(201, response, converted=True)

    return Subresource("token", "TokenRequest", "authentication.k8s.io", "v1", ("create",), handlers={"create": create})


def _decode(ctx: RequestContext) -> tuple[Json, managedfields.FieldOwner]:
    """The TokenRequest of a request, and who owns its fields.

    Raises:
        Failure: 400 for another kind.
    """
    request = ctx.request
    options = write_options(ctx, "CreateOptions")
    body = decode_object(request.headers.get("content-type"), request.body, "TokenRequest")
    if body.value.get("kind", "TokenRequest") != "TokenRequest" or body.value.get("apiVersion", API) != API:
        raise bad_request(f"expected a TokenRequest of {API}")
    requested, warnings = _STRATEGY.decode(body.value, options.validation, body.duplicates)
    ctx.warnings.extend(warnings)
    return requested, managedfields.FieldOwner(options.manager or ctx.manager, API, "token", ctx.now)


def _check_expiration(seconds: int) -> None:
    """Reject a time to live that is too short or too long.

    Raises:
        Failure: 422.
    """
    message = "may not specify a duration less than 10 minutes" if seconds < LEAST else ""
    if seconds > MOST:
        message = "may not specify a duration larger than 2^32 seconds"
    if message:
        error = field_invalid("spec.expirationSeconds", seconds, message)
        raise invalid("authentication.k8s.io", "TokenRequest", "", [error])


def _bound_object(storage: Storage, namespace: str, reference: dict[str, Any]) -> Json:
    """The object with which a token becomes invalid.

    Raises:
        Failure: 400 for a kind that bounds no token, 404 and 409 for an object that does not exist.
    """
    kind, version, name = (str(reference.get(key) or "") for key in ("kind", "apiVersion", "name"))
    plural = BOUND_KINDS.get(kind)
    if plural is None or version != "v1":
        shown = version if "/" in version else f"/{version}"
        raise bad_request(f"cannot bind token to object of type {shown}, Kind={kind}")
    found = storage.table(("", plural)).get("" if kind == "Node" else namespace, name)
    if found is None:
        raise not_found("", plural, name)
    uid = reference.get("uid")
    if uid and uid != found.obj["metadata"]["uid"]:
        message = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise conflict("", plural, name, message)
    return {**found.obj, "kind": kind}
