"""How many hops the walks of docs/architecture.md make: they are counted, so that they do not grow unnoticed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Functions, modules and changes of module that a walk may have at most.
LIMITS = {
    "event": (50, 22, 40),
    "status": (36, 12, 27),
    "write": (90, 28, 66),
    "crd": (113, 22, 64),
    "patch": (144, 40, 133),
    "line": (11, 5, 8),
}


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, int]]:
    command = [sys.executable, str(ROOT / "benchmarks" / "hops.py"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("walk", LIMITS)
def test_a_walk_makes_no_more_hops_than_its_limit(figures: dict[str, dict[str, int]], walk: str) -> None:
    counted = figures[walk]

    functions, modules, changes = LIMITS[walk]

    assert counted["functions"] <= functions
    assert counted["modules"] <= modules
    assert counted["changes"] <= changes


def test_every_walk_that_is_counted_has_a_limit(figures: dict[str, dict[str, int]]) -> None:
    assert set(figures) == set(LIMITS)
    assert all(counted["calls"] >= counted["functions"] > 0 for counted in figures.values())
