"""Kinds: paths, texts, built-in kinds, models of another package."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from zestor_controller.errors import ConfigError
from zestor_controller.objects import Unstructured, declare, kind_of, kind_of_object


@pytest.mark.parametrize(
    ("text", "namespace", "path"),
    [
        ("v1/ConfigMap", "a", "/api/v1/namespaces/a/configmaps"),
        ("v1/ConfigMap", None, "/api/v1/configmaps"),
        ("v1/Namespace", "a", "/api/v1/namespaces"),
        ("apps/v1/Deployment", "a", "/apis/apps/v1/namespaces/a/deployments"),
        ("rbac.authorization.k8s.io/v1/ClusterRole", "a", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
        ("networking.k8s.io/v1/Ingress", "a", "/apis/networking.k8s.io/v1/namespaces/a/ingresses"),
    ],
)
def test_a_built_in_kind_knows_its_collection(text: str, namespace: str | None, path: str) -> None:
    assert kind_of(text).path(namespace=namespace) == path


def test_a_path_names_an_object_and_its_subresource() -> None:
    kind = kind_of("apps/v1/Deployment")

    assert (
        kind.path(namespace="a", name="web", subresource="status")
        == "/apis/apps/v1/namespaces/a/deployments/web/status"
    )


def test_a_kind_has_the_name_that_stores_and_metrics_use() -> None:
    assert kind_of("apps/v1/Deployment").store_name == "deployments.apps"
    assert kind_of("v1/Pod").store_name == "pods"


@pytest.mark.parametrize("text", ["Pod", "a/b/c/d", "", "v1/", "/v1/Pod"])
def test_a_malformed_text_is_refused_with_the_form_to_write(text: str) -> None:
    with pytest.raises(ConfigError, match="group/version/Kind"):
        kind_of(text)


def test_an_unknown_kind_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match="CustomResource"):
        kind_of("nowhere.example.org/v1/Thing")


def test_a_class_that_is_no_kind_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"CustomResource\[Spec, Status\]"):
        kind_of(dict)


def test_a_declared_kind_is_known_by_its_text() -> None:
    declare("declared.example.org/v1/Cactus", "cacti", namespaced=False)

    assert kind_of("declared.example.org/v1/Cactus").path() == "/apis/declared.example.org/v1/cacti"


def test_an_item_of_a_list_gets_its_kind() -> None:
    obj = kind_of("v1/Pod").decode(b'{"metadata":{"name":"a"}}')

    assert isinstance(obj, Unstructured)
    assert (obj.api_version, obj.kind) == ("v1", "Pod")


def test_what_is_no_object_is_refused_by_decode() -> None:
    with pytest.raises(ValueError, match="Pod"):
        kind_of("v1/Pod").decode(b"[]")


def test_an_object_has_its_kind() -> None:
    kind, body = kind_of_object({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}})

    assert kind is kind_of("apps/v1/Deployment")
    assert body["metadata"] == {"name": "a"}
    with pytest.raises(ConfigError, match="apiVersion"):
        kind_of_object({"metadata": {}})


OFFICIAL = """
import json, sys
from zestor_controller.objects import kind_of
assert "kubernetes" not in sys.modules
from kubernetes.client.models.v1_deployment import V1Deployment
from kubernetes.client.models.v1_lease import V1Lease
from kubernetes.client.models.core_v1_event import CoreV1Event
from kubernetes.client.models.events_v1_event import EventsV1Event
kind = kind_of(V1Deployment)
wire = {"metadata": {"name": "a"}, "spec": {"replicas": 2, "brandNew": True, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}
obj = kind.decode(json.dumps(wire).encode())
lease = kind_of(V1Lease)
print(json.dumps({
    "events": [str(kind_of(CoreV1Event)), str(kind_of(EventsV1Event))],
    "text": str(kind), "replicas": obj.spec.replicas, "replaceable": kind.replaceable, "wire": kind.encode(obj),
    "lease": lease.encode(lease.decode({"metadata": {"name": "l"}, "spec": {"renewTime": "2026-01-02T03:04:05Z"}})),
}))
"""


def test_a_model_of_the_kubernetes_package_is_a_kind_that_is_never_written_back_whole() -> None:
    """In a process of its own: this one must stay free of that package, whose import takes a second."""
    done = subprocess.run([sys.executable, "-c", OFFICIAL], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["text"] == "apps/v1/Deployment"
    assert seen["events"] == ["v1/Event", "events.k8s.io/v1/Event"]
    assert seen["replicas"] == 2
    assert seen["replaceable"] is False, "it has dropped brandNew"
    assert seen["wire"]["kind"] == "Deployment"
    assert "status" not in seen["wire"]
    assert seen["lease"]["spec"]["renewTime"] == "2026-01-02T03:04:05.000000Z", "a MicroTime has six digits"


def test_the_package_loads_neither_an_http_library_nor_the_kubernetes_package() -> None:
    code = (
        "import zestor_controller.objects, sys; "
        "print([name for name in ('aiohttp', 'kubernetes', 'kopf') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
