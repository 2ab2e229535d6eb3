"""``serviceaccounts/token``: a token on request, what ``kubectl create token`` asks for. It is kept nowhere."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from zestor_controller.apiserver.auth.authentication import AUDIENCE
from zestor_controller.apiserver.auth.tokens import BOUND_KINDS, TokenIssuer
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.patch import managedfields as managed
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.request.body import decode_object
from zestor_controller.apiserver.request.options import write_options
from zestor_controller.apiserver.rest.context import Call, Reply
from zestor_controller.apiserver.rest.resourceregistry import Registry
from zestor_controller.apiserver.rest.status import bad_request, conflict, invalid, not_found
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.fieldtable import builtin
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation.objectmeta import new_uid
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["add_token_requests"]

API: Final = "authentication.k8s.io/v1"
MESSAGE: Final = "k8s.io.api.authentication.v1.TokenRequest"
HOUR: Final = 3600
LEAST: Final = 600
MOST: Final = 1 << 32


def add_token_requests(registry: Registry, storage: Storage, issuer: TokenIssuer, rng: random.Random) -> None:
    """Serve ``serviceaccounts/token``."""
    strategy = BuiltinStrategy("TokenRequest", "v1", MESSAGE)

    def create(call: Call) -> Reply:
        request = call.request
        options = write_options(call.query, "CreateOptions", dry=call.values("dryRun"))
        body = decode_object(request.headers.get("content-type"), request.body, "TokenRequest", custom=False)
        if body.value.get("kind", "TokenRequest") != "TokenRequest" or body.value.get("apiVersion", API) != API:
            raise bad_request(f"expected a TokenRequest of {API}")
        asked, warnings = strategy.decode(body.value, options.validation, body.duplicates)
        call.warnings += warnings
        name, namespace = call.info.name, call.info.namespace
        present = storage.table(("", "serviceaccounts")).get(namespace, name)
        if present is None:
            raise not_found("", "serviceaccounts", name)
        account = present.copy()
        spec = asked.get("spec") or {}
        seconds = int(spec.get("expirationSeconds") or HOUR)
        audiences = list(spec.get("audiences") or ())
        reference = spec.get("boundObjectRef")
        meta: Json = {
            "name": name,
            "namespace": namespace,
            "uid": account["metadata"]["uid"],
            "creationTimestamp": call.now,
        }
        shown: Json = {"expirationSeconds": seconds, "boundObjectRef": reference}
        if audiences:
            shown = {"audiences": audiences, **shown}
        written = managed.update(
            None,
            {"kind": "TokenRequest", "apiVersion": API, "metadata": meta, "spec": shown},
            builtin(MESSAGE),
            FieldOwner(options.manager or call.manager, API, "token", call.now),
            empty={"spec": {"boundObjectRef": None}},
        )
        _check(seconds)
        bound = _bound(storage, namespace, reference) if reference else None
        written["spec"] = {"audiences": audiences or [AUDIENCE], **{k: v for k, v in shown.items() if k != "audiences"}}
        token = issuer.issue(account, seconds, audiences or [AUDIENCE], bound, new_uid(rng))
        until = datetime.fromisoformat(call.now) + timedelta(seconds=seconds)
        expires = until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        written["status"] = {"token": token, "expirationTimestamp": expires}
        return Reply(201, written, shaped=True)

    registry.add_endpoint("", "v1", "serviceaccounts", "token", "create", create)


def _check(seconds: int) -> None:
    why = "may not specify a duration less than 10 minutes" if seconds < LEAST else ""
    if seconds > MOST:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        error = wrong("spec.expirationSeconds", seconds, why)
        raise invalid("authentication.k8s.io", "TokenRequest", "", [error])


def _bound(storage: Storage, namespace: str, reference: dict[str, Any]) -> Json:
    """The object that a token shall end with."""
    kind, version, name = (str(reference.get(key) or "") for key in ("kind", "apiVersion", "name"))
    plural = BOUND_KINDS.get(kind)
    if plural is None or version != "v1":
        shown = version if "/" in version else f"/{version}"
        raise bad_request(f"cannot bind token to object of type {shown}, Kind={kind}")
    found = storage.table(("", plural)).get("" if kind == "Node" else namespace, name)
    if found is None:
        raise not_found("", plural, name)
    wanted = reference.get("uid")
    if wanted and wanted != found.obj["metadata"]["uid"]:
        told = f"the UID in the bound object reference ({wanted}) does not match the UID in record. "
        told += "The object might have been deleted and then recreated"
        raise conflict("", plural, name, told)
    return {**found.obj, "kind": kind}
