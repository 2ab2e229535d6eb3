"""Query parameters: what may be asked for, and what may not, in kube-apiserver's words.

Source: apimachinery pkg/apis/meta/internalversion/validation, pkg/apis/meta/v1/validation.
"""

from __future__ import annotations

import base64
import binascii
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from zestor_controller.apiserver.rest.requestinfo import is_true
from zestor_controller.apiserver.rest.resource import RequestContext
from zestor_controller.apiserver.rest.status import Failure, bad_request, invalid, status_body
from zestor_controller.apiserver.syntax.gojson import DocumentError
from zestor_controller.apiserver.syntax.gojson import load as load_json
from zestor_controller.apiserver.syntax.gonumber import parse_int, parse_uint
from zestor_controller.schema.fielderror import FieldError, forbidden, not_supported, required, too_long
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["Continue", "ListOptions", "WriteOptions", "dry_run", "list_options", "object_version", "write_options"]

META: Final = "meta.k8s.io"
MATCHES: Final = ("Exact", "NotOlderThan")
VALIDATIONS: Final = ("", "Ignore", "Strict", "Warn")
_BASE64: Final = re.compile(r"[-_A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Continue:
    """Where a paged list goes on.

    Attributes:
        revision: the version that all its pages show; 0 goes on with the present state.
        start: the key of the last object of the page before, as it stands below the list's own path.
    """

    revision: int
    start: str

    def token(self) -> str:
        """The text that a client sends back."""
        body = {"v": "meta.k8s.io/v1", "rv": self.revision if self.revision else -1, "start": self.start + "\0"}
        return base64.urlsafe_b64encode(json.dumps(body, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, token: str) -> Continue:
        """Read a token.

        Raises:
            Failure: 400 for one that this server did not make.
        """
        told = "invalid continue token: continue key is not valid: "
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except (ValueError, binascii.Error):
            alien = next((at for at, sign in enumerate(token) if not _BASE64.fullmatch(sign)), len(token) - 1)
            raise bad_request(f"{told}illegal base64 data at input byte {alien}") from None
        try:
            body, _ = load_json(raw)
        except DocumentError as error:
            raise bad_request(f"{told}{error}") from None
        if not isinstance(body, dict) or body.get("v") != "meta.k8s.io/v1":
            raise bad_request(f'{told}server does not recognize this encoded version ""')
        revision, start = body.get("rv"), body.get("start")
        if not isinstance(revision, int) or revision == 0:
            raise bad_request(f"{told}incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
        if not isinstance(start, str) or not start:
            raise bad_request(f"{told}encoded start key empty (version meta.k8s.io/v1)")
        if posixpath.normpath("/" + start.lstrip("/")) != "/" + start.lstrip("/"):
            raise bad_request(f"{told}{start}")
        return cls(max(0, revision), start.lstrip("/").removesuffix("\0"))


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a list or watch asks for.

    Attributes:
        version: the resourceVersion; None where none is given.
        match: ``""``, ``Exact`` or ``NotOlderThan``.
        limit: of a page; 0 for all.
        page: where a paged list goes on.
        bookmarks: a watch wants bookmarks.
        initial: a watch wants the present objects first; None leaves it to the version.
        timeout: seconds after which a watch ends; None for the server's own.
    """

    version: int | None
    match: str
    limit: int
    page: Continue | None
    bookmarks: bool
    initial: bool | None
    timeout: float | None


def list_options(query: Mapping[str, str], *, watching: bool) -> ListOptions:
    """Read the query of a list or watch.

    Raises:
        Failure: 400 or 422 for parameters that make no sense, alone or together.
    """
    text, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    token = query.get("continue", "")
    limit = _number(query, "limit") or 0
    timeout = _number(query, "timeoutSeconds")
    initial = is_true(query["sendInitialEvents"]) if "sendInitialEvents" in query else None
    errors: list[FieldError] = []
    if watching:
        if initial is not None and match != "NotOlderThan":
            errors.append(_match("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
        if match:
            if initial is None:
                errors.append(
                    _match("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
                )
            if match != "NotOlderThan":
                errors.append(not_supported("resourceVersionMatch", match, ["NotOlderThan"]))
            if token:
                errors.append(_match("resourceVersionMatch is forbidden when continue is provided"))
    else:
        if match:
            if not text:
                errors.append(_match("resourceVersionMatch is forbidden unless resourceVersion is provided"))
            if token:
                errors.append(_match("resourceVersionMatch is forbidden when continue is provided"))
            if match not in MATCHES:
                errors.append(not_supported("resourceVersionMatch", match, [*MATCHES, ""]))
            if match == "Exact" and text == "0":
                errors.append(_match('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
        if initial is not None:
            errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if errors:
        raise invalid(META, "ListOptions", "", errors)
    page = None
    if token and not watching:
        page = Continue.parse(token)
        if text and text != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
    version = _version(text, watching=watching) if text else None
    bookmarks = "allowWatchBookmarks" in query and is_true(query["allowWatchBookmarks"])
    return ListOptions(version, match, max(0, limit), page, bookmarks, initial, timeout)


def _match(told: str) -> FieldError:
    return forbidden("resourceVersionMatch", told)


def _number(query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    try:
        return parse_int(query[name])
    except ValueError as error:
        raise bad_request(str(error)) from None


def _version(text: str, *, watching: bool) -> int:
    if watching:
        return object_version(text)
    try:
        return object_version(text)
    except Failure as failure:
        raise bad_request(f"invalid resource version: {failure.body['message']}") from None


def object_version(text: str) -> int:
    """The resourceVersion of a read.

    Raises:
        Failure: 500 for one that is no number, as the real server has it; 400 for one that is out of range.
    """
    try:
        return parse_uint(text)
    except ValueError as error:
        message = f"resourceVersion: Invalid value: {json.dumps(text)}: {error}"
        raise bad_request(message) if text.isdecimal() else Failure(status_body(500, message)) from None


def dry_run(values: Sequence[str]) -> tuple[bool, list[FieldError]]:
    """What the values of ``dryRun`` say, and what is wrong with them."""
    if any(value != "All" for value in values):
        return True, [not_supported("dryRun", list(values), ["All"])]
    return bool(values), []


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a write asks for.

    Attributes:
        dry_run: judge it and write nothing.
        manager: the field manager; empty leaves it to the user agent.
        validation: ``Strict``, ``Warn`` or ``Ignore``.
        force: an apply takes fields from other managers.
    """

    dry_run: bool
    manager: str
    validation: str
    force: bool


def write_options(ctx: RequestContext, kind: str, *, applying: bool = False) -> WriteOptions:
    """Read the query of a create, update or patch.

    Args:
        ctx: the request.
        kind: ``CreateOptions``, ``UpdateOptions`` or ``PatchOptions``.
        applying: the patch is a server-side apply.

    Raises:
        Failure: 422.
    """
    errors: list[FieldError] = []
    query = ctx.info.query
    manager = query.get("fieldManager", "")
    if kind == "PatchOptions":
        if applying and not manager:
            errors.append(required("fieldManager", "is required for apply patch"))
        if not applying and "force" in query:
            errors.append(forbidden("force", "may not be specified for non-apply patch"))
    if len(manager) > 128:
        errors.append(too_long("fieldManager", 128))
    for index, character in enumerate(manager if not manager.isprintable() else ""):
        if not character.isprintable():
            shown = f'"{manager}"'.encode("unicode_escape").decode()
            told = f"invalid character U+{ord(character):04X} (at position {index})"
            error = wrong("fieldManager", manager, told)
            errors.append(FieldError(error.type, error.field, error.value, error.detail, shown))
            break
    is_dry = False
    if "dryRun" in query:
        is_dry, wrong_dry = dry_run(ctx.values("dryRun"))
        errors += wrong_dry
    validation = query.get("fieldValidation", "")
    if validation not in VALIDATIONS:
        errors.append(not_supported("fieldValidation", validation, list(VALIDATIONS)))
    if errors:
        raise invalid(META, kind, "", errors)
    force = "force" in query and is_true(query["force"])
    return WriteOptions(is_dry, manager, validation or "Warn", force)
