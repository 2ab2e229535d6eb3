"""The mirror beside real kopf, over a socket."""

from __future__ import annotations

import queue
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import kopf
import pytest
from kopfing import Operator, Website, failed_start, install, registry_for, until

from zestor_controller import EmbeddedCluster
from zestor_controller.adapters.kopf import mirror
from zestor_controller.errors import ConfigError
from zestor_controller.objects import MergePatch
from zestor_controller.store import Overflow

pytestmark = pytest.mark.timeout(120)
CONFIGMAP = "v1/ConfigMap"


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as cluster:
        install(cluster)
        yield cluster


def make(cluster: EmbeddedCluster, name: str, replicas: int = 1) -> None:
    site = Website(metadata={"name": name, "namespace": "default"}, spec={"replicas": replicas})
    cluster.client.create(Website, site)


def configmap(cluster: EmbeddedCluster, name: str, **data: str) -> None:
    cluster.client.create(CONFIGMAP, {"metadata": {"name": name}, "data": data}, namespace="default")


def test_a_handler_reads_what_was_there_at_the_start_and_what_came_after_it(cluster: EmbeddedCluster) -> None:
    registry = registry_for(cluster)
    mirror(Website, CONFIGMAP, registry=registry)
    seen: queue.Queue[tuple[str, Any]] = queue.Queue()

    @kopf.on.event("kopf.example.org", "v1", "websites", registry=registry)
    async def handle(name: str, memo: kopf.Memo, **_: Any) -> None:
        found = memo.configmaps.get(f"default/{name}")
        seen.put((name, dict(found["data"]) if found is not None else None))

    configmap(cluster, "early", a="1")
    make(cluster, "early")
    with Operator(registry) as operator:
        assert operator.error is None
        assert seen.get(timeout=20) == ("early", {"a": "1"})
        websites, configmaps = operator.memo.websites, operator.memo.configmaps
        with configmaps.watch() as watch:
            configmap(cluster, "late", b="2")
            until(lambda: configmaps.get("default/late"), watch)
        with websites.watch() as watch:
            make(cluster, "late", replicas=3)
            assert seen.get(timeout=20) == ("late", {"b": "2"})
            until(lambda: websites.get("default/late"), watch)
        assert isinstance(websites.get("default/late"), Website)
        assert websites.get("default/late").spec.replicas == 3
    assert operator.error is None


def test_mirroring_writes_nothing_and_its_end_takes_no_two_seconds(cluster: EmbeddedCluster) -> None:
    registry = registry_for(cluster)
    mirror(Website, CONFIGMAP, registry=registry)
    make(cluster, "a")
    before = len(cluster.requests)
    with Operator(registry) as operator:
        assert operator.memo.websites.names() == ["default/a"]
    verbs = Counter(record.verb for record in cluster.requests[before:])
    assert verbs["list"] >= 2
    assert set(verbs) <= {"get", "list", "watch"}
    assert operator.stopped_in < 2
    assert not [thread for thread in threading.enumerate() if thread.name == "zestor-kopf-mirror"]


def test_a_deletion_behind_a_forced_410_leaves_the_kind(cluster: EmbeddedCluster) -> None:
    registry = registry_for(cluster)
    mirror(Website, registry=registry)
    make(cluster, "stays")
    make(cluster, "goes")
    with Operator(registry) as operator:
        websites = operator.memo.websites
        with websites.watch() as watch:
            cluster.client.delete(Website, "goes", namespace="default")
            cluster.compact()
            cluster.restart()
            until(lambda: websites.names() == ["default/stays"], watch)


def test_a_kind_that_cannot_be_had_is_named_at_the_start(cluster: EmbeddedCluster) -> None:
    registry = registry_for(cluster)
    mirror("kopf.example.org/v1/Nonsense", registry=registry)
    assert "kopf.example.org/v1/Nonsense" in failed_start(registry)
    assert not [thread for thread in threading.enumerate() if thread.name == "zestor-kopf-mirror"]


