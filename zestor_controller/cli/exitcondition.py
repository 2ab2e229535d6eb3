"""``--exit-when``: the objects that are waited for, and what became of them.

Invariant: an object has the condition only when the condition's ``observedGeneration``, if it has one, is the object's
generation: a status of an older spec does not end the wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from zestor_controller.cache import AsyncClusterCache, Informer
from zestor_controller.cli.apply import condition_of
from zestor_controller.cli.console import Console
from zestor_controller.cli.manifests import Manifest
from zestor_controller.errors import ConfigError
from zestor_controller.manager import Manager
from zestor_controller.objects import kind_of

__all__ = ["ExitCondition", "WaitResult"]

_NEVER: Final = timedelta(days=365)  # the --timeout of the session bounds it


@dataclass(frozen=True, slots=True)
class WaitResult:
    """How the wait ended.

    Attributes:
        code: the exit code.
        result: the condition, ``interrupted`` or ``timeout``.
        objects: the objects, as they were then.
        lines: why those that do not have the condition do not have it.
    """

    code: int
    result: str
    objects: list[dict[str, Any]]
    lines: list[str]


@dataclass(frozen=True, slots=True)
class _Waited:
    """An object that is waited for."""

    informer: Informer[Any]
    name: str
    namespace: str | None


class ExitCondition:
    """A condition that every applied object of the operator's kinds is to have.

    Args:
        condition: the condition's type.
        timeout: how long to wait, in seconds.
        errors: the last error of each request; read when the wait has ended.
    """

    def __init__(self, condition: str, timeout: float, errors: Mapping[str, str]) -> None:
        self._condition = condition
        self._timeout = timeout
        self._errors = errors

    def waited(
        self, cache: AsyncClusterCache, manager: Manager, manifests: Iterable[Manifest], namespace: str
    ) -> list[_Waited]:
        """The applied objects of the kinds that the manager's controllers reconcile.

        Args:
            cache: where they are read.
            manager: the operator's.
            manifests: what was applied.
            namespace: of the manifests that name none.

        Raises:
            ConfigError: there are none.
        """
        kinds = {str(controller.kind) for controller in manager.controllers}
        waited = [
            _Waited(
                cache.informer(kind_of(f"{m.body['apiVersion']}/{m.body['kind']}")),
                m.body["metadata"]["name"],
                m.body["metadata"].get("namespace") or namespace,
            )
            for m in manifests
            if f"{m.body['apiVersion']}/{m.body['kind']}" in kinds and m.body["metadata"].get("name")
        ]
        if not waited:
            raise ConfigError("--exit-when: none of the applied objects is of a kind that the operator reconciles")
        return waited

    async def wait(
        self, waited: list[_Waited], stop: asyncio.Event, operator: asyncio.Task[None], console: Console
    ) -> WaitResult:
        """Wait until every object has the condition, the operator stops, or the time is over."""
        waits = [
            asyncio.ensure_future(
                w.informer.lister.wait_for(w.name, self._holds, namespace=w.namespace, timeout=_NEVER)
            )
            for w in waited
        ]
        stopping = asyncio.ensure_future(stop.wait())
        all_done = asyncio.ensure_future(asyncio.gather(*waits))
        await asyncio.wait({all_done, stopping, operator}, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
        held = all_done.done() and not all_done.cancelled() and all_done.exception() is None
        for task in (*waits, all_done, stopping):
            task.cancel()
        await asyncio.gather(*waits, all_done, stopping, return_exceptions=True)
        objects = [self._described(w) for w in waited]
        if held:
            names = ", ".join(f"{o['kind']} {o['object']}" for o in objects)
            console.note(f"{self._condition}: {names}")
            return WaitResult(0, self._condition, objects, [])
        if stop.is_set():
            return WaitResult(130, "interrupted", objects, [])
        return WaitResult(1, "timeout", objects, [line for o in objects for line in self._diagnosis(o)])

    # Internals

    def _holds(self, obj: Any) -> bool:
        if obj is None:
            return False
        condition = condition_of(obj, self._condition)
        generation = obj.metadata.generation
        seen = condition.get("observedGeneration") if condition else None
        return bool(condition) and condition.get("status") == "True" and (seen is None or seen == generation)

    def _described(self, waited: _Waited) -> dict[str, Any]:
        kind, name, namespace = waited.informer.kind, waited.name, waited.namespace
        obj = waited.informer.lister.get(name, namespace)
        shown = f"{namespace}/{name}" if kind.namespaced else name
        described: dict[str, Any] = {"kind": kind.kind, "object": shown, "ready": self._holds(obj)}
        if obj is not None:
            described["conditions"] = [
                {key: c.get(key, "") for key in ("type", "status", "reason", "message")}
                for c in (obj.get("status") or {}).get("conditions") or []
            ]
        if shown in self._errors:
            described["error"] = self._errors[shown]
        return described

    def _diagnosis(self, described: dict[str, Any]) -> list[str]:
        if described["ready"]:
            return []
        what = f"{described['kind']} {described['object']}"
        conditions, after = described.get("conditions"), f"after {self._timeout:g} s"
        if conditions is None:
            lines = [f"{what}: does not exist"]
        else:
            found = next((c for c in conditions if c["type"] == self._condition), None)
            if found is None:
                have = ", ".join(c["type"] for c in conditions) or "none"
                lines = [f"{what}: has no condition {self._condition} {after}; its conditions: {have}"]
            else:
                message = f"{found['reason']}: {found['message']}".strip(": ")
                lines = [f"{what}: {self._condition} is {found['status']} {after} ({message})"]
        error = described.get("error")
        lines.append(f"  last error: {error}" if error else "  no reconcile of it failed; see what it waits for above")
        return lines
