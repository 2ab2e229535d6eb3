"""What is done to a Pod by a subresource of its own: binding it to a node."""

from __future__ import annotations

from collections.abc import Callable

from zestor_controller.apiserver.bodies import decode_object
from zestor_controller.apiserver.builtin import bind
from zestor_controller.apiserver.context import Call, Reply
from zestor_controller.apiserver.contract import Json
from zestor_controller.apiserver.registry import Registry
from zestor_controller.apiserver.status import not_found, success
from zestor_controller.apiserver.storage import Storage

__all__ = ["add_pod_actions"]

PODS = ("", "pods")


def add_pod_actions(registry: Registry, storage: Storage, now: Callable[[], str]) -> None:
    """Serve ``pods/binding``."""

    def binding(call: Call) -> Reply:
        present = storage.table(PODS).get(call.info.namespace, call.info.name)
        if present is None:
            raise not_found("", "pods", call.info.name)
        body: Json = decode_object(call.request.headers.get("content-type"), call.request.body, "Binding").value
        bound = bind(present.copy(), body, now())
        storage.write(PODS, call.info.namespace, call.info.name, bound)
        return Reply(201, success(), shaped=True)

    registry.add_endpoint("", "v1", "pods", "binding", "create", binding)
