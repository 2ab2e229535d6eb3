"""No ``Any`` where users look: in what the packages export."""

from __future__ import annotations

from pathlib import Path

import anycount
import pytest

PACKAGES = [
    "adapters.kopf",
    "cache",
    "client",
    "cluster",
    "controller",
    "deprecation",
    "loopthread",
    "objects",
    "testing",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_that_a_package_exports_is_any(package: str) -> None:
    assert anycount.any_uses(f"zestor_controller.{package}") == []


SAMPLE = """
from typing import Any, overload
__all__ = ["Sample", "function"]
Alias = dict[str, Any]

class Base:
    inherited: Any
    _private: Any

class Sample(Base):
    def __init__(self, given: int) -> None:
        self.made: Any = given
    def alias(self) -> Alias: ...
    def good(self, _hidden: Any, shown: int) -> str: ...
    @overload
    def twice(self, one: int) -> int: ...
    @overload
    def twice(self, one: str) -> str: ...
    def twice(self, one: Any) -> Any: ...
    def _internal(self) -> Any: ...

def function(*rest: Any) -> None: ...
"""


def test_every_form_of_any_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zestor_controller_sample.py").write_text(SAMPLE)
    monkeypatch.syspath_prepend(tmp_path)

    found = anycount.any_uses("zestor_controller_sample")

    assert [use.rpartition(" ")[2] for use in found] == ["Sample.made", "Sample.alias", "function", "Base.inherited"]
