"""Strategic merge patches: lists of built-in kinds merge by their keys.

Invariant: neither the document nor the patch is changed, and the items of lists are looked up by their keys, never
searched for: the cost is about linear in the size of both. The rules and texts are those of apimachinery's
pkg/util/strategicpatch.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from typing import Any, Final

from zestor_controller.apiserver.rest.status import Failure, bad_request, status_body
from zestor_controller.apiserver.typed.typecheck import go_value
from zestor_controller.apiserver.typed.typedef import UNTYPED, TypeDef

__all__ = ["strategic_merge"]

DIRECTIVE: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_FROM: Final = "$deleteFromPrimitiveList/"
SET_ORDER: Final = "$setElementOrder/"

_Map = dict[str, Any]


def strategic_merge(document: Any, patch: Any, typedef: TypeDef) -> Any:
    """A strategic merge patch applied.

    Args:
        document: the live object.
        patch: the patch.
        typedef: the object's type.

    Raises:
        Failure: 400 for a directive of the wrong form; 500, as the real server has it, for an unknown directive or a
            list item without its merge key; 422 for lists of lists.
    """
    return _merge_map(document, patch, typedef)


def _failed(message: str) -> Failure:
    return Failure(status_body(500, message))


def _no_key(item: _Map, key: str) -> Failure:
    return _failed(f"map: {go_value(item)} does not contain declared merge key: {key}")


def _strategy(typedef: TypeDef) -> str:
    """The strategy that is left when retainKeys, which is the client's business, is taken off."""
    return ",".join(part for part in typedef.patch_strategy.split(",") if part and part != "retainKeys")


# Maps


def _merge_map(original: _Map, patch: _Map, typedef: TypeDef) -> _Map:
    """The patch merged into `original`; neither is changed, the result shares what it can."""
    if DIRECTIVE in patch:
        directive = patch[DIRECTIVE]
        if directive == "replace":
            return {name: value for name, value in patch.items() if name != DIRECTIVE}
        if directive == "delete":
            return {}
        raise _failed(f"unknown patch type: {go_value(directive)} in map: {go_value(patch)}")
    merged = _retained(original, patch)
    done = {RETAIN_KEYS}
    for name, order in patch.items():
        if name.startswith(SET_ORDER):
            done |= {name, name.removeprefix(SET_ORDER)}
            _merge_ordered(merged, patch, name.removeprefix(SET_ORDER), order, typedef)
    for name, items in patch.items():
        if name.startswith(DELETE_FROM):
            done.add(name)
            _delete_from(merged, name.removeprefix(DELETE_FROM), items, typedef)
    for name, value in patch.items():
        if name in done:
            continue
        if value is None:
            merged.pop(name, None)
        else:
            _merge_member(merged, name, value, typedef.child(name) or UNTYPED)
    return merged


def _merge_member(merged: _Map, name: str, value: Any, typedef: TypeDef) -> None:
    present = merged.get(name)
    if isinstance(value, dict) and isinstance(present, dict):
        merged[name] = value if _strategy(typedef) == "replace" else _merge_map(present, value, typedef)
    elif isinstance(value, list) and isinstance(present, list):
        merged[name] = _merge_list(present, value, typedef) if _strategy(typedef) == "merge" else value
    else:
        kept = _without_directives(_without_nulls(value))
        if kept is _DROPPED:
            merged.pop(name, None)
        else:
            merged[name] = kept


def _retained(original: _Map, patch: _Map) -> _Map:
    """A copy of `original`, with the members that the patch's ``$retainKeys`` names if it has them."""
    if RETAIN_KEYS not in patch:
        return dict(original)
    retained = patch[RETAIN_KEYS]
    own = (DELETE_FROM, SET_ORDER, RETAIN_KEYS)
    needed = [name for name, value in patch.items() if value is not None and not name.startswith(own)]
    if not isinstance(retained, list):
        raise bad_request("invalid patch format of retainKeys")
    names = {name for name in retained if isinstance(name, str)}
    if not names.issuperset(needed):
        raise bad_request("invalid patch format of retainKeys")
    return {name: value for name, value in original.items() if name in names}


