"""An embedded server with access control, over its socket: who is let in (A5) and what is shown to whom (A6).

The requests are written byte by byte, so that no client library corrects their spelling.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from zestor_controller import EmbeddedCluster

RBAC = "rbac.authorization.k8s.io"
SECRETS = "/api/v1/namespaces/default/secrets"
HIDDEN = base64.b64encode(b"the hidden value").decode()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """Two Secrets; the user `weak` may do everything with one of them, by its name, and nothing with the other."""
    tokens = tmp_path_factory.mktemp("guarded") / "tokens"
    tokens.write_text("weak-token,weak,1\n")
    with EmbeddedCluster(rbac=True, controllers="none", token_file=tokens) as cluster:
        create = cluster.client.create
        rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["allowed"], "verbs": ["*"]}
        subject = {"kind": "User", "name": "weak", "apiGroup": RBAC}
        reference = {"apiGroup": RBAC, "kind": "Role", "name": "r"}
        create(f"{RBAC}/v1/Role", {"metadata": {"name": "r"}, "rules": [rule]}, namespace="default")
        binding = {"metadata": {"name": "r"}, "roleRef": reference, "subjects": [subject]}
        create(f"{RBAC}/v1/RoleBinding", binding, namespace="default")
        create("v1/Secret", {"metadata": {"name": "allowed"}}, namespace="default")
        create("v1/Secret", {"metadata": {"name": "hidden"}, "data": {"value": HIDDEN}}, namespace="default")
        yield cluster


def authority(cluster: EmbeddedCluster) -> str:
    """The certificate of the server's CA, from the kubeconfig."""
    entry = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    return base64.b64decode(entry["certificate-authority-data"]).decode()


