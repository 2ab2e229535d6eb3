"""Leader election over a Lease: of all replicas one works, the others wait with warm caches.

Invariants: a leader's right to write ends `renew_deadline` after it *sent* its last successful renewal, by a clock that
counts suspended time, and the :class:`~zestor_controller.client.WriteGate` enforces that on its own (L1). Others may
take the lease no sooner than `lease_duration` after they saw it change: both times are measured by the waiting replica,
and no clock is compared with another machine's. A clean stop releases the lease, and a waiting replica takes it with
its next look, within a second (L2).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from zestor_controller.client import Client
from zestor_controller.client.gate import WriteGate
from zestor_controller.controller.denial import describe_denial
from zestor_controller.errors import (
    AlreadyExists,
    ApiError,
    ConfigError,
    Conflict,
    Forbidden,
    NotFound,
    Unauthorized,
    ZestorError,
)
from zestor_controller.objects import Unstructured, kind_of

__all__ = ["LeaderElection", "LeaderElector", "election_clock"]

_log = logging.getLogger(__name__)

LEASE: Final = "coordination.k8s.io/v1/Lease"
LONGEST_LOOK_S: Final = 1.0  # L2: less than 2 s until a lease that was handed back is seen
RELEASE_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class LeaderElection:
    """How replicas agree on which of them works.

    Attributes:
        lease_name: the Lease; replicas of one operator share it.
        namespace: where it is; POD_NAMESPACE, or else the connection's own namespace, unless given.
        lease_duration: how long others respect a lease that is not renewed; whole seconds.
        renew_deadline: how long a leader that cannot renew goes on writing.
        retry_period: the time between two renewals.

    Raises:
        ConfigError: the three do not fit each other: duration > deadline > 1.2 * period.
    """

    lease_name: str
    namespace: str | None = None
    lease_duration: timedelta = timedelta(seconds=15)
    renew_deadline: timedelta = timedelta(seconds=10)
    retry_period: timedelta = timedelta(seconds=2)

    def __post_init__(self) -> None:
        """Refuse times with which two could lead."""
        duration, deadline = self.lease_duration.total_seconds(), self.renew_deadline.total_seconds()
        period = self.retry_period.total_seconds()
        if not self.lease_name:
            raise ConfigError("leader election needs the name of a Lease")
        if duration < 1 or duration != int(duration):
            raise ConfigError(f"the lease duration is {duration:g} s; a Lease takes whole seconds, at least 1")
        if not duration > deadline > 1.2 * period > 0:
            raise ConfigError(
                f"lease duration {duration:g} s, renew deadline {deadline:g} s, retry period {period:g} s: the "
                "duration must be longer than the deadline, and the deadline longer than 1.2 periods"
            )


class LeaderElector:
    """One replica's part in an election.

    Args:
        client: where the Lease is; the gate lets the Lease's own requests pass.
        election: the Lease and its times.
        namespace: the Lease's namespace.
        identity: this replica, unlike any other and any earlier life of its own.
        gate: opened while this replica leads, and only then.
        clock: seconds, monotonic, suspended time included.
        rng: spreads the reads of the waiting replicas.

    Attributes:
        leading: whether this replica has the lease, as far as it has noticed; the gate knows to the instant.
        reason: one sentence: who leads, or what keeps this replica from being elected.
        trouble: whether `reason` is an error.
    """

    def __init__(
        self,
        client: Client,
        election: LeaderElection,
        *,
        namespace: str,
        identity: str,
        gate: WriteGate,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.leading = False
        self.reason = "has not looked at the lease yet"
        self.trouble = False
        self._client = client
        self._election = election
        self._namespace = namespace
        self._identity = identity
        self._gate = gate
        self._clock = clock
        self._rng = rng
        self._lease: Unstructured | None = None  # as it was seen last
        self._seen = 0.0  # when it was seen to change
        self._until = 0.0  # until when this replica may write
        # Two tries fit into the deadline, so that one request that hangs does not cost the lease.
        self._patience = election.renew_deadline.total_seconds() / 2
        self._claimed = False  # the lease may be this replica's: a write was sent, whatever became of it
        path = kind_of(LEASE).path
        gate.exempt = (path(namespace=namespace, name=election.lease_name), path(namespace=namespace))
        gate.close("this replica does not lead")

    @property
    def lease(self) -> str:
        """``namespace/name`` of the Lease."""
        return f"{self._namespace}/{self._election.lease_name}"

    async def acquire(self) -> None:
        """Return once this replica leads; errors are reported and tried again."""
        period = self._election.retry_period.total_seconds()
        look = min(period, LONGEST_LOOK_S)
        while not await self._try(self._patience):  # noqa: ASYNC110  # no event announces that a lease runs out
            await asyncio.sleep((period if self.trouble else look) * (0.9 + 0.2 * self._rng.random()))
        _log.info("this replica leads: it has the lease %s as %s", self.lease, self._identity)

    async def hold(self) -> str:
        """Renew until that fails for too long; returns why this replica does not lead any more."""
        period = self._election.retry_period.total_seconds()
        lost = ""
        while not lost:
            await asyncio.sleep(min(period, max(0.0, self._until - self._clock())))
            left = self._until - self._clock()
            if left <= 0:
                last = f": {self.reason}" if self.trouble else ""
                limit = self._election.renew_deadline.total_seconds()
                lost = f"the lease {self.lease} could not be renewed for {limit:g} s{last}"
            elif not await self._try(min(left, self._patience)) and not self.trouble:
                lost = f"the lease {self.lease} was taken: {self.reason}"
        self.leading = self._claimed = False
        self._gate.close(lost)
        return lost

    async def release(self) -> None:
        """Hand the lease back, so that no other replica has to wait for its end; for a leader that has stopped."""
        if not self._claimed:
            return
        self.leading = self._claimed = False
        self._gate.close("this replica has handed its lease back")
        for _ in range(RELEASE_TRIES):
            try:
                lease = await self._client.get(LEASE, self._election.lease_name, namespace=self._namespace)
                spec = lease.get("spec") or {}
                if spec.get("holderIdentity") != self._identity:
                    return
                now = _stamp()
                del spec["holderIdentity"]  # an empty one is refused
                spec.update(leaseDurationSeconds=1, acquireTime=now, renewTime=now)
                lease["spec"] = spec
                await self._client.replace(lease)
            except Conflict:
                continue
            except ZestorError as error:
                _log.warning("the lease %s could not be handed back: %s", self.lease, error)
                return
            _log.info("the lease %s is handed back", self.lease)
            return

    # One try

    async def _try(self, seconds: float) -> bool:
        """Acquire or renew once, within so many seconds; what goes wrong is reported in `reason`."""
        began = self._clock()
        try:
            async with asyncio.timeout(seconds):
                won = await self._acquire_or_renew()
        except (Conflict, AlreadyExists):  # another one was quicker; look again
            won = False
            self._report(f"another replica wrote the lease {self.lease} first", trouble=self.leading)
        except Unauthorized as error:
            won = False
            self._report(f"{describe_denial(error)} (the lease {self.lease} cannot be read)", trouble=True)
        except Forbidden as error:
            won = False
            rights = "grant get, create and update on leases.coordination.k8s.io"
            self._report(f"missing right: {error}; {rights}", trouble=True)
        except (ZestorError, TimeoutError) as error:
            won = False
            why = str(error) or f"no response within {seconds:.3g} s"
            self._report(f"the lease {self.lease} cannot be reached: {why}", trouble=True)
        if won:
            self.leading = True
            self._until = began + self._election.renew_deadline.total_seconds()
            self._gate.open(self._until, clock=self._clock)
            self._report(f"leads, by the lease {self.lease}", trouble=False)
        return won

    async def _acquire_or_renew(self) -> bool:
        if self.leading and self._lease is not None:  # the usual case needs no reading
            try:
                self._see(await self._client.replace(LEASE, self._taken(self._lease), namespace=self._namespace))
                return True
            except ApiError:
                pass  # another client wrote or deleted it, perhaps; what it is now decides
        name, where = self._election.lease_name, self._namespace
        try:
            lease = await self._client.get(LEASE, name, namespace=where)
        except NotFound:
            # Who led when it was deleted does so still, and makes it anew with the next renewal.
            if self._follows():
                return False
            fresh = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}}
            self._see(await self._client.create(LEASE, self._taken(fresh), namespace=where))
            return True
        self._see(lease)
        if self._follows():
            return False
        self._see(await self._client.replace(LEASE, self._taken(lease), namespace=where))
        return True

    def _follows(self) -> bool:
        """Whether another replica leads, as far as this one has seen and for as long as it has to respect it."""
        spec = (self._lease.get("spec") if self._lease is not None else None) or {}
        holder = spec.get("holderIdentity") or ""
        if holder in ("", self._identity) or self._clock() >= self._seen + (spec.get("leaseDurationSeconds") or 0):
            return False
        self._report(f"standby: {holder} leads, by the lease {self.lease}", trouble=False)
        return True

    def _see(self, lease: Unstructured) -> None:
        """Remember the lease; the wait for its end begins anew whenever it has changed."""
        if self._lease is None or lease.get("spec") != self._lease.get("spec"):
            self._seen = self._clock()
        self._lease = lease

    def _taken(self, lease: Any) -> dict[str, Any]:
        """The lease as this replica's, renewed now."""
        self._claimed = True
        spec, now = dict(lease.get("spec") or {}), _stamp()
        if spec.get("holderIdentity") != self._identity:
            spec["leaseTransitions"] = (spec.get("leaseTransitions") or 0) + 1 if spec else 0
            spec["acquireTime"] = now
        spec["holderIdentity"] = self._identity
        spec["leaseDurationSeconds"] = int(self._election.lease_duration.total_seconds())
        spec["renewTime"] = now
        return {**lease, "spec": spec}

    def _report(self, reason: str, *, trouble: bool) -> None:
        if (reason, trouble) != (self.reason, self.trouble):
            _log.log(logging.WARNING if trouble else logging.INFO, "leader election: %s", reason)
        self.reason, self.trouble = reason, trouble


def election_clock() -> Callable[[], float]:
    """The clock of an election on the running loop: one that counts suspended time, where there is one.

    A loop that keeps a time of its own (virtual time) is believed.
    """
    loop = asyncio.get_running_loop()
    if abs(loop.time() - time.monotonic()) > 1.0 or not hasattr(time, "CLOCK_BOOTTIME"):
        return loop.time
    clock: int = time.CLOCK_BOOTTIME
    return lambda: time.clock_gettime(clock)


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
