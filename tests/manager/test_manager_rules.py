"""Rules of the manager: which elections make sense, which rights are missing, what it serves and logs."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from zestor_controller import Client, Context, Controller, CustomResource, Manager, Spec, Status, TerminalError
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import MemoryTransport
from zestor_controller.errors import ConfigError
from zestor_controller.manager import LeaderElection, Rule, Rules, missing_rights, rules_for

RBAC = "rbac.authorization.k8s.io"
MAP = "v1/ConfigMap"


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


# Elections


def test_l1_the_times_of_an_election_are_those_of_client_go_unless_others_are_chosen() -> None:
    election = LeaderElection("lease")
    times = (election.lease_duration, election.renew_deadline, election.retry_period)
    assert [time.total_seconds() for time in times] == [15, 10, 2]
    assert election.namespace is None


@pytest.mark.parametrize(
    ("duration", "deadline", "period"),
    [(10, 10, 2), (9, 10, 2), (15, 2.4, 2), (15, 2, 2), (15, 1, 2), (15, 10, 0), (15, 10, -1), (15, 10, 9)],
)
def test_l1_times_with_which_two_could_lead_are_rejected(duration: float, deadline: float, period: float) -> None:
    message = (
        f"lease duration {duration:g} s, renew deadline {deadline:g} s, retry period {period:g} s: "
        "the duration must be longer than the deadline, and the deadline longer than 1.2 periods"
    )
    with pytest.raises(ConfigError, match=exactly(message)):
        LeaderElection(
            "lease",
            lease_duration=timedelta(seconds=duration),
            renew_deadline=timedelta(seconds=deadline),
            retry_period=timedelta(seconds=period),
        )


@pytest.mark.parametrize("seconds", [0.5, 15.5, 0])
def test_l1_a_lease_lasts_for_seconds_that_can_be_written_into_it(seconds: float) -> None:
    message = f"the lease duration is {seconds:g} s; a Lease takes whole seconds, at least 1"
    with pytest.raises(ConfigError, match=exactly(message)):
        LeaderElection("lease", lease_duration=timedelta(seconds=seconds))


def test_l1_the_shortest_times_that_fit() -> None:
    with pytest.raises(ConfigError, match=exactly("leader election needs the name of a Lease")):
        LeaderElection("")
    second = timedelta(seconds=1)
    LeaderElection("lease", lease_duration=second, renew_deadline=second / 2, retry_period=second / 4)
    LeaderElection("lease", lease_duration=3 * second, renew_deadline=2.5 * second, retry_period=2 * second)


# Rights


class Web(CustomResource[Spec, Status], group="rules.example", version="v1", plural="webs"):
    """A kind that lives in namespaces."""


class Zone(CustomResource[Spec, Status], group="rules.example", version="v1", plural="zones", namespaced=False):
    """A kind that does not."""


def written(rules: tuple[Rule, ...]) -> set[str]:
    return {f"{verb} {resource}.{rule.group}" for rule in rules for resource in rule.resources for verb in rule.verbs}


def every(resource: str, *verbs: str) -> set[str]:
    return {f"{verb} {resource}" for verb in verbs}


def test_the_rights_of_each_relation_are_exactly_these() -> None:
    controller: Controller[Any] = (
        Controller(Web).owns(MAP).watches("v1/Secret", map=lambda obj: []).watches(Zone, map=lambda obj: [])
    )
    rules = rules_for([controller])

    assert written(rules.namespaced) == {
        *every("webs.rules.example", "get", "list", "watch", "patch", "update"),
        *every("webs/status.rules.example", "get", "patch", "update"),
        *every("webs/finalizers.rules.example", "update"),
        *every("configmaps.", "get", "list", "watch", "create", "delete", "patch", "update"),
        *every("configmaps/finalizers.", "update"),
        *every("secrets.", "get", "list", "watch"),
        *every("events.", "create", "patch"),
        *every("events.events.k8s.io", "create", "patch"),
    }
    assert written(rules.cluster) == {
        *every("zones.rules.example", "get", "list", "watch"),
        *every("events.", "create", "patch"),
        *every("events.events.k8s.io", "create", "patch"),
    }


def test_a_kind_that_is_watched_and_owned_has_the_rights_of_both_once() -> None:
    one: Controller[Any] = Controller(Web, name="one").owns(MAP)
    two: Controller[Any] = Controller(Web, name="two").watches(MAP, map=lambda obj: [])
    assert rules_for([one, two]) == rules_for([one])
    assert rules_for([]) == Rules((), ())


class Rights:
    """A server that checks rights, with clients of its users."""

    def __init__(self) -> None:
        weak = type(ADMINISTRATOR)("weak", groups=("system:authenticated",))
        users = {"root": ADMINISTRATOR, "weak": weak}
        self.api = ApiServer(TokenAuthenticator(users), rbac=True)

    def client(self, token: str) -> Client:
        return Client(MemoryTransport(self.api, {"Authorization": f"Bearer {token}"}))

    async def grant(self, subject: dict[str, str], namespace: str | None, *rules: dict[str, Any]) -> None:
        root, kind = self.client("root"), "Role" if namespace else "ClusterRole"
        name = {"metadata": {"generateName": "granted-"}}
        role = await root.create(f"{RBAC}/v1/{kind}", {**name, "rules": list(rules)}, namespace=namespace)
        reference = {"apiGroup": RBAC, "kind": kind, "name": role.metadata.name}
        body = {**name, "roleRef": reference, "subjects": [subject]}
        await root.create(f"{RBAC}/v1/{kind}Binding", body, namespace=namespace)


WEAK = {"kind": "User", "name": "weak", "apiGroup": RBAC}
NEEDED = Rules(
    (Rule("", ("secrets",), ("get", "list")), Rule("apps", ("deployments/scale",), ("patch",), names=("a", "b"))),
    (Rule("", ("nodes",), ("list",)),),
)


@pytest.fixture
async def rights() -> Rights:
    return Rights()


async def test_missing_rights_are_named_by_verb_resource_name_and_namespace(rights: Rights) -> None:
    weak = rights.client("weak")
    assert await missing_rights(weak, NEEDED) == [
        "get secrets",
        "list secrets",
        "patch deployments/scale.apps a",
        "patch deployments/scale.apps b",
        "list nodes",
    ]
    assert await missing_rights(weak, NEEDED, namespaces=["default", "kube-system"]) == [
        "get secrets in namespace default",
        "list secrets in namespace default",
        "get secrets in namespace kube-system",
        "list secrets in namespace kube-system",
        "patch deployments/scale.apps a in namespace default",
        "patch deployments/scale.apps b in namespace default",
        "patch deployments/scale.apps a in namespace kube-system",
        "patch deployments/scale.apps b in namespace kube-system",
        "list nodes",
    ]
    assert await missing_rights(rights.client("root"), NEEDED) == []


async def test_what_is_granted_in_a_namespace_by_name_or_for_a_subresource_counts_just_there(rights: Rights) -> None:
    await rights.grant(WEAK, "default", {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]})
    scale = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "resourceNames": ["a"], "verbs": ["patch"]}
    await rights.grant(WEAK, None, scale, {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]})
    weak = rights.client("weak")

    assert await missing_rights(weak, NEEDED, namespaces=["default"]) == [
        "get secrets in namespace default",
        "patch deployments/scale.apps b in namespace default",
    ]
    assert "list secrets" in await missing_rights(weak, NEEDED)


async def test_another_users_rights_are_those_of_its_groups_too(rights: Rights) -> None:
    root, nodes = rights.client("root"), Rules((), (Rule("", ("nodes",), ("list",)),))
    rule = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
    account = "system:serviceaccount:team:robot"
    assert await missing_rights(root, nodes, user=account) == ["list nodes"]
    await rights.grant({"kind": "Group", "name": "system:serviceaccounts:team", "apiGroup": RBAC}, None, rule)
    assert await missing_rights(root, nodes, user=account) == []
    assert await missing_rights(root, nodes, user="system:serviceaccount:other:robot") == ["list nodes"]
    assert await missing_rights(root, nodes, user="system:serviceaccount") == ["list nodes"]
    await rights.grant({"kind": "Group", "name": "system:authenticated", "apiGroup": RBAC}, None, rule)
    assert await missing_rights(root, nodes, user="anyone") == []


# A manager that serves


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something holds."""
    async with asyncio.timeout(40):
        while not condition():  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(*controllers: Controller[Any], client: Client, **options: Any) -> AsyncIterator[Manager]:
    manager, stop = Manager(*controllers, health_port=0, metrics_port=0, **options), asyncio.Event()
    running = asyncio.ensure_future(manager.serve(stop, client=client))
    try:
        async with asyncio.timeout(40):
            while len(manager.ports) < 2:
                assert not running.done()
                await asyncio.sleep(0)
            yield manager
    finally:
        stop.set()
        await running


