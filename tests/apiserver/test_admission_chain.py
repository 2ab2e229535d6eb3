"""The admission chain: its order, its phases, and the plugins of this server."""

import random

import pytest

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.admission.attributes import CREATE, DELETE, UPDATE, AdmissionAttributes
from zestor_controller.apiserver.admission.chain import ORDER, AdmissionChain
from zestor_controller.apiserver.admission.plugin import AdmissionPlugin
from zestor_controller.apiserver.admission.priority import Priority
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.rest.status import Failure
from zestor_controller.apiserver.rest.strategy import BaseStrategy
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import TypeDef

PODS = Resource("", "v1", "Pod", "pods", "pod", True, BaseStrategy(), lambda: TypeDef("struct"))
MAPS = Resource("", "v1", "ConfigMap", "configmaps", "configmap", True, BaseStrategy(), lambda: TypeDef("struct"))


def attributes(operation: str = CREATE, resource: Resource = PODS, old=None) -> AdmissionAttributes:
    return AdmissionAttributes(operation, operation.lower(), resource, "", "default", "a", User("u"), old, False)


def recording(plugin_name: str, calls: list, where=frozenset({CREATE}), only=None) -> AdmissionPlugin:
    class Recorder(AdmissionPlugin):
        name = plugin_name
        operations = where
        resources = only

        def admit(self, attributes, obj):
            calls.append(("admit", plugin_name))

        def validate(self, attributes, obj):
            calls.append(("validate", plugin_name))

    return Recorder()


def test_plugins_are_called_in_the_order_of_the_api_server_whatever_the_order_they_are_given_in():
    calls: list = []
    names = [*ORDER]
    random.Random(1).shuffle(names)
    chain = AdmissionChain([recording(name, calls) for name in names])

    chain.admit(attributes(), {})
    chain.validate(attributes(), {})

    assert calls == [("admit", name) for name in ORDER] + [("validate", name) for name in ORDER]


def test_a_disabled_plugin_is_not_called():
    calls: list = []
    chain = AdmissionChain([recording(name, calls) for name in ORDER], disabled=["Priority"])
    chain.admit(attributes(), {})
    assert [name for _, name in calls] == [name for name in ORDER if name != "Priority"]


@pytest.mark.parametrize("disabled", [["NoSuchPlugin"], ["priority"]])
def test_a_name_that_no_plugin_has_is_an_error(disabled):
    with pytest.raises(ValueError, match=f"unknown admission plugins: {disabled[0]}"):
        AdmissionChain([], disabled=disabled)


def test_a_plugin_is_called_for_its_operations_and_resources_only():
    calls: list = []
    chain = AdmissionChain([recording("Priority", calls, frozenset({CREATE, UPDATE}), frozenset({("", "pods")}))])

    chain.admit(attributes(DELETE), {})
    chain.admit(attributes(CREATE, MAPS), {})
    assert calls == []
    chain.admit(attributes(UPDATE), {})
    assert calls == [("admit", "Priority")]


def test_a_plugin_that_denies_a_write_ends_the_phase():
    calls: list = []

    class Denying(AdmissionPlugin):
        name = "NamespaceLifecycle"
        operations = frozenset({CREATE})

        def admit(self, attributes, obj):
            raise PermissionError

    chain = AdmissionChain([recording("Priority", calls), Denying()])
    with pytest.raises(PermissionError):
        chain.admit(attributes(), {})
    assert calls == []


@pytest.mark.parametrize(
    ("stored", "spec", "expected"),
    [
        (None, {}, (0, "PreemptLowerPriority")),
        (None, {"preemptionPolicy": "Never"}, (0, "Never")),
        (None, {"priorityClassName": "system-node-critical"}, (2_000_001_000, "PreemptLowerPriority")),
        ({"value": 7}, {"priorityClassName": "high"}, (7, "PreemptLowerPriority")),
        ({"value": 7, "preemptionPolicy": "Never"}, {"priorityClassName": "high", "priority": 7}, (7, "Never")),
    ],
)
def test_a_pod_gets_the_priority_of_its_class(stored, spec, expected):
    storage = Storage()
    if stored is not None:
        key = ("scheduling.k8s.io", "priorityclasses")
        storage.write(key, "", "high", {"kind": "PriorityClass", "metadata": {"name": "high"}, **stored})
    pod = {"metadata": {"name": "a"}, "spec": dict(spec)}

    Priority(storage).admit(attributes(), pod)

    assert (pod["spec"]["priority"], pod["spec"]["preemptionPolicy"]) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"priorityClassName": "high"}, 'pods "a" is forbidden: no PriorityClass with name high was found'),
        ({"priority": 3}, r"the integer value of priority \(3\) must not be provided in pod spec; .* computed 0 from"),
    ],
)
def test_a_pod_whose_priority_is_not_that_of_a_class_is_denied(spec, message):
    with pytest.raises(Failure, match=message) as denied:
        Priority(Storage()).admit(attributes(), {"metadata": {"name": "a"}, "spec": spec})
    assert denied.value.code == 403


async def test_a_create_is_denied_by_its_namespace_before_anything_is_validated(talk):
    status, failure = await talk.ask("POST", "/api/v1/namespaces/none/pods", {"metadata": {"name": "A_"}, "spec": {}})
    assert (status, failure["message"]) == (404, 'namespaces "none" not found')


async def test_protected_namespaces_are_not_deleted_and_others_are(talk):
    status, failure = await talk.ask("DELETE", "/api/v1/namespaces/kube-system")
    assert (status, failure["message"]) == (
        403,
        'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    )
    status, deleted = await talk.ask("DELETE", "/api/v1/namespaces/kube-node-lease")
    assert (status, deleted["status"]["phase"]) == (200, "Terminating")


async def test_an_apply_or_update_that_creates_needs_the_permission_to_create(talk):
    weak = User("weak", groups=("system:authenticated",))
    talk.api = ApiServer(TokenAuthenticator({"token": ADMINISTRATOR, "weak": weak}), rbac=True, rng=random.Random(1))
    base = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    rules = [{"apiGroups": [""], "resources": ["configmaps", "endpoints"], "verbs": ["get", "update", "patch"]}]
    await talk.make("writer", f"{base}/roles", rules=rules)
    subject = {"kind": "User", "name": "weak", "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "Role", "name": "writer", "apiGroup": "rbac.authorization.k8s.io"}
    await talk.make("writer", f"{base}/rolebindings", subjects=[subject], roleRef=reference)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}
    applying = {"content_type": "application/apply-patch+yaml", "authorization": "Bearer weak"}

    status, failure = await talk.ask("PATCH", f"{talk.configmaps}/new?fieldManager=m", body, **applying)
    assert (status, failure["message"]) == (403, 'configmaps "new" is forbidden: ')

    endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "new"}}
    path = "/api/v1/namespaces/default/endpoints/new"
    assert (await talk.ask("PUT", path, endpoints, authorization="Bearer weak"))[0] == 403

    await talk.make("new")
    status, _ = await talk.ask("PATCH", f"{talk.configmaps}/new?fieldManager=m", body, **applying)
    assert status == 200
