"""Each impersonation header is a right of its own, and none of them changes the identity without it (A6)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, AUTHENTICATED, TokenAuthenticator
from zestor_controller.apiserver.rest.user import User
from zestor_controller.http import HttpRequest

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
AUTHENTICATION = "authentication.k8s.io"
ACCOUNT = "system:serviceaccount:kube-system:x"
Json = dict[str, Any]


def rule(resource: str, *names: str, verb: str = "impersonate", group: str = "") -> Json:
    return {
        "apiGroups": [group],
        "resources": [resource],
        "verbs": [verb],
        **({"resourceNames": [*names]} if names else {}),
    }


class Server:
    """A server with RBAC, whose user `weak` has the given rules, cluster-wide or in a namespace."""

    def __init__(self, weak: User | None = None) -> None:
        weak = weak or User("weak", groups=("devs", AUTHENTICATED))
        self.weak = weak
        self.api = ApiServer(TokenAuthenticator({"a": ADMINISTRATOR, "w": weak}), rbac=True)

    async def send(self, method: str, path: str, body: Json, token: str, **headers: str) -> tuple[int, Json]:
        sent = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.api.handle(HttpRequest(method, path, [], sent, json.dumps(body).encode()))
        assert isinstance(response.body, bytes)
        return response.status, json.loads(response.body)

    async def grant(self, *rules: Json, namespace: str = "") -> None:
        kind, place = ("Role", f"/namespaces/{namespace}") if namespace else ("ClusterRole", "")
        role = {"metadata": {"name": "r"}, "rules": list(rules)}
        subject = {"kind": "User", "name": self.weak.name, "apiGroup": "rbac.authorization.k8s.io"}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "r"}
        binding = {"metadata": {"name": "r"}, "roleRef": reference, "subjects": [subject]}
        for plural, body in ((f"{kind.lower()}s", role), (f"{kind.lower()}bindings", binding)):
            status, made = await self.send("POST", f"{RBAC}{place}/{plural}", body, "a")
            assert status == 201, made

    async def become(self, **headers: str) -> tuple[int, Any]:
        """The identity that `weak` takes on, or why it must not."""
        headers = {f"impersonate_{name}": value for name, value in headers.items()}
        status, body = await self.send("POST", ME, {"kind": "SelfSubjectReview"}, "w", **headers)
        return status, body["status"]["userInfo"] if status == 201 else body["message"]


async def test_the_right_to_impersonate_users_covers_no_service_account_uid_group_or_extra() -> None:
    server = Server()
    await server.grant(rule("users"))

    assert await server.become(user="bob") == (201, {"username": "bob", "groups": [AUTHENTICATED]})
    for headers in (
        {"user": ACCOUNT},
        {"user": "bob", "uid": "1"},
        {"user": "bob", "group": "admins"},
        {"user": "bob", "group": ""},
        {"user": "bob", "group": "system:masters"},
        {"user": "bob", "extra_scopes": "view"},
    ):
        assert (await server.become(**headers))[0] == 403, headers


async def test_a_service_account_is_impersonated_by_its_own_right_in_its_namespace() -> None:
    server = Server()
    await server.grant(rule("serviceaccounts"), namespace="kube-system")

    status, user = await server.become(user=ACCOUNT)
    assert (status, user["groups"]) == (
        201,
        ["system:serviceaccounts", "system:serviceaccounts:kube-system", AUTHENTICATED],
    )
    assert (await server.become(user="system:serviceaccount:default:x"))[0] == 403
    assert (await server.become(user="bob"))[0] == 403


@pytest.mark.parametrize(
    "name",
    [
        "system:serviceaccount:kube-system",
        "system:serviceaccount:a:b:c",
        "system:serviceaccount:A:b",
        "system:serviceaccount::",
    ],
)
async def test_a_name_that_only_looks_like_a_service_account_is_a_user_without_its_groups(name: str) -> None:
    server = Server()
    await server.grant(rule("users"))

    assert await server.become(user=name) == (201, {"username": name, "groups": [AUTHENTICATED]})


@pytest.mark.parametrize(
    ("granted", "headers"),
    [
        (rule("uids", "7", group=AUTHENTICATION), {"uid": "7"}),
        (rule("groups", "ops"), {"group": "ops"}),
        (rule("userextras/scopes", "view", group=AUTHENTICATION), {"extra_scopes": "view"}),
        (rule("userextras/acme.io/a", "view", group=AUTHENTICATION), {"extra_acme.io%2fa": "view"}),
    ],
)
async def test_each_header_has_a_right_of_its_own_that_names_can_limit(granted: Json, headers: dict[str, str]) -> None:
    server = Server()
    await server.grant(rule("users", "bob"), granted)

    assert (await server.become(user="bob", **headers))[0] == 201
    assert (await server.become(user="bob", **{name: f"{value}x" for name, value in headers.items()}))[0] == 403
    assert (await server.become(user="eve", **headers))[0] == 403
    both = {name: f"{value}\nother" for name, value in headers.items() if name != "uid"}
    assert not both or (await server.become(user="bob", **both))[0] == 403


async def test_of_a_repeated_user_header_the_first_is_authorized_and_taken() -> None:
    server = Server()
    await server.grant(rule("users", "bob"))

    assert (await server.become(user="bob\neve"))[1]["username"] == "bob"
    assert (await server.become(user="eve\nbob"))[0] == 403


async def test_an_extra_key_is_unescaped_before_it_is_authorized() -> None:
    server = Server()
    await server.grant(rule("users"), rule("userextras/scopes", group=AUTHENTICATION))

    status, user = await server.become(user="bob", **{"extra_sc%6fpes": "a", "extra_scopes": "b"})
    assert (status, sorted(user["extra"]["scopes"])) == (201, ["a", "b"])
    status, user = await server.become(user="bob", **{"extra_sc%6": "a"})
    assert status == 403


async def test_a_group_uid_or_extra_without_a_user_is_a_bad_request() -> None:
    server = Server()

    status, message = await server.become(group="a\nb", uid="1", extra_k="v")
    assert status == 400
    assert message == (
        'requested &user.DefaultInfo{Name:"", UID:"1", Groups:[]string{"a", "b"}, '
        'Extra:map[string][]string{"k":[]string{"v"}}} without impersonating a user name'
    )


async def test_constrained_impersonation_needs_the_identity_and_the_verb_on_what_is_requested() -> None:
    server = Server()
    identity = rule("serviceaccounts", verb="impersonate:serviceaccount", group=AUTHENTICATION)
    on = rule("selfsubjectreviews", verb="impersonate-on:serviceaccount:create", group=AUTHENTICATION)
    await server.grant(identity)
    status, message = await server.become(user=ACCOUNT)
    assert (status, "impersonate-on:serviceaccount:create" in message) == (403, True)

    server = Server()
    await server.grant(identity, on)
    assert (await server.become(user=ACCOUNT))[0] == 201
    assert (await server.become(user="bob"))[0] == 403
    assert (await server.become(user=ACCOUNT, uid="1"))[0] == 403


async def test_a_node_that_is_impersonated_by_the_right_to_nodes_has_the_groups_of_nodes() -> None:
    server = Server()
    on = rule("selfsubjectreviews", verb="impersonate-on:arbitrary-node:create", group=AUTHENTICATION)
    await server.grant(rule("nodes", "n1", verb="impersonate:arbitrary-node", group=AUTHENTICATION), on)

    assert (await server.become(user="system:node:n1"))[1]["groups"] == ["system:nodes", AUTHENTICATED]
    assert (await server.become(user="system:node:n2"))[0] == 403


async def test_an_account_becomes_its_own_node_and_no_other() -> None:
    extra = {"authentication.kubernetes.io/node-name": ("n1",)}
    server = Server(User("system:serviceaccount:default:agent", groups=(AUTHENTICATED,), extra=extra))
    on = rule("selfsubjectreviews", verb="impersonate-on:associated-node:create", group=AUTHENTICATION)
    await server.grant(rule("nodes", verb="impersonate:associated-node", group=AUTHENTICATION), on)

    assert (await server.become(user="system:node:n1"))[0] == 201
    assert (await server.become(user="system:node:n2"))[0] == 403


async def test_constrained_impersonation_never_gives_the_group_of_administrators() -> None:
    server = Server()
    rights = [rule(r, verb="impersonate:user-info", group=AUTHENTICATION) for r in ("users", "groups")]
    on = rule("selfsubjectreviews", verb="impersonate-on:user-info:create", group=AUTHENTICATION)
    await server.grant(*rights, on)

    assert (await server.become(user="bob", group="ops"))[0] == 201
    assert (await server.become(user="bob", group="system:masters"))[0] == 403
    assert (await server.become(user="bob", group="a\nb\nc\nd"))[0] == 201
    assert (await server.become(user="bob", group=""))[0] == 403
