"""Service account tokens: asked for, used, refused."""

import base64
import json
import random
import subprocess
from typing import Any

import pytest

from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.apiserver.server.api import ApiServer
from zestor_controller.cluster import EmbeddedCluster
from zestor_controller.http import HttpRequest
from zestor_controller.testing.binaries import kubectl

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
PODS = "/api/v1/namespaces/default/pods"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Server:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        tokens = TokenAuthenticator({"t": ADMINISTRATOR})
        self.api = ApiServer(tokens, rng=random.Random(1), wall=lambda: self.time)

    async def call(self, method: str, path: str, body: Any = None, token: str = "t") -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        data = json.dumps(body).encode() if body is not None else b""
        response = await self.api.handle(HttpRequest(method, path, [], headers, data))
        assert isinstance(response.body, bytes)
        return response.status, json.loads(response.body)

    async def token(self, **spec: Any) -> str:
        status, reply = await self.call("POST", f"{ACCOUNTS}/bot/token", {"spec": spec})
        assert status == 201, reply
        return str(reply["status"]["token"])

    async def user(self, token: str) -> Any:
        """Who the server takes the bearer for; None when it is refused."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        status, reply = await self.call("POST", WHO, review, token)
        assert status in (201, 401)
        return reply["status"]["userInfo"] if status == 201 else None


@pytest.fixture
async def server() -> Server:
    server = Server()
    await server.call("POST", ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}})
    return server


async def test_a_token_identifies_its_account(server: Server) -> None:
    user = await server.user(await server.token())
    assert user["username"] == "system:serviceaccount:default:bot"
    assert user["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    assert user["uid"] == (await server.call("GET", f"{ACCOUNTS}/bot"))[1]["metadata"]["uid"]
    [identity] = user["extra"]["authentication.kubernetes.io/credential-id"]
    assert identity.startswith("JTI=")


async def test_a_token_is_good_until_it_expires(server: Server) -> None:
    token = await server.token(expirationSeconds=600)
    server.time += 599
    assert await server.user(token) is not None
    server.time += 1
    assert await server.user(token) is None


async def test_a_token_ends_with_its_account_even_when_another_takes_the_name(server: Server) -> None:
    token = await server.token()
    await server.call("DELETE", f"{ACCOUNTS}/bot")
    assert await server.user(token) is None
    await server.call("POST", ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}})
    assert await server.user(token) is None
    assert await server.user(await server.token()) is not None


async def test_a_bound_token_ends_with_its_pod(server: Server) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    await server.call("POST", PODS, {**pod, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    token = await server.token(boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "p"})
    assert (await server.user(token))["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    await server.call("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})
    assert await server.user(token) is None


async def test_a_token_for_another_user_is_not_taken(server: Server) -> None:
    assert await server.user(await server.token(audiences=["vault"])) is None


async def test_a_token_that_was_changed_is_not_taken(server: Server) -> None:
    header, body, signature = (await server.token()).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "system:serviceaccount:kube-system:admin"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for token in (f"{header}.{forged}.{signature}", f"{header}.{body}.", f"{header}.{body}.AAAA", "a.b.c", "..."):
        assert await server.user(token) is None


async def test_a_uid_that_does_not_fit_the_bound_object_is_a_conflict(server: Server) -> None:
    reference = {"kind": "ServiceAccount", "apiVersion": "v1", "name": "bot"}
    assert (await server.call("POST", f"{ACCOUNTS}/bot/token", {"spec": {"boundObjectRef": reference}}))[0] == 400
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    await server.call("POST", "/api/v1/namespaces/default/secrets", secret)
    reference = {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "another"}
    assert (await server.call("POST", f"{ACCOUNTS}/bot/token", {"spec": {"boundObjectRef": reference}}))[0] == 409


def test_kubectl_creates_a_token_and_acts_with_the_accounts_rights() -> None:
    with EmbeddedCluster(rbac=True) as cluster:

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [str(kubectl("1.37")), "--kubeconfig", str(cluster.kubeconfig), *arguments]
            return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

        assert run("create", "serviceaccount", "bot").returncode == 0
        token = run("create", "token", "bot", "--duration=10m").stdout.strip()
        assert "cannot list resource" in run("get", "pods", "--user=", f"--token={token}").stderr
        assert run("create", "role", "r", "--verb=list", "--resource=pods").returncode == 0
        assert run("create", "rolebinding", "r", "--role=r", "--serviceaccount=default:bot").returncode == 0
        done = run("get", "pods", "--user=", f"--token={token}")
        assert (done.returncode, done.stderr.strip()) == (0, "No resources found in default namespace.")
