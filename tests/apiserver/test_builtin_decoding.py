"""Decoding of built-in kinds: unknown and duplicate fields, wrong types, canonical values."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zestor_controller.apiserver.auth.tokens import TokenIssuer
from zestor_controller.apiserver.builtin import DecodeFailure, resources
from zestor_controller.apiserver.encoding.gotime import micro_time, plain_time
from zestor_controller.apiserver.encoding.quantity import canonical, value_of
from zestor_controller.apiserver.storage.revisionlog import Storage

STORAGE = Storage()
RESOURCES = resources(STORAGE, TokenIssuer(STORAGE, time.time), random.Random(1))
BY_NAME = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
CONFIG_MAP = BY_NAME["", "v1", "configmaps"].strategy
DEPLOYMENT = BY_NAME["apps", "v1", "deployments"].strategy
POD = BY_NAME["", "v1", "pods"].strategy
LEASE = BY_NAME["coordination.k8s.io", "v1", "leases"].strategy


def refusal(strategy: Any, body: dict[str, Any], duplicates: tuple[str, ...] = ()) -> str:
    with pytest.raises(DecodeFailure) as caught:
        strategy.decode(body, "Strict", duplicates)
    assert caught.value.code == 400
    assert caught.value.body["message"].endswith(f": {caught.value.why}")
    return caught.value.why


def test_unknown_and_duplicate_fields_are_refused_together_when_strict() -> None:
    body = {"kind": "ConfigMap", "metadata": {"name": "x", "nope": 1}, "data": {"a": "2"}, "dta": {}}
    assert refusal(CONFIG_MAP, body, ("data.a", "kind")) == (
        'strict decoding error: unknown field "metadata.nope", duplicate field "data.a", unknown field "dta", '
        'duplicate field "kind"'
    )


def test_duplicates_are_found_behind_dots_and_not_inside_unknown_fields() -> None:
    body = {"metadata": {"name": "x", "labels": {"a.b/c": "1"}}, "dta": {"x": 1}}
    assert CONFIG_MAP.decode(body, "Warn", ("metadata.labels.a.b/c", "dta.x"))[1] == [
        'duplicate field "metadata.labels.a.b/c"',
        'unknown field "dta"',
    ]


def test_unknown_fields_are_reported_and_dropped_when_warning() -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "c", "imge": "x"}], "nodeSelecter": {}}}}}
    obj, warnings = DEPLOYMENT.decode(body, "Warn", ())
    assert warnings == [
        'unknown field "spec.template.spec.containers[0].imge"',
        'unknown field "spec.template.spec.nodeSelecter"',
    ]
    assert obj["spec"]["template"]["spec"]["containers"] == [{"name": "c", "resources": {}}]


def test_unknown_fields_are_dropped_silently_when_ignored() -> None:
    assert CONFIG_MAP.decode({"metadata": {"name": "x"}, "foo": 1}, "Ignore", ()) == ({"metadata": {"name": "x"}}, [])


@pytest.mark.parametrize(
    ("strategy", "body", "why"),
    [
        (CONFIG_MAP, {"data": {"a": 1}}, "number into Go struct field ConfigMap.data of type string"),
        (CONFIG_MAP, {"data": [1]}, "array into Go struct field ConfigMap.data of type map[string]string"),
        (CONFIG_MAP, {"metadata": {"name": True}}, "bool into Go struct field ObjectMeta.metadata.name of type string"),
        (
            DEPLOYMENT,
            {"spec": {"replicas": "3"}},
            "string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            POD,
            {"spec": {"containers": ["x"]}},
            "string into Go struct field PodSpec.spec.containers of type v1.Container",
        ),
        (
            POD,
            {"spec": {"containers": [{"ports": [{"containerPort": 2**40}]}]}},
            f"number {2**40} into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_rejected_with_the_message_of_go(
    strategy: Any, body: dict[str, Any], why: str
) -> None:
    assert refusal(strategy, body) == f"json: cannot unmarshal {why}"


def test_bytes_that_are_no_base64_are_refused_with_the_offset() -> None:
    assert refusal(CONFIG_MAP, {"binaryData": {"a": "!!"}}) == "illegal base64 data at input byte 0"
    assert refusal(CONFIG_MAP, {"binaryData": {"a": "AQ$="}}) == "illegal base64 data at input byte 2"


def test_zero_values_of_optional_fields_are_left_out_and_required_ones_are_there() -> None:
    body = {"metadata": {"name": "p", "labels": {}}, "spec": {"containers": [], "hostNetwork": False, "volumes": []}}
    obj, _ = POD.decode(body, "Strict", ())
    assert obj == {"metadata": {"name": "p"}, "spec": {"containers": None}, "status": {}}


def test_null_means_absent() -> None:
    obj, _ = DEPLOYMENT.decode({"metadata": None, "spec": {"replicas": None, "selector": None}}, "Strict", ())
    assert obj["metadata"] == {}
    assert "replicas" not in obj["spec"]
    assert obj["spec"]["selector"] is None


def test_the_canonical_form_is_a_fixed_point_for_every_kind() -> None:
    for resource in RESOURCES:
        once, _ = resource.strategy.decode({"metadata": {"name": "x"}}, "Strict", ())
        twice, complaints = resource.strategy.decode(json.loads(json.dumps(once)), "Strict", ())
        assert (once, []) == (twice, complaints), resource.plural


def test_micro_times_have_exactly_six_digits() -> None:
    assert refusal(LEASE, {"spec": {"renewTime": "2020-01-01T02:00:00.5+02:00"}}) == (
        'parsing time "2020-01-01T02:00:00.5+02:00" as "2006-01-02T15:04:05.000000Z07:00": '
        'cannot parse ".5+02:00" as ".000000"'
    )
    assert micro_time("2020-01-01T02:00:00.123456+02:00") == "2020-01-01T00:00:00.123456Z"


def test_times_are_brought_to_utc_and_whole_seconds() -> None:
    assert plain_time("2020-01-01T02:00:00.9+02:00") == "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("later", 'parsing time "later" as "2006-01-02T15:04:05Z07:00": cannot parse "later" as "2006"'),
        ("2020-13-01T00:00:00Z", 'parsing time "2020-13-01T00:00:00Z": month out of range'),
        ("2020-02-30T00:00:00Z", 'parsing time "2020-02-30T00:00:00Z": day out of range'),
        ("2020-01-01T00:00:00Zx", 'parsing time "2020-01-01T00:00:00Zx": extra text: "x"'),
    ],
)
def test_what_is_no_time_is_rejected_with_the_message_of_go(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="parsing time") as caught:
        plain_time(text)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1.5Gi", "1536Mi"),
        ("2000m", "2"),
        ("0.5", "500m"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("1e3", "1e3"),
        ("1024Ki", "1Mi"),
        ("0.1Ki", "102400m"),
        ("0.0000000001", "1n"),
        ("-1.5", "-1500m"),
        ("0Mi", "0"),
        ("100M", "100M"),
    ],
)
def test_quantities_have_one_form(text: str, form: str) -> None:
    assert canonical(text) == form


@given(
    st.integers(-(10**12), 10**12), st.sampled_from(["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "e-3"])
)
def test_the_form_of_a_quantity_keeps_its_value_and_is_a_fixed_point(number: int, suffix: str) -> None:
    form = canonical(f"{number}{suffix}")
    assert value_of(form) == value_of(f"{number}{suffix}")
    assert canonical(form) == form


@pytest.mark.parametrize("text", ["", "bogus", "1Zi", "--1", "1 Gi"])
def test_what_has_not_the_form_of_a_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        canonical(text)


@pytest.mark.parametrize("text", ["1e", "1m2"])
def test_a_quantity_of_the_right_form_needs_a_suffix_that_is_known(text: str) -> None:
    with pytest.raises(ValueError, match="unable to parse quantity's suffix"):
        canonical(text)
