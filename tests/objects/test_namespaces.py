"""Which namespaces: a selection that is wrong is refused where it is given, never silently empty."""

import pytest

from zestor_controller import ClusterCache, Manager
from zestor_controller.errors import ConfigError
from zestor_controller.objects import checked_namespaces

WRONG = [
    ("default", r"takes a list of names, not one text; write \['default'\]"),
    ("a, b", r"write \['a', 'b'\]"),
    (b"default", "takes a list of names"),
    (7, "takes a list of names, not 7"),
    ([], "an empty list selects nothing"),
    ((), "an empty list selects nothing"),
    (["*"], "for all namespaces"),
    ([""], "for all namespaces"),
    (["  "], "for all namespaces"),
    (["def*"], "patterns and negations are not supported"),
    (["team-?"], "patterns and negations are not supported"),
    (["team-[ab]"], "patterns and negations are not supported"),
    (["!kube-*"], "patterns and negations are not supported"),
    (["default,kube-system"], r"write \['default', 'kube-system'\]"),
    ([" default"], "write 'default', without blanks"),
    (["default\n"], "write 'default', without blanks"),
    (["Default"], "lower-case"),
    (["-a"], "a letter or digit at both ends"),
    (["a.b"], "lower-case letters, digits and '-'"),
    (["a" * 64], "at most 63"),
    (["ü"], "lower-case"),
    ([None], "write the name as a text"),
    (["default", 7], "write the name as a text"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_a_selection_that_would_be_empty_is_refused_with_the_way_out(given, message):
    for refused in (checked_namespaces, lambda n: Manager(namespaces=n), lambda n: ClusterCache(namespaces=n)):
        with pytest.raises(ConfigError, match=message):
            refused(given)


def test_names_are_taken_once_from_any_collection():
    assert checked_namespaces(None) is None
    assert checked_namespaces(["a", "b", "a"]) == ("a", "b")
    assert checked_namespaces({"kube-system"}) == ("kube-system",)
    assert checked_namespaces(name for name in ("x", "0-1")) == ("x", "0-1")
    assert Manager(namespaces=("a",)).namespaces == ["a"]  # type: ignore[arg-type]


def test_the_error_says_where_it_was_given():
    with pytest.raises(ConfigError, match=r"^mirror\(namespaces=\.\.\.\): 'a\*' is no name of a namespace"):
        checked_namespaces(["a*"], where="mirror(namespaces=...)")
