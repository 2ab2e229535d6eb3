"""Leader election: one replica writes, the others are on standby; in virtual time, against the embedded server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from operating import virtual

from zestor_controller import Client, Context, Controller, LeaderElection, Manager, Result, Unstructured
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import MemoryTransport, WriteGate
from zestor_controller.errors import ConfigError, TransportError
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.objects import MergePatch

LEASE = "coordination.k8s.io/v1/Lease"


class Cluster:
    """The embedded server, and a way to it for each replica that can be cut."""

    def __init__(self) -> None:
        self.api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))
        self.client = Client(MemoryTransport(self.api, {"Authorization": "Bearer t"}))
        self.writes: list[tuple[float, str]] = []  # when, and by which replica

    async def lease(self) -> Unstructured:
        return await self.client.get(LEASE, "shops", namespace="default")


class Replica:
    """A manager whose controller writes twice a second, and counts who wrote when."""

    def __init__(self, cluster: Cluster, name: str, **election: Any) -> None:
        self.name = name
        self.cut: str | None = None  # None, "lease" (refused), "hang" (no response), "forbidden", "unauthorized"
        self.slow: dict[str, float] = {}  # by method: seconds until a lease request reaches the server
        self.sent: list[float] = []  # when each write of the lease that succeeded was sent
        self.cluster = cluster
        controller = Controller("v1/ConfigMap", name="shops")
        self.manager = Manager(controller, namespaces=["default"], leader_election=LeaderElection("shops", **election))
        self.stop = asyncio.Event()

        @controller.reconciler
        async def reconcile(obj: Unstructured, ctx: Context) -> Result | None:
            if obj.metadata.name != "work":
                return None
            await ctx.client.patch(
                "v1/ConfigMap", "work", MergePatch({"data": {name: "was here"}}), namespace="default"
            )
            return Result(requeue_after=timedelta(seconds=0.5))

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if "/leases" in request.path and self.cut is not None:
            if self.cut == "hang":
                await asyncio.Event().wait()
            codes = {"forbidden": (403, "Forbidden"), "unauthorized": (401, "Unauthorized")}
            code, reason = codes.get(self.cut, (503, "ServiceUnavailable"))
            body = b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"%s","code":%d}'
            return HttpResponse(code, [("Content-Type", "application/json")], body % (reason.encode(), code))
        if "/leases" in request.path:
            sent = asyncio.get_running_loop().time()
            await asyncio.sleep(self.slow.get(request.method, 0.0))
            if request.method != "GET":
                self.sent.append(sent)
        if request.method == "PATCH" and request.path.endswith("/configmaps/work"):
            self.cluster.writes.append((asyncio.get_running_loop().time(), self.name))
        return await self.cluster.api.handle(request)

    @property
    def leads(self) -> bool:
        return any(check == "leads, by the lease default/shops" for check in self.reported())

    def reported(self) -> list[str]:
        return [check.reason for check in self.manager.checks() if check.name == "leader-election"]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Replica]:
        transport = MemoryTransport(self, {"Authorization": "Bearer t"}, gate=self.manager.gate)
        async with Client(transport) as client:
            task = asyncio.create_task(self.manager.serve(self.stop, client=client))
            try:
                yield self
            finally:
                self.stop.set()
                await task


async def until(condition: Any, within: float = 60.0) -> float:
    """The seconds until a condition holds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not condition():
        assert loop.time() - began < within, "it did not come about"
        await asyncio.sleep(0.01)
    return loop.time() - began


@asynccontextmanager
async def two_replicas() -> AsyncIterator[tuple[Cluster, Replica, Replica]]:
    """The first leads, the second waits."""
    cluster = Cluster()
    await cluster.client.create("v1/ConfigMap", {"metadata": {"name": "work"}}, namespace="default")
    one, two = Replica(cluster, "one"), Replica(cluster, "two")
    async with one.serving():
        await until(lambda: one.leads)
        async with two.serving():
            await until(lambda: "standby" in "".join(two.reported()))
            yield cluster, one, two