async def fetch(manager: Manager, port: str, path: str) -> tuple[int, str, str]:
    url = f"http://127.0.0.1:{manager.ports[port]}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_the_status_document_has_each_run_and_each_check(rights: Rights) -> None:
    root = rights.client("root")
    maps: Controller[Any] = Controller(MAP, name="maps")
    runs: list[str] = []

    @maps.reconciler
    async def reconcile(obj: Any, ctx: Context) -> None:
        runs.append(obj.metadata.name)
        if obj.metadata.name == "bad":
            raise TerminalError("it is bad")

    for name in ("good", "bad"):
        await root.create(MAP, {"metadata": {"name": name}}, namespace="default")
    async with serving(maps, client=root) as manager:
        await until(lambda: len(manager.outcomes.list()) == 2)
        status, kind, text = await fetch(manager, "health", "/statusz")
        ready = await fetch(manager, "health", "/readyz")
        verbose = await fetch(manager, "health", "/readyz?verbose")
        healthy = await fetch(manager, "health", "/healthz")
        metrics = await fetch(manager, "metrics", "/metrics")
        elsewhere = await fetch(manager, "metrics", "/healthz")

    document = json.loads(text)
    assert (status, kind.partition(";")[0], document["version"]) == (200, "application/json", 1)
    runs_by_object = {run["object"]: run for run in document["reconciles"]}
    good, bad = runs_by_object["default/good"], runs_by_object["default/bad"]
    assert (good["controller"], good["error"], good["runs"], good["retryAfter"]) == ("maps", "", 1, None)
    assert (bad["result"], bad["error"], bad["runs"]) == ("terminal", "TerminalError: it is bad", 1)
    assert good["result"] != bad["result"]
    assert good["seconds"] >= 0
    assert good["causes"]
    checks = {check["name"]: check for check in document["checks"]}
    assert set(checks) >= {"informer/configmaps", "controller/maps"}
    assert all(check["ok"] for check in checks.values())
    assert (ready[0], ready[2]) == (200, "ok\n")
    lines = verbose[2].splitlines()
    assert lines[-1] == "readyz check passed"
    assert [line for line in lines[:-1] if not line.startswith("[+]")] == []
    assert any(line.startswith("[+]controller/maps: ") for line in lines)
    assert (healthy[0], healthy[2].strip()) == (200, "ok")
    assert metrics[0] == 200
    assert 'controller_runtime_reconcile_total{controller="maps"' in metrics[2]
    assert elsewhere[0] == 404


