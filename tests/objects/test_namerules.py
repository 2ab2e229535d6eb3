"""The names of a class are checked where they are given, and the error names the class."""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller import CustomResource, Spec, Status
from zestor_controller.errors import ConfigError

NAMES: dict[str, Any] = {"group": "tests.example.org", "version": "v1", "plural": "webs", "kind": "Web"}


def declare(**arguments: Any) -> None:
    type("Website", (CustomResource[Spec, Status],), {"__module__": __name__}, **NAMES | arguments)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("group", "example"),
        ("group", "Example.org"),
        ("group", "example.org/v1"),
        ("group", "example..org"),
        ("group", f"{'a' * 250}.org"),
        ("version", "1"),
        ("version", "V1"),
        ("version", "v1.0"),
        ("plural", "Webs"),
        ("plural", "web_sites"),
        ("plural", "../pods"),
        ("plural", "a" * 64),
        ("plural", "1webs"),
        ("kind", "Web Site"),
        ("kind", "Web_Site"),
        ("kind", "9Web"),
        ("kind", "W" * 60),
        ("short_names", ("WB",)),
        ("short_names", "wb"),
        ("categories", ("all!",)),
        ("categories", "all"),
    ],
)
def test_a_name_that_no_server_takes_is_refused_with_the_class(argument: str, value: Any) -> None:
    with pytest.raises(ConfigError, match="class Website") as caught:
        declare(**{argument: value})
    assert (value if isinstance(value, str) else value[0]) in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("group", "a.b"),
        ("group", "9.example-x.org"),
        ("version", "v1alpha1"),
        ("plural", "web-sites"),
        ("plural", "a" * 63),
        ("kind", "HTTPRoute"),
        ("short_names", ("w",)),
    ],
)
def test_a_name_that_a_server_takes_is_taken(argument: str, value: Any) -> None:
    declare(**{argument: value})
