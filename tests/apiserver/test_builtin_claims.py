"""Claim templates: in StatefulSets and in ephemeral volumes."""

from __future__ import annotations

from typing import Any

import pytest

SETS = "/apis/apps/v1/namespaces/default/statefulsets"
PODS = "/api/v1/namespaces/default/pods"
CLAIM_SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
CLAIM = {"metadata": {"name": "data"}, "spec": CLAIM_SPEC}


def stateful(mounts: tuple[str, ...] = (), claims: tuple[Any, ...] = (CLAIM,), **pod: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "i", "volumeMounts": [{"name": m, "mountPath": f"/{m}"} for m in mounts]}
    return {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container], **pod}},
        "volumeClaimTemplates": list(claims),
    }


async def refused(talk: Any, path: str, spec: dict[str, Any]) -> list[str]:
    status, reported = await talk.ask("POST", path, {"metadata": {"name": "refused"}, "spec": spec})
    assert status == 422, reported
    return [cause["field"] for cause in reported["details"]["causes"]]


async def test_a_container_mounts_the_claim_templates(talk: Any) -> None:
    made = await talk.make("s", SETS, spec=stateful(("data",)))
    assert "volumes" not in made["spec"]["template"]["spec"]
    assert await refused(talk, SETS, stateful(("other",))) == ["spec.template.spec.containers[0].volumeMounts[0].name"]


async def test_a_claim_template_takes_the_place_of_a_volume_of_its_name(talk: Any) -> None:
    # The controller replaces the volume, so the two names are no duplicates.
    made = await talk.make("s", SETS, spec=stateful(("data",), volumes=[{"name": "data", "emptyDir": {}}]))
    assert made["spec"]["template"]["spec"]["volumes"] == [{"name": "data", "emptyDir": {}}]
    assert await refused(talk, SETS, stateful(("data",), volumes=[{"name": "x"}, {"name": "x"}]))


async def test_an_update_still_sees_the_claim_templates(talk: Any) -> None:
    await talk.make("s", SETS, spec=stateful(("data",)))
    status, changed = await talk.merge(f"{SETS}/s", {"spec": {"replicas": 3}})
    assert (status, changed["metadata"]["generation"]) == (200, 2)


@pytest.mark.parametrize("typed", [{}, {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}, {"kind": "Other"}])
async def test_a_claim_template_may_say_its_type_and_is_always_a_claim(talk: Any, typed: dict[str, str]) -> None:
    body = {"metadata": {"name": "s"}, "spec": stateful(claims=({**typed, **CLAIM},))}
    status, made = await talk.ask("POST", f"{SETS}?fieldValidation=Strict", body)
    assert status == 201, made
    (claim,) = made["spec"]["volumeClaimTemplates"]
    assert (claim["apiVersion"], claim["kind"], claim["status"]) == (
        "v1",
        "PersistentVolumeClaim",
        {"phase": "Pending"},
    )


async def test_only_a_kind_inside_a_kind_may_say_its_type(talk: Any) -> None:
    spec = stateful(claims=())
    spec["template"]["kind"] = "PodTemplateSpec"
    status, reported = await talk.ask(
        "POST", f"{SETS}?fieldValidation=Strict", {"metadata": {"name": "s"}, "spec": spec}
    )
    assert status == 400
    assert 'unknown field "spec.template.kind"' in reported["message"]


async def test_claim_templates_are_validated_when_they_are_new(talk: Any) -> None:
    claims = ({"metadata": {"name": "a"}, "spec": {"accessModes": ["Sometimes"]}},)
    where = "spec.volumeClaimTemplates[0].spec"
    assert await refused(talk, SETS, stateful(claims=claims)) == [f"{where}.accessModes", f"{where}.resources[storage]"]


async def test_a_stateful_set_names_a_service_and_keeps_or_deletes_claims(talk: Any) -> None:
    policy = {"whenDeleted": "Perhaps"}
    spec = stateful() | {"serviceName": "no.dots", "persistentVolumeClaimRetentionPolicy": policy}
    assert await refused(talk, SETS, spec) == [
        "spec.persistentVolumeClaimRetentionPolicy.whenDeleted",
        "spec.serviceName",
    ]


def ephemeral(template: dict[str, Any] | None) -> dict[str, Any]:
    source = {} if template is None else {"volumeClaimTemplate": template}
    mount = {"name": "v", "mountPath": "/v"}
    return {
        "containers": [{"name": "c", "image": "i", "volumeMounts": [mount]}],
        "volumes": [{"name": "v", "ephemeral": source}],
    }


async def test_an_ephemeral_volume_brings_the_template_of_its_claim(talk: Any) -> None:
    made = await talk.make("p", PODS, spec=ephemeral({"metadata": {"labels": {"a": "b"}}, "spec": CLAIM_SPEC}))
    template = made["spec"]["volumes"][0]["ephemeral"]["volumeClaimTemplate"]
    assert template["spec"]["volumeMode"] == "Filesystem"
    where = "spec.volumes[0].ephemeral.volumeClaimTemplate"
    assert where in await refused(talk, PODS, ephemeral(None))
    assert await refused(talk, PODS, ephemeral({"metadata": {"name": "n"}, "spec": CLAIM_SPEC})) == [
        f"{where}.metadata.name"
    ]
    assert await refused(talk, PODS, ephemeral({"spec": {"accessModes": ["ReadWriteOnce"]}})) == [
        f"{where}.spec.resources[storage]"
    ]
