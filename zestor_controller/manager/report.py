"""What a manager logs about itself: its cluster, its namespaces and addresses, and whether it is in sync.

Invariant: a state that lasts is reported again, at intervals that grow to five minutes; a single failure is reported by
the part that met it, and not here.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence

from zestor_controller.cache.status import InformerStatus
from zestor_controller.client import Client
from zestor_controller.client.environment import merged_kubeconfig
from zestor_controller.errors import ApiError, NotFound, ServerError, TransportError

__all__ = ["report_cluster", "report_informers", "report_namespaces"]

_log = logging.getLogger(__name__)

POLL_S = 0.5
FIRST_REPORT_S = 10.0
LAST_INTERVAL_S = 300.0
RETRY_S = 5.0


def report_cluster(
    client: Client,
    kubeconfig: str | os.PathLike[str] | None,
    context: str | None,
    namespaces: Sequence[str] | None,
    addresses: Mapping[str, str],
) -> None:
    """Log what a manager is going to work with.

    Args:
        client: its connection.
        kubeconfig: the file that it was given.
        context: the context that it was given.
        namespaces: those that it watches; all unless given.
        addresses: the URLs of its endpoints, by what they are for.
    """
    used = merged_kubeconfig(kubeconfig, context)
    if used is None:
        origin = "the pod's own account"
    else:
        origin = f"context {used[0].context} of {os.pathsep.join(str(path) for path in used[0].paths)}"
    _log.info("cluster %s, %s", client.transport.server.partition(" ")[0], origin)
    _log.info("namespaces: %s", ", ".join(namespaces) if namespaces else "all")
    if addresses:
        _log.info("%s", ", ".join(f"{what} on {url}" for what, url in addresses.items()))
    else:
        _log.info("no health and no metrics endpoint: no port was given")


async def report_namespaces(client: Client, namespaces: Sequence[str]) -> None:
    """Log which of the watched namespaces the cluster does not have; a list of what is in them would just be empty."""
    for name in namespaces:
        while True:
            try:
                await client.get("v1/Namespace", name)
            except NotFound:
                _log.warning(
                    "namespace %r does not exist in the cluster: nothing is watched there until it is created", name
                )
            except (TransportError, ServerError):
                await asyncio.sleep(RETRY_S)
                continue
            except ApiError as error:  # most operators may not read namespaces
                _log.debug("cannot tell whether namespace %r exists: %s", name, error)
            break


async def report_informers(statuses: Callable[[], Sequence[InformerStatus]]) -> None:
    """Log when all kinds are in sync, and, while some are not, which and why; ends by cancellation only.

    Args:
        statuses: the present status of each informer.
    """
    clock = asyncio.get_running_loop().time
    since: float | None = clock()  # when the trouble began
    due, interval, first = clock() + FIRST_REPORT_S, FIRST_REPORT_S, True
    while True:
        await asyncio.sleep(POLL_S)
        present, now = statuses(), clock()
        out = [status for status in present if not status.live]
        if present and not out and since is not None:
            again, seconds = ("" if first else " again"), now - since
            _log.info("in sync%s after %.1f s: %s", again, seconds, ", ".join(status.kind for status in present))
            since, first = None, False
        elif out and since is None:
            since, interval = now, FIRST_REPORT_S
            due = now + interval
        elif out and since is not None and now >= due:
            _log.warning("not in sync for %.0f s: %s", now - since, _reasons(out, len(present)))
            interval = min(2 * interval, LAST_INTERVAL_S)
            due = now + interval


def _reasons(out: Sequence[InformerStatus], total: int) -> str:
    """One reason for each state, with the kinds that it is the reason of."""
    by_state: dict[str, list[InformerStatus]] = {}
    for status in out:
        by_state.setdefault(status.state.value, []).append(status)
    parts = []
    for same in by_state.values():
        others = f" (and likewise {', '.join(status.kind for status in same[1:])})" if len(same) > 1 else ""
        parts.append(f"{same[0].reason}{others}")
    return f"{len(out)} of {total} kinds: {'; '.join(parts)}"
