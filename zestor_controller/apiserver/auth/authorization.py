"""Role-based access control: is a user allowed to do what a request asks?

Invariant: rights only add up; what no rule allows is refused. Members of ``system:masters`` may do everything.

Source: kubernetes plugin/pkg/auth/authorizer/rbac, kubernetes.io/docs/reference/access-authn-authz/rbac.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from zestor_controller.apiserver.auth.authentication import ACCOUNT
from zestor_controller.apiserver.rest.requestinfo import RequestInfo
from zestor_controller.apiserver.rest.status import Failure, forbidden, status_body
from zestor_controller.apiserver.rest.user import User
from zestor_controller.apiserver.storage.revisionlog import Storage
from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["Attributes", "RbacAuthorizer", "attributes_of", "bootstrap_roles", "covers", "refused"]

GROUP: Final = "rbac.authorization.k8s.io"
MASTERS: Final = "system:masters"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a user wants to do.

    Attributes:
        verb: such as ``get``.
        group: of the resource.
        resource: the plural; empty for a path that is no resource.
        subresource: empty for the resource itself.
        namespace: empty for objects of the cluster and for all namespaces.
        name: empty for collections.
        path: for paths that are no resource.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


def attributes_of(info: RequestInfo) -> Attributes:
    """What a request wants to do."""
    if not info.is_resource:
        return Attributes(info.verb, path=info.path)
    return Attributes(info.verb, info.group, info.resource, info.subresource, info.namespace, info.name)


def refused(user: User, wanted: Attributes, why: str = "") -> Failure:
    """403: who must not do what, and why where that is known."""
    if not wanted.resource:
        message = f'forbidden: User "{user.name}" cannot {wanted.verb} path "{wanted.path}"'
        return Failure(status_body(403, f"{message}: {why}" if why else message, "Forbidden", {}))
    resource = f"{wanted.resource}/{wanted.subresource}" if wanted.subresource else wanted.resource
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    message = f'User "{user.name}" cannot {wanted.verb} resource "{resource}" in API group "{wanted.group}" {where}'
    return forbidden(wanted.group, wanted.resource, wanted.name, f"{message}: {why}" if why else message)


class RbacAuthorizer:
    """Authorizes by the roles and bindings in a storage.

    Args:
        storage: the server's.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def allowed(self, user: User, wanted: Attributes) -> bool:
        """Whether any rule allows it."""
        if MASTERS in user.groups:
            return True
        return any(_rule_allows(rule, wanted) for rule in self.rules(user, wanted.namespace))

    def reason(self, user: User, wanted: Attributes) -> str:
        """Which binding allows it, as kube-apiserver's message; empty for ``system:masters``, or if none does."""
        if MASTERS in user.groups:
            return ""
        for binding, subject, rules in self._bound(user, wanted.namespace):
            if any(_rule_allows(rule, wanted) for rule in rules):
                meta, role = binding["metadata"], binding.get("roleRef") or {}
                where = meta.get("namespace", "")
                name = f"{meta['name']}/{where}" if where else meta["name"]
                who = subject.get("name", "")
                if subject.get("kind") == "ServiceAccount":
                    who = f"{who}/{subject.get('namespace') or where}"
                return (
                    f'RBAC: allowed by {"RoleBinding" if where else "ClusterRoleBinding"} "{name}" of '
                    f'{role.get("kind")} "{role.get("name")}" to {subject.get("kind")} "{who}"'
                )
        return ""

    def rules(self, user: User, namespace: str) -> Iterator[Json]:
        """Every rule that holds for a user in a namespace; cluster-wide ones first."""
        for _, _, rules in self._bound(user, namespace):
            yield from rules

    def _bound(self, user: User, namespace: str) -> Iterator[tuple[Json, Json, Iterable[Json]]]:
        """Every binding that holds for a user: it, the subject that the user is, and its rules."""
        for plural, where in (("clusterrolebindings", ""), ("rolebindings", namespace)):
            if plural == "rolebindings" and not namespace:
                continue
            for binding in self._objects(plural, where):
                subject = _subject(binding, user, where)
                if subject is not None:
                    yield binding, subject, self._role_rules(binding, where)

    def role_rules(self, reference: Json, namespace: str) -> list[Json] | None:
        """The rules of the role that a binding names; None when there is no such role."""
        plural = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
        where = "" if plural == "clusterroles" else namespace
        found = self._storage.table((GROUP, plural)).get(where, str(reference.get("name", "")))
        return list(found.obj.get("rules") or ()) if found is not None else None

    def _role_rules(self, binding: Json, namespace: str) -> Iterable[Json]:
        return self.role_rules(binding.get("roleRef") or {}, namespace) or ()

    def _objects(self, plural: str, namespace: str = "") -> Iterator[Json]:
        for version in self._storage.table((GROUP, plural)).versions(namespace):
            yield version.obj


