"""Named indexes, kept with the write: after a write returns, ``by_index`` reads the new state.

Invariants: a key whose set of names is empty is removed; a function that raises concerns that one object only (it is in
no set, :attr:`Index.failures` says so, and each place that raises is logged once); all calls are made under the store's
lock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from zestor_controller.errors import InvalidObject

__all__ = ["Index", "IndexFunction"]

_log = logging.getLogger(__name__)

IndexFunction = Callable[[Any], Iterable[Hashable]]


class Index:
    """One index: key to names, in the order in which the names came to the key.

    Args:
        function: gives the keys of one object.
        decode: turns a stored value into what `function` takes; None hands it the stored form.
    """

    __slots__ = ("_decode", "_function", "_keys", "_logged", "_names", "failures")

    def __init__(self, function: IndexFunction, decode: Callable[[Any], Any] | None) -> None:
        self._function = function
        self._decode = decode
        self._logged: set[tuple[str, str, int]] = set()
        self._names: dict[Hashable, dict[str, None]] = {}
        self._keys: dict[str, tuple[Hashable, ...]] = {}
        self.failures: dict[str, str] = {}  # name -> the error's type; its text might hold a secret of the object

    def empty(self) -> Index:
        """Return an index of the same function with nothing in it."""
        fresh = Index(self._function, self._decode)
        fresh._logged = self._logged
        return fresh

    def _log_once(self, name: str, error: Exception) -> None:
        """Log a failure of the function, but not again for each object that fails at the same place."""
        if isinstance(error, InvalidObject):
            return  # the object does not decode, which is reported where it is read
        innermost = error.__traceback__
        while innermost is not None and innermost.tb_next is not None:
            innermost = innermost.tb_next
        assert innermost is not None  # it has been raised
        place = (type(error).__name__, innermost.tb_frame.f_code.co_filename, innermost.tb_lineno)
        if place in self._logged:
            return
        self._logged.add(place)
        _log.error(
            "the index function %s failed for %s, which is in no set of the index; other objects for which it fails at "
            "the same place are not logged",
            getattr(self._function, "__qualname__", repr(self._function)),
            name,
            exc_info=error,
        )

    def put(self, name: str, stored: Any) -> None:
        """Index a new or changed object."""
        try:
            value = stored if self._decode is None else self._decode(stored)
            found = self._function(value)
            if isinstance(found, (str, bytes)):
                raise TypeError("an index function returns a list of keys, not one text")
            keys = tuple(dict.fromkeys(found))
        except Exception as error:
            self.remove(name)
            self.failures[name] = type(error).__name__
            self._log_once(name, error)
            return
        if self.failures:
            self.failures.pop(name, None)
        before = self._keys.get(name, ())
        if keys == before:
            return
        self._unlink(name, [key for key in before if key not in keys])
        for key in keys:
            self._names.setdefault(key, {})[name] = None
        if keys:
            self._keys[name] = keys
        else:
            self._keys.pop(name, None)

    def remove(self, name: str) -> None:
        """Forget an object."""
        self._unlink(name, self._keys.pop(name, ()))
        self.failures.pop(name, None)

    def _unlink(self, name: str, keys: Iterable[Hashable]) -> None:
        for key in keys:
            names = self._names[key]
            del names[name]
            if not names:
                del self._names[key]

    def names(self, key: Hashable) -> list[str]:
        """Return the names filed under a key."""
        return list(self._names.get(key, ()))

    def keys(self) -> list[Hashable]:
        """Return the keys that have at least one name."""
        return list(self._names)
