"""What a Deployment's roll-out decides, without a cluster.

Source: pkg/controller/deployment/{rolling,recreate,sync,progress}.go and util/deployment_util.go.
"""

from __future__ import annotations

from typing import Any

import pytest

from zestor_controller.cluster.simulation.ownedpod import digest
from zestor_controller.cluster.simulation.rollout import DESIRED, HASH_LABEL, MAXIMUM, REVISION, Rollout
from zestor_controller.objects import Unstructured

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "v1"}]}}
CURRENT = f"web-{digest(TEMPLATE)}"


def deployment(annotations: dict[str, str] | None = None, **spec: Any) -> Unstructured:
    metadata = {"name": "web", "namespace": "default", "uid": "u", "generation": 3, "annotations": annotations or {}}
    given = {"replicas": 4, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE, **spec}
    return Unstructured({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": given})


def replica_set(name: str, replicas: int, available: int | None = None, revision: int = 1) -> Unstructured:
    """A ReplicaSet whose Pods all exist, and of which some are available: all unless given."""
    number = replicas if available is None else available
    status = {"replicas": replicas, "readyReplicas": number, "availableReplicas": number}
    metadata = {"name": name, "annotations": {REVISION: str(revision)}}
    return Unstructured({"metadata": metadata, "spec": {"replicas": replicas}, "status": status})


def rollout(spec: dict[str, Any], *sets: Unstructured) -> Rollout:
    return Rollout(deployment(**spec), {each.metadata.name: each for each in sets})


def steps(found: Rollout) -> dict[str, int]:
    return {each.metadata.name: replicas for each, replicas in found.scaling()}


def rolling(surge: Any, unavailable: Any) -> dict[str, Any]:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "maximum"),
    [
        (4, "25%", "25%", 5),
        (10, "25%", "25%", 13),  # a surge is rounded up
        (1, "25%", "25%", 2),
        (4, 2, 0, 6),
        (4, "100%", 0, 8),
        (4, 0, 1, 4),
        (0, 1, 1, 0),  # nothing surges over nothing
    ],
)
def test_the_surge_bounds_how_many_pods_there_may_be(replicas: int, surge: Any, unavailable: Any, maximum: int) -> None:
    assert rollout({"replicas": replicas, **rolling(surge, unavailable)}).maximum == maximum


@pytest.mark.parametrize(
    ("replicas", "unavailable", "left"),
    [
        (4, "25%", 3),
        (10, "25%", 8),  # the part that may be missing is rounded down
        (10, 4, 6),
        (3, "25%", 3),  # 25 % of 3 is none: the old Pods go only as far as new ones are available
    ],
)
def test_unavailability_bounds_how_far_old_pods_are_scaled_down(replicas: int, unavailable: Any, left: int) -> None:
    found = rollout(
        {"replicas": replicas, **rolling(1, unavailable)}, replica_set("web-old", replicas), replica_set(CURRENT, 0)
    )
    assert steps(found).get("web-old", replicas) == left


def test_bounds_of_zero_leave_one_pod_that_may_be_unavailable() -> None:
    # 10 % of 4 are 0 Pods; with a surge of 0 nothing could ever move (ResolveFenceposts).
    found = rollout({**rolling(0, "10%")}, replica_set("web-old", 4), replica_set(CURRENT, 0))
    assert steps(found) == {"web-old": 3}


@pytest.mark.parametrize(
    ("old", "first"),
    [(0, 4), (4, 1), (5, 0), (6, 0), (2, 3)],
)
def test_a_new_replica_set_starts_with_what_the_surge_leaves(old: int, first: int) -> None:
    sets = [replica_set("web-old", old)] if old else []
    assert rollout(rolling(1, 0), *sets).first_replicas() == first


def test_a_new_replica_set_is_scaled_up_to_the_maximum_and_no_further_than_the_replicas() -> None:
    assert steps(rollout(rolling(1, 0), replica_set("web-old", 2), replica_set(CURRENT, 2))) == {CURRENT: 3}
    assert steps(rollout(rolling(4, 0), replica_set(CURRENT, 2))) == {CURRENT: 4}


def test_a_replica_set_above_the_replicas_is_scaled_down() -> None:
    assert steps(rollout({"replicas": 2}, replica_set(CURRENT, 4))) == {CURRENT: 2}


def test_old_pods_that_are_not_available_are_removed_first() -> None:
    found = rollout(
        rolling(0, 2),
        replica_set("web-a", 2, available=2, revision=1),
        replica_set("web-b", 2, available=0, revision=2),
        replica_set(CURRENT, 0, revision=3),
    )
    assert steps(found) == {"web-b": 0}


def test_old_pods_wait_for_new_ones_to_be_available() -> None:
    found = rollout(rolling(1, 0), replica_set("web-old", 4), replica_set(CURRENT, 1, available=0))
    assert steps(found) == {}
    found = rollout(rolling(1, 0), replica_set("web-old", 4), replica_set(CURRENT, 1, available=1))
    assert steps(found) == {"web-old": 3}


def test_recreate_scales_old_pods_to_zero_and_starts_nothing_before_they_are_deleted() -> None:
    recreate = {"strategy": {"type": "Recreate"}}
    found = rollout(recreate, replica_set("web-old", 4))
    assert steps(found) == {"web-old": 0}
    assert found.first_replicas() is None
    stopping = replica_set("web-old", 0)
    stopping["status"]["replicas"] = 1  # one Pod is still terminating
    assert rollout(recreate, stopping).first_replicas() is None
    assert rollout(recreate, replica_set("web-old", 0)).first_replicas() == 4


