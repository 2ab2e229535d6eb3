"""The client: Kubernetes verbs, typed by kind. The only room that speaks HTTP to a server.

Invariant: one function builds every request, one function reads every answer, so no verb knows a URL or an error format.
The client never writes a store; what it changed comes back by the watch.
"""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Self, TypeVar, overload

import msgspec

from zestor_controller.client.config import load_config, static_config
from zestor_controller.client.discovery import discover
from zestor_controller.client.transport import AiohttpTransport, Transport
from zestor_controller.client.watch import WatchEvent, decode_event, split_lines
from zestor_controller.errors import ApiError, ConfigError, Gone, NotFound, TransportError
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.objects import Kind, Patch, Unstructured, kind_of, kind_of_object

__all__ = ["Client", "ObjectList"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

FIELD_MANAGER = "zestor-controller"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ObjectList(Generic[T]):
    """Objects of a list, and the version of the server that they show.

    Attributes:
        items: the objects, in the server's order.
        resource_version: start a watch from here to miss nothing.
    """

    items: list[T]
    resource_version: str

    def __iter__(self) -> Any:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> T:
        return self.items[index]


class Client:
    """Verbs against one server.

    ``async with Client.connect() as client`` finds the cluster that the user means; the constructor takes any transport.

    Args:
        transport: the way to the server; the client closes it.
        namespace: where objects without a namespace are looked for.
        field_manager: the name under which fields are owned.
    """

    def __init__(self, transport: Transport, *, namespace: str = "default", field_manager: str = FIELD_MANAGER) -> None:
        self.transport = transport
        self.namespace = namespace
        self.field_manager = field_manager
        self._warned: set[str] = set()

    @staticmethod
    def connect(
        kubeconfig: str | os.PathLike[str] | None = None,
        context: str | None = None,
        server: str | None = None,
        token: str | None = None,
        ca: str | os.PathLike[str] | None = None,
        *,
        namespace: str | None = None,
        field_manager: str = FIELD_MANAGER,
    ) -> AbstractAsyncContextManager[Client]:
        """Open a connection to the cluster that the arguments, or else the environment, name.

        Args:
            kubeconfig: a file; else KUBECONFIG, ``~/.kube/config``, or the pod's own account.
            context: a context of the kubeconfig.
            server: a URL; with `token` and `ca` it stands instead of a kubeconfig.
            token: a bearer token.
            ca: a file with the server's CA, or its PEM text.
            namespace: the default namespace; the context's own unless given.
            field_manager: the name under which fields are owned.

        Raises:
            ConfigError: on entering: nothing names a cluster, or what does cannot be used.
        """

        @asynccontextmanager
        async def opened() -> AsyncIterator[Client]:
            if server is not None:
                config = static_config(server, token=token, ca=ca)
            else:
                config = await load_config(kubeconfig, context)
            transport = AiohttpTransport(config)
            try:
                yield Client(transport, namespace=namespace or config.namespace, field_manager=field_manager)
            finally:
                await transport.close()

        return opened()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.transport.close()

    # Reading

    @overload
    async def get(self, kind: type[T] | Kind[T], name: str, *, namespace: str | None = None) -> T: ...
    @overload
    async def get(self, kind: str, name: str, *, namespace: str | None = None) -> Unstructured: ...
    async def get(self, kind: Any, name: str, *, namespace: str | None = None) -> Any:
        """Read one object.

        Raises:
            NotFound: there is none of this name.
        """
        known = kind_of(kind)
        return known.decode(await self._call("GET", known, namespace=namespace, name=name))

    @overload
    async def list(
        self,
        kind: type[T] | Kind[T],
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        limit: int = 500,
    ) -> ObjectList[T]: ...
    @overload
    async def list(
        self,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        limit: int = 500,
    ) -> ObjectList[Unstructured]: ...
    async def list(
        self,
        kind: Any,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        limit: int = 500,
    ) -> ObjectList[Any]:
        """Read all objects of a kind, page by page.

        Args:
            kind: a class or ``group/version/Kind``.
            namespace: only this one; every namespace unless given.
            labels: a label selector, as text or as a mapping of equalities.
            fields: a field selector.
            limit: how many objects a page holds.

        Raises:
            Gone: the list changed so much while it was read that its next page has expired; list again.
        """
        known = kind_of(kind)
        query = {**_selectors(labels, fields), "limit": str(limit)}
        items: builtins.list[Any] = []
        while True:
            page = _decode_page(await self.read_page(known, namespace=namespace, query=query))
            items += [known.decode(bytes(raw)) for raw in page.items or []]
            if not page.metadata.continue_:
                return ObjectList(items, page.metadata.resourceVersion)
            query["continue"] = page.metadata.continue_

    async def watch(
        self,
        kind: type[Any] | Kind[Any] | str,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        resource_version: str = "",
        timeout: timedelta | None = None,
    ) -> AsyncIterator[WatchEvent[Any]]:
        """The server's events, once, until the stream ends; a cache that follows for ever is ``ClusterCache``.

        Args:
            kind: a class or ``group/version/Kind``.
            namespace: only this one; every namespace unless given.
            labels: a label selector.
            fields: a field selector.
            resource_version: start after this version; empty starts with an ADDED for each present object.
            timeout: ask the server to end the stream after this time.

        Raises:
            Gone: the version has expired: list again.
            TransportError: the connection broke.
        """
        known: Kind[Any] = kind_of(kind)
        query = {**_selectors(labels, fields), "watch": "true", "allowWatchBookmarks": "true"}
        if resource_version:
            query["resourceVersion"] = resource_version
        if timeout is not None:
            query["timeoutSeconds"] = str(max(1, int(timeout.total_seconds())))
        async with self.stream_lines(known, namespace=namespace, query=query) as batches:
            async for lines in batches:
                for line in lines:
                    yield decode_event(known, line)

    async def wait_for(
        self,
        kind: type[Any] | Kind[Any] | str,
        name: str,
        until: Callable[[Any], object],
        *,
        namespace: str | None = None,
        timeout: timedelta = timedelta(seconds=30),
    ) -> Any:
        """Watch one object until it satisfies a predicate.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            until: called with the object, and with None while there is none.
            namespace: its namespace; the client's own unless given.
            timeout: how long to wait.

        Returns:
            The object that satisfied it; None where `until` accepts its absence.

        Raises:
            TimeoutError: it did not come about in time.
        """
        known: Kind[Any] = kind_of(kind)
        where = (namespace or self.namespace) if known.namespaced else None
        field = f"metadata.name={name}"
        async with asyncio.timeout(timeout.total_seconds()):
            while True:
                listed: ObjectList[Any] = await self.list(known, namespace=where, fields=field)
                obj = listed.items[0] if listed.items else None
                if until(obj):
                    return obj
                try:
                    events = self.watch(known, namespace=where, fields=field, resource_version=listed.resource_version)
                    async for event in events:
                        if event.type == "BOOKMARK":
                            continue
                        obj = None if event.type == "DELETED" else event.object
                        if until(obj):
                            return obj
                except Gone:
                    continue
                except TransportError:
                    await asyncio.sleep(0.5)

    # Writing

    @overload
    async def create(
        self, kind: str, obj: Any, *, namespace: str | None = None, dry_run: bool = False
    ) -> Unstructured: ...
    @overload
    async def create(
        self,
        kind: type[T] | Kind[T],
        obj: T | Mapping[str, Any],
        *,
        namespace: str | None = None,
        dry_run: bool = False,
    ) -> T: ...
    async def create(self, kind: Any, obj: Any, *, namespace: str | None = None, dry_run: bool = False) -> Any:
        """Create an object; answers it as the server keeps it.

        Raises:
            AlreadyExists: the name is taken.
            Invalid: the object breaks a rule; ``causes`` names the fields.
        """
        known = kind_of(kind)
        body = known.encode(obj)
        where = namespace or _namespace(body)
        query = {"fieldManager": self.field_manager, **_dry(dry_run)}
        answer = await self._call("POST", known, namespace=where, query=query, body=body)
        return known.decode(answer)

    @overload
    async def replace(
        self, kind: str, obj: Any, *, namespace: str | None = None, dry_run: bool = False
    ) -> Unstructured: ...
    @overload
    async def replace(
        self,
        kind: type[T] | Kind[T],
        obj: T | Mapping[str, Any],
        *,
        namespace: str | None = None,
        dry_run: bool = False,
    ) -> T: ...
    async def replace(self, kind: Any, obj: Any, *, namespace: str | None = None, dry_run: bool = False) -> Any:
        """Write a whole object back; its resourceVersion guards against a lost update.

        Raises:
            Conflict: it changed since it was read.
            ConfigError: the kind's model drops fields it does not know, so this would delete them.
        """
        known = kind_of(kind)
        if not known.replaceable and not isinstance(obj, Mapping):
            raise ConfigError(
                f"{type(obj).__name__} drops fields that it does not know, so writing it back whole would delete them: "
                "use apply or patch"
            )
        body = known.encode(obj)
        query = {"fieldManager": self.field_manager, **_dry(dry_run)}
        where = namespace or _namespace(body)
        answer = await self._call("PUT", known, namespace=where, name=_name(body), query=query, body=body)
        return known.decode(answer)

    @overload
    async def patch(
        self,
        kind: str,
        name: str,
        patch: Patch,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Unstructured: ...
    @overload
    async def patch(
        self,
        kind: type[T] | Kind[T],
        name: str,
        patch: Patch,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> T: ...
    async def patch(
        self,
        kind: Any,
        name: str,
        patch: Patch,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Any:
        """Change parts of an object.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            patch: a MergePatch, JsonPatch or StrategicPatch.
            namespace: its namespace; the client's own unless given.
            subresource: ``status`` or another one; the object itself unless given.
            dry_run: let the server judge it and write nothing.
        """
        known = kind_of(kind)
        answer = await self._call(
            "PATCH",
            known,
            namespace=namespace,
            name=name,
            subresource=subresource,
            query={"fieldManager": self.field_manager, **_dry(dry_run)},
            body=patch.body,
            media_type=patch.media_type,
        )
        return known.decode(answer)

    async def apply(
        self,
        kind: Any,
        obj: Any = None,
        *,
        namespace: str | None = None,
        field_manager: str | None = None,
        force: bool = True,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Any:
        """Server-side apply: what stands in `obj` is owned by us and made so; what we owned and left out is removed.

        Args:
            kind: a class or ``group/version/Kind``; an object alone may be given, which says its kind itself.
            obj: the fields we want; names the object.
            namespace: its namespace; the object's, or else the client's own.
            field_manager: under which name to own the fields.
            force: take fields from other managers.
            subresource: apply to it instead of the object.
            dry_run: let the server judge it and write nothing.

        Raises:
            Conflict: another manager owns a field, and `force` is false.
        """
        if obj is None:
            known, body = kind_of_object(kind)
        else:
            known = kind_of(kind)
            body = known.encode(obj)
        meta = {key: value for key, value in (body.get("metadata") or {}).items() if key != "managedFields"}
        query = {"fieldManager": field_manager or self.field_manager, **_dry(dry_run)}
        if force:
            query["force"] = "true"
        answer = await self._call(
            "PATCH",
            known,
            namespace=namespace or _namespace(body),
            name=_name(body),
            subresource=subresource,
            query=query,
            body={**body, "metadata": meta},
            media_type="application/apply-patch+yaml",  # JSON is YAML
        )
        return known.decode(answer)

    async def apply_status(self, obj: T, *, field_manager: str | None = None, force: bool = True) -> T:
        """Server-side apply an object's status and nothing else of it.

        Raises:
            ConfigError: the object has no status.
        """
        known, body = kind_of_object(obj)
        if "status" not in body:
            raise ConfigError(f"{known.kind} {_name(body)}: there is no status to apply; set a field of it first")
        meta = body["metadata"]
        named = {key: meta[key] for key in ("name", "namespace") if meta.get(key)}
        status = {key: body[key] for key in ("apiVersion", "kind", "status")} | {"metadata": named}
        applied: T = await self.apply(known, status, field_manager=field_manager, force=force, subresource="status")
        return applied

    async def get_scale(self, kind: Any, name: str, *, namespace: str | None = None) -> int:
        """The wanted number of replicas, by the scale subresource."""
        known = kind_of(kind)
        answer = await self._call("GET", known, namespace=namespace, name=name, subresource="scale")
        return int((msgspec.json.decode(answer).get("spec") or {}).get("replicas", 0))

    async def set_scale(self, kind: Any, name: str, replicas: int, *, namespace: str | None = None) -> int:
        """Set the wanted number of replicas, by the scale subresource; answers the number that the server keeps."""
        known = kind_of(kind)
        answer = await self._call(
            "PATCH",
            known,
            namespace=namespace,
            name=name,
            subresource="scale",
            query={"fieldManager": self.field_manager},
            body={"spec": {"replicas": replicas}},
            media_type="application/merge-patch+json",
        )
        return int((msgspec.json.decode(answer).get("spec") or {}).get("replicas", 0))

    async def delete(
        self,
        kind: Any,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str | None = None,
        grace_period: int | None = None,
        missing_ok: bool = False,
        dry_run: bool = False,
    ) -> None:
        """Delete an object.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            namespace: its namespace; the client's own unless given.
            uid: delete only the object with this uid.
            resource_version: delete only this version of it.
            propagation: ``Background``, ``Foreground`` or ``Orphan``; the kind's default unless given.
            grace_period: seconds until it is killed; Pods only.
            missing_ok: an object that does not exist (any more) is fine.
            dry_run: let the server judge it and delete nothing.

        Raises:
            NotFound: there is none of this name, and `missing_ok` is false.
            Conflict: a precondition does not hold.
        """
        options = _delete_options(uid, resource_version, propagation, grace_period)
        known = kind_of(kind)
        try:
            await self._call("DELETE", known, namespace=namespace, name=name, query=_dry(dry_run), body=options)
        except NotFound:
            if not missing_ok:
                raise

    async def delete_collection(
        self,
        kind: Any,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | None = None,
        propagation: str | None = None,
    ) -> None:
        """Delete every object of a kind in a namespace that the selectors match."""
        known = kind_of(kind)
        options = _delete_options(None, None, propagation, None)
        where = namespace or self.namespace
        await self._call("DELETE", known, namespace=where, query=_selectors(labels, fields), body=options)

    # Kinds without a class

    async def discover(self, text: str) -> Kind[Unstructured]:
        """Ask the server for a kind's plural and scope, so that its text can be used everywhere from then on.

        Args:
            text: ``group/version/Kind``.

        Raises:
            ConfigError: the server does not know it.
        """
        return await discover(self, text)

    # Bytes, for the cache

    async def read_page(self, kind: Kind[Any], *, namespace: str | None, query: Mapping[str, str]) -> bytes:
        """One page of a list, as it came; a namespace of None lists all."""
        path = kind.path(namespace=namespace)
        return await self.call(HttpRequest("GET", path, list(query.items()), {"Accept": JSON}))

    @asynccontextmanager
    async def stream_lines(
        self, kind: Kind[Any], *, namespace: str | None, query: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[builtins.list[bytes]]]:
        """The lines of a watch, in batches as they arrive; the caller sets deadlines.

        Raises:
            ApiError: the server refuses the watch.
            TransportError: the connection broke.
        """
        # Compressed streams are buffered by whoever compresses them: an event could be held back.
        headers = {"Accept": JSON, "Accept-Encoding": "identity"}
        request = HttpRequest("GET", kind.path(namespace=namespace), list(query.items()), headers)
        async with self.transport.stream(request) as stream:
            if stream.status >= 400:
                body = b"".join([chunk async for chunk in stream.chunks])
                raise _error(stream.status, stream.headers.get("retry-after"), body, request)
            self._note_warnings([*stream.headers.items()])
            yield split_lines(stream.chunks)

    async def call(self, request: HttpRequest) -> bytes:
        """Send any request; the body of a good answer.

        Raises:
            ApiError: the server answers with a failure.
            TransportError: no usable answer came.
        """
        answer = await self.transport.request(request)
        return self._good(request, answer)

    # Inside

    async def _call(
        self,
        method: str,
        kind: Kind[Any],
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        media_type: str = JSON,
    ) -> bytes:
        if name == "":
            raise ConfigError(f"{kind.kind}: a name is needed")
        where = (namespace or self.namespace) if kind.namespaced else None
        path = kind.path(namespace=where, name=name, subresource=subresource)
        headers = {"Accept": JSON}
        content = b""
        if body is not None:
            headers["Content-Type"] = media_type
            content = msgspec.json.encode(body)
        return await self.call(HttpRequest(method, path, list((query or {}).items()), headers, content))

    def _good(self, request: HttpRequest, answer: HttpResponse) -> bytes:
        body = answer.body
        assert isinstance(body, bytes)  # request() reads the whole body
        if answer.status >= 400:
            raise _error(answer.status, answer.header("retry-after"), body, request)
        self._note_warnings(answer.headers)
        return body

    def _note_warnings(self, headers: builtins.list[tuple[str, str]]) -> None:
        for name, value in headers:
            if name.lower() == "warning" and value not in self._warned:
                self._warned.add(value)
                # 299 - "text": the text is what a person wants to read.
                _log.warning("the API server warns: %s", value.partition('"')[2].rpartition('"')[0] or value)


class _ListMeta(msgspec.Struct):
    resourceVersion: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


_decode_page = msgspec.json.Decoder(_Page).decode


def _selectors(labels: str | Mapping[str, str] | None, fields: str | None) -> dict[str, str]:
    query: dict[str, str] = {}
    if labels:
        query["labelSelector"] = (
            labels if isinstance(labels, str) else ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        )
    if fields:
        query["fieldSelector"] = fields
    return query


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _namespace(body: Mapping[str, Any]) -> str | None:
    return (body.get("metadata") or {}).get("namespace") or None


def _name(body: Mapping[str, Any]) -> str:
    return str((body.get("metadata") or {}).get("name") or "")


def _delete_options(
    uid: str | None, resource_version: str | None, propagation: str | None, grace_period: int | None
) -> dict[str, Any] | None:
    preconditions = {
        key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value is not None
    }
    options: dict[str, Any] = {}
    if preconditions:
        options["preconditions"] = preconditions
    if propagation:
        options["propagationPolicy"] = propagation
    if grace_period is not None:
        options["gracePeriodSeconds"] = grace_period
    return {"apiVersion": "v1", "kind": "DeleteOptions", **options} if options else None


def _error(status: int, retry_after: str | None, body: bytes, request: HttpRequest) -> ApiError:
    wait = float(retry_after) if retry_after and retry_after.isdecimal() else None
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        decoded = None
    if not isinstance(decoded, dict) or decoded.get("kind") != "Status":
        text = body[:200].decode(errors="replace").strip()
        decoded = {"message": f"{request.method} {request.path}: {text or 'no explanation'}"}
    return ApiError.from_status(decoded, status=status, retry_after=wait)
