"""What an informer keeps, and what all informers of a cache share."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zestor_controller.cache.timing import Timing
from zestor_controller.metrics import Metrics

__all__ = ["CacheSettings", "InformerOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InformerOptions:
    """What one informer keeps of a kind.

    Attributes:
        namespaces: which namespaces; None for all.
        selector: query parameters that narrow every stream (labelSelector, fieldSelector).
        indexes: named index functions.
        metadata_only: read metadata and nothing else of each object.
        compact: keep objects compressed: less memory, for some 10 us more at each event and each read.
    """

    namespaces: Sequence[str] | None = None
    selector: Mapping[str, str] = field(default_factory=dict)
    indexes: Mapping[str, Callable[[Any], Iterable[Hashable]]] | None = None
    metadata_only: bool = False
    compact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """What all informers of a cache share.

    Attributes:
        metrics: where to count.
        timing: the reflectors' clocks.
        rng: jitter; injected so that a simulation can replay.
        checkpoints: a folder to begin from and to write to; Secrets never are.
    """

    metrics: Metrics
    timing: Timing = field(default_factory=Timing)
    rng: random.Random = field(default_factory=random.Random)
    checkpoints: Path | None = None
