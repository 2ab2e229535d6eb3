"""`zestor apiserver`: what each of its options does to the server that it runs."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from zestor_controller import Client
from zestor_controller.errors import Forbidden, NotFound, Unauthorized
from zestor_controller.testing.processes import ApiServerProcess

T = TypeVar("T")
MAP = "v1/ConfigMap"
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.server.example}
spec:
  group: server.example
  scope: Namespaced
  names: {plural: things, kind: Thing}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""
THING = "apiVersion: server.example/v1\nkind: Thing\nmetadata: {name: t}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: made}\n"


def ask(kubeconfig: Path, work: Callable[[Client], Awaitable[T]], token: str | None = None) -> T:
    """Work with a client of a server; with another user's token if one is given."""
    if token is not None:
        config = yaml.safe_load(kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        kubeconfig = kubeconfig.with_name(f"kubeconfig-{token}")
        kubeconfig.write_text(yaml.safe_dump(config))

    async def main() -> T:
        async with Client.connect(kubeconfig=kubeconfig) as client:
            return await work(client)

    return asyncio.run(main())


def test_definitions_and_objects_are_there_when_it_is_ready(tmp_path: Path) -> None:
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds" / "things.yaml").write_text(CRD)
    (tmp_path / "objects.yaml").write_text(THING)
    (tmp_path / "more.yaml").write_text(NAMESPACE)
    options = ["--crds", str(tmp_path / "crds"), "--apply", str(tmp_path / "objects.yaml")]

    with ApiServerProcess(*options, "--apply", str(tmp_path / "more.yaml"), folder=tmp_path) as server:
        ask(server.kubeconfig, lambda client: client.get("server.example/v1/Thing", "t"))
        ask(server.kubeconfig, lambda client: client.get("v1/Namespace", "made"))


def test_objects_are_applied_from_standard_input(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "apiserver", "--apply", "-", "--kubeconfig"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "k")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(NAMESPACE)
        process.stdin.close()
        assert process.stdout.readline().startswith("ready https://")
        ask(tmp_path / "k", lambda client: client.get("v1/Namespace", "made"))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_users_of_a_token_file_have_their_names_groups_and_rights(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text('root-token,root,1,"system:masters,team"\nweak-token,weak,2\n')

    with ApiServerProcess("--rbac", "--token-file", str(tmp_path / "tokens"), folder=tmp_path) as server:

        async def who(client: Client) -> Any:
            review = await client.create("authentication.k8s.io/v1/SelfSubjectReview", {})
            return review["status"]["userInfo"]

        root, weak = (ask(server.kubeconfig, who, token) for token in ("root-token", "weak-token"))
        assert (root["username"], root["uid"]) == ("root", "1")
        assert {"system:masters", "team", "system:authenticated"} <= set(root["groups"])
        assert (weak["username"], weak["groups"]) == ("weak", ["system:authenticated"])
        ask(server.kubeconfig, lambda client: client.list("v1/Secret"), "root-token")
        with pytest.raises(Forbidden):
            ask(server.kubeconfig, lambda client: client.list("v1/Secret"), "weak-token")
        with pytest.raises(Unauthorized):
            ask(server.kubeconfig, lambda client: client.list("v1/Secret"), "no-such-token")


def test_without_rbac_every_known_user_may_do_everything(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("weak-token,weak,2\n")

    with ApiServerProcess("--token-file", str(tmp_path / "tokens"), folder=tmp_path) as server:
        ask(server.kubeconfig, lambda client: client.list("v1/Secret"), "weak-token")


def test_a_second_run_has_the_data_of_the_first_and_appends_to_its_audit_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "audit.jsonl"
    options = ["--data", str(tmp_path / "data"), "--audit-log", str(log)]

    async def work(client: Client) -> Any:
        with pytest.raises(NotFound):
            await client.get(MAP, "none")
        await client.list("apps/v1/Deployment", namespace="default")
        return await client.create(MAP, {"metadata": {"name": "a"}})

    with ApiServerProcess(*options, folder=tmp_path) as server:
        made = ask(server.kubeconfig, work)
        first = yaml.safe_load(server.kubeconfig.read_text())
    with ApiServerProcess(*options, folder=tmp_path) as server:
        again = ask(server.kubeconfig, lambda client: client.get(MAP, "a"))
        second = yaml.safe_load(server.kubeconfig.read_text())

    assert again == made
    assert second["users"] == first["users"]
    key = "certificate-authority-data"
    assert second["clusters"][0]["cluster"][key] == first["clusters"][0]["cluster"][key]

    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert log.stat().st_mode & 0o777 == 0o600
    assert all(record["time"] and record["user"] for record in records)
    keys = ("verb", "resource", "namespace", "name", "subresource", "code")
    seen = [tuple(record[key] for key in keys) for record in records if record["resource"]]
    assert [row for row in seen if row[1] in ("configmaps", "deployments.apps")] == [
        ("get", "configmaps", "default", "none", "", 404),
        ("list", "deployments.apps", "default", "", "", 200),
        ("create", "configmaps", "default", "", "", 201),
        ("get", "configmaps", "default", "a", "", 200),
    ]


def test_without_data_every_run_begins_empty_and_controllers_run_when_they_are_requested_only(tmp_path: Path) -> None:
    async def with_controllers(client: Client) -> None:
        await client.create(MAP, {"metadata": {"name": "a"}})
        found = lambda account: account is not None  # noqa: E731
        wait = timedelta(seconds=30)
        await client.wait_for("v1/ServiceAccount", "default", found, namespace="default", timeout=wait)

    async def without(client: Client) -> None:
        with pytest.raises(NotFound):
            await client.get(MAP, "a")
        assert list(await client.list("v1/Node")) == []

    with ApiServerProcess("--controllers", "all", folder=tmp_path) as server:
        ask(server.kubeconfig, with_controllers)
        first = yaml.safe_load(server.kubeconfig.read_text())["users"]
    with ApiServerProcess("--controllers", "none", folder=tmp_path) as server:
        ask(server.kubeconfig, without)
        assert yaml.safe_load(server.kubeconfig.read_text())["users"] != first


@pytest.mark.parametrize("address", ["127.0.0.2", "localhost"])
def test_the_address_is_the_one_that_was_given(tmp_path: Path, address: str) -> None:
    with ApiServerProcess("--bind", address, folder=tmp_path) as server:
        host = yaml.safe_load(server.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        assert host == server.url
        assert host.startswith(f"https://{address}:") or address == "localhost"
        ask(server.kubeconfig, lambda client: client.list("v1/Node"))
