"""The client: Kubernetes verbs, typed by kind.

Invariant: a verb is a request prepared by :mod:`~zestor_controller.client.request` and a response decoded by its kind.
The client never writes a store; what it changed comes back by the watch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar, Unpack, overload

from zestor_controller.client.aiohttptransport import AiohttpTransport
from zestor_controller.client.config import load_config, static_config
from zestor_controller.client.connection import ClientConnection
from zestor_controller.client.decoder import decode_object, decode_replicas
from zestor_controller.client.gate import WriteGate
from zestor_controller.client.options import ApplyOptions, DeletionOptions, OwnerOptions, PatchOptions, WriteOptions
from zestor_controller.client.readclient import ReadClient
from zestor_controller.client.request import JSON, delete_options, selector_query
from zestor_controller.client.transport import Transport
from zestor_controller.errors import ConfigError, NotFound
from zestor_controller.objects import (
    ApplyPatch,
    Kind,
    KindRef,
    KindT,
    MergePatch,
    ObjectT,
    Patch,
    Unstructured,
    kind_of,
)
from zestor_controller.objects.configuration import changed_status, note_applied, set_fields

__all__ = ["Client"]

T = TypeVar("T")

DONE: Final = " (the server has carried out the request)"
FIELD_MANAGER: Final = "zestor-controller"


class Client(ReadClient):
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
            server: a URL; with `token` and `ca` it replaces a kubeconfig.
            token: a bearer token.
            ca: a file with the server's CA, or its PEM text.
            namespace: the default namespace; the context's own unless given.
            field_manager: the name under which fields are owned.
            gate: rejects writes while it is closed.

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

        return ClientConnection(open_)

    # Verbs

    @overload
    async def create(
        self, kind: KindRef[ObjectT], obj: ObjectT | Mapping[str, object], **options: Unpack[WriteOptions]
    ) -> ObjectT: ...
    @overload
    async def create(
        self, kind: Mapping[str, object], obj: None = None, **options: Unpack[WriteOptions]
    ) -> Unstructured: ...
    @overload
    async def create(self, kind: ObjectT, obj: None = None, **options: Unpack[WriteOptions]) -> ObjectT: ...
    async def create(self, kind: Any, obj: object = None, **options: Unpack[WriteOptions]) -> object:
        """Create an object.

        Args:
            kind: a class or ``group/version/Kind``; or the object, which says its kind itself.
            obj: the object, unless it was given in place of its kind.
            options: see :class:`WriteOptions`.

        Returns:
            The object as the server stores it.

        Raises:
            AlreadyExists: the name is taken.
            Invalid: the object breaks a rule; ``causes`` names the fields.
        """
        known, body = await self._written(kind, obj)
        return await self._write(known, body, home=_meta(body, "namespace"), **options)

    @overload
    async def replace(
        self, kind: KindRef[ObjectT], obj: ObjectT | Mapping[str, object], **options: Unpack[PatchOptions]
    ) -> ObjectT: ...
    @overload
    async def replace(
        self, kind: Mapping[str, object], obj: None = None, **options: Unpack[PatchOptions]
    ) -> Unstructured: ...
    @overload
    async def replace(self, kind: ObjectT, obj: None = None, **options: Unpack[PatchOptions]) -> ObjectT: ...
    async def replace(self, kind: Any, obj: object = None, **options: Unpack[PatchOptions]) -> object:
        """Write a complete object back; its resourceVersion guards against a lost update.

        Args:
            kind: a class or ``group/version/Kind``; or the object, which says its kind itself.
            obj: the object, unless it was given in place of its kind.
            options: see :class:`PatchOptions`.

        Returns:
            The object as the server stores it.

        Raises:
            Conflict: it changed since it was read.
            ConfigError: the object's model drops fields it does not know, so this would delete them.
        """
        given = kind if obj is None else obj
        if not isinstance(given, Mapping) and not kind_of(type(given)).replaceable:
            raise ConfigError(
                f"{type(given).__name__} drops fields that it does not know, so a replace would delete them: use apply "
                "or patch"
            )
        known, body = await self._written(kind, obj)
        home, name = _meta(body, "namespace"), _meta(body, "name")
        return await self._write(known, body, home=home, name=name, **options)

    async def patch(self, kind: KindRef[KindT], name: str, patch: Patch, **options: Unpack[PatchOptions]) -> KindT:
        """Change parts of an object.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            patch: a MergePatch, JsonPatch, StrategicPatch or ApplyPatch.
            options: see :class:`PatchOptions`.

        Returns:
            The object as the server stores it.
        """
        known = await self.resolve(kind)
        return await self._write(known, patch, name=name, **options)

    @overload
    async def apply(
        self, kind: KindRef[ObjectT], obj: ObjectT | Mapping[str, object], **options: Unpack[ApplyOptions]
    ) -> ObjectT: ...
    @overload
    async def apply(
        self, kind: Mapping[str, object], obj: None = None, **options: Unpack[ApplyOptions]
    ) -> Unstructured: ...
    @overload
    async def apply(self, kind: ObjectT, obj: None = None, **options: Unpack[ApplyOptions]) -> ObjectT: ...
    async def apply(self, kind: Any, obj: object = None, **options: Unpack[ApplyOptions]) -> object:
        """Server-side apply: this manager owns and sets the fields of `obj`; fields that it owned before are removed.

        Of a typed object the fields that were set are sent, at every depth: defaults of its model and None are not, so
        that they stay their writer's. (``create`` and ``replace`` send an object with its defaults.)

        Args:
            kind: a class or ``group/version/Kind``; or the object, which says its kind itself.
            obj: the desired fields, with the object's name, unless they were given in place of the kind.
            options: see :class:`ApplyOptions`.

        Returns:
            The object as the server stores it.

        Raises:
            Conflict: another manager owns a field, and `force` is false.
        """
        known, body = await self._written(kind, obj)
        return await self._apply(known, set_fields(kind if obj is None else obj, body), **options)

    @overload
    async def apply_status(
        self, kind: KindRef[ObjectT], obj: ObjectT | Mapping[str, object], **options: Unpack[OwnerOptions]
    ) -> ObjectT: ...
    @overload
    async def apply_status(
        self, kind: Mapping[str, object], obj: None = None, **options: Unpack[OwnerOptions]
    ) -> Unstructured: ...
    @overload
    async def apply_status(self, kind: ObjectT, obj: None = None, **options: Unpack[OwnerOptions]) -> ObjectT: ...
    async def apply_status(
        self, kind: Any, obj: object = None, *, field_manager: str | None = None, force: bool = True
    ) -> object:
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
        part = {"apiVersion": known.api_version, "kind": known.kind, "metadata": named, "status": status}
        result = await self._apply(known, part, field_manager=field_manager, force=force, subresource="status")
        note_applied(given, result)
        return result

    async def get_scale(self, kind: KindRef[object], name: str, *, namespace: str | None = None) -> int:
        """The desired number of replicas, by the scale subresource."""
        known = await self.resolve(kind)
        where = namespace or self.namespace
        content = await self._send("GET", known, namespace=where, name=name, subresource="scale")
        return decode_replicas(content, known, name)

    async def set_scale(self, kind: KindRef[object], name: str, replicas: int, *, namespace: str | None = None) -> int:
        """Set the desired number of replicas, by the scale subresource; returns the number that the server stores."""
        known = await self.resolve(kind)
        content = await self._send(
            "PATCH",
            known,
            namespace=namespace or self.namespace,
            name=name,
            subresource="scale",
            query={"fieldManager": self.field_manager},
            body={"spec": {"replicas": replicas}},
            media_type=MergePatch.media_type,
        )
        return decode_replicas(content, known, name)

    async def delete(
        self,
        kind: KindRef[object],
        name: str,
        *,
        namespace: str | None = None,
        missing_ok: bool = False,
        dry_run: bool = False,
        **options: Unpack[DeletionOptions],
    ) -> None:
        """Delete an object.

        Args:
            kind: a class or ``group/version/Kind``.
            name: its name.
            namespace: its namespace; the client's own unless given.
            missing_ok: an object that does not exist (any more) is fine.
            dry_run: let the server validate the request and delete nothing.
            options: see :class:`DeletionOptions`.

        Raises:
            NotFound: there is none of this name, and `missing_ok` is false.
            Conflict: a precondition does not hold.
        """
        known = await self.resolve(kind)
        query = {"dryRun": "All"} if dry_run else {}
        body = delete_options(**options)
        try:
            await self._send("DELETE", known, namespace=namespace or self.namespace, name=name, query=query, body=body)
        except NotFound:
            if not missing_ok:
                raise

    async def delete_collection(
        self,
        kind: KindRef[object],
        *,
        namespace: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        fields: str | Mapping[str, str] | None = None,
        propagation: str | None = None,
        grace_period: int | None = None,
    ) -> None:
        """Delete every object of a kind in a namespace, the client's own unless given, that the selectors match."""
        known = await self.resolve(kind)
        options = delete_options(propagation=propagation, grace_period=grace_period)
        query = selector_query(labels, fields)
        await self._send("DELETE", known, namespace=namespace or self.namespace, query=query, body=options)

    # Internals

    async def _written(self, kind: Any, obj: object) -> tuple[Kind[Any], dict[str, Any]]:
        """The kind and the wire form of the object of a verb, given with its kind or without."""
        if obj is None:
            if isinstance(kind, Mapping) and kind.get("apiVersion") and kind.get("kind"):
                await self.resolve(f"{kind['apiVersion']}/{kind['kind']}")  # from here on its text is known
            return self.kinds.of_object(kind)
        known: Kind[Any] = await self.resolve(kind)
        if known.model is Unstructured and not isinstance(obj, Mapping):
            obj = kind_of(type(obj)).encode(obj)
        return known, known.encode(obj)

    async def _apply(
        self,
        kind: Kind[T],
        body: Mapping[str, Any],
        *,
        namespace: str | None = None,
        field_manager: str | None = None,
        force: bool = True,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> T:
        meta = {key: value for key, value in (body.get("metadata") or {}).items() if key != "managedFields"}
        return await self._write(
            kind,
            ApplyPatch({**body, "metadata": meta}, force),
            home=_meta(body, "namespace"),
            name=_meta(body, "name"),
            namespace=namespace,
            subresource=subresource,
            dry_run=dry_run,
            field_manager=field_manager,
        )

    async def _write(
        self,
        kind: Kind[T],
        what: Patch | Mapping[str, object],
        *,
        home: str = "",
        name: str | None = None,
        namespace: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
        field_manager: str | None = None,
    ) -> T:
        """Send a patch, or an object, which is created unless it has a name; decode what the server returns.

        `home` is the object's own namespace, `namespace` the one that the caller gave.
        """
        query = {"fieldManager": field_manager or self.field_manager}
        if dry_run:
            query["dryRun"] = "All"
        body: object = what
        method, media_type = ("POST" if name is None else "PUT"), JSON
        if not isinstance(what, Mapping):
            method, body, media_type = "PATCH", what.body, what.media_type
            if isinstance(what, ApplyPatch) and what.force:
                query["force"] = "true"
        content = await self._send(
            method,
            kind,
            namespace=namespace or home or self.namespace,
            name=name,
            subresource=subresource,
            query=query,
            body=body,
            media_type=media_type,
        )
        return decode_object(kind, content, after=DONE)


def _meta(body: Mapping[str, Any], key: str) -> str:
    return str((body.get("metadata") or {}).get(key) or "")
