"""What a request asks for, read off its method and path alone.

Invariant: authorization, auditing and the verbs all see the same :class:`RequestInfo`, so nothing is allowed under one
reading of a path and done under another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zestor_controller.http import HttpRequest

__all__ = ["RequestInfo", "is_true", "request_info"]

_VERBS = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


def is_true(value: str) -> bool:
    """Kubernetes' reading of a boolean query parameter that is present: all but ``0`` and ``false`` is true."""
    return value != "0" and value.lower() != "false"


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request, taken apart.

    Attributes:
        is_resource: it names an API resource; otherwise only `path` and `verb` say something.
        verb: ``get list watch create update patch delete deletecollection``, or the lower-case method.
        group: empty for the core group.
        version: of the group.
        resource: the plural; ``namespaces`` for a namespace itself.
        subresource: the part after the name, empty without one.
        namespace: empty for objects of the cluster and for lists of all namespaces.
        name: empty for collections. For a list or watch, taken from the field selector ``metadata.name=``.
        path: as requested.
        single: the path names one object, whatever the verb.
        legacy_watch: the path is one of ``/api/v1/watch/...``.
        rest: path segments after the subresource.
    """

    is_resource: bool
    verb: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    single: bool = False
    legacy_watch: bool = False
    rest: tuple[str, ...] = ()


def _selected_name(request: HttpRequest) -> str:
    """The name that a field selector asks for, if it asks for exactly one."""
    for key, value in request.query:
        if key == "fieldSelector":
            for term in value.split(","):
                field, _, wanted = term.partition("=")
                if field.strip() == "metadata.name":
                    return wanted.removeprefix("=").strip()
    return ""


def request_info(request: HttpRequest) -> RequestInfo:
    """Read a request's method and path."""
    parts = [part for part in request.path.split("/") if part]
    verb = request.method.lower()
    if len(parts) >= 3 and parts[0] == "api":
        group, version, parts = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(False, verb, request.path)
    verb = _VERBS.get(request.method, verb)
    legacy = len(parts) > 1 and parts[0] == "watch"
    if legacy:
        parts, verb = parts[1:], "watch"
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
            parts = parts[2:]
    resource = parts[0]
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    single = bool(name)
    if not single:
        if verb == "get":
            watching = any(key == "watch" and is_true(value) for key, value in request.query)
            verb = "watch" if watching else "list"
        elif verb == "delete":
            verb = "deletecollection"
    if not name and verb in ("list", "watch", "deletecollection"):
        name = _selected_name(request)
    return RequestInfo(
        True,
        verb,
        request.path,
        group,
        version,
        resource,
        subresource,
        namespace,
        name,
        single,
        legacy,
        tuple(parts[3:]),
    )