def _delete_from(merged: _Map, name: str, deleted: Any, typedef: TypeDef) -> None:
    present = merged.get(name)
    if deleted is None:
        merged.pop(name, None)
    elif isinstance(present, list) and isinstance(deleted, list) and (present or deleted):
        if _element_kind(present, deleted) is dict:
            merged[name] = _merge_list(present, deleted, typedef.child(name) or UNTYPED)
        else:
            gone = {_index_key(item) for item in deleted}
            merged[name] = [item for item in present if _index_key(item) not in gone]


_DROPPED: Final = object()


def _without_directives(value: Any) -> Any:
    """A value that meets nothing to merge with: what its directives speak of is not there."""
    if isinstance(value, dict):
        if DIRECTIVE in value:
            return _DROPPED
        kept = {name: _without_directives(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not _DROPPED}
    if isinstance(value, list):
        return [inner for item in value if (inner := _without_directives(item)) is not _DROPPED]
    return value


def _without_nulls(value: Any) -> Any:
    """The value without the members of its maps that are null; nulls in lists stay."""
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


# Lists


def _index_key(value: Any) -> Any:
    """What a value is looked up by: equal for values that are equal as JSON, where a number is no boolean."""
    if isinstance(value, bool):
        return (value,)
    if isinstance(value, dict | list):
        return ("json", json.dumps(value, sort_keys=True))
    return value


def _element_kind(*lists: list[Any]) -> type | None:
    kinds = {float if type(item) is int else type(item) for items in lists for item in items}
    if len(kinds) > 1:
        raise _failed(f"list element types are not identical: {go_value(list(lists))}")
    if list in kinds:
        message = "the server rejected our request due to an error in our request"
        raise Failure(status_body(422, message, "Invalid", {}))
    return next(iter(kinds), None)


def _merge_list(original: list[Any], patch: list[Any], typedef: TypeDef) -> list[Any]:
    if not original and not patch:
        return original
    if _element_kind(original, patch) is not dict:
        merged: dict[Any, Any] = {}
        for item in [*original, *patch]:
            merged.setdefault(_index_key(item), item)
        return _in_order(list(merged.values()), patch, original, "")
    key = typedef.patch_merge_key
    if not key:
        raise _failed("cannot merge lists without merge key for ")
    original, patch = _special_items(original, patch, key)
    return _in_order(_merge_items(list(original), patch, key, typedef), patch, original, key)


def _special_items(original: list[_Map], patch: list[_Map], key: str) -> tuple[list[_Map], list[_Map]]:
    """What is left of both sides when the patch's directives are done."""
    plain: list[_Map] = []
    deleted: set[Any] = set()
    replace = False
    for item in patch:
        if DIRECTIVE not in item:
            plain.append(item)
            continue
        directive = item[DIRECTIVE]
        if directive == "delete":
            if key not in item:
                raise _no_key(item, key)
            deleted.add(_index_key(item[key]))
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise _failed("merging lists cannot yet be specified in the patch")
        else:
            raise _failed(f"unknown patch type: {go_value(directive)} in map: {go_value(item)}")
    if deleted:
        original = [known for known in original if _index_key(_key_of(known, key)) not in deleted]
    return (plain, []) if replace else (original, plain)


def _merge_items(original: list[_Map], patch: list[_Map], key: str, typedef: TypeDef) -> list[_Map]:
    element = typedef.element or UNTYPED
    merged = list(original)
    places: dict[Any, int] = {}
    for index, known in enumerate(merged):
        if key in known:
            places.setdefault(_index_key(known[key]), index)
    for item in patch:
        if key not in item:
            raise _no_key(item, key)
        place = places.setdefault(_index_key(item[key]), len(merged))
        if place == len(merged):
            merged.append(item)
        else:
            merged[place] = _merge_map(merged[place], item, element)
    return merged


def _merge_ordered(original: _Map, patch: _Map, name: str, order: Any, typedef: TypeDef) -> None:
    """A list together with the order that the patch wants for it."""
    inner = typedef.child(name) or UNTYPED
    key = inner.patch_merge_key
    present: Any = original.get(name)
    wanted: Any = patch.get(name)
    for value in (order, present or [], wanted or []):
        if not isinstance(value, list):
            raise _failed(f"expected a []interface {{}}, but received a {_go_kind(value)}")
    if name in patch and wanted is None and name in original:
        raise _failed("expected a []interface {}, but received a %!s(<nil>)")
    if wanted:
        _check_order(wanted, order, key)
    if name not in original and name not in patch:
        return
    merged: Any
    if name not in original:
        merged = _without_directives(wanted)
    elif name not in patch:
        merged = present
    else:
        merged = _merge_list(present, wanted, inner) if _strategy(inner) == "merge" else wanted
    if _element_kind(present or [], wanted or []) is None:
        raise _failed("no elements in any of the given slices")
    original[name] = _in_order(merged, order, present or [], key)


def _go_kind(value: Any) -> str:
    return {dict: "map[string]interface {}", str: "string", bool: "bool"}.get(type(value), "float64")


def _check_order(patch: list[Any], order: list[Any], key: str) -> None:
    """Refuse an order that does not name the patch's items as they follow one another."""
    named = iter(order)
    if not order:
        return
    for item in patch:
        if isinstance(item, dict) and DIRECTIVE in item:
            continue
        wanted = _index_key(_identity(item, key))
        if not any(_index_key(_identity(other, key)) == wanted for other in named):
            head = f"The order in patch list:\n{go_value(patch)}\n doesn't match $setElementOrder list:\n"
            raise _failed(f"{head}{go_value(order)}\n")


def _key_of(item: _Map, key: str) -> Any:
    if key not in item:
        raise _no_key(item, key)
    return item[key]


def _identity(item: Any, key: str) -> Any:
    return _key_of(item, key) if key and isinstance(item, dict) else item


def _places(items: list[Any], key: str) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for index, item in enumerate(items):
        found.setdefault(_index_key(_identity(item, key)), index)
    return found


_Keyed = tuple[Any, Any]
"""An item with what it is looked up by."""


def _sorted(items: list[_Keyed], places: dict[Any, int]) -> list[_Keyed]:
    """The items by their places; one without a place goes before whatever was before it.

    That is no order at all, but what the real server's insertion sort makes of its comparison: an item with a place
    comes right after the last one of a lower or equal place, and without such one to the front.
    """
    if all(key in places for key, _ in items):
        return sorted(items, key=lambda item: places[item[0]])
    following: dict[int, int] = {}  # a linked list of indices of `items`; -1 is before its front
    placed: list[int] = []
    behind: list[int] = []
    for index, (key, _) in enumerate(items):
        mine = places.get(key, -1)
        before = -1
        if mine >= 0:
            at = bisect_right(placed, mine)
            before = behind[at - 1] if at else -1
            placed.insert(at, mine)
            behind.insert(at, index)
        if before in following:
            following[index] = following[before]
        following[before] = index
    found: list[_Keyed] = []
    at = -1
    while at in following:
        at = following[at]
        found.append(items[at])
    return found


def _in_order(items: list[Any], order: list[Any], live: list[Any], key: str) -> list[Any]:
    """The merged items: those that `order` names in its order, the others as they were live.

    Where the live list does not say which of two comes first, the named one does.
    """
    wanted, before = _places(order, key), _places(live, key)
    keyed = [(_index_key(_identity(item, key)), item) for item in items]
    named = _sorted([item for item in keyed if item[0] in wanted], wanted)
    others = _sorted([item for item in keyed if item[0] not in wanted], before)
    merged: list[_Keyed] = []
    here = there = 0
    while here < len(others) and there < len(named):
        left, right = before.get(others[here][0], -1), before.get(named[there][0], -1)
        if 0 <= left < right:
            merged.append(others[here])
            here += 1
        else:
            merged.append(named[there])
            there += 1
    return [item for _, item in merged + others[here:] + named[there:]]