def test_a_paused_deployment_keeps_its_templates_and_follows_its_size() -> None:
    assert steps(rollout({"paused": True, "replicas": 2}, replica_set("web-old", 4))) == {"web-old": 2}
    both = (replica_set("web-old", 3), replica_set(CURRENT, 1))
    assert steps(rollout({"paused": True, "replicas": 6}, *both)) == {}


@pytest.mark.parametrize(
    ("sets", "revision"),
    [
        ((), 1),
        ((replica_set("web-old", 1, revision=4),), 5),
        ((replica_set(CURRENT, 1, revision=2),), 2),
        # A roll-back: the template of revision 1 becomes the latest.
        ((replica_set("web-old", 1, revision=2), replica_set(CURRENT, 1, revision=1)), 3),
        ((replica_set("web-old", 1, revision=1), replica_set(CURRENT, 1, revision=7)), 7),
    ],
)
def test_the_present_template_has_the_highest_revision(sets: tuple[Unstructured, ...], revision: int) -> None:
    assert rollout({}, *sets).revision == revision


def test_a_revision_that_is_no_number_counts_as_zero() -> None:
    odd = replica_set("web-old", 0)
    odd["metadata"]["annotations"][REVISION] = "²"
    assert rollout({}, odd).revision == 1


def test_a_rollout_is_complete_when_every_pod_is_of_the_template_and_available() -> None:
    assert rollout({}, replica_set(CURRENT, 4)).is_complete()
    assert not rollout({}, replica_set(CURRENT, 4, available=3)).is_complete()
    assert not rollout({}, replica_set("web-old", 1), replica_set(CURRENT, 4)).is_complete()
    assert not rollout({}).is_complete()


def test_idle_replica_sets_beyond_the_history_limit_are_superfluous_the_oldest_first() -> None:
    idle = [replica_set(f"web-{n}", 0, revision=n) for n in (3, 1, 2)]
    names = [
        each.metadata.name
        for each in rollout({"revisionHistoryLimit": 1}, *idle, replica_set(CURRENT, 4)).superfluous()
    ]
    assert names == ["web-1", "web-2"]
    assert rollout({"revisionHistoryLimit": 1}, *idle, replica_set(CURRENT, 3, available=2)).superfluous() == []
    assert rollout({"revisionHistoryLimit": None}, *idle, replica_set(CURRENT, 4)).superfluous() == []
    assert len(rollout({}, *idle, replica_set(CURRENT, 4)).superfluous()) == 0  # 10 by default


def conditions(found: Rollout) -> dict[str, tuple[str, str, str]]:
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in found.status()["conditions"]}


def test_the_status_sums_up_the_replica_sets() -> None:
    status = rollout(rolling(1, 1), replica_set("web-old", 3), replica_set(CURRENT, 2, available=1)).status()
    numbers = {name: value for name, value in status.items() if name != "conditions"}
    assert numbers == {
        "observedGeneration": 3,
        "replicas": 5,
        "updatedReplicas": 2,
        "readyReplicas": 4,
        "availableReplicas": 4,
        "unavailableReplicas": None,
    }


def test_zero_counts_are_absent_from_the_status() -> None:
    status = rollout({}).status()
    assert [status[name] for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")] == [
        None
    ] * 4
    assert status["unavailableReplicas"] == 4


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (3, ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")),
        (2, ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")),
    ],
)
def test_available_means_as_many_pods_as_the_strategy_guarantees(available: int, expected: tuple[str, ...]) -> None:
    found = rollout(rolling(1, 1), replica_set(CURRENT, 4, available=available))
    assert conditions(found)["Available"] == expected


def test_the_progressing_condition_names_the_replica_set() -> None:
    progressing = rollout({}, replica_set(CURRENT, 2))
    assert conditions(progressing)["Progressing"] == (
        "True", "ReplicaSetUpdated", f'ReplicaSet "{CURRENT}" is progressing.'
    )  # fmt: skip
    complete = rollout({}, replica_set(CURRENT, 4))
    assert conditions(complete)["Progressing"] == (
        "True", "NewReplicaSetAvailable", f'ReplicaSet "{CURRENT}" has successfully progressed.'
    )  # fmt: skip
    paused = rollout({"paused": True}, replica_set(CURRENT, 4))
    assert conditions(paused)["Progressing"] == ("Unknown", "DeploymentPaused", "Deployment is paused")


def test_a_replica_set_carries_the_hash_in_its_labels_selector_and_template() -> None:
    body = rollout({"minReadySeconds": 5}).replica_set(2)
    hashed = {"a": "b", HASH_LABEL: digest(TEMPLATE)}
    assert body["metadata"]["name"] == CURRENT
    assert body["metadata"]["labels"] == hashed
    assert body["spec"]["selector"]["matchLabels"] == hashed
    assert body["spec"]["template"]["metadata"]["labels"] == hashed
    assert (body["spec"]["replicas"], body["spec"]["minReadySeconds"]) == (2, 5)
    assert [(ref["kind"], ref["uid"], ref["controller"]) for ref in body["metadata"]["ownerReferences"]] == [
        ("Deployment", "u", True)
    ]


def test_annotations_are_copied_but_for_those_of_kubectl_and_of_the_controller() -> None:
    own = {"note": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}", REVISION: "9", DESIRED: "9"}
    found = Rollout(deployment(own, **rolling(1, 0)), {})
    assert found.annotations() == {"note": "x", REVISION: "1", DESIRED: "4", MAXIMUM: "5"}


def test_the_template_of_the_deployment_is_left_as_it_is() -> None:
    found = rollout({})
    found.replica_set(1)
    assert HASH_LABEL not in found.deployment["spec"]["template"]["metadata"]["labels"]
    assert HASH_LABEL not in found.deployment["spec"]["selector"]["matchLabels"]