async def test_rights_that_are_missing_are_logged_once_with_where_to_find_them(
    rights: Rights, caplog: pytest.LogCaptureFixture
) -> None:
    read = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
    await rights.grant(WEAK, None, read)
    maps: Controller[Any] = Controller(MAP, name="maps")

    @maps.reconciler
    async def reconcile(obj: Any, ctx: Context) -> None: ...

    async with serving(maps, client=rights.client("weak")) as manager:
        await until(lambda: any(check.name == "rights" for check in manager.checks()))
        check = next(check for check in manager.checks() if check.name == "rights")
    assert check.ok  # what has to do without one is not ready by itself
    assert check.reason.startswith("missing: ")
    for right in ("patch configmaps", "update configmaps", "create events.events.k8s.io"):
        assert right in check.reason
    assert "list configmaps" not in check.reason
    warnings = [record.getMessage() for record in caplog.records if "missing rights" in record.getMessage()]
    assert len(warnings) == 1
    assert "zestor rbac generate" in warnings[0]


async def test_a_manager_that_has_not_started_is_not_ready() -> None:
    manager = Manager(Controller(MAP, name="maps"))
    assert [(check.name, check.ok, check.reason) for check in manager.checks()] == [("manager", False, "not started")]


def test_l3_what_a_manager_is_unless_something_else_is_chosen() -> None:
    manager = Manager(Controller(MAP))
    assert manager.grace == timedelta(seconds=30)
    assert (manager.health_port, manager.metrics_port, manager.host) == (None, None, None)
    assert (manager.namespaces, manager.leader_election, manager.checkpoints) == (None, None, None)
    assert manager.ports == {}


async def test_an_elected_manager_names_its_lease_and_itself(
    rights: Rights, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("POD_NAME", "operator-0")
    monkeypatch.setenv("POD_NAMESPACE", "kube-system")
    maps: Controller[Any] = Controller(MAP, name="maps")

    runs: list[str] = []

    @maps.reconciler
    async def reconcile(obj: Any, ctx: Context) -> None:
        runs.append(obj.metadata.name)

    root = rights.client("root")
    await root.create(MAP, {"metadata": {"name": "a"}}, namespace="default")
    election = LeaderElection("the-lease", lease_duration=timedelta(seconds=20))
    manager = Manager(maps, leader_election=election)
    stop = asyncio.Event()
    gated = Client(MemoryTransport(rights.api, {"Authorization": "Bearer root"}, gate=manager.gate))
    running = asyncio.ensure_future(manager.serve(stop, client=gated))
    await until(lambda: runs)
    lease = (await root.get("coordination.k8s.io/v1/Lease", "the-lease", namespace="kube-system"))["spec"]
    stop.set()
    await running
    released = (await root.get("coordination.k8s.io/v1/Lease", "the-lease", namespace="kube-system"))["spec"]

    assert re.fullmatch(r"operator-0_[0-9a-f]{16}", lease["holderIdentity"])
    assert lease["leaseDurationSeconds"] == 20
    assert lease["leaseTransitions"] in (0, 1)
    assert not released.get("holderIdentity")
    assert manager.gate.closed


def test_checkpoints_are_a_folder_that_is_used_at_the_end_only_when_it_is_given(tmp_path: Path) -> None:
    manager = Manager(Controller(MAP), checkpoints=tmp_path / "kept")
    assert manager.checkpoints == tmp_path / "kept"
    assert not (tmp_path / "kept").exists()
