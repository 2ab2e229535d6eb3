"""Query parameters: what may be asked for, and what may not, in kube-apiserver's words.

Source: apimachinery pkg/apis/meta/internalversion/validation, pkg/apis/meta/v1/validation.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zestor_controller.apiserver.info import is_true
from zestor_controller.apiserver.status import Failure, bad_request, invalid
from zestor_controller.schema.fielderror import FieldError, forbidden, not_supported, required, too_long
from zestor_controller.schema.fielderror import invalid as wrong

__all__ = ["Continue", "ListOptions", "WriteOptions", "list_options", "write_options"]

META: Final = "meta.k8s.io"
MATCHES: Final = ("Exact", "NotOlderThan")
VALIDATIONS: Final = ("", "Ignore", "Strict", "Warn")


@dataclass(frozen=True, slots=True)
class Continue:
    """Where a paged list goes on.

    Attributes:
        revision: the version that all its pages show; 0 goes on with the present state.
        start: the key of the last object of the page before.
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
        try:
            body = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            if body["v"] != "meta.k8s.io/v1" or not body["start"]:
                raise ValueError
            return cls(max(0, int(body["rv"])), str(body["start"]).removesuffix("\0"))
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise bad_request("continue key is not valid: illegal base64 data at input byte 0") from None


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
    if initial is not None and not watching:
        errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if match and match not in MATCHES:
        errors.append(not_supported("resourceVersionMatch", match, [*MATCHES, ""]))
    if watching:
        if initial is not None:
            if not match:
                errors.append(_initial_needs())
            elif match != "NotOlderThan":
                errors.append(_initial_needs())
        elif match:
            told = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            errors.append(forbidden("resourceVersionMatch", told))
    elif match:
        if not text:
            told = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            errors.append(forbidden("resourceVersionMatch", told))
        if token:
            errors.append(
                forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
            )
        if match == "Exact" and text == "0":
            told = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            errors.append(forbidden("resourceVersionMatch", told))
    if errors:
        raise invalid(META, "ListOptions", "", errors)
    page = None
    if token and not watching:
        page = Continue.parse(token)
        if text and text != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
    version = _version(text, watching=watching)
    bookmarks = "allowWatchBookmarks" in query and is_true(query["allowWatchBookmarks"])
    return ListOptions(version, match, max(0, limit), page, bookmarks, initial, timeout)


def _initial_needs() -> FieldError:
    told = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    return forbidden("resourceVersionMatch", told)


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"[-+]?\d+", text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _version(text: str, *, watching: bool) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        detail = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise invalid_version(text, detail)
    return int(text)


def invalid_version(text: str, detail: str) -> Failure:
    """A resourceVersion that is no number: 400, an Invalid reason is not given by the real server either."""
    return bad_request(f"Invalid value: {json.dumps(text)}: {detail}")


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


def write_options(query: Mapping[str, str], kind: str, *, applying: bool = False) -> WriteOptions:
    """Read the query of a create, update or patch.

    Args:
        query: the parameters.
        kind: ``CreateOptions``, ``UpdateOptions`` or ``PatchOptions``.
        applying: the patch is a server-side apply.

    Raises:
        Failure: 422.
    """
    errors: list[FieldError] = []
    manager = query.get("fieldManager", "")
    if kind == "PatchOptions":
        if applying and not manager:
            errors.append(required("fieldManager", "is required for apply patch"))
        if not applying and "force" in query:
            errors.append(forbidden("force", "may not be specified for non-apply patch"))
    if len(manager) > 128:
        errors.append(too_long("fieldManager", 128))
    for index, character in enumerate(manager):
        if not character.isprintable():
            shown = f'"{manager}"'.encode("unicode_escape").decode()
            told = f"invalid character U+{ord(character):04X} (at position {index})"
            error = wrong("fieldManager", manager, told)
            errors.append(FieldError(error.type, error.field, error.value, error.detail, shown))
            break
    dry = query.get("dryRun", "")
    if dry and dry != "All":
        errors.append(not_supported("dryRun", [dry], ["All"]))
    validation = query.get("fieldValidation", "")
    if validation not in VALIDATIONS:
        errors.append(not_supported("fieldValidation", validation, list(VALIDATIONS)))
    if errors:
        raise invalid(META, kind, "", errors)
    force = "force" in query and is_true(query["force"])
    return WriteOptions(bool(dry), manager, validation or "Warn", force)
