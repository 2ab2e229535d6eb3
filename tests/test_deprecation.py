"""Names that have changed: the old ones work, and say so."""

from __future__ import annotations

import types

import pytest

import zestor_controller.cluster
from zestor_controller.cluster import ControllerManager
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


def test_the_controller_manager_has_its_former_name() -> None:
    with pytest.warns(ZestorDeprecationWarning, match="ControllerManager"):
        assert zestor_controller.cluster.Housekeeping is ControllerManager
