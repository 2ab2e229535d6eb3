"""Lets these tests import their helpers, and gives them Helm in both lines."""

import functools
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(params=["3", "4"])
def major(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def run_helm(tmp_path: Path) -> Any:
    from helming import run_helm_in

    return functools.partial(run_helm_in, tmp_path)
