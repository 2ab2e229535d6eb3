"""Conditions in the status of a CustomResourceDefinition.

Invariant: a condition's transition time moves only with its status.
"""

from __future__ import annotations

from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["condition", "is_true", "set_condition"]


def condition(crd: Json, kind: str) -> Json | None:
    """The condition of a type; None without one."""
    for found in crd["status"].get("conditions") or ():
        if found.get("type") == kind:
            return found  # type: ignore[no-any-return]
    return None


def is_true(crd: Json, kind: str) -> bool:
    """Whether a condition is there and true."""
    found = condition(crd, kind)
    return found is not None and found.get("status") == "True"


def set_condition(crd: Json, now: str, kind: str, state: bool, reason: str, message: str) -> None:
    """Set a condition, in place."""
    conditions = crd["status"].get("conditions") or []
    crd["status"]["conditions"] = conditions
    wanted = "True" if state else "False"
    found = condition(crd, kind)
    if found is None:
        found = {"type": kind, "status": "", "lastTransitionTime": now}
        conditions.append(found)
    if found["status"] != wanted:
        found["lastTransitionTime"] = now
    found.update({"status": wanted, "reason": reason, "message": message})
