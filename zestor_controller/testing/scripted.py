"""A scripted API server in memory: lists and watches of a few kinds, and every fault that a test requests.

Invariant: it knows no rules of Kubernetes but versions, pages and watches, so that a test decides every response. For
real responses use the embedded API server.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zestor_controller.deprecation import renamed
from zestor_controller.http import HttpRequest, HttpResponse

__all__ = ["ScriptedServer", "status_response"]

ScriptedResponse = Callable[[HttpRequest], HttpResponse] | HttpResponse | Exception
Cut = Callable[[bytes], Iterable[bytes]]


def status_response(code: int, reason: str = "", message: str = "", *, retry_after: int | None = None) -> HttpResponse:
    """The failure response of an API server.

    Args:
        code: the HTTP status code.
        reason: the Status's reason.
        message: the Status's message.
        retry_after: seconds for a ``Retry-After`` header.
    """
    headers = [("Content-Type", "application/json")]
    if retry_after is not None:
        headers.append(("Retry-After", str(retry_after)))
    return HttpResponse(code, headers, json.dumps(_status(code, reason, message)).encode())


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "reason": reason,
        "message": message or reason,
        "code": code,
    }


@dataclass(slots=True)
class _Stream:
    """One open watch: what it is still to send, and how it is to end."""

    plural: str
    namespace: str | None
    pending: deque[bytes] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    failure: Exception | None = None
    muted: bool = False

    def send(self, piece: bytes) -> None:
        if not self.muted and not self.over:
            self.pending.append(piece)
            self.wake.set()

    def end(self, failure: Exception | None = None) -> None:
        self.over, self.failure = True, failure
        self.wake.set()


class ScriptedServer:
    """A Handler with a history of objects, and faults on demand.

    Attributes:
        version: the last resourceVersion given.
        requests: every request so far, as ``list``, ``watch``, ``version`` (a consistent list of one object, by which a
            cache learns the present version) or ``get``, with its path and query.
        compacted: versions below this one have no history any more: 410.
        obeys_timeout: end watches after their ``timeoutSeconds``.
        cut: how bytes of watches are cut into pieces.
    """

    def __init__(self, version: int = 100) -> None:
        self.version = version
        self.compacted = 0
        self.obeys_timeout = True
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.cut: Cut = lambda data: (data,)
        self._objects: dict[str, dict[str, dict[str, Any]]] = {}
        self._history: list[tuple[int, str, str, dict[str, Any]]] = []
        self._script: dict[str, deque[ScriptedResponse]] = {
            verb: deque() for verb in ("list", "watch", "version", "get")
        }
        self._fixed: dict[tuple[str, str], ScriptedResponse] = {}
        self._pages: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        self._streams: list[_Stream] = []
        self._uids = 0

    # Objects

    def put(self, plural: str, name: str, namespace: str | None = "default", **body: Any) -> dict[str, Any]:
        """Create or update an object; the watches learn of it. Returns it as stored."""
        objects = self._objects.setdefault(plural, {})
        key = f"{namespace}/{name}" if namespace else name
        old = objects.get(key)
        self.version += 1
        if old is None:
            self._uids += 1
        uid = old["metadata"]["uid"] if old else f"uid-{self._uids}"
        meta = {"name": name, "uid": uid, "resourceVersion": str(self.version), **body.pop("metadata", {})}
        if namespace:
            meta["namespace"] = namespace
        obj = objects[key] = {**body, "metadata": meta}
        self._happened(plural, "MODIFIED" if old else "ADDED", obj)
        return obj

    def remove(self, plural: str, name: str, namespace: str | None = "default") -> None:
        """Delete an object; the watches learn of it."""
        obj = self._objects[plural].pop(f"{namespace}/{name}" if namespace else name)
        self.version += 1
        meta = {**obj["metadata"], "resourceVersion": str(self.version)}
        self._happened(plural, "DELETED", {**obj, "metadata": meta})

    def objects(self, plural: str) -> dict[str, dict[str, Any]]:
        """What exists now, by ``namespace/name``."""
        return dict(self._objects.get(plural, {}))

    def bookmark(self, plural: str, kind: str = "") -> None:
        """Send a bookmark to the open watches of a plural."""
        self.version += 1
        body = {"kind": kind, "metadata": {"resourceVersion": str(self.version)}}
        self.send(plural, json.dumps({"type": "BOOKMARK", "object": body}).encode() + b"\n")

    def compact(self) -> None:
        """Forget the history: watches from an older version, and further pages of lists, get 410."""
        self.compacted = self.version
        self._history.clear()
        self._pages.clear()

    def restore(self, plural: str, objects: dict[str, dict[str, Any]], version: int) -> None:
        """Go back to an earlier state, as a backup of etcd does; open watches end."""
        self._objects[plural] = dict(objects)
        self.version = version
        self._history.clear()
        self._pages.clear()
        self.end_watches()

    # Faults

    def script(self, verb: str, *responses: ScriptedResponse) -> None:
        """Give these responses to the next requests of a verb (``list``, ``watch``), one to each.

        An exception is raised, a function is called with the request. A ``version`` request is no ``list``: it takes
        none of its responses.
        """
        self._script[verb].extend(responses)

    def refuse(self, verb: str, plural: str, response: ScriptedResponse | None) -> None:
        """Give every request of a verb for a plural this response, until reset with None; ``list``: versions, too."""
        if response is None:
            self._fixed.pop((verb, plural), None)
        else:
            self._fixed[verb, plural] = response

    def send(self, plural: str, piece: bytes) -> None:
        """Put bytes on the open watches of a plural as they are."""
        for stream in self._streams:
            if stream.plural == plural:
                stream.send(piece)

    def end_watches(self, failure: Exception | None = None) -> None:
        """End every open watch; with an error the connection breaks."""
        for stream in self._streams:
            stream.end(failure)

    def mute(self) -> None:
        """The open watches go dead: nothing more comes, not even their end."""
        for stream in self._streams:
            stream.muted = True
            stream.wake.set()  # so that it forgets its deadline

    def open_watches(self) -> int:
        """How many watches are open."""
        return len(self._streams)

    def count(self, verb: str) -> int:
        """How many requests of a verb there have been."""
        return sum(1 for seen, _, _ in self.requests if seen == verb)

    # The Handler

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """The response to a list or a watch."""
        query = dict(request.query)
        plural, namespace = _target(request.path)
        verb = _verb(request.path, query)
        self.requests.append((verb, request.path, query))
        response = self._fixed.get(("list" if verb == "version" else verb, plural))
        if response is None and self._script[verb]:
            response = self._script[verb].popleft()
        if isinstance(response, Exception):
            raise response
        if response is not None:
            return response(request) if callable(response) else response
        if verb == "get":  # of the kinds that are never put here, there is one of each name
            return HttpResponse(200, [], json.dumps({"kind": "Namespace", "metadata": {"name": namespace}}).encode())
        if verb in ("list", "version"):
            return self._list(plural, namespace, query)
        return self._watch(plural, namespace, query)

    def _list(self, plural: str, namespace: str | None, query: dict[str, str]) -> HttpResponse:
        limit = int(query.get("limit", "0")) or 1 << 30
        token = query.get("continue")
        if token is None:
            version, rest = self.version, sorted(self._objects.get(plural, {}).items())
            items = [obj for _, obj in rest if namespace in (None, obj["metadata"].get("namespace"))]
        elif token in self._pages:
            version, items = self._pages[token]
        else:
            return status_response(410, "Expired", "the provided continue parameter is too old")
        wanted = query.get("resourceVersion", "0")
        if wanted.isdecimal() and int(wanted) > self.version:
            status = _status(504, "Timeout", f"Too large resource version: {wanted}, current: {self.version}")
            status["details"] = {
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
            }
            return HttpResponse(504, [], json.dumps(status).encode())
        meta = {"resourceVersion": str(version)}
        if len(items) > limit:
            meta["continue"] = f"page-{len(self._pages)}-{version}"
            self._pages[meta["continue"]] = version, items[limit:]
        body = {"kind": "List", "metadata": meta, "items": items[:limit]}
        return HttpResponse(200, [("Content-Type", "application/json")], json.dumps(body).encode())

    def _watch(self, plural: str, namespace: str | None, query: dict[str, str]) -> HttpResponse:
        since = int(query["resourceVersion"])
        stream = _Stream(plural, namespace)
        if since < self.compacted:
            error = {"type": "ERROR", "object": _status(410, "Expired", "too old resource version")}
            stream.send(json.dumps(error).encode() + b"\n")
            stream.end()
        for version, where, kind, obj in self._history:
            if version > since and where == plural and namespace in (None, obj["metadata"].get("namespace")):
                stream.send(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
        self._streams.append(stream)
        seconds = float(query["timeoutSeconds"]) if self.obeys_timeout else None
        return HttpResponse(200, [("Content-Type", "application/json")], self._flow(stream, seconds))

    async def _flow(self, stream: _Stream, seconds: float | None) -> AsyncIterator[bytes]:
        timeout = asyncio.get_running_loop().time() + seconds if seconds is not None else None
        try:
            while True:
                while stream.pending:
                    for piece in self.cut(stream.pending.popleft()):
                        yield piece
                if stream.over and not stream.muted:
                    if stream.failure is not None:
                        raise stream.failure
                    return
                stream.wake.clear()
                try:
                    async with asyncio.timeout_at(None if stream.muted else timeout):
                        await stream.wake.wait()
                except TimeoutError:
                    return
        finally:
            self._streams.remove(stream)

    def _happened(self, plural: str, kind: str, obj: dict[str, Any]) -> None:
        self._history.append((self.version, plural, kind, obj))
        line = json.dumps({"type": kind, "object": obj}).encode() + b"\n"
        for stream in self._streams:
            if stream.plural == plural and stream.namespace in (None, obj["metadata"].get("namespace")):
                stream.send(line)


def _verb(path: str, query: dict[str, str]) -> str:
    if query.get("watch") == "true":
        return "watch"
    if path.startswith("/api/v1/namespaces/") and path.count("/") == 4:
        return "get"
    present = query.get("limit") == "1" and not {"resourceVersion", "continue"} & query.keys()
    return "version" if present else "list"


def _target(path: str) -> tuple[str, str | None]:
    parts = path.strip("/").split("/")
    if "namespaces" in parts[:-1]:
        at = parts.index("namespaces")
        return parts[at + 2] if len(parts) > at + 2 else "namespaces", parts[at + 1]
    return parts[-1], None


if not TYPE_CHECKING:
    __getattr__ = renamed(
        __name__,
        {"status_answer": ("zestor_controller.testing.scripted.status_response", status_response)},
        since="0.2",
    )