def test_a_missing_definition_and_a_missing_right_are_named_once_the_time_is_up(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text("weak,weak-user,1\n")
    with EmbeddedCluster(rbac=True, token_file=tokens) as cluster:
        registry = registry_for(cluster)
        mirror(Website, registry=registry, timeout=timedelta(seconds=1))
        assert "websites.kopf.example.org; install its CustomResourceDefinition" in failed_start(registry)

        registry = kopf.OperatorRegistry()
        strong = registry_for(cluster)

        @kopf.on.login(registry=registry)
        def login(**kwargs: Any) -> Any:
            info = strong._activities._handlers[0].fn()
            return kopf.ConnectionInfo(server=info.server, ca_data=info.ca_data, token="weak")

        mirror("v1/Secret", registry=registry, timeout=timedelta(seconds=1))
        message = failed_start(registry)
        assert "not allowed to list secrets" in message
        assert "grant get, list and watch on it" in message


def test_an_operator_that_is_started_again_mirrors_again(cluster: EmbeddedCluster) -> None:
    registry = registry_for(cluster)
    mirror(Website, registry=registry)
    make(cluster, "a")
    with Operator(registry) as first:
        assert first.memo.websites.names() == ["default/a"]
    make(cluster, "b")
    with Operator(registry) as second:
        assert second.memo.websites.names() == ["default/a", "default/b"]
    assert (first.error, second.error) == (None, None)


def test_two_operators_in_one_process_keep_mirrors_of_their_own() -> None:
    with EmbeddedCluster() as one, EmbeddedCluster() as other:
        for cluster in (one, other):
            install(cluster)
        make(one, "one")
        make(other, "other")
        first, second = registry_for(one), registry_for(other)
        mirror(Website, registry=first)
        mirror(Website, registry=second)
        with Operator(first) as here, Operator(second) as there:
            assert here.memo.websites.names() == ["default/one"]
            assert there.memo.websites.names() == ["default/other"]


def test_mirrored_kinds_are_indexed_and_may_have_another_name(cluster: EmbeddedCluster) -> None:
    registry = registry_for(cluster)
    configmap(cluster, "a", team="red")
    configmap(cluster, "b", team="blue")
    mirror(settings=CONFIGMAP, registry=registry, indexes={CONFIGMAP: {"team": lambda obj: [obj["data"].get("team")]}})
    with Operator(registry) as operator:
        assert [found.metadata.name for found in operator.memo.settings.by_index("team", "red")] == ["a"]


def test_an_operator_of_some_namespaces_has_to_say_them(cluster: EmbeddedCluster) -> None:
    cluster.client.create("v1/Namespace", {"metadata": {"name": "blue"}})
    for namespace in ("blue", "default"):
        cluster.client.create(CONFIGMAP, {"metadata": {"name": "mine"}}, namespace=namespace)
    options = {"clusterwide": False, "namespaces": ["blue"]}
    silent = registry_for(cluster)
    mirror(CONFIGMAP, registry=silent)
    assert "name them in mirror(namespaces=[...])" in failed_start(silent, **options)
    naming = registry_for(cluster)
    mirror(CONFIGMAP, registry=naming, namespaces=["blue"])
    with Operator(naming, **options) as operator:
        # Each namespace has the cluster's certificate, too.
        assert operator.memo.configmaps.names() == ["blue/kube-root-ca.crt", "blue/mine"]


@pytest.mark.parametrize(
    ("namespaces", "shown"),
    [
        (["team-*"], "'team-\\*' is not the name"),
        (["a", "!kube-*"], "'!kube-\\*' is not the name"),
        (["team-?"], "'team-\\?' is not the name"),
        (["a,b"], "'a,b' is not the name"),
        ([" a"], "' a' is not the name"),
        (["A"], "'A' is not the name"),
        ([""], "'' is not the name"),
        (["*", "a"], "'\\*' is not the name"),
        ([re.compile("team-.*")], "'team-\\.\\*' is not the name"),
        ("team-a", "is a text; give a list"),
        ("*", "is a text; give a list"),
        ([], "namespaces is empty"),
    ],
)
def test_namespaces_that_would_mirror_nothing_are_refused_at_once(namespaces: Any, shown: str) -> None:
    """kopf's patterns among them: mirrored as names, they would be silently empty."""
    with pytest.raises(ConfigError, match=shown):
        mirror(CONFIGMAP, registry=kopf.OperatorRegistry(), namespaces=namespaces)


def test_an_operator_of_patterns_may_mirror_every_namespace(cluster: EmbeddedCluster) -> None:
    for name in ("team-a", "other"):
        cluster.client.create("v1/Namespace", {"metadata": {"name": name}})
        cluster.client.create(CONFIGMAP, {"metadata": {"name": "mine"}}, namespace=name)
    registry = registry_for(cluster)
    mirror(CONFIGMAP, registry=registry, namespaces=["*"])

    with Operator(registry, clusterwide=False, namespaces=["team-*"]) as operator:
        assert {"team-a/mine", "other/mine"} <= set(operator.memo.configmaps.names())
    assert operator.error is None


def test_the_mirror_uses_a_proxy_of_the_environment_only_if_kopf_does(
    cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kopf's trust_env is False unless a setting says so."""
    monkeypatch.setenv("HTTPS_PROXY", "quic://no-such-proxy")
    registry = registry_for(cluster)
    mirror(CONFIGMAP, registry=registry)

    with Operator(registry) as operator:
        assert operator.memo.configmaps.names() is not None
    assert operator.error is None


def test_two_kinds_of_one_plural_are_refused_with_the_way_out(cluster: EmbeddedCluster) -> None:
    registry = registry_for(cluster)
    mirror("v1/Event", "events.k8s.io/v1/Event", registry=registry)
    assert "both called 'events': name one" in failed_start(registry)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs a kind"),
        ((Website, Website), "given twice"),
        ((Website, str(Website.__kind__)), "given twice"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        mirror(*arguments, registry=kopf.OperatorRegistry())


def test_indexes_of_a_kind_that_is_not_mirrored_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"indexes are given for v1/Pod"):
        mirror(Website, registry=kopf.OperatorRegistry(), indexes={"v1/Pod": {}})


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (None, "pip install 'zestor-controller[kopf]'"),
        ("1.40.2", "needs kopf 1.44 or later, and this is 1.40.2"),
    ],
)
def test_a_kopf_that_is_missing_or_too_old_is_reported_with_the_command(
    module: str | None, message: str, tmp_path: Path
) -> None:
    hide = "import sys; sys.modules['kopf'] = None\n"
    if module is not None:  # an installation of that version, as far as anybody asks before using it
        (tmp_path / "kopf.py").write_text("")
        (tmp_path / f"kopf-{module}.dist-info").mkdir()
        (tmp_path / f"kopf-{module}.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: kopf\nVersion: {module}\n"
        )
        hide = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    program = hide + "from zestor_controller.adapters.kopf import mirror\nmirror('v1/Pod')\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode != 0
    assert message in done.stderr