@virtual
async def test_l2_a_leader_that_stops_hands_its_lease_back_and_the_next_leads_within_two_seconds() -> None:
    async with two_replicas() as (cluster, one, two):
        await asyncio.sleep(30)
        assert {by for _, by in cluster.writes} == {"one"}
        one.stop.set()
        assert await until(lambda: two.leads) < 2
        await asyncio.sleep(5)
        assert cluster.writes[-1][1] == "two"
        spec = (await cluster.lease())["spec"]
        assert spec["leaseTransitions"] == 1
        assert spec["leaseDurationSeconds"] == 15
        assert "_" in spec["holderIdentity"]


@virtual
async def test_l1_a_leader_that_cannot_renew_writes_nothing_after_its_deadline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for cut in ("lease", "hang"):
        async with two_replicas() as (cluster, one, two):
            await asyncio.sleep(7)
            cut_at = asyncio.get_running_loop().time()
            one.cut = cut  # only the lease: everything else could still be written
            taken = await until(lambda two=two: two.leads)
            assert 12 < taken < 17
            await asyncio.sleep(20)
            last_of_one = max(at for at, by in cluster.writes if by == "one")
            first_of_two = min(at for at, by in cluster.writes if by == "two")
            assert last_of_one - cut_at <= 10
            assert first_of_two - last_of_one > 2
            one.cut = None
            two.stop.set()
            assert await until(lambda one=one: one.leads) < 7  # it was on standby meanwhile; a request may still hang
        assert "could not be renewed for 10 s" in caplog.text
        caplog.clear()


@virtual
async def test_l1_the_time_of_a_lease_counts_from_before_its_renewal_was_sent() -> None:
    cluster = Cluster()
    loop = asyncio.get_running_loop()
    async with Replica(cluster, "one").serving() as one:
        await until(lambda: one.leads)
        one.slow["PUT"] = 4.0  # the server has the renewal, and others measure from there, long before the response
        await asyncio.sleep(31)
        assert not one.manager.gate.closed
        one.cut = "lease"
        await until(lambda: one.manager.gate.closed)
        assert loop.time() - one.sent[-1] <= 10.0 + 0.02


