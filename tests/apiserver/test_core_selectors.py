from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zestor_controller.apiserver import builtin
from zestor_controller.apiserver.auth.tokens import TokenIssuer
from zestor_controller.apiserver.request.selectors import parse_selection
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.storage.revisionlog import Storage

STORAGE = Storage()
RESOURCES = builtin.resources(STORAGE, TokenIssuer(STORAGE, time.time), random.Random(1))
PODS = next(resource for resource in RESOURCES if resource.plural == "pods")
MAPS = next(resource for resource in RESOURCES if resource.plural == "configmaps")


def chosen(selector: str, *labels: dict[str, str]) -> list[bool]:
    selection = parse_selection({"labelSelector": selector}, MAPS)
    return [selection.matches({"metadata": {"labels": given}}) for given in labels]


@pytest.mark.parametrize(
    ("selector", "x", "y", "none", "empty"),
    [
        ("app=x", True, False, False, False),
        ("app == x", True, False, False, False),
        ("app!=x", False, True, True, True),
        ("app in (x,y)", True, True, False, False),
        ("app in (x, )", True, False, False, True),
        ("app in ()", False, False, False, True),
        ("app notin (x)", False, True, True, True),
        ("app", True, True, False, True),
        ("!app", False, False, True, False),
        ("app,app!=x", False, True, False, True),
        ("app=", False, False, False, True),
    ],
)
def test_label_selectors_choose_as_the_server_does(selector, x, y, none, empty):
    assert chosen(selector, {"app": "x"}, {"app": "y"}, {}, {"app": ""}) == [x, y, none, empty]


def test_numbers_are_compared_as_numbers():
    assert chosen("n>5", {"n": "20"}, {"n": "5"}, {"n": "x"}, {}) == [True, False, False, False]
    assert chosen("n<5", {"n": "20"}, {"n": "-1"}, {}) == [False, True, False]


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("app in (x", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("app===x", "unable to parse requirement: found '=', expected: identifier"),
        ("=x", "found '=', expected: !, identifier, or 'end of string'"),
        ("app=x,", "found '', expected: identifier after ','"),
        ("app=x y", "found 'y', expected: ',' or 'end of string'"),
        ("!app=x", "found '=', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
    ],
)
def test_a_selector_that_cannot_be_read_is_refused_in_the_servers_words(selector, message):
    with pytest.raises(Failure) as refused:
        parse_selection({"labelSelector": selector}, MAPS)
    assert (refused.value.code, str(refused.value)) == (400, message)


@given(st.text(alphabet="ab/=!<>(), in", max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        selection = parse_selection({"labelSelector": text}, MAPS)
    except Failure:
        return  # any other exception fails the test
    assert selection.empty == (not text.strip())


def test_fields_are_those_of_the_kind():
    selection = parse_selection({"fieldSelector": "metadata.name=a,spec.nodeName!=n1"}, PODS)
    assert selection.name == "a"
    assert selection.matches({"metadata": {"name": "a"}, "spec": {"nodeName": "n2"}})
    assert not selection.matches({"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}})
    with pytest.raises(Failure, match=r'"spec\.nodeName" is not a known field selector'):
        parse_selection({"fieldSelector": "spec.nodeName=n1"}, MAPS)


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        (r"metadata.name=a\,b", "a,b"),
        (r"metadata.name=a\=b", "a=b"),
        (r"metadata.name=a\\,metadata.namespace!=x", "a\\"),
        ("metadata.name==b", "b"),
        (",metadata.name=b,", "b"),
    ],
)
def test_a_field_selectors_escapes_are_taken_off_its_value(selector, name):
    selection = parse_selection({"fieldSelector": selector}, MAPS)

    assert selection.name == name
    assert selection.matches({"metadata": {"name": name, "namespace": "default"}})
    assert not selection.matches({"metadata": {"name": "other", "namespace": "default"}})


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (r"metadata.name=\a", r"invalid field selector: invalid escape sequence: \a"),
        ("metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
        ("metadata.name===b", "invalid field selector: unescaped character in value: 61"),
        (
            " metadata.name=a",
            '" metadata.name" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("a,metadata.name=b", "invalid selector: 'a,metadata.name=b'; can't understand 'a'"),
    ],
)
def test_a_field_selector_that_cannot_be_parsed_is_refused_as_by_the_server(selector, message):
    with pytest.raises(Failure) as refused:
        parse_selection({"fieldSelector": selector}, MAPS)
    assert (refused.value.code, str(refused.value)) == (400, message)
