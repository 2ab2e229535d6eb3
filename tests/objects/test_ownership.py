"""Owners, patches and backoff: small pure values."""

from __future__ import annotations

import random

from zestor_controller.backoff import Backoff
from zestor_controller.objects import (
    JsonPatch,
    MergePatch,
    Unstructured,
    controller_reference,
    is_controlled_by,
    kind_of,
)


def test_a_child_knows_its_controller_by_uid() -> None:
    reference = controller_reference(kind_of("apps/v1/Deployment"), "web", "u1")
    child = Unstructured(
        {"metadata": {"ownerReferences": [{**reference, "controller": False, "uid": "u2"}, reference]}}
    )

    assert is_controlled_by(child, "u1")
    assert not is_controlled_by(child, "u2")
    assert not is_controlled_by(Unstructured(), "u1")


def test_each_patch_has_its_media_type() -> None:
    assert MergePatch({}).media_type == "application/merge-patch+json"
    assert JsonPatch([]).media_type == "application/json-patch+json"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_c7_delays_double_up_to_the_cap_and_jitter_upwards() -> None:
    backoff = Backoff(rng=random.Random(1), clock=Clock())

    delays = [backoff.next() for _ in range(8)]

    for delay, base in zip(delays, [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30], strict=True):
        assert base <= delay < 2 * base


def test_c7_two_minutes_of_health_start_anew() -> None:
    clock = Clock()
    backoff = Backoff(jitter=0, clock=clock)
    assert [backoff.next(), backoff.next()] == [0.8, 1.6]

    clock.now = 1.6 + 119
    assert backoff.next() == 3.2, "not healthy for long enough"
    clock.now += 3.2 + 121
    assert backoff.next() == 0.8


def test_a_backoff_for_keys_starts_small_and_ends_large() -> None:
    backoff = Backoff(first=0.005, cap=1000, jitter=0, clock=Clock())

    delays = [backoff.next() for _ in range(1200)]

    assert delays[:3] == [0.005, 0.01, 0.02]
    assert delays[-1] == 1000
    backoff.reset()
    assert backoff.next() == 0.005


def test_the_same_seed_gives_the_same_delays() -> None:
    one, other = (Backoff(rng=random.Random(7), clock=Clock()) for _ in range(2))

    assert [one.next() for _ in range(5)] == [other.next() for _ in range(5)]
