"""The client: Kubernetes verbs, typed by kind. The only room that speaks HTTP to a server.

Invariant: a verb is a request prepared by :mod:`~zestor_controller.client.request` and an answer decoded by its kind.
The client never writes a store; what it changed comes back by the watch. Where a verb takes an object, the kind may be
left out.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Self, TypeVar, overload

from zestor_controller.client.aiohttptransport import AiohttpTransport
from zestor_controller.client.config import load_config, static_config
from zestor_controller.client.decoder import decode_json, decode_object
from zestor_controller.client.gate import WriteGate
from zestor_controller.client.readclient import Reader
from zestor_controller.client.request import delete_options, selector_query
from zestor_controller.client.transport import Transport
from zestor_controller.errors import ConfigError, NotFound, TransportError
from zestor_controller.objects import (
    ApplyPatch,
    Kind,
    Patch,
    Unstructured,
    changed_status,
    kind_of,
    note_applied,
    set_fields,
)

__all__ = ["Client"]

T = TypeVar("T")

DONE: Final = " (the server has carried out the request)"
FIELD_MANAGER: Final = "zestor-controller"


class Client(Reader):
    """Verbs against one server.

    ``async with Client.connect() as client`` finds the cluster that the user means; the constructor takes any
    transport.

    Args:
        transport: the way to the server; the client closes it.
        namespace: where objects without a namespace are looked for.
        field_manager: the name under which fields are owned.
    """

    def __init__(self, transport: Transport, *, namespace: str = "default", field_manager: str = FIELD_MANAGER) -> None:
        super().__init__(transport, namespace=namespace)
        self.field_manager = field_manager

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
        gate: WriteGate | None = None,
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
            gate: refuses writes while it is closed.

        Raises:
            ConfigError: on entering: nothing names a cluster, or what does cannot be used.
        """

        async def open_() -> Client:
            if server is not None:
                config = static_config(server, token=token, ca=ca)
            else:
                config = await load_config(kubeconfig, context)
            transport = AiohttpTransport(config, gate=gate)
            return Client(transport, namespace=namespace or config.namespace, field_manager=field_manager)

        return _Connecting(open_)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.transport.close()

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
    @overload
    async def create(
        self, kind: Mapping[str, Any], obj: None = None, *, namespace: str | None = None, dry_run: bool = False
    ) -> Unstructured: ...
    @overload
    async def create(self, kind: T, obj: None = None, *, namespace: str | None = None, dry_run: bool = False) -> T: ...
    async def create(self, kind: Any, obj: Any = None, *, namespace: str | None = None, dry_run: bool = False) -> Any:
        """Create an object; answers it as the server keeps it.

        Raises:
            AlreadyExists: the name is taken.
            Invalid: the object breaks a rule; ``causes`` names the fields.
        """
        known, body = await self._written(kind, obj)
        where = namespace or _meta(body, "namespace") or self.namespace
        answer = await self._send("POST", known, namespace=where, query=self._query(dry_run), body=body)
        return decode_object(known, answer, after=DONE)

    @overload
    async def replace(
        self,
        kind: str,
        obj: Any,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Unstructured: ...
    @overload
    async def replace(
        self,
        kind: type[T] | Kind[T],
        obj: T | Mapping[str, Any],
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> T: ...
    @overload
    async def replace(
        self,
        kind: T,
        obj: None = None,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> T: ...
    async def replace(
        self,
        kind: Any,
        obj: Any = None,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Any:
        """Write a whole object back; its resourceVersion guards against a lost update.

        Args:
            kind: a class or ``group/version/Kind``.
            obj: the object.
            namespace: its namespace; the object's, or else the client's own.
            subresource: write this part of it (``status``) and nothing else.
            dry_run: let the server judge it and write nothing.

        Raises:
            Conflict: it changed since it was read.
            ConfigError: the object's model drops fields it does not know, so this would delete them.
        """
        given = kind if obj is None else obj
        if not isinstance(given, Mapping) and not kind_of(type(given)).replaceable:
            raise ConfigError(
                f"{type(given).__name__} drops fields that it does not know, so writing it back whole would delete "
                "them: use apply or patch"
            )
        known, body = await self._written(kind, obj)
        answer = await self._send(
            "PUT",
            known,
            namespace=namespace or _meta(body, "namespace") or self.namespace,
            name=_meta(body, "name"),
            subresource=subresource,
            query=self._query(dry_run),
            body=body,
        )
        return decode_object(known, answer, after=DONE)

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
            patch: a MergePatch, JsonPatch, StrategicPatch or ApplyPatch.
            namespace: its namespace; the client's own unless given.
            subresource: ``status`` or another one; the object itself unless given.
            dry_run: let the server judge it and write nothing.
        """
        query = self._query(dry_run)
        if isinstance(patch, ApplyPatch) and patch.force:
            query["force"] = "true"
        known = await self._known(kind)
        answer = await self._send(
            "PATCH",
            known,
            namespace=namespace or self.namespace,
            name=name,
            subresource=subresource,
            query=query,
            body=patch.body,
            media_type=patch.media_type,
        )
        return decode_object(known, answer, after=DONE)

    @overload
    async def apply(
        self,
        kind: str,
        obj: Any,
        *,
        namespace: str | None = None,
        field_manager: str | None = None,
        force: bool = True,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Unstructured: ...
    @overload
    async def apply(
        self,
        kind: type[T] | Kind[T],
        obj: T | Mapping[str, Any],
        *,
        namespace: str | None = None,
        field_manager: str | None = None,
        force: bool = True,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> T: ...
    @overload
    async def apply(
        self,
        kind: Mapping[str, Any],
        obj: None = None,
        *,
        namespace: str | None = None,
        field_manager: str | None = None,
        force: bool = True,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Unstructured: ...
    @overload
    async def apply(
        self,
        kind: T,
        obj: None = None,
        *,
        namespace: str | None = None,
        field_manager: str | None = None,
        force: bool = True,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> T: ...
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
        """Server-side apply: what is set in `obj` is owned by us and made so; what we owned and left out is removed.

        Of a typed object the fields that were set are sent, at every depth: defaults of its model and None are not, so
        that they stay whoever's they are. (``create`` and ``replace`` send an object with its defaults.)

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
        known, body = await self._written(kind, obj)
        body = set_fields(kind if obj is None else obj, body)
        meta = {key: value for key, value in (body.get("metadata") or {}).items() if key != "managedFields"}
        query = self._query(dry_run, field_manager)
        if force:
            query["force"] = "true"
        answer = await self._send(
            "PATCH",
            known,
            namespace=namespace or _meta(body, "namespace") or self.namespace,
            name=_meta(body, "name"),
            subresource=subresource,
            query=query,
            body={**body, "metadata": meta},
            media_type=ApplyPatch.media_type,
        )
        return decode_object(known, answer, after=DONE)

    @overload
    async def apply_status(
        self,
        kind: type[T] | Kind[T],
        obj: T | Mapping[str, Any],
        *,
        field_manager: str | None = None,
        force: bool = True,
    ) -> T: ...
    @overload
    async def apply_status(
        self, kind: str, obj: Any, *, field_manager: str | None = None, force: bool = True
    ) -> Unstructured: ...
    @overload
    async def apply_status(
        self, kind: T, obj: None = None, *, field_manager: str | None = None, force: bool = True
    ) -> T: ...
    async def apply_status(
        self, kind: Any, obj: Any = None, *, field_manager: str | None = None, force: bool = True
    ) -> Any:
        """Server-side apply an object's status and nothing else of it; what stays the same writes nothing (R5).

        Of an object that was read, what this field manager owns and what was changed since is sent, list entries with
        keys (``conditions``) one by one: fields and conditions of other writers stay theirs. To give up a field that
        this manager owns, set it to None or remove it. Of a new object, and of the models of the ``kubernetes``
        package, everything that is set is sent.

        Raises:
            ConfigError: the object has no status.
        """
        given = kind if obj is None else obj
        known, body = await self._written(kind, obj)
        status = changed_status(given, body, field_manager or self.field_manager)
        if status is None:
            if "status" in body:
                return given  # as it was read, and nothing of it is this manager's
            name = _meta(body, "name")
            raise ConfigError(f"{known.kind} {name}: there is no status to apply; set a field of it first")
        named = {key: value for key in ("name", "namespace") if (value := _meta(body, key))}
        part = {"metadata": named, "status": status}
        result = await self.apply(known, part, field_manager=field_manager, force=force, subresource="status")
        note_applied(given, result)
        return result

    async def get_scale(self, kind: Any, name: str, *, namespace: str | None = None) -> int:
        """The wanted number of replicas, by the scale subresource."""
        known = await self._known(kind)
        where = namespace or self.namespace
        answer = await self._send("GET", known, namespace=where, name=name, subresource="scale")
        return _replicas(answer, known, name)

    async def set_scale(self, kind: Any, name: str, replicas: int, *, namespace: str | None = None) -> int:
        """Set the wanted number of replicas, by the scale subresource; answers the number that the server keeps."""
        known = await self._known(kind)
        answer = await self._send(
            "PATCH",
            known,
            namespace=namespace or self.namespace,
            name=name,
            subresource="scale",
            query=self._query(),
            body={"spec": {"replicas": replicas}},
            media_type="application/merge-patch+json",
        )
        return _replicas(answer, known, name)

    async def delete(
        self,
        kind: type[Any] | Kind[Any] | str,
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
        known = await self._known(kind)
        options = delete_options(uid, resource_version, propagation, grace_period)
        query = {"dryRun": "All"} if dry_run else {}
        try:
            where = namespace or self.namespace
            await self._send("DELETE", known, namespace=where, name=name, query=query, body=options)
        except NotFound:
            if not missing_ok:
                raise

    async def delete_collection(
        self,
        kind: type[Any] | Kind[Any] | str,
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        propagation: str | None = None,
        grace_period: int | None = None,
    ) -> None:
        """Delete every object of a kind in a namespace, the client's own unless given, that the selectors match."""
        known = await self._known(kind)
        options = delete_options(propagation=propagation, grace_period=grace_period)
        query = selector_query(labels, fields)
        await self._send("DELETE", known, namespace=namespace or self.namespace, query=query, body=options)

    # Inside

    async def _written(self, kind: Any, obj: Any) -> tuple[Kind[Any], dict[str, Any]]:
        """The kind and the wire form of an object that a verb was given, with its kind or alone."""
        if obj is None:
            if isinstance(kind, Mapping) and kind.get("apiVersion") and kind.get("kind"):
                await self._known(f"{kind['apiVersion']}/{kind['kind']}")  # from here on its text is known
            return self.kinds.of_object(kind)
        known = await self._known(kind)
        if known.model is Unstructured and not isinstance(obj, Mapping):
            obj = kind_of(type(obj)).encode(obj)
        return known, known.encode(obj)

    def _query(self, dry_run: bool = False, field_manager: str | None = None) -> dict[str, str]:
        query = {"fieldManager": field_manager or self.field_manager}
        return {**query, "dryRun": "All"} if dry_run else query


class _Connecting(AbstractAsyncContextManager[Client]):
    """What :meth:`Client.connect` gives: entering opens, leaving closes, and being forgotten closes nothing."""

    def __init__(self, open_: Callable[[], Awaitable[Client]]) -> None:
        self._open = open_
        self._client: Client | None = None

    async def __aenter__(self) -> Client:
        self._client = await self._open()
        return self._client

    async def __aexit__(self, *exc: object) -> None:
        if self._client is not None:
            await self._client.transport.close()


def _meta(body: Mapping[str, Any], key: str) -> str:
    return str((body.get("metadata") or {}).get(key) or "")


def _replicas(body: bytes, kind: Kind[Any], name: str) -> int:
    spec = decode_json(body, f"the scale of {kind.store_name} {name}").get("spec")
    replicas = (spec.get("replicas") if isinstance(spec, dict) else None) or 0
    if not isinstance(replicas, int):
        raise TransportError(f"the scale of {kind.store_name} {name}: the number of replicas is no integer")
    return replicas
