"""Names of the testing package that have changed: the former ones work for one minor version, with a warning."""

import importlib

import pytest

from zestor_controller.errors import ZestorDeprecationWarning

RENAMED = [
    ("zestor_controller.testing.scripted", "status_answer", "status_response"),
    ("zestor_controller.testing.faults", "status_answer", "status_response"),
    ("zestor_controller.testing.store_contract", "User", "TeamMember"),
]


@pytest.mark.parametrize(("module", "former", "present"), RENAMED)
def test_a_former_name_is_the_present_object_and_warns(module: str, former: str, present: str) -> None:
    found = importlib.import_module(module)

    with pytest.warns(
        ZestorDeprecationWarning, match=rf"{former} is deprecated since 0\.2 .*; use {module}\.{present}"
    ):
        assert getattr(found, former) is getattr(found, present)
    assert former not in found.__all__
