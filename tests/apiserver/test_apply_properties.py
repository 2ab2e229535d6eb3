"""Laws of server-side apply: random histories of several managers keep them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from zestor_controller.apiserver.patch import managedfields as managed
from zestor_controller.apiserver.patch import serversideapply
from zestor_controller.apiserver.patch.managedfields import FieldOwner
from zestor_controller.apiserver.typed.fieldset import FieldSet, decode, difference, encode, intersection, union
from zestor_controller.apiserver.typed.fieldtable import structural
from zestor_controller.apiserver.typed.value import compare, field_set, merge, named_members, remove

KEYED = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
LEAF = {"type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "integer"}}}
SPEC = {
    "type": "object",
    "properties": {
        "m": {
            **KEYED,
            "items": {"type": "object", "properties": {**LEAF["properties"], "in": {**KEYED, "items": LEAF}}},
        },
        "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "a": {"type": "array", "items": {"type": "string"}},
        "g": {"type": "object", "additionalProperties": {"type": "integer"}},
        "o": {"type": "object", "properties": {"p": LEAF}},
        "u": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
TYPES = structural({"type": "object", "properties": {"spec": SPEC}})
NAMES = st.sampled_from("abc")
NUMBERS = st.integers(1, 2)
LEAVES = st.fixed_dictionaries({"name": NAMES}, optional={"v": NUMBERS})
# Nobody owns an empty keyed list, so that one applied twice is not the same twice: left out here.
SETS = st.lists(NAMES, unique=True, min_size=1, max_size=3)


def keyed(item: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(item, unique_by=lambda found: str(found["name"]), min_size=1, max_size=3)


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "m": keyed(st.fixed_dictionaries({"name": NAMES}, optional={"v": NUMBERS, "in": keyed(LEAVES)})),
        "s": SETS,
        "a": SETS,
        "g": st.dictionaries(NAMES, NUMBERS, max_size=2),
        "o": st.fixed_dictionaries({}, optional={"p": st.fixed_dictionaries({}, optional={"v": NUMBERS})}),
        "u": st.dictionaries(NAMES, NUMBERS | st.dictionaries(NAMES, NUMBERS, max_size=2), max_size=2),
    },
)
WRITES = st.tuples(st.sampled_from(["apply", "force", "update"]), st.sampled_from(["one", "two"]), SPECS)


def body(spec: Any) -> dict[str, Any]:
    return {"apiVersion": "e/v1", "kind": "T", "metadata": {"name": "x"}, "spec": spec}


def owner(manager: str) -> FieldOwner:
    return FieldOwner(manager, "e/v1", "", "2026-01-01T00:00:00Z")


def apply(live: Any, spec: Any, manager: str, force: bool = True) -> dict[str, Any]:
    return serversideapply.apply(live, body(spec), TYPES, owner(manager), force=force)


def update(live: Any, spec: Any, manager: str) -> dict[str, Any]:
    return managed.update(live, body(spec), TYPES, owner(manager))


def history(writes: list[tuple[str, str, Any]]) -> dict[str, Any] | None:
    live: dict[str, Any] | None = None
    for kind, manager, spec in writes:
        live = update(live, spec, manager) if kind == "update" else apply(live, spec, manager)
    return live


def owned(live: dict[str, Any]) -> dict[tuple[str, str], FieldSet]:
    entries = live["metadata"].get("managedFields", [])
    return {(entry["manager"], entry["operation"]): decode(entry["fieldsV1"]) for entry in entries}


@settings(deadline=None)
@given(st.lists(WRITES, max_size=4), SPECS, st.sampled_from(["one", "two"]))
def test_an_apply_repeated_changes_nothing(writes: Any, spec: Any, manager: str) -> None:
    once = apply(history(writes), spec, manager)
    assert apply(once, spec, manager, force=False) is once


@settings(deadline=None)
@given(st.lists(WRITES, max_size=4), SPECS)
def test_what_is_applied_stands_in_the_object_and_is_owned(writes: Any, spec: Any) -> None:
    live = apply(history(writes), spec, "one")
    wanted = field_set(body(spec), TYPES)
    assert not difference(wanted, compare({}, live, TYPES).added)
    mine = owned(live).get(("one", "Apply"), {})
    assert mine.get("f:spec", {}) == wanted.get("f:spec", {})


@settings(deadline=None)
@given(st.lists(WRITES, min_size=1, max_size=5))
def test_nobody_owns_what_is_not_there(writes: Any) -> None:
    live = history(writes)
    assert live is not None
    held = compare({}, live, TYPES).added
    for fields in owned(live).values():
        assert not difference(fields, held)


@settings(deadline=None)
@given(SPECS, SPECS)
def test_applying_nothing_takes_out_what_was_applied_alone(spec: Any, other: Any) -> None:
    live = apply(apply(None, spec, "one"), other, "two")
    left = apply(live, {}, "one")
    assert ("one", "Apply") in owned(left)
    assert field_set(left, TYPES)["f:spec"] == field_set(apply(apply(None, other, "two"), {}, "one"), TYPES)["f:spec"]


@given(SPECS, SPECS)
def test_a_comparison_tells_the_difference_of_two_sets(old: Any, new: Any) -> None:
    found = compare(body(old), body(new), TYPES)
    before, after = compare({}, body(old), TYPES).added, compare({}, body(new), TYPES).added
    assert found.added == difference(after, before)
    assert found.removed == difference(before, after)
    assert not difference(found.modified, intersection(before, after))
    back = compare(body(new), body(old), TYPES)
    assert (back.added, back.removed, back.modified) == (found.removed, found.added, found.modified)


@given(SPECS, SPECS)
def test_merging_is_idempotent_and_keeps_both_sides(left: Any, right: Any) -> None:
    merged = merge(body(left), body(right), TYPES)
    assert merge(merged, body(right), TYPES) == merged
    held = compare({}, merged, TYPES).added
    assert not difference(field_set(body(right), TYPES), held)
    # A map whose place the right side gives to a number is replaced whole, its members with it.
    given = right.get("u", {})
    kept = {n: v for n, v in left.get("u", {}).items() if n not in given or type(v) is type(given[n])}
    left_over = {**left, "u": kept} if "u" in left else left
    assert not difference(field_set(body(left_over), TYPES), held)
    assert merge(body(left), body(left), TYPES) == body(left)


@given(SPECS, SPECS)
def test_what_is_removed_is_gone_and_the_rest_stays(spec: Any, part: Any) -> None:
    gone = named_members(field_set(body(part), TYPES).get("f:spec", {}), TYPES.child("spec") or TYPES)
    spec_type = TYPES.child("spec") or TYPES
    left = remove(spec, spec_type, gone)
    assert not intersection(compare({}, left, spec_type).added, difference(gone, {".": True}))
    assert remove(left, spec_type, gone) == left
    assert remove(spec, spec_type, {}) == spec


@given(SPECS, SPECS, SPECS)
def test_sets_of_fields_obey_the_laws_of_sets(one: Any, two: Any, three: Any) -> None:
    a, b, c = (field_set(body(spec), TYPES) for spec in (one, two, three))
    assert union(a, b) == union(b, a)
    assert union(a, union(b, c)) == union(union(a, b), c)
    assert intersection(a, b) == intersection(b, a)
    assert union(difference(a, b), intersection(a, b)) == a
    assert not intersection(difference(a, b), b)
    assert difference(a, union(b, c)) == difference(difference(a, b), c)
    assert decode(encode(a)) == a