@virtual
async def test_l1_who_waits_for_a_lease_counts_from_the_response_that_showed_it() -> None:
    cluster = Cluster()
    spec = {"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
    await cluster.client.create(LEASE, {"metadata": {"name": "shops"}, "spec": spec}, namespace="default")
    loop = asyncio.get_running_loop()
    async with Replica(cluster, "one").serving() as one:
        await asyncio.sleep(5)
        one.slow["GET"] = 4.5
        await asyncio.sleep(1.5)  # a look is under way
        lease = await cluster.lease()
        lease["spec"]["renewTime"] = "2026-01-01T00:00:05.000000Z"  # its holder renews it meanwhile, and dies
        await cluster.client.replace(lease)
        renewed = loop.time()
        await asyncio.sleep(4.5)
        one.slow.clear()
        await until(lambda: one.leads)
        assert loop.time() - renewed >= 15


@virtual
async def test_l1_a_write_after_the_deadline_is_refused_though_it_was_not_noticed_yet() -> None:
    now = 0.0
    gate = WriteGate()
    gate.open(10.0, clock=lambda: now)
    gate.check("PATCH", "/api/v1/configmaps")
    now = 10.0  # the process was stopped, or the machine slept: no timer has run since
    with pytest.raises(TransportError, match=r"was not sent: the lease has run out"):
        gate.check("PATCH", "/api/v1/configmaps")
    gate.check("GET", "/api/v1/configmaps")
    assert gate.refused == 1


@virtual
async def test_a_lease_that_another_one_took_ends_the_work_at_the_next_renewal() -> None:
    async with two_replicas() as (cluster, one, _):
        lease = await cluster.lease()
        lease["spec"]["holderIdentity"] = "another"
        await cluster.client.replace(lease)
        assert await until(lambda: not one.leads) < 3
        reported = one.reported()[0]
        assert "another leads" in reported
        before = len(cluster.writes)
        await asyncio.sleep(5)
        assert len(cluster.writes) == before


@virtual
async def test_l1_a_lease_that_was_deleted_is_made_again_by_who_had_it() -> None:
    async with two_replicas() as (cluster, one, _):
        await cluster.client.delete(LEASE, "shops", namespace="default")
        await asyncio.sleep(3)
        assert (await cluster.lease())["spec"]["holderIdentity"]
        await asyncio.sleep(20)
        assert one.leads
        assert {by for _, by in cluster.writes} == {"one"}  # no replica took what its holder did not know to be lost


@virtual
async def test_a_leader_that_was_killed_is_followed_when_its_lease_has_run_out() -> None:
    cluster = Cluster()
    spec = {"holderIdentity": "killed", "leaseDurationSeconds": 15, "renewTime": "2999-01-01T00:00:00.000000Z"}
    await cluster.client.create(LEASE, {"metadata": {"name": "shops"}, "spec": spec}, namespace="default")
    async with Replica(cluster, "one").serving() as one:
        assert 15 <= await until(lambda: one.leads) < 17  # by its own clock, whatever the record's time says


@virtual
async def test_a_missing_right_on_leases_is_named_and_the_caches_are_warm_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = Cluster()
    replica = Replica(cluster, "one")
    replica.cut = "forbidden"
    async with replica.serving():
        await asyncio.sleep(10)
        checks = {check.name: check for check in replica.manager.checks()}
        assert not checks["leader-election"].ok
        assert "grant get, create and update on leases.coordination.k8s.io" in checks["leader-election"].reason
        assert checks["informer/configmaps"].ok
        assert caplog.text.count("grant get, create and update on leases") == 1
        replica.cut = None
        assert await until(lambda: replica.leads) < 3


@virtual
async def test_credentials_that_the_server_rejects_are_not_reported_as_a_missing_right(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = Cluster()
    replica = Replica(cluster, "one")
    replica.cut = "unauthorized"
    async with replica.serving():
        await asyncio.sleep(10)
        check = next(check for check in replica.manager.checks() if check.name == "leader-election")
        assert not check.ok
        assert check.reason.startswith("credentials rejected: ")
        assert "missing right" not in caplog.text
        assert "grant" not in caplog.text
        replica.cut = None
        assert await until(lambda: replica.leads) < 3


@virtual
async def test_a_standby_is_ready_so_that_a_rollout_can_go_on() -> None:
    async with two_replicas() as (_, one, two):
        await until(lambda: all(check.ok for check in two.manager.checks()))
        checks = {check.name: check.reason for check in two.manager.checks()}
        assert checks["controller/shops"] == "standby"
        assert checks["leader-election"].startswith("standby: ")
        for replica, status in ((one, 1.0), (two, 0.0)):
            replica.manager._refresh()
            value = replica.manager.metrics.registry.get_sample_value(
                "leader_election_master_status", {"name": "shops"}
            )
            assert value == status


@virtual
async def test_a_stop_while_on_standby_is_immediate_and_touches_no_lease() -> None:
    async with two_replicas() as (cluster, _, two):
        holder = (await cluster.lease())["spec"]["holderIdentity"]
        two.stop.set()
        await asyncio.sleep(0.1)
        assert (await cluster.lease())["spec"]["holderIdentity"] == holder


def test_times_with_which_two_could_lead_are_refused() -> None:
    second = timedelta(seconds=1)
    for wrong in (
        {"lease_duration": 10 * second},
        {"renew_deadline": 2 * second},
        {"retry_period": 0 * second},
        {"lease_duration": 15.5 * second},
    ):
        with pytest.raises(ConfigError, match="lease duration"):
            LeaderElection("shops", **wrong)
    with pytest.raises(ConfigError, match="name of a Lease"):
        LeaderElection("")


def test_the_logs_of_an_election_are_few(caplog: pytest.LogCaptureFixture) -> None:
    @virtual
    async def ten_minutes() -> None:
        async with two_replicas():
            await asyncio.sleep(600)

    with caplog.at_level(logging.INFO, logger="zestor_controller.manager.election"):
        ten_minutes()
    assert len(caplog.records) < 10
