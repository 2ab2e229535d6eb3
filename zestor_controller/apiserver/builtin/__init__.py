"""The kinds that every cluster has: their shapes, defaults, rules, columns and discovery data."""

from zestor_controller.apiserver.builtin.catalog import resources
from zestor_controller.apiserver.builtin.pods.podverbs import bind, evict
from zestor_controller.apiserver.encoding.typedcodec import DecodeFailure

__all__ = ["DecodeFailure", "bind", "evict", "resources"]
