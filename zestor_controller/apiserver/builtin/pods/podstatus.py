"""What a Table says about a pod: readiness, state in one word, restarts and gates, computed from the containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.encoding.gotime import parse_seconds
from zestor_controller.apiserver.response.table import since

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["pod_cells"]


def _state(status: Json, kind: str) -> Json | None:
    state: Json | None = (status.get("state") or {}).get(kind)
    return state


def _exit_word(terminated: Json) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    signal = terminated.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _init_word(obj: Json) -> str | None:
    """The word for a pod whose init containers are not through; None when they are."""
    status = obj.get("status") or {}
    total = len((obj.get("spec") or {}).get("initContainers", ()))
    for index, container in enumerate(status.get("initContainerStatuses", ())):
        terminated, waiting = _state(container, "terminated"), _state(container, "waiting")
        if terminated is not None and terminated.get("exitCode", 0) == 0:
            continue
        if terminated is not None:
            return f"Init:{_exit_word(terminated)}"
        if waiting is not None and waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{total}"
    return None


def _container_word(statuses: Iterable[Json], word: str) -> tuple[str, bool]:
    running = False
    for container in reversed(list(statuses)):
        waiting, terminated = _state(container, "waiting"), _state(container, "terminated")
        if waiting is not None and waiting.get("reason"):
            word = str(waiting["reason"])
        elif terminated is not None:
            word = _exit_word(terminated)
        elif container.get("ready") and _state(container, "running") is not None:
            running = True
    return word, running


def _restarts(statuses: list[Json], now: float) -> str:
    count = sum(container.get("restartCount", 0) for container in statuses)
    ends = [
        moment
        for container in statuses
        for moment in [
            parse_seconds(((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or "")
        ]
        if moment is not None
    ]
    return f"{count} ({since(now - max(ends))} ago)" if count and ends else str(count)


def _condition(obj: Json, kind: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions", ())
    return any(each.get("type") == kind and each.get("status") == "True" for each in conditions)


def pod_cells(obj: Json, now: float) -> tuple[str, str, str, str]:
    """Readiness (``1/2``), state, restarts and readiness gates of a pod."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    statuses = list(status.get("containerStatuses", ()))
    word = status.get("reason") or status.get("phase", "")
    starting = _init_word(obj)
    if starting is not None and not _condition(obj, "Initialized"):
        word = starting
        counted = list(status.get("initContainerStatuses", ()))
    else:
        word, running = _container_word(statuses, word)
        counted = statuses
        # A pod that runs on after one of its containers has completed is described by its condition.
        if word == "Completed" and running:
            word = "Running" if _condition(obj, "Ready") else "NotReady"
    if "deletionTimestamp" in obj["metadata"]:
        word = "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    ready = sum(1 for each in statuses if each.get("ready") and _state(each, "running") is not None)
    gates = [gate.get("conditionType", "") for gate in spec.get("readinessGates", ())]
    passed = sum(_condition(obj, gate) for gate in gates)
    shown = f"{passed}/{len(gates)}" if gates else "<none>"
    return f"{ready}/{len(spec.get('containers') or ())}", word, _restarts(counted, now), shown
