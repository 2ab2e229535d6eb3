"""The ClusterRoles for users that every cluster has: ``admin``, ``edit``, ``view``, and the parts they consist of.

On a cluster a controller fills the three from the roles that carry their aggregation labels. Here the built-in parts
are filled in at the start, so that the roles mean what they should without any controller; roles of users that carry
the labels are added by the controller of the embedded cluster.

Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go.
"""

from __future__ import annotations

from zestor_controller.apiserver.auth.authorization import GROUP
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["aggregated_roles", "merged_rules"]

_LABEL = "rbac.authorization.k8s.io/aggregate-to-"
_READ = ("get", "list", "watch")
_WRITE = ("create", "update", "patch", "delete", "deletecollection")

Rule = tuple[tuple[str, ...], str, str]  # verbs, groups and resources; the last two separated by spaces

_VIEW: tuple[Rule, ...] = (
    (
        _READ,
        "core",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
        "replicationcontrollers/scale serviceaccounts services services/status",
    ),
    (
        _READ,
        "core",
        "bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas "
        "resourcequotas/status",
    ),
    (_READ, "core", "namespaces"),
    (_READ, "core events.k8s.io", "events"),
    (_READ, "discovery.k8s.io", "endpointslices"),
    (
        _READ,
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets "
        "replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    ),
    (_READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    (_READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    (
        _READ,
        "extensions",
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status "
        "networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale",
    ),
    (_READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    (_READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    (_READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
)
_EDIT: tuple[Rule, ...] = (
    (_READ, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
    (("impersonate",), "core", "serviceaccounts"),
    (_WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
    (("create",), "core", "pods/eviction"),
    (
        _WRITE,
        "core",
        "configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts "
        "services services/proxy",
    ),
    (("create",), "core", "serviceaccounts/token"),
    (_WRITE, "core events.k8s.io", "events"),
    (
        _WRITE,
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
        "statefulsets/scale",
    ),
    (_WRITE, "autoscaling", "horizontalpodautoscalers"),
    (_WRITE, "batch", "cronjobs jobs"),
    (
        _WRITE,
        "extensions",
        "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets "
        "replicasets/scale replicationcontrollers/scale",
    ),
    (_WRITE, "policy", "poddisruptionbudgets"),
    (_WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    ((*_WRITE, *_READ), "coordination.k8s.io", "leases"),
    (_WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
)
_ADMIN: tuple[Rule, ...] = (
    (("create",), "authorization.k8s.io", "localsubjectaccessreviews"),
    ((*_WRITE, *_READ), GROUP, "rolebindings roles"),
)


def aggregated_roles() -> list[tuple[str, Json]]:
    """The roles, as (plural, object)."""
    view, edit, admin = _rules(_VIEW), _rules(_EDIT), _rules(_ADMIN)
    # The order of the rules is that of the controller: parts by name, "edit" before "system:aggregate-to-admin".
    edits = merged_rules([edit, view])
    return [
        _role("system:aggregate-to-admin", admin, "admin"),
        _role("system:aggregate-to-edit", edit, "edit"),
        _role("system:aggregate-to-view", view, "view"),
        _role("admin", merged_rules([edits, admin]), aggregates="admin"),
        _role("edit", edits, "admin", aggregates="edit"),
        _role("view", view, "edit", aggregates="view"),
    ]


def merged_rules(parts: list[list[Json]]) -> list[Json]:
    """The rules of several roles, each rule once, in the order in which they are first seen."""
    merged: list[Json] = []
    for rules in parts:
        merged += [rule for rule in rules if rule not in merged]
    return merged


def _rules(rules: tuple[Rule, ...]) -> list[Json]:
    return [
        {
            "apiGroups": ["" if group == "core" else group for group in groups.split()],
            "resources": resources.split(),
            "verbs": list(verbs),
        }
        for verbs, groups, resources in rules
    ]


def _role(name: str, rules: list[Json], part_of: str = "", *, aggregates: str = "") -> tuple[str, Json]:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    if part_of:
        labels[f"{_LABEL}{part_of}"] = "true"
    body: Json = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        },
        "rules": rules,
    }
    if aggregates:
        body["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {f"{_LABEL}{aggregates}": "true"}}]}
    return "clusterroles", body
