"""JSON patches (RFC 6902) and JSON merge patches (RFC 7386), with kube-apiserver's answers to bad ones.

Invariant: the document that is patched is never changed; a patch that fails changes nothing.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from zestor_controller.apiserver.status import Failure, status_body

__all__ = ["MAX_OPERATIONS", "json_patch", "merge_patch"]

MAX_OPERATIONS: Final = 10_000


def merge_patch(document: Any, patch: Any) -> Any:
    """A merge patch applied: nulls delete, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(document: Any, operations: list[Any]) -> Any:
    """A JSON patch applied, operation after operation.

    Raises:
        Failure: 413 for more than ten thousand operations, 422 for one that does not apply.
    """
    if len(operations) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise Failure(status_body(413, message, "RequestEntityTooLarge"))
    result = copy.deepcopy(document)
    try:
        for operation in operations:
            result = _operate(result, operation)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        # The real server tells no more than this.
        message = "the server rejected our request due to an error in our request"
        raise Failure(status_body(422, message, "Invalid", {})) from None
    return result


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    name = operation["op"]
    path = _pointer(operation["path"])
    if name == "add":
        return _add(document, path, copy.deepcopy(operation["value"]))
    if name == "remove":
        _remove(document, path)
        return document
    if name == "replace":
        value = copy.deepcopy(operation["value"])
        if not path:
            return value
        _get(document, path)
        parent = _get(document, path[:-1])
        parent[_index(parent, path[-1])] = value
        return document
    if name == "move":
        source = _pointer(operation["from"])
        value = _get(document, source)
        if path[: len(source)] == source and len(path) > len(source):
            raise ValueError("a value cannot be moved into itself")
        _remove(document, source)
        return _add(document, path, value)
    if name == "copy":
        return _add(document, path, copy.deepcopy(_get(document, _pointer(operation["from"]))))
    if name == "test":
        wanted = operation.get("value")
        try:
            present = _get(document, path)
        except (KeyError, IndexError):
            if wanted is None:
                return document  # an absent value passes for null
            raise
        if present != wanted or isinstance(present, bool) != isinstance(wanted, bool):
            raise ValueError("the test failed")
        return document
    raise ValueError(f"unknown operation {name!r}")


def _pointer(text: str) -> list[str]:
    if text == "":
        return []
    if not text.startswith("/"):
        raise ValueError("a pointer begins with a slash")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _index(parent: Any, part: str, *, insert: bool = False) -> Any:
    if isinstance(parent, dict):
        return part
    if not isinstance(parent, list):
        raise TypeError("neither an object nor a list")
    if insert and part == "-":
        return len(parent)
    if not part.lstrip("-").isdecimal():
        raise ValueError("not an index")
    index = int(part)
    if index < 0:  # negative indices count from the end, as the library of the real server has it
        index += len(parent) + (1 if insert else 0)
    if index < 0 or index > len(parent) - (0 if insert else 1):
        raise IndexError(part)
    return index


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[_index(document, part)]
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _get(document, path[:-1])
    index = _index(parent, path[-1], insert=True)
    if isinstance(parent, list):
        parent.insert(index, value)
    else:
        parent[index] = value
    return document


def _remove(document: Any, path: list[str]) -> None:
    parent = _get(document, path[:-1])
    del parent[_index(parent, path[-1])]
