"""Names that have changed: the old ones work, and say so."""

from __future__ import annotations

import importlib
import types

import pytest

from zestor_controller.deprecation import renamed
from zestor_controller.errors import ZestorDeprecationWarning


def test_an_old_name_is_the_new_object_and_its_lookup_warns_where_it_is_used() -> None:
    module = types.ModuleType("somewhere")
    module.__getattr__ = renamed("somewhere", {"Old": ("elsewhere.New", object)}, since="9.1")  # type: ignore[method-assign]

    with pytest.warns(
        ZestorDeprecationWarning, match=r"somewhere\.Old is deprecated since 9\.1.*elsewhere\.New"
    ) as seen:
        assert module.Old is object
    assert seen[0].filename == __file__
    with pytest.raises(AttributeError, match="module 'somewhere' has no attribute 'Other'"):
        _ = module.Other


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cluster.Housekeeping", "cluster.ControllerManager"),
        ("controller.Runner", "controller.runner.Runner"),
        ("controller.Services", "controller.services.Services"),
        ("cache.Reflector", "cache.reflector.Reflector"),
    ],
)
def test_a_name_that_has_changed_works_by_its_old_one(old: str, new: str) -> None:
    def found(path: str) -> object:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(f"zestor_controller.{module}"), name)

    with pytest.warns(ZestorDeprecationWarning, match=f"use zestor_controller.{new}$"):
        assert found(old) is found(new)