def _subject(binding: Json, user: User, namespace: str) -> Json | None:
    """The subject of a binding that a user is; None when it is none."""
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name")
        account = f"{ACCOUNT}{subject.get('namespace') or namespace}:{name}"
        fits = {"User": name == user.name, "Group": name in user.groups, "ServiceAccount": user.name == account}
        if fits.get(str(kind), False):
            found: Json = subject
            return found
    return None


def _rule_allows(rule: Json, wanted: Attributes) -> bool:
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and wanted.verb not in verbs:
        return False
    if not wanted.resource:
        return any(_path_matches(pattern, wanted.path) for pattern in rule.get("nonResourceURLs") or ())
    groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
    if "*" not in groups and wanted.group not in groups:
        return False
    combined = f"{wanted.resource}/{wanted.subresource}" if wanted.subresource else wanted.resource
    fits = "*" in resources or combined in resources
    fits = fits or bool(wanted.subresource and f"*/{wanted.subresource}" in resources)
    names = rule.get("resourceNames") or ()
    return fits and (not names or wanted.name in names)


def _path_matches(pattern: str, path: str) -> bool:
    return pattern == "*" or pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def covers(owned: list[Json], wanted: list[Json]) -> list[Json]:
    """The parts of `wanted` rules that no `owned` rule allows: what a user must not hand on."""
    missing: list[Json] = []
    for rule in wanted:
        for part in _parts(rule):
            if not any(_rule_covers(mine, part) for mine in owned):
                missing.append(part)
    return missing


def _parts(rule: Json) -> Iterator[Json]:
    """A rule as rules of one verb and one resource each."""
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield {"verbs": [verb], "nonResourceURLs": [path]}
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                names: list[Any] = list(rule.get("resourceNames") or ()) or [None]
                for name in names:
                    part: Json = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                    if name is not None:
                        part["resourceNames"] = [name]
                    yield part


def _rule_covers(mine: Json, part: Json) -> bool:
    verb = part["verbs"][0]
    if "*" not in (mine.get("verbs") or ()) and verb not in (mine.get("verbs") or ()):
        return False
    if "nonResourceURLs" in part:
        return any(_path_matches(pattern, part["nonResourceURLs"][0]) for pattern in mine.get("nonResourceURLs") or ())
    group, resource = part["apiGroups"][0], part["resources"][0]
    groups, resources = mine.get("apiGroups") or (), mine.get("resources") or ()
    if "*" not in groups and group not in groups:
        return False
    _, slash, subresource = resource.partition("/")
    if not {"*", resource, *([f"*/{subresource}"] if slash else ())}.intersection(resources):
        return False
    names = mine.get("resourceNames") or ()
    return not names or (bool(part.get("resourceNames")) and part["resourceNames"][0] in names)


def bootstrap_roles() -> list[tuple[str, Json]]:
    """The cluster roles and bindings that every cluster has, as (plural, object)."""
    everything = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    discovery = [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
    ]
    reviews = [
        {
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            "verbs": ["create"],
        },
        {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
    ]
    info = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
    return [
        _role("cluster-admin", everything),
        _role("system:basic-user", reviews),
        _role("system:discovery", [{"nonResourceURLs": discovery, "verbs": ["get"]}]),
        _role("system:public-info-viewer", [{"nonResourceURLs": info, "verbs": ["get"]}]),
        _binding("cluster-admin", ["system:masters"]),
        _binding("system:basic-user", ["system:authenticated"]),
        _binding("system:discovery", ["system:authenticated"]),
        _binding("system:public-info-viewer", ["system:authenticated", "system:unauthenticated"]),
    ]


def _meta(name: str) -> Json:
    return {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    }


def _role(name: str, rules: list[Json]) -> tuple[str, Json]:
    body = {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole", "metadata": _meta(name), "rules": rules}
    return "clusterroles", body


def _binding(role: str, groups: list[str]) -> tuple[str, Json]:
    subjects = [{"kind": "Group", "apiGroup": GROUP, "name": group} for group in groups]
    body = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _meta(role),
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
        "subjects": subjects,
    }
    return "clusterrolebindings", body
