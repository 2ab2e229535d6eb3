"""Impersonation: the ``Impersonate-`` headers, and the right to act as another user.

Invariant: every header that changes the identity is authorized as a resource of its own: a user as ``users``, a service
account as ``serviceaccounts`` in its namespace, a node as ``nodes``, each group as ``groups``, a uid as ``uids``, each
value of an extra as ``userextras/KEY``; the name of the resource is the value that is taken on.

The modes of constrained impersonation (KEP-5284) are tried first, each of which also needs
``impersonate-on:MODE:VERB`` on what is requested; then the plain verb ``impersonate``. The error of the first mode that
applies is the one that is returned.

Source: apiserver pkg/endpoints/filters/impersonation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from zestor_controller.apiserver.auth.authentication import ACCOUNT, ANONYMOUS, AUTHENTICATED, account_groups
from zestor_controller.apiserver.auth.authorization import MASTERS, Attributes, RbacAuthorizer, attributes_of, refused
from zestor_controller.apiserver.rest.requestinfo import RequestInfo
from zestor_controller.apiserver.rest.status import Failure, bad_request
from zestor_controller.apiserver.rest.user import User
from zestor_controller.http import HttpRequest
from zestor_controller.schema.gotext import quote
from zestor_controller.schema.nameformat import dns1123_label, dns1123_subdomain

__all__ = ["Impersonation"]

AUTHENTICATION: Final = "authentication.k8s.io"
NODE: Final = "system:node:"
NODES: Final = "system:nodes"
UNAUTHENTICATED: Final = ANONYMOUS.groups[0]
NODE_NAME: Final = "authentication.kubernetes.io/node-name"
LEGACY: Final = ""
MANY: Final = 4  # values from which on the right to all of them is asked for first
_EXTRA: Final = "impersonate-extra-"
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Impersonation:
    """Decides as whom a request is carried out.

    Args:
        authorizer: knows the rights; None: every right is held.
    """

    def __init__(self, authorizer: RbacAuthorizer | None) -> None:
        self._authorizer = authorizer

    def user(self, request: HttpRequest, info: RequestInfo, requester: User) -> User:
        """The user that a request is carried out as: its requester, or the one that its headers name.

        Raises:
            Failure: 400 for a group, uid or extra without a user, 403 for an identity that may not be taken on.
        """
        if not any(header.startswith("impersonate-") for header in request.headers):
            return requester
        wanted = _wanted(request.headers)
        if wanted is None:
            return requester
        first: Failure | None = None
        for mode in _modes(wanted, requester):
            try:
                return self._checked(mode, wanted, requester, info)
            except Failure as failure:
                first = first or failure
        assert first is not None  # the last mode always applies
        raise first

    def _checked(self, mode: str, wanted: User, requester: User, info: RequestInfo) -> User:
        """The user in one mode.

        Raises:
            Failure: 403 for the first right that is missing.
        """
        if mode != LEGACY:
            request = attributes_of(info)
            self._require(requester, replace(request, verb=f"impersonate-on:{mode}:{request.verb}"))
        verb, group = (f"impersonate:{mode}", AUTHENTICATION) if mode else ("impersonate", "")
        groups = wanted.groups
        account = _account(wanted.name)
        if account is not None:
            self._require(requester, Attributes(verb, group, "serviceaccounts", "", *account))
            groups = groups or account_groups(account[0])
        elif mode.endswith("-node"):
            # A pod may become any node that it runs on, so the right must not depend on which one that is.
            node = "*" if mode == "associated-node" else wanted.name.removeprefix(NODE)
            self._require(requester, Attributes(verb, group, "nodes", name=node))
            groups = (NODES,)
        else:
            self._require(requester, Attributes(verb, group, "users", name=wanted.name))
        if wanted.uid:
            self._require(requester, Attributes(verb, AUTHENTICATION, "uids", name=wanted.uid))
        self._require_groups(requester, Attributes(verb, group, "groups"), wanted.groups, constrained=bool(mode))
        extra = Attributes(verb, AUTHENTICATION, "userextras")
        self._require_extra(requester, extra, wanted.extra, constrained=bool(mode))
        added = UNAUTHENTICATED if wanted.name == ANONYMOUS.name else AUTHENTICATED
        known = added in groups or UNAUTHENTICATED in groups
        return replace(wanted, groups=groups if known else (*groups, added))

    def _allowed(self, requester: User, attributes: Attributes) -> bool:
        return self._authorizer is None or self._authorizer.allowed(requester, attributes)

    def _require(self, requester: User, attributes: Attributes) -> None:
        if not self._allowed(requester, attributes):
            raise refused(requester, attributes)

    def _require_groups(
        self, requester: User, attributes: Attributes, groups: tuple[str, ...], *, constrained: bool
    ) -> None:
        if constrained and "" in groups:
            raise refused(requester, attributes, "impersonating the empty string group is not allowed")
        if constrained and MASTERS in groups:
            why = f"impersonating the {MASTERS} group is not allowed"
            raise refused(requester, replace(attributes, name=MASTERS), why)
        if constrained and len(groups) >= MANY and self._allowed(requester, replace(attributes, name="*")):
            return
        for group in groups:
            self._require(requester, replace(attributes, name=group))

    def _require_extra(
        self, requester: User, attributes: Attributes, extra: Mapping[str, tuple[str, ...]], *, constrained: bool
    ) -> None:
        if constrained and (why := _bad_extra(extra)):
            raise refused(requester, attributes, why)
        many = constrained and (len(extra) >= MANY or sum(map(len, extra.values())) >= MANY)
        if many and self._allowed(requester, replace(attributes, subresource="*", name="*")):
            return
        for key, values in extra.items():
            for value in values:
                self._require(requester, replace(attributes, subresource=key, name=value))


def _modes(wanted: User, requester: User) -> Iterator[str]:
    """The modes that apply to a user, in the order in which they are tried."""
    only_name = not (wanted.uid or wanted.groups or wanted.extra)
    node, account = _node(wanted.name), _account(wanted.name)
    if only_name and node:
        if _account(requester.name) is not None and tuple(requester.extra.get(NODE_NAME, ())) == (node,):
            yield "associated-node"
        yield "arbitrary-node"
    if only_name and account is not None:
        yield "serviceaccount"
    if not node and account is None:
        yield "user-info"
    yield LEGACY


def _wanted(headers: Mapping[str, str]) -> User | None:
    """The identity that the headers name; of a repeated user or uid the first counts. None when they name none.

    Raises:
        Failure: 400 where a group, uid or extra is given without a user.
    """
    # Lines of one header arrive joined by newlines, which no value can contain.
    name = headers.get("impersonate-user", "").split("\n")[0]
    uid = headers.get("impersonate-uid", "").split("\n")[0]
    groups = tuple(headers["impersonate-group"].split("\n")) if "impersonate-group" in headers else ()
    extra: dict[str, tuple[str, ...]] = {}
    for header, text in headers.items():
        if header.startswith(_EXTRA):
            key = header.removeprefix(_EXTRA)
            key = key if _BAD_ESCAPE.search(key) else unquote(key)
            extra[key] = (*extra.get(key, ()), *text.split("\n"))
    if name:
        return User(name, uid, groups, extra)
    if groups or uid or extra:
        pairs = ", ".join(f"{quote(key)}:{_go_strings(values)}" for key, values in sorted(extra.items()))
        shown = f"{{{pairs}}}" if extra else "(nil)"
        user = f"UID:{quote(uid)}, Groups:{_go_strings(groups)}, Extra:map[string][]string{shown}"
        raise bad_request(f'requested &user.DefaultInfo{{Name:"", {user}}} without impersonating a user name')
    return None


def _go_strings(values: tuple[str, ...]) -> str:
    return f"[]string{{{', '.join(map(quote, values))}}}" if values else "[]string(nil)"


def _account(name: str) -> tuple[str, str] | None:
    """Namespace and name of a service account's user name; None for another user."""
    parts = name.removeprefix(ACCOUNT).split(":")
    if not name.startswith(ACCOUNT) or len(parts) != 2 or dns1123_label(parts[0]) or dns1123_subdomain(parts[1]):
        return None
    return parts[0], parts[1]


def _node(name: str) -> str:
    """The name of the node that a user is; empty for another user."""
    node = name.removeprefix(NODE)
    return node if name.startswith(NODE) and not dns1123_subdomain(node) else ""


def _bad_extra(extra: Mapping[str, tuple[str, ...]]) -> str:
    """Why constrained impersonation does not take these extras; empty when it does."""
    for key, values in extra.items():
        domain, slash, path = key.partition("/")
        if not key:
            return "impersonating the empty string key in extra is not allowed"
        if not slash or not path or dns1123_subdomain(domain):
            why = 'must be a domain-prefixed path (such as "acme.io/foo")'
            return (
                f"impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {quote(key)}: {why}"
            )
        if key != key.lower():
            return f"impersonating a non-lowercase key in extra is not allowed: {quote(key)}"
        if "" in values:
            return "impersonating the empty string value in extra is not allowed"
    return ""
