"""A small API server for these tests: dictionaries, versions and watches, without validation.

Invariant: every change takes the next resourceVersion, and a write that changes nothing takes none.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from zestor_controller.http import HttpRequest, HttpResponse

KINDS = {
    "shops": ("demo.example.org/v1", "Shop"),
    "regions": ("demo.example.org/v1", "Region"),
    "configmaps": ("v1", "ConfigMap"),
    "events": ("events.k8s.io/v1", "Event"),
}
JSON = [("Content-Type", "application/json")]
Json = dict[str, Any]
Key = tuple[str, str, str]  # plural, namespace, name


class PlainServer:
    """Serves :data:`KINDS`; `requests` remembers each write as ``VERB plural name``."""

    def __init__(self, *, forbidden: tuple[str, ...] = ()) -> None:
        self.objects: dict[Key, Json] = {}
        self.writes: list[str] = []
        self.refuse: Callable[[HttpRequest], bool] = lambda request: False
        self._forbidden = forbidden
        self._history: list[tuple[int, str, str, Json]] = []
        self._version = 0
        self._changed = asyncio.Event()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        parts = request.path.strip("/").split("/")[2 if request.path.startswith("/api/") else 3 :]
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        plural, name, subresource = (*parts, "", "")[:3]
        if plural in self._forbidden:
            return _failure(403, "Forbidden", f"{plural} is forbidden: User cannot list resource")
        if plural not in KINDS:
            return _failure(404, "NotFound", "the server could not find the requested resource")
        if self.refuse(request):
            return _failure(500, "InternalError", "the test refuses this request")
        query = dict(request.query)
        if request.method == "GET" and not name:
            if query.get("watch"):
                return HttpResponse(200, JSON, self._watch(plural, namespace, int(query.get("resourceVersion") or 0)))
            items = [obj for key, obj in sorted(self.objects.items()) if key[0] == plural and _within(key, namespace)]
            return _ok({"metadata": {"resourceVersion": str(self._version)}, "items": items})
        if request.method != "GET":
            self.writes.append(" ".join(filter(None, (request.method, plural, subresource, name))))
        body = json.loads(request.body) if request.body else {}
        key = (plural, namespace, name or (body.get("metadata") or {}).get("name", ""))
        return getattr(self, f"_{request.method.lower()}")(key, body, request)

    def names(self, plural: str) -> list[str]:
        return [key[2] for key in sorted(self.objects) if key[0] == plural]

    def put(self, plural: str, name: str, *, namespace: str = "default", **fields: Any) -> Json:
        """Write an object as another client would."""
        key = (plural, namespace, name)
        return self._write(key, _merged(self.objects.get(key, {"metadata": {}}), fields))

    def take(self, plural: str, name: str, *, namespace: str = "default") -> None:
        """Delete an object as another client would."""
        self._delete((plural, namespace, name), {}, None)

    # Verbs

    def _get(self, key: Key, body: Json, request: Any) -> HttpResponse:
        return _ok(self.objects[key]) if key in self.objects else _missing(key)

    def _post(self, key: Key, body: Json, request: Any) -> HttpResponse:
        if key in self.objects:
            return _failure(409, "AlreadyExists", f"{key[2]} already exists")
        return _ok(self._write(key, body), 201)

    def _patch(self, key: Key, body: Json, request: HttpRequest) -> HttpResponse:
        before = self.objects.get(key)
        if before is None and "apply" not in request.headers.get("content-type", ""):
            return _missing(key)
        version = (body.get("metadata") or {}).get("resourceVersion")
        if before is not None and version not in (None, before["metadata"]["resourceVersion"]):
            return _failure(409, "Conflict", "the object has been modified")
        return _ok(self._write(key, _merged(before or {"metadata": {}}, body)))

    def _delete(self, key: Key, body: Json, request: Any) -> HttpResponse:
        obj = self.objects.get(key)
        if obj is None:
            return _missing(key)
        return _ok(self._write(key, _merged(obj, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})))

    # Inside

    def _write(self, key: Key, obj: Json) -> Json:
        obj = copy.deepcopy(obj)
        api_version, kind = KINDS[key[0]]
        meta = obj["metadata"]
        obj |= {"apiVersion": api_version, "kind": kind}
        meta |= {"name": key[2], "uid": meta.get("uid") or f"uid-{self._version}"}
        if key[1]:
            meta["namespace"] = key[1]
        before = self.objects.get(key)
        if obj == before:
            return obj
        self._version += 1
        meta["resourceVersion"] = str(self._version)
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            self.objects.pop(key, None)
            type_ = "DELETED"
        else:
            self.objects[key] = obj
            type_ = "ADDED" if before is None else "MODIFIED"
        self._history.append((self._version, type_, key[0], obj))
        self._changed.set()
        self._changed = asyncio.Event()
        return obj

    async def _watch(self, plural: str, namespace: str, version: int) -> AsyncIterator[bytes]:
        at = 0
        while True:
            changed = self._changed
            news = self._history[at:]  # and no more: while a line is being sent, others may be added
            at += len(news)
            for number, type_, of, obj in news:
                if number > version and of == plural and namespace in ("", obj["metadata"].get("namespace")):
                    yield json.dumps({"type": type_, "object": obj}).encode() + b"\n"
            if changed is self._changed:
                await changed.wait()


def _within(key: Key, namespace: str) -> bool:
    return namespace in ("", key[1])


def _merged(old: Json, new: Json) -> Json:
    """RFC 7386; also good enough for the apply of one manager that leaves no field out."""
    made = copy.deepcopy(old)
    for name, value in new.items():
        if value is None:
            made.pop(name, None)
        else:
            both = isinstance(value, dict) and isinstance(made.get(name), dict)
            made[name] = _merged(made[name], value) if both else copy.deepcopy(value)
    return made


def _ok(body: Json, code: int = 200) -> HttpResponse:
    return HttpResponse(code, JSON, json.dumps(body).encode())


def _missing(key: Key) -> HttpResponse:
    return _failure(404, "NotFound", f"{key[0]} {key[2]!r} not found")


def _failure(code: int, reason: str, message: str) -> HttpResponse:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}
    return HttpResponse(code, JSON, json.dumps(body).encode())
