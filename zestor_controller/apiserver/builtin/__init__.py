"""The kinds that every cluster has: their shapes, defaults, rules, columns and discovery data."""

from zestor_controller.apiserver.builtin.codec import DecodeFailure
from zestor_controller.apiserver.builtin.kinds import resources
from zestor_controller.apiserver.builtin.podverbs import bind, evict

__all__ = ["DecodeFailure", "bind", "evict", "resources"]
