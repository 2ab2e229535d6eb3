"""The cache: reflectors keep kinds of a store true to a server, listers read them."""

from typing import TYPE_CHECKING

from zestor_controller.cache.asyncclustercache import AsyncClusterCache, CacheOptions
from zestor_controller.cache.clustercache import BlockingClusterCache, ClusterCache
from zestor_controller.cache.informer import Informer
from zestor_controller.cache.lister import CachedMetadata, Lister, Validation
from zestor_controller.cache.reflector import Reflector as _Reflector
from zestor_controller.cache.reflector import Timing
from zestor_controller.cache.status import InformerState, InformerStatus
from zestor_controller.deprecation import renamed

__all__ = [
    "AsyncClusterCache",
    "BlockingClusterCache",
    "CacheOptions",
    "CachedMetadata",
    "ClusterCache",
    "Informer",
    "InformerState",
    "InformerStatus",
    "Lister",
    "Timing",
    "Validation",
]

if not TYPE_CHECKING:
    __getattr__ = renamed(__name__, {"Reflector": (f"{__name__}.reflector.Reflector", _Reflector)}, since="0.2")
