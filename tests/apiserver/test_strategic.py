"""Strategic merge patches: what directives and merge keys do to lists and maps."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zestor_controller.apiserver.patch.strategicmerge import _sorted, strategic_merge
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.typed.fieldtable import builtin, kind_message
from zestor_controller.apiserver.typed.typedef import UNTYPED, TypeDef

STRING = TypeDef("scalar", "string")
ITEM = TypeDef("struct", fields=lambda: {"name": STRING, "v": STRING, "tags": TAGS, "inner": ITEMS})
ITEMS = TypeDef("list", element=ITEM, topology="map", keys=("name",), patch_strategy="merge", patch_merge_key="name")
TAGS = TypeDef("list", element=STRING, topology="set", patch_strategy="merge")
ROOT = TypeDef(
    "struct",
    fields=lambda: {
        "items": ITEMS,
        "tags": TAGS,
        "plain": TypeDef("list", element=STRING),
        "labels": TypeDef("map", element=STRING),
        "swap": TypeDef("struct", fields=lambda: {"a": STRING, "b": STRING}, patch_strategy="replace"),
        "kept": TypeDef("struct", fields=lambda: {"a": STRING, "b": STRING}, patch_strategy="retainKeys"),
    },
)


def names(result: dict[str, Any]) -> list[str]:
    return [item["name"] for item in result["items"]]


def items(*found: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in found]


@pytest.mark.parametrize(
    ("document", "patch", "wanted"),
    [
        (
            {"items": [{"name": "a", "v": "1"}]},
            {"items": [{"name": "a", "v": "2"}]},
            {"items": [{"name": "a", "v": "2"}]},
        ),
        ({"items": items("a")}, {"items": [{"name": "a", "$patch": "delete"}]}, {"items": []}),
        ({"items": items("a")}, {"items": [{"name": "zz", "$patch": "delete"}]}, {"items": items("a")}),
        ({"items": items("a", "b")}, {"items": [{"$patch": "replace"}, {"name": "c"}]}, {"items": items("c")}),
        ({}, {"items": [{"name": "a", "$patch": "delete"}, {"name": "b", "v": None}]}, {"items": items("b")}),
        ({"items": [{"name": "a", "v": "1"}]}, {"items": [{"name": "a", "v": None}]}, {"items": items("a")}),
        ({"tags": ["a"]}, {"tags": ["b", "a"]}, {"tags": ["b", "a"]}),
        ({"tags": ["a", "b"]}, {"$deleteFromPrimitiveList/tags": ["a"]}, {"tags": ["b"]}),
        ({}, {"$deleteFromPrimitiveList/tags": ["a"]}, {}),
        ({"plain": ["a"]}, {"plain": ["b"]}, {"plain": ["b"]}),
        ({"labels": {"a": "1"}}, {"labels": {"b": "2"}}, {"labels": {"a": "1", "b": "2"}}),
        ({"labels": {"a": "1"}}, {"labels": {"$patch": "replace", "b": "2"}}, {"labels": {"b": "2"}}),
        ({"labels": {"a": "1"}}, {"labels": {"$patch": "delete"}}, {"labels": {}}),
        ({"labels": {"a": "1"}}, {"labels": None}, {}),
        ({"labels": {"a": "1"}}, {"labels": ["x"]}, {"labels": ["x"]}),
        ({"swap": {"a": "1"}}, {"swap": {"b": "2"}}, {"swap": {"b": "2"}}),
        ({"kept": {"a": "1"}}, {"kept": {"$retainKeys": ["b"], "b": "2"}}, {"kept": {"b": "2"}}),
        ({"kept": {"a": "1"}}, {"kept": {"b": "2"}}, {"kept": {"a": "1", "b": "2"}}),
    ],
)
def test_patches_and_their_results(document: Any, patch: Any, wanted: Any) -> None:
    before = copy.deepcopy((document, patch))
    assert strategic_merge(document, patch, ROOT) == wanted
    assert (document, patch) == before


def test_new_items_come_before_the_live_ones_that_the_patch_does_not_name() -> None:
    assert names(strategic_merge({"items": items("a", "b")}, {"items": items("c")}, ROOT)) == ["c", "a", "b"]
    assert names(strategic_merge({"items": items("a", "b")}, {"items": items("b", "c")}, ROOT)) == ["a", "b", "c"]


def test_an_order_is_followed_with_or_without_the_list_itself() -> None:
    live = {"items": items("a", "b", "c")}
    assert names(strategic_merge(live, {"$setElementOrder/items": items("c", "a", "b")}, ROOT)) == ["c", "a", "b"]
    patch = {"$setElementOrder/items": items("d", "c", "b"), "items": items("d")}
    assert names(strategic_merge(live, patch, ROOT)) == ["d", "a", "c", "b"]
    assert strategic_merge({"tags": ["a", "b"]}, {"$setElementOrder/tags": ["b", "a"]}, ROOT) == {"tags": ["b", "a"]}


def test_items_inside_of_items_are_merged_by_their_keys() -> None:
    live = {"items": [{"name": "a", "inner": [{"name": "x", "v": "1"}, {"name": "y"}]}]}
    patch = {"items": [{"name": "a", "inner": [{"name": "x", "v": "2"}, {"name": "y", "$patch": "delete"}]}]}
    assert strategic_merge(live, patch, ROOT) == {"items": [{"name": "a", "inner": [{"name": "x", "v": "2"}]}]}


@pytest.mark.parametrize(
    ("patch", "code", "why"),
    [
        ({"labels": {"$patch": "odd"}}, 500, "unknown patch type: odd in map: map[$patch:odd]"),
        ({"items": [{"name": "a", "$patch": "odd"}]}, 500, "unknown patch type: odd in map: map[$patch:odd name:a]"),
        ({"items": [{"name": "a", "$patch": "merge"}]}, 500, "merging lists cannot yet be specified in the patch"),
        ({"items": [{"v": "1"}]}, 500, "map: map[v:1] does not contain declared merge key: name"),
        ({"items": [{"$patch": "delete"}]}, 500, "map: map[$patch:delete] does not contain declared merge key: name"),
        ({"items": ["x"]}, 500, "list element types are not identical: [[map[name:a]] [x]]"),
        ({"tags": [["x"]]}, 500, "list element types are not identical: [[t] [[x]]]"),
        ({"kept": {"$retainKeys": ["a"], "b": "2"}}, 400, "invalid patch format of retainKeys"),
        ({"kept": {"$retainKeys": "a"}}, 400, "invalid patch format of retainKeys"),
        (
            {"$setElementOrder/items": items("a"), "items": items("b")},
            500,
            "The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
        ),
    ],
)
def test_a_bad_patch_is_rejected_with_the_servers_message(patch: Any, code: int, why: str) -> None:
    live = {"items": items("a"), "labels": {"l": "1"}, "tags": ["t"], "kept": {"a": "1"}}
    with pytest.raises(Failure) as caught:
        strategic_merge(live, patch, ROOT)
    assert (caught.value.code, caught.value.body["message"]) == (code, why)


def test_the_tables_say_how_the_lists_of_built_in_kinds_merge() -> None:
    pod = builtin(kind_message("", "v1", "Pod"))
    live = {
        "spec": {
            "containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "x"}]}],
            "tolerations": [{"key": "k"}],
        }
    }
    patch = {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "y"}]}], "tolerations": []}}
    merged = strategic_merge(live, patch, pod)
    assert merged["spec"]["containers"] == [{"name": "a", "ports": [{"containerPort": 80, "name": "y"}]}]
    assert merged["spec"]["tolerations"] == []


NAMES = st.sampled_from("abcd")
TEXT = st.sampled_from("12")


def keyed(depth: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    more = {"inner": keyed(depth - 1)} if depth else {}
    item = st.fixed_dictionaries({"name": NAMES}, optional={"v": TEXT, "tags": st.lists(NAMES, unique=True), **more})
    return st.lists(item, unique_by=lambda found: found["name"], max_size=3)


DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "items": keyed(1),
        "tags": st.lists(NAMES, unique=True),
        "labels": st.dictionaries(NAMES, TEXT, max_size=2),
    },
)


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_applied_twice_is_applied_once(document: Any, patch: Any) -> None:
    once = strategic_merge(document, patch, ROOT)
    assert strategic_merge(once, patch, ROOT) == once


@given(DOCUMENTS)
def test_an_empty_patch_and_the_document_itself_change_nothing(document: Any) -> None:
    assert strategic_merge(document, {}, ROOT) == document
    assert strategic_merge(document, document, ROOT) == document


# Cost


class Counted(str):
    """A text that counts how often it is compared."""

    comparisons = 0

    def __eq__(self, other):
        Counted.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def _comparisons(size, patch_of):
    scalar = TypeDef("scalar", scalar="string")
    item = TypeDef("struct", fields=lambda: {"name": scalar, "value": scalar})
    items = TypeDef("list", element=item, patch_strategy="merge", patch_merge_key="name")
    texts = TypeDef("list", element=scalar, patch_strategy="merge")
    typedef = TypeDef("struct", fields=lambda: {"items": items, "texts": texts})
    names = [Counted(f"n{index}") for index in range(size)]
    document = {"items": [{"name": name, "value": "a"} for name in names], "texts": names}
    Counted.comparisons = 0
    strategic_merge(document, patch_of([Counted(name) for name in names]), typedef)
    return Counted.comparisons


PATCHES_OF_ALL = {
    "each item": lambda names: {"items": [{"name": name, "value": "b"} for name in names]},
    "new items": lambda names: {"items": [{"name": Counted(f"x{name}")} for name in names]},
    "new items first": lambda names: {
        "items": [{"name": Counted(f"x{name}")} for name in names],
        "$setElementOrder/items": [],
    },
    "backwards": lambda names: {"$setElementOrder/items": [{"name": name} for name in reversed(names)]},
    "delete each": lambda names: {"items": [{"name": name, "$patch": "delete"} for name in names]},
    "texts": lambda names: {"texts": [Counted(f"x{name}") for name in names]},
    "delete texts": lambda names: {"$deleteFromPrimitiveList/texts": names},
    "texts backwards": lambda names: {"$setElementOrder/texts": names[::-1]},
    "retain": lambda names: {"$retainKeys": [*names, "items"], "items": []},
}


@pytest.mark.parametrize("patch_of", PATCHES_OF_ALL.values(), ids=PATCHES_OF_ALL)
def test_items_are_looked_up_not_searched(patch_of):
    few, many = (_comparisons(size, patch_of) for size in (100, 800))
    assert many <= 16 * max(few, 100)  # a search would take 64 times as many


@given(st.lists(st.integers(-1, 6), max_size=12))
def test_items_without_a_place_go_where_an_insertion_sort_takes_them(places):
    slow: list[tuple[int, int]] = []
    for index, place in enumerate(places):
        at = len(slow)
        while at and (place < 0 or slow[at - 1][1] < 0 or place < slow[at - 1][1]):
            at -= 1
        slow.insert(at, (index, place))
    items = [((index, place), index) for index, place in enumerate(places)]
    fast = _sorted(items, {key: key[1] for key, _ in items if key[1] >= 0})
    assert [index for _, index in fast] == [index for index, _ in slow]


def test_neither_side_is_changed_and_nulls_are_dropped_from_new_values():
    document = {"spec": {"a": {"b": 1}}}
    patch = {"spec": {"a": {"c": None, "$retainKeys": ["b"]}, "d": {"e": None, "f": [{"g": None}]}}}
    kept = copy.deepcopy((document, patch))
    assert strategic_merge(document, patch, UNTYPED) == {"spec": {"a": {"b": 1}, "d": {"f": [{}]}}}
    assert (document, patch) == kept
