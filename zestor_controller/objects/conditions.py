"""Conditions: the machine-readable part of a status.

Invariant: ``lastTransitionTime`` moves only when ``status`` does, so that setting the same condition again changes
nothing and wakes no watcher (R5).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from zestor_controller.objects.meta import WireModel

__all__ = ["Condition", "Conditions", "ListMap", "get_condition", "is_true", "set_condition"]

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"


class Condition(WireModel):
    """One condition, in the shape of ``metav1.Condition``."""

    type: Annotated[str, Field(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    last_transition_time: datetime
    reason: Annotated[str, Field(max_length=1024)]
    message: Annotated[str, Field(max_length=32768)] = ""


class ListMap:
    """Marks a list as keyed by a field: ``x-kubernetes-list-type: map``. The CRD compiler reads it."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = dict(handler(core))
        return {**schema, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(self.keys)}


Conditions: TypeAlias = Annotated[list[Condition], ListMap("type")]


def get_condition(conditions: list[Condition], type: str) -> Condition | None:
    """The condition of a type; None when there is none."""
    return next((condition for condition in conditions if condition.type == type), None)


def is_true(conditions: list[Condition], type: str) -> bool:
    """Whether the condition of a type exists and is True."""
    condition = get_condition(conditions, type)
    return condition is not None and condition.status == TRUE


def set_condition(
    conditions: list[Condition],
    type: str,
    status: bool | Literal["True", "False", "Unknown"],
    reason: str,
    message: str = "",
    *,
    observed_generation: int | None = None,
    now: datetime | None = None,
) -> bool:
    """Set a condition in place.

    Args:
        conditions: the list of a status.
        type: which condition.
        status: a bool, or ``"Unknown"``.
        reason: one CamelCase word.
        message: for people.
        observed_generation: the generation that was looked at.
        now: the time of the change, with a zone; the present unless given.

    Returns:
        Whether anything changed.
    """
    word: Literal["True", "False", "Unknown"] = status if isinstance(status, str) else ("True" if status else "False")
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    known = get_condition(conditions, type)
    if known is None:
        conditions.append(
            Condition(
                type=type,
                status=word,
                observed_generation=observed_generation,
                last_transition_time=moment,
                reason=reason,
                message=message,
            )
        )
        return True
    before = known.model_copy()
    if known.status != word:
        known.status = word
        known.last_transition_time = moment
    known.reason = reason
    known.message = message
    if observed_generation is not None:
        known.observed_generation = observed_generation
    return known != before
