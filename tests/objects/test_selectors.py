"""Label selectors: understood fully or refused, never matching everything by mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zestor_controller.objects import LabelSelector, Requirement

WEB = {"app": "web", "tier": "front", "example.org/zone": "a"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("missing!=db", True),
        ("app in (db, web)", True),
        ("app notin (db,web)", False),
        ("missing notin (a)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("example.org/zone=a,app in (web),tier!=back", True),
        ("app=web,tier=back", False),
        ("app=", False),
    ],
)
def test_a_selector_matches_as_the_server_does(text: str, matches: bool) -> None:
    assert LabelSelector.parse(text).matches(WEB) is matches


@pytest.mark.parametrize(
    "text", ["app=web,", ",", "app=a b", "a in (", "a in b", "app===web", "-a=b", "app=web;x", "app>>1", "a b"]
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="label selector"):
        LabelSelector.parse(text)


@pytest.mark.parametrize("text", ["app=web,tier!=x,env in (a,b),!old,new", "a notin (x,y)", ""])
def test_a_selector_prints_what_it_parses(text: str) -> None:
    assert str(LabelSelector.parse(text)) == text


def test_a_mapping_means_equality_with_each_label() -> None:
    selector = LabelSelector.of({"tier": "front", "app": "web"})

    assert str(selector) == "app=web,tier=front"
    assert selector.matches(WEB)


@pytest.mark.parametrize("labels", [{"app": "web,other"}, {"app": "a b"}, {"a=b": "c"}, {"": "x"}])
def test_a_mapping_cannot_smuggle_in_another_selector(labels: dict[str, str]) -> None:
    """``{"app": "web,other"}`` written carelessly would select by ``other`` as well."""
    with pytest.raises(ValueError, match="label selector"):
        LabelSelector.of(labels)


def test_the_selector_of_a_spec_holds_labels_and_expressions() -> None:
    selector = LabelSelector.of_spec(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front", "middle"]},
                {"key": "old", "operator": "DoesNotExist"},
                {"key": "env", "operator": "NotIn", "values": ["test"]},
                {"key": "example.org/zone", "operator": "Exists"},
            ],
        }
    )

    assert str(selector) == "app=web,tier in (front,middle),!old,env!=test,example.org/zone"
    assert selector.matches(WEB)
    assert not selector.matches({**WEB, "old": ""})


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "a", "operator": "Equals", "values": ["b"]},
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "Exists", "values": ["b"]},
        {"key": "a b", "operator": "Exists"},
        {"operator": "Exists", "key": ""},
    ],
)
def test_an_expression_that_is_not_understood_is_refused(expression: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="label selector"):
        LabelSelector.of_spec({"matchExpressions": [expression]})


LABEL = st.from_regex(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,5}[A-Za-z0-9])?", fullmatch=True)
REQUIREMENTS = st.one_of(
    st.builds(Requirement, LABEL, st.sampled_from(["exists", "!"])),
    st.builds(
        Requirement,
        LABEL,
        st.sampled_from(["in", "notin"]),
        st.lists(LABEL, min_size=1, max_size=3).map(tuple),
    ),
)


@given(st.lists(REQUIREMENTS, max_size=4), st.dictionaries(LABEL, LABEL, max_size=4))
def test_what_a_selector_prints_means_the_same(requirements: list[Requirement], labels: dict[str, str]) -> None:
    selector = LabelSelector(tuple(requirements))

    parsed = LabelSelector.parse(str(selector))

    assert parsed == selector
    assert parsed.matches(labels) is selector.matches(labels)
