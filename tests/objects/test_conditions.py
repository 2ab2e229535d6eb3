"""Conditions: a transition time that moves only with the status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from zestor_controller.objects import Condition, get_condition, is_true, set_condition

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def test_a_condition_is_added_with_the_time_of_its_change() -> None:
    conditions: list[Condition] = []

    assert set_condition(conditions, "Ready", False, "Starting", "wait", observed_generation=3, now=NOON)

    assert conditions[0].model_dump(mode="json", by_alias=True) == {
        "type": "Ready",
        "status": "False",
        "reason": "Starting",
        "message": "wait",
        "observedGeneration": 3,
        "lastTransitionTime": "2026-01-02T12:00:00Z",
    }
    assert not is_true(conditions, "Ready")


def test_setting_the_same_condition_again_changes_nothing() -> None:
    conditions: list[Condition] = []
    set_condition(conditions, "Ready", True, "Works", now=NOON)

    assert not set_condition(conditions, "Ready", True, "Works", now=LATER)
    assert conditions[0].last_transition_time == NOON


def test_a_new_reason_leaves_the_transition_time() -> None:
    conditions: list[Condition] = []
    set_condition(conditions, "Ready", True, "Works", now=NOON)

    assert set_condition(conditions, "Ready", True, "WorksBetter", now=LATER)
    assert conditions[0].last_transition_time == NOON


def test_a_new_status_moves_the_transition_time() -> None:
    conditions: list[Condition] = []
    set_condition(conditions, "Ready", True, "Works", now=NOON)

    assert set_condition(conditions, "Ready", "Unknown", "Lost", now=LATER)
    assert conditions[0].last_transition_time == LATER
    assert len(conditions) == 1


def test_a_condition_that_is_absent_is_none_and_not_true() -> None:
    assert get_condition([], "Ready") is None
    assert not is_true([], "Ready")