def send(cluster: EmbeddedCluster, target: str, *headers: str, method: str = "GET", body: str = "") -> tuple[int, str]:
    """The status and the rest of the response; the connection is closed afterwards."""
    address = urlsplit(cluster.url)
    context = ssl.create_default_context(cadata=authority(cluster))
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    assert address.hostname is not None
    assert address.port is not None
    with (
        socket.create_connection((address.hostname, address.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wire,
    ):
        wire.sendall(("\r\n".join([*lines, "", ""]) + body).encode())
        response = b""
        while piece := wire.recv(65536):
            response += piece
    text = response.decode(errors="replace")
    return int(text.split()[1]), text


def as_weak(cluster: EmbeddedCluster, target: str, **request: str) -> tuple[int, str]:
    return send(cluster, target, "Authorization: Bearer weak-token", **request)


def test_the_user_of_these_tests_reads_one_secret_and_not_the_other(guarded: EmbeddedCluster) -> None:
    status, text = as_weak(guarded, f"{SECRETS}/allowed")
    assert (status, '"allowed"' in text) == (200, True)
    status, text = as_weak(guarded, f"{SECRETS}/hidden")
    assert (status, HIDDEN in text) == (403, False)


SPELLINGS = [
    f"{SECRETS}/hidden/",
    f"{SECRETS}/hidden?x=/../allowed",
    f"{SECRETS}/hidden#/allowed",
    f"{SECRETS}/%68idden",
    f"{SECRETS}//hidden",
    f"{SECRETS}/./hidden",
    f"{SECRETS}/allowed/../hidden",
    f"{SECRETS}/allowed%2F..%2Fhidden",
    f"{SECRETS}/allowed/%2e%2e/hidden",
    f"{SECRETS}/allowed;hidden",
    f"{SECRETS}/hidden%00",
    f"{SECRETS}/hidden%2F",
    f"{SECRETS}/hidden/status",
    f"/{SECRETS}/hidden",
    "/api/v1/namespaces/x/../default/secrets/hidden",
    "/api/v1/namespaces/default%2Fsecrets%2Fallowed/secrets/hidden",
    "/api/v1/watch/namespaces/default/secrets/hidden?timeoutSeconds=1",
    "/api/v1/watch/namespaces/default/secrets?timeoutSeconds=1",
    "/api/v1/secrets/hidden",
    "/api/v1/secrets?fieldSelector=metadata.name%3Dallowed",
    "/API/v1/namespaces/default/secrets/hidden",
    "/api/V1/namespaces/default/Secrets/hidden",
    f"https://localhost{SECRETS}/hidden",
    f"{SECRETS}?fieldSelector=metadata.name%3Dallowed%2Cmetadata.name%3Dhidden",
    f"{SECRETS}?fieldSelector=metadata.name%3Dhidden&fieldSelector=metadata.name%3Dallowed",
    f"{SECRETS}?fieldSelector=metadata.name%3Dallowed&fieldSelector=metadata.name%3Dhidden",
    f"{SECRETS}?watch=0&fieldSelector=metadata.name%3Dallowed",
    f"{SECRETS}/allowed?fieldSelector=metadata.name%3Dhidden",
    f"{SECRETS}/allowed?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dhidden",
    f"{SECRETS}?limit=1&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0",
]


@pytest.mark.parametrize("target", SPELLINGS)
def test_a6_no_spelling_of_a_path_reads_what_its_user_may_not(guarded: EmbeddedCluster, target: str) -> None:
    before = len(guarded.requests)

    status, text = as_weak(guarded, target)

    assert HIDDEN not in text
    assert status < 500
    for record in guarded.requests[before:]:
        if record.code == 200:  # what was authorized is what was carried out
            assert (record.user, record.name) == ("weak", "allowed")


@pytest.mark.parametrize("target", [target for target in SPELLINGS if "hidden" in target])
@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_a6_no_spelling_of_a_path_writes_what_its_user_may_not(
    guarded: EmbeddedCluster, method: str, target: str
) -> None:
    before = guarded.client.get("v1/Secret", "hidden", namespace="default")
    body = json.dumps({"metadata": {"name": "hidden"}, "data": {}}) if method == "PUT" else ""

    status, text = as_weak(guarded, f"{target}{'&' if '?' in target else '?'}dryRun=All", method=method, body=body)

    assert HIDDEN not in text
    assert status < 500
    assert guarded.client.get("v1/Secret", "hidden", namespace="default") == before


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override: GET", "X-Original-URL: /healthz", "X-Remote-User: admin"])
def test_a6_no_header_of_a_proxy_changes_who_asks_or_what_is_carried_out(guarded: EmbeddedCluster, header: str) -> None:
    status, text = send(guarded, f"{SECRETS}/hidden", "Authorization: Bearer weak-token", header)

    assert (status, HIDDEN in text) == (403, False)


@pytest.mark.parametrize(
    "credential",
    [
        "Authorization: Bearer wrong",
        "Authorization: Bearer",
        "Authorization: Bearer weak-token-and-more",
        "Authorization: weak-token",
        "Authorization: Basic d2Vhazp3ZWFrLXRva2Vu",
    ],
)
def test_a5_a_credential_that_is_wrong_is_no_credential(guarded: EmbeddedCluster, credential: str) -> None:
    status, text = send(guarded, f"{SECRETS}/allowed", credential)

    assert status in (401, 403)
    assert '"kind":"Status"' in text.replace(" ", "")
    assert status == 401 or "system:anonymous" in text


def test_a5_nothing_is_served_over_plain_http(guarded: EmbeddedCluster) -> None:
    address = urlsplit(guarded.url)
    assert address.hostname is not None
    assert address.port is not None
    with socket.create_connection((address.hostname, address.port), timeout=30) as plain:
        plain.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        try:
            response = plain.recv(65536)
        except ConnectionResetError:
            response = b""
    assert b"200" not in response
    assert b"major" not in response


def test_a5_the_servers_certificate_is_of_a_ca_of_its_own(guarded: EmbeddedCluster) -> None:
    with EmbeddedCluster(controllers="none") as other:
        assert authority(other) != authority(guarded)
        address = urlsplit(other.url)
        assert address.port is not None
        context = ssl.create_default_context(cadata=authority(guarded))
        with (
            socket.create_connection(("127.0.0.1", address.port), timeout=30) as plain,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(plain, server_hostname="localhost")


def test_a5_every_server_has_an_administrators_token_of_its_own(guarded: EmbeddedCluster, tmp_path: Path) -> None:
    def token(cluster: EmbeddedCluster) -> Any:
        return yaml.safe_load(cluster.kubeconfig.read_text())["users"][0]["user"]["token"]

    with EmbeddedCluster(controllers="none", kubeconfig=tmp_path / "other") as other:
        assert len(token(other)) >= 32
        assert token(other) != token(guarded)
        assert send(other, "/api/v1/namespaces", f"Authorization: Bearer {token(guarded)}")[0] == 401
        assert send(other, "/api/v1/namespaces", f"Authorization: Bearer {token(other)}")[0] == 200
