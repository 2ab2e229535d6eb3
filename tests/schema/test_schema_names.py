"""The names of the package that have changed."""

import pytest

from zestor_controller import schema
from zestor_controller.errors import ZestorDeprecationWarning


def test_the_former_name_of_the_rule_engine_warns_and_is_the_same_class() -> None:
    with pytest.warns(ZestorDeprecationWarning, match=r"schema\.Rules is deprecated .* use RuleEngine"):
        former = schema.Rules  # type: ignore[attr-defined]
    assert former is schema.RuleEngine


def test_a_name_that_never_was_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Rulez'"):
        schema.Rulez  # type: ignore[attr-defined]  # noqa: B018