class Handled:
    """What the handlers of one operator were called with, object by object."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.registry = registry_for(cluster)
        self.calls: dict[str, list[tuple[str | None, int]]] = {}
        self.news = threading.Condition()

        @kopf.on.event("kopf.example.org", "v1", "websites", registry=self.registry)
        async def handle(name: str, uid: str, type: str | None, spec: kopf.Spec, **_: Any) -> None:
            with self.news:
                self.calls.setdefault(f"{name} {uid}", []).append((type, spec["replicas"]))
                self.news.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(condition, 30)


class Churn:
    """Random creates, updates and deletes, and what is left of them."""

    def __init__(self, cluster: EmbeddedCluster, seed: int) -> None:
        self.cluster = cluster
        self.living: dict[str, int] = {}
        self._rng = random.Random(seed)

    def step(self) -> None:
        rng, client, name = self._rng, self.cluster.client, f"w{self._rng.randrange(60)}"
        if name not in self.living:
            self.living[name] = rng.randrange(1000)
            make(self.cluster, name, self.living[name])
        elif rng.random() < 0.4:
            client.delete(Website, name, namespace="default")
            del self.living[name]
        else:
            self.living[name] = rng.randrange(1000)
            patch = MergePatch({"spec": {"replicas": self.living[name]}})
            client.patch(Website, name, patch, namespace="default")

    def served(self) -> dict[str, int]:
        sites = self.cluster.client.list(Website, namespace="default")
        return {site.metadata.name: site.spec.replicas for site in sites}


def test_the_kinds_are_the_servers_state_after_churn_three_410s_and_a_restart(cluster: EmbeddedCluster) -> None:
    handled, churn = Handled(cluster), Churn(cluster, 7)
    mirror(Website, registry=handled.registry)
    with Operator(handled.registry) as operator:
        websites = operator.memo.websites

        def mirrored() -> dict[str, int]:
            return {site.metadata.name: site.spec.replicas for site in websites.list()}

        with websites.watch(overflow=Overflow.COALESCE) as watch:
            for step in range(1000):
                churn.step()
                if step in (250, 500, 750):  # what was missed cannot be resumed: only a list shows it
                    cluster.compact()
                    cluster.restart()
                elif step == 875:
                    cluster.restart()
            until(lambda: mirrored() == churn.living, watch)
        assert mirrored() == churn.served()
        uids = {site.metadata.name: site.metadata.uid for site in websites.list()}
        handled.wait_for(  # kopf's own handlers have gone on all the while
            lambda: all(
                handled.calls.get(f"{name} {uids[name]}", [(None, -1)])[-1][1] == replicas
                for name, replicas in churn.living.items()
            )
        )
    assert operator.error is None


def test_kopfs_handlers_fire_as_without_the_mirror(cluster: EmbeddedCluster) -> None:
    mirrored, plain, churn = Handled(cluster), Handled(cluster), Churn(cluster, 8)
    mirror(Website, registry=mirrored.registry)
    with Operator(mirrored.registry), Operator(plain.registry):
        make(cluster, "first")
        for handled in (mirrored, plain):  # from here on both watch, and get everything
            handled.wait_for(lambda handled=handled: len(handled.calls) == 1)
        for _ in range(300):
            churn.step()
        make(cluster, "last")
        for handled in (mirrored, plain):
            handled.wait_for(lambda handled=handled: any(key.startswith("last ") for key in handled.calls))
    assert len(plain.calls) > 60
    assert mirrored.calls == plain.calls
