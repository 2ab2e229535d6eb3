"""`--data`: what was acknowledged outlives the process, whatever ended it (A4)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from zestor_controller import Client
from zestor_controller.apiserver.journal import FileJournal
from zestor_controller.apiserver.storage import Storage
from zestor_controller.crd import crd_for
from zestor_controller.errors import ConfigError, Gone
from zestor_controller.http import HttpRequest
from zestor_controller.objects import CustomResource, MergePatch, Spec, Status
from zestor_controller.testing.processes import ApiServerProcess, zestor

CONFIGMAP = "v1/ConfigMap"
KEY = ("", "configmaps")


class ThingSpec(Spec):
    size: int = 1


class Thing(CustomResource[ThingSpec, Status], group="keep.example.org", version="v1", plural="things"):
    pass


def server(folder: Path, *arguments: str) -> ApiServerProcess:
    return ApiServerProcess("--data", str(folder / "data"), *arguments, folder=folder)


async def test_a4_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    """Writers that note each answer; the process is killed while they write; all that they noted is there."""
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "apiserver", "--data", str(tmp_path / "data")]
    command += ["--kubeconfig", str(tmp_path / "kubeconfig")]
    acknowledged: dict[str, str | None] = {}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True) as process:  # noqa: ASYNC220
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)

        async def write(client: Client, writer: int) -> None:
            for number in range(10_000):
                name = f"w{writer}-{number}"
                body = {"metadata": {"name": name}, "data": {"a": "1"}}
                made = await client.create(CONFIGMAP, body, namespace="default")
                acknowledged[name] = made.metadata.resource_version
                if number % 3 == 1:
                    patch = MergePatch({"data": {"a": "2"}})
                    acknowledged.pop(name)
                    made = await client.patch(CONFIGMAP, name, patch, namespace="default")
                    acknowledged[name] = made.metadata.resource_version
                if number % 3 == 2:
                    acknowledged.pop(name)
                    await client.delete(CONFIGMAP, name, namespace="default")
                    acknowledged[name] = None
                if len(acknowledged) >= 300:
                    process.send_signal(signal.SIGKILL)

        async with Client.connect(kubeconfig=tmp_path / "kubeconfig") as client:
            ended = await asyncio.gather(*(write(client, n) for n in range(4)), return_exceptions=True)
        assert all(isinstance(error, Exception) for error in ended)

    with server(tmp_path):
        async with Client.connect(kubeconfig=tmp_path / "kubeconfig") as client:
            found = await client.list(CONFIGMAP, namespace="default")
            there = {item.metadata.name: item.metadata.resource_version for item in found}
            for name, version in acknowledged.items():
                assert there.get(name) == version
            newest = max(int(version) for version in acknowledged.values() if version)
            made = await client.create(CONFIGMAP, {"metadata": {"name": "after"}}, namespace="default")
            assert int(made.metadata.resource_version or 0) > newest


async def test_a_server_that_comes_back_is_who_it_was(tmp_path: Path) -> None:
    """Definitions are served, addresses stay taken, the administrator's and an account's tokens are good."""
    service = {"spec": {"ports": [{"port": 80}], "type": "NodePort"}}
    with server(tmp_path, "--rbac") as first:
        before = yaml.safe_load(first.kubeconfig.read_text())
        async with Client.connect(kubeconfig=first.kubeconfig) as client:
            await client.create(crd_for(Thing))
            crd = "apiextensions.k8s.io/v1/CustomResourceDefinition"
            await client.wait_for(crd, "things.keep.example.org", "Established")
            thing = await client.create(Thing(metadata={"name": "a", "namespace": "default"}, spec={"size": 3}))  # type: ignore[arg-type]
            one = await client.create("v1/Service", {"metadata": {"name": "one"}, **service}, namespace="default")
            await client.create("v1/ServiceAccount", {"metadata": {"name": "worker"}}, namespace="default")
            request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
            path = "/api/v1/namespaces/default/serviceaccounts/worker/token"
            answer = await client.call(
                HttpRequest(
                    "POST", path, headers={"content-type": "application/json"}, body=json.dumps(request).encode()
                )
            )
            token = json.loads(answer)["status"]["token"]
    with server(tmp_path, "--rbac") as second:
        after = yaml.safe_load(second.kubeconfig.read_text())
        assert after["users"] == before["users"]
        authority = "certificate-authority-data"
        assert after["clusters"][0]["cluster"][authority] == before["clusters"][0]["cluster"][authority]
        async with Client.connect(kubeconfig=second.kubeconfig) as client:
            assert await client.get(Thing, "a", namespace="default") == thing
            two = await client.create("v1/Service", {"metadata": {"name": "two"}, **service}, namespace="default")
            assert two["spec"]["clusterIP"] != one["spec"]["clusterIP"]
            assert two["spec"]["ports"][0]["nodePort"] != one["spec"]["ports"][0]["nodePort"]
            with pytest.raises(Gone):
                async for _ in client.watch(CONFIGMAP, resource_version="2"):
                    pass
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        ca = tmp_path / "ca.pem"
        ca.write_bytes(base64.b64decode(after["clusters"][0]["cluster"][authority]))
        async with Client.connect(server=second.url, token=token, ca=ca) as client:
            told = await client.create(review)
            assert told["status"]["userInfo"]["username"] == "system:serviceaccount:default:worker"
    assert (tmp_path / "data" / "identity.json").stat().st_mode & 0o77 == 0
    assert (tmp_path / "data" / "journal").stat().st_mode & 0o77 == 0


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = zestor("apiserver", "--data", str(tmp_path / "file"), cwd=tmp_path)
    assert done.returncode == 2
    assert str(tmp_path / "file") in done.stderr
    with server(tmp_path):
        done = zestor("apiserver", "--data", str(tmp_path / "data"), "--kubeconfig", "other", cwd=tmp_path)
        assert done.returncode == 2
        assert "another server uses it" in done.stderr
    (tmp_path / "data" / "identity.json").write_text("{}")
    done = zestor("apiserver", "--data", str(tmp_path / "data"), cwd=tmp_path)
    assert done.returncode == 2
    assert "identity.json: cannot be used" in done.stderr


def test_damage_in_the_middle_is_refused_and_the_byte_is_named(tmp_path: Path) -> None:
    storage = opened(tmp_path)[1]
    sizes = [os.path.getsize(tmp_path / "journal")]
    for number in range(3):
        put(storage, f"n{number}", number)
        sizes.append(os.path.getsize(tmp_path / "journal"))
    data = bytearray((tmp_path / "journal").read_bytes())
    data[sizes[1] + 12] ^= 0xFF
    (tmp_path / "journal").write_bytes(bytes(data))
    with pytest.raises(ConfigError, match=rf"journal: is damaged at byte {sizes[1]}; "):
        opened(tmp_path)


def test_a4_a_snapshot_that_fails_loses_no_write(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _, storage = opened(tmp_path)
    (tmp_path / "snapshot.new").mkdir()  # nothing can be written in its place
    large = "x" * (1 << 20)
    for number in range(70):
        name = f"n{number}"
        obj = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": {"a": large}}
        storage.write(KEY, "default", name, obj)
    assert caplog.text.count("no snapshot could be written") == 1
    before, revision = contents(storage), storage.revision
    assert len(before) == 70
    (tmp_path / "snapshot.new").rmdir()
    _, storage = opened(tmp_path)
    assert (contents(storage), storage.revision) == (before, revision)


OPEN: list[FileJournal] = []


def opened(folder: Path) -> tuple[FileJournal, Storage]:
    """A storage kept in this folder; whoever had it before is taken for dead."""
    while OPEN:
        OPEN.pop().close()
    journal = FileJournal(folder)
    OPEN.append(journal)
    storage = Storage(journal)
    journal.restore(storage)
    return journal, storage


@pytest.fixture(autouse=True)
def closed() -> Any:
    yield
    while OPEN:
        OPEN.pop().close()


def put(storage: Storage, name: str, value: int) -> None:
    storage.write(
        KEY, "default", name, {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "n": value}
    )


def contents(storage: Storage) -> dict[str, Any]:
    return {version.key: version.obj for table in storage.tables() for version in table.versions()}


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "reopen"]), st.sampled_from("abc"), st.integers(0, 9)), max_size=25
)


@given(actions=ACTIONS, torn=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_a4_what_is_read_back_is_what_was_written_whatever_part_of_the_last_record_is_there(
    actions: list[tuple[str, str, int]], torn: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("data")
    _, storage = opened(folder)
    for action, name, value in actions:
        if action == "put":
            put(storage, name, value)
        elif action == "delete" and storage.table(KEY).get("default", name) is not None:
            storage.delete(KEY, "default", name)
        elif action == "reopen":
            before, revision = contents(storage), storage.revision
            _, storage = opened(folder)
            assert (contents(storage), storage.revision) == (before, revision)
    before, revision = contents(storage), storage.revision
    whole = os.path.getsize(folder / "journal")
    put(storage, "last", 1)
    with open(folder / "journal", "r+b") as file:  # the process ended while it wrote
        file.truncate(max(whole, os.path.getsize(folder / "journal") - torn))
    _, storage = opened(folder)
    assert (contents(storage), storage.revision) == (before, revision)
    put(storage, "next", 2)
    _, storage = opened(folder)
    assert "default/next" in contents(storage)
