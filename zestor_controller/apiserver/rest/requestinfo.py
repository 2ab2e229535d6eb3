"""What a request asks for, read off its method, path and query.

Invariant: a request is parsed once. Authorization, auditing and the verbs all see the same :class:`RequestInfo`, so
nothing is authorized under one reading of a path or parameter and executed under another.

Source: apiserver pkg/endpoints/request/requestinfo.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zestor_controller.apiserver.rest.fieldselector import FieldSelectorError, exact_value, parse_field_selector
from zestor_controller.schema.nameformat import path_segment

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
        name: empty for collections. For a list or watch, the one name that the field selector requires; not for a
            deletecollection, which is authorized for all names or not at all.
        path: as requested.
        query: the parameters; of a repeated one the first counts.
        single: the path names one object, whatever the verb.
        in_namespace: the path goes through a namespace; not that of a namespace itself, where `namespace` is set too.
        legacy_watch: the path is one of ``/api/v1/watch/...``.
        rest: path segments after the subresource.
    """

    is_resource: bool
    verb: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    single: bool = False
    in_namespace: bool = False
    legacy_watch: bool = False
    rest: tuple[str, ...] = ()


def _selected_name(query: Mapping[str, str]) -> str:
    """The name that the field selector of a list or watch requires; empty if it leaves the name open."""
    try:
        name = exact_value(parse_field_selector(query.get("fieldSelector", "")), "metadata.name") or ""
    except FieldSelectorError:
        return ""  # the verb rejects the request for it, if it is authorized without a name
    return "" if path_segment(name) else name


def request_info(request: HttpRequest) -> RequestInfo:
    """Read a request's method and path."""
    parts = [part for part in request.path.split("/") if part]
    verb = request.method.lower()
    query: dict[str, str] = {}
    for key, value in request.query:
        query.setdefault(key, value)
    if len(parts) >= 3 and parts[0] == "api":
        group, version, parts = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(False, verb, request.path, query)
    verb = _VERBS.get(request.method, verb)
    legacy = len(parts) > 1 and parts[0] == "watch"
    if legacy:
        parts, verb = parts[1:], "watch"
    namespace, in_namespace = "", False
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
            parts, in_namespace = parts[2:], True
    resource = parts[0]
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    single = bool(name)
    if not single:
        if verb == "get":
            verb = "watch" if is_true(query.get("watch", "false")) else "list"
            name = _selected_name(query)
        elif verb == "delete":
            verb = "deletecollection"
    return RequestInfo(
        True,
        verb,
        request.path,
        query,
        group,
        version,
        resource,
        subresource,
        namespace,
        name,
        single,
        in_namespace,
        legacy,
        tuple(parts[3:]),
    )
