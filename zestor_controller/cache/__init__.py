"""The cache: reflectors keep kinds of a store true to a server, listers read them."""

from zestor_controller.cache.clustercache import BlockingClusterCache, ClusterCache
from zestor_controller.cache.informer import Informer
from zestor_controller.cache.lister import CachedMetadata, Lister, Validation
from zestor_controller.cache.reflector import Reflector, Timing
from zestor_controller.cache.status import InformerState, InformerStatus

__all__ = [
    "BlockingClusterCache",
    "CachedMetadata",
    "ClusterCache",
    "Informer",
    "InformerState",
    "InformerStatus",
    "Lister",
    "Reflector",
    "Timing",
    "Validation",
]
