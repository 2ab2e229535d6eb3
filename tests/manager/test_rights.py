"""The rights that follow from a controller's declaration, and those that it declares beside them."""

from __future__ import annotations

import pytest

from zestor_controller import Controller, Rule
from zestor_controller.errors import ConfigError
from zestor_controller.manager import Rules, rules_for


def granted(rules: Rules) -> dict[tuple[str, str], set[str]]:
    """The verbs by group and resource, of all rules together."""
    found: dict[tuple[str, str], set[str]] = {}
    for rule in (*rules.namespaced, *rules.cluster):
        for resource in rule.resources:
            found.setdefault((rule.group, resource), set()).update(rule.verbs)
    return found


def test_the_reconciled_kind_is_read_and_written_with_its_status_and_finalizers() -> None:
    found = granted(rules_for([Controller("v1/Namespace")]))
    assert found["", "namespaces"] == {"get", "list", "watch", "patch", "update"}
    assert found["", "namespaces/status"] == {"get", "patch", "update"}
    assert found["", "namespaces/finalizers"] == {"update"}


def test_an_owned_kind_is_made_changed_and_deleted_and_may_own_further_objects() -> None:
    found = granted(rules_for([Controller("v1/ConfigMap").owns("apps/v1/Deployment")]))
    verbs = {"get", "list", "watch", "create", "delete", "patch", "update"}
    assert found["apps", "deployments"] == verbs
    assert found["apps", "deployments/finalizers"] == {"update"}


def test_a_watched_kind_is_only_read() -> None:
    found = granted(rules_for([Controller("v1/ConfigMap").watches("v1/Secret", map=lambda obj: "a/b")]))
    assert found["", "secrets"] == {"get", "list", "watch"}
    assert ("", "secrets/finalizers") not in found


def test_events_may_be_written_in_both_groups() -> None:
    found = granted(rules_for([Controller("v1/ConfigMap")]))
    assert found["", "events"] == found["events.k8s.io", "events"] == {"create", "patch"}


def test_declared_rules_are_granted_once_as_rules_or_as_in_a_role() -> None:
    rule = {"apiGroups": ["", "apps"], "resources": ["pods/log"], "verbs": ["get"], "resourceNames": ["a"]}
    one = Controller("v1/ConfigMap", rules=[rule, Rule("batch", ("jobs",), ("create",))])
    other = Controller("v1/Secret", rules=[Rule("batch", ("jobs",), ("create",))])
    rules = rules_for([one, other])
    documents = [document.document() for document in rules.namespaced]
    assert documents.count({"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}) == 1
    for group in ("", "apps"):
        expected = {"apiGroups": [group], "resources": ["pods/log"], "verbs": ["get"], "resourceNames": ["a"]}
        assert expected in documents


def test_a_declared_rule_on_what_lives_in_no_namespace_needs_a_cluster_role() -> None:
    rules = [
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list"]},
        Rule("cert-manager.io", ("clusterissuers",), ("get",), cluster=True),
    ]
    found = rules_for([Controller("v1/ConfigMap", rules=rules)])
    assert Rule("", ("nodes",), ("list",)) in found.cluster
    assert Rule("", ("pods",), ("list",)) in found.namespaced
    assert any(rule.resources == ("clusterissuers",) for rule in found.cluster)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}, "takes a list of rules, not dict"),
        ([{"apiGroups": [""], "resources": ["pods"]}], r"rules\[0\]: verbs is missing"),
        (
            [{"apiGroups": "", "resources": ["pods"], "verbs": ["get"]}],
            "apiGroups: a list of texts, not str",
        ),
        ([{"apiGroups": [], "resources": ["pods"], "verbs": ["get"]}], 'the core group is ""'),
        ([{"apiGroups": [""], "resources": ["pods"], "verbs": []}], "there is no verb"),
        ([{"apiGroups": [""], "resources": ["Pod"], "verbs": ["get"]}], "'Pod' is no resource"),
        ([{"apiGroups": ["apps/v1"], "resources": ["deployments"], "verbs": ["get"]}], "a group has no version"),
        ([{"apiGroups": [""], "resources": ["pods"], "verbs": ["GET it"]}], "'GET it' is no verb"),
        ([{"apigroups": [""], "resources": ["pods"], "verbs": ["get"]}], "unknown key 'apigroups'"),
        ([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}], "nonResourceURLs"),
        ([Rule("", ("pods",), ("create", "get"), names=("a",))], "create cannot be limited to names"),
        ([Rule("", "pods", ("get",))], r"rules\[0\]\.resources: a list of texts, not str"),
        (["pods"], "a Rule or a mapping"),
        ([{"apiGroups": [""], "resources": [1], "verbs": ["get"]}], "1 is none"),
    ],
)
def test_what_is_no_rule_is_refused_when_the_controller_is_declared(rules: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Controller("v1/ConfigMap", name="maps", rules=rules)  # type: ignore[call-overload]


def test_wildcards_and_verbs_of_other_servers_are_rules() -> None:
    rule = {"apiGroups": ["*"], "resources": ["*", "*/scale"], "verbs": ["*", "use", "escalate"]}
    assert len(Controller("v1/ConfigMap", rules=[rule]).rules) == 1
