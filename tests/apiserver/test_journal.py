"""`--data`: what was acknowledged outlives the process, whatever ended it (A4)."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from zestor_controller import Client
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.apiserver.storage.journal import FileJournal
from zestor_controller.apiserver.storage.revisionlog import LogEntry, Storage, WriteFailed
from zestor_controller.client import MemoryTransport
from zestor_controller.crd import crd_for
from zestor_controller.errors import ApiError, ConfigError, Gone
from zestor_controller.http import HttpRequest
from zestor_controller.objects import CustomResource, MergePatch, Spec, Status
from zestor_controller.testing.clock import run_virtual
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
    """Writers that note each response; the process is killed while they write; all that they noted is there."""
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
            response = await client.call(
                HttpRequest(
                    "POST", path, headers={"content-type": "application/json"}, body=json.dumps(request).encode()
                )
            )
            token = json.loads(response)["status"]["token"]
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
            reviewed = await client.create(review)
            assert reviewed["status"]["userInfo"]["username"] == "system:serviceaccount:default:worker"
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
    with pytest.raises(ConfigError, match=rf"journal: is damaged at byte {sizes[1]}: "):
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


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process grows beyond a size: a write that would is cut short, then fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a4_a_write_that_fails_half_way_is_cut_off_and_the_next_ones_are_read_back(tmp_path: Path) -> None:
    _, storage = opened(tmp_path)
    put(storage, "before", 1)
    size = os.path.getsize(tmp_path / "journal")
    large = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "large"}, "data": {"a": "x" * 1000}}

    with full_disk(size + 300), pytest.raises(WriteFailed, match="File too large"):
        storage.write(KEY, "default", "large", large)

    assert os.path.getsize(tmp_path / "journal") == size
    assert storage.table(KEY).get("default", "large") is None
    put(storage, "after", 2)
    expected = contents(storage)
    assert sorted(expected) == ["default/after", "default/before"]
    assert contents(opened(tmp_path)[1]) == expected


def test_a_server_starts_on_a_full_disk_serves_what_it_has_and_refuses_writes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = contents_after(tmp_path, 3)

    with full_disk(0):
        _, storage = opened(tmp_path)
        assert contents(storage) == before
        assert "no snapshot can be written" in caplog.text
        with pytest.raises(WriteFailed, match="File too large"):
            put(storage, "more", 1)
    put(storage, "more", 1)  # there is space again
    assert sorted(contents(opened(tmp_path)[1])) == sorted([*before, "default/more"])


def test_a_new_folder_on_a_full_disk_is_named(tmp_path: Path) -> None:
    with full_disk(0), pytest.raises(ConfigError, match=r"a new folder cannot be written: File too large"):
        opened(tmp_path / "data")
    assert contents_after(tmp_path / "data", 1)


async def test_a_write_that_cannot_be_stored_is_a_clear_error_and_leaves_the_object(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path)
    OPEN.append(journal)
    api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}), journal=journal)
    client = Client(MemoryTransport(api, {"Authorization": "Bearer t"}))
    body = {"metadata": {"name": "a"}, "data": {"a": "1"}}
    made = await client.create(CONFIGMAP, body, namespace="default")

    with full_disk(0):
        with pytest.raises(ApiError, match="could not be stored, and nothing has changed: File too large") as caught:
            await client.patch(CONFIGMAP, "a", MergePatch({"data": {"a": "2"}}), namespace="default")
        assert caught.value.status == 500
        assert await client.get(CONFIGMAP, "a", namespace="default") == made
    await client.patch(CONFIGMAP, "a", MergePatch({"data": {"a": "3"}}), namespace="default")


class Disk:
    """A journal that takes a number of records, and then no more until there is space."""

    def __init__(self) -> None:
        self.space = 1000

    def restore(self, storage: Storage) -> None:
        pass

    def append(self, storage: tuple[str, str], change: LogEntry) -> None:
        if not self.space:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.space -= 1


def test_a_definition_whose_status_could_not_be_stored_is_served_once_there_is_space() -> None:
    async def scenario() -> None:
        disk = Disk()
        api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}), journal=disk)  # type: ignore[arg-type]
        client = Client(MemoryTransport(api, {"Authorization": "Bearer t"}))
        crd = "apiextensions.k8s.io/v1/CustomResourceDefinition"
        disk.space = 1
        await client.create(crd_for(Thing))
        await asyncio.sleep(60)
        found = await client.get(crd, "things.keep.example.org")
        assert not (found.get("status") or {}).get("conditions")
        disk.space = 10
        await client.wait_for(crd, "things.keep.example.org", "Established")

    run_virtual(scenario())


def contents_after(folder: Path, count: int) -> dict[str, Any]:
    """What a folder holds once some objects were put there."""
    _, storage = opened(folder)
    for number in range(count):
        put(storage, f"n{number}", number)
    return contents(storage)


@pytest.mark.parametrize("name", ["journal", "snapshot"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin as a file of zestor does"),
        (b"hello world, this is no journal! " * 10, "does not begin as a file of zestor does"),
        (bytes(4096), "does not begin as a file of zestor does"),
        (b"SQLite format 3\0" + bytes(100), "does not begin as a file of zestor does"),
        (b"\x00\x00\x00\x03\xe5\x8b\xa5\xc2abc", "does not begin as a file of zestor does"),
    ],
)
def test_a_foreign_file_is_refused_by_name_and_left_as_it_is(
    name: str, content: bytes, why: str, tmp_path: Path
) -> None:
    contents_after(tmp_path, 3)
    (tmp_path / name).write_bytes(content)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(ConfigError, match=rf"{name}: {why}"):
        opened(tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_foreign_journal_in_a_folder_without_a_snapshot_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("notes of mine")

    with pytest.raises(ConfigError, match="belongs to another program"):
        opened(tmp_path)

    assert (tmp_path / "journal").read_text() == "notes of mine"


def test_files_of_other_formats_are_refused_with_the_way_out(tmp_path: Path) -> None:
    contents_after(tmp_path, 1)
    data = (tmp_path / "snapshot").read_bytes()
    (tmp_path / "snapshot").write_bytes(data[:15] + b"\x03" + data[16:])
    with pytest.raises(ConfigError, match="snapshot: has format 3 where this version of zestor writes 2"):
        opened(tmp_path)

    body = b"\x92\x01\x05"  # what the first format began with: length, checksum, [format, revision]
    first = len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body
    (tmp_path / "snapshot").write_bytes(first)
    with pytest.raises(ConfigError, match="snapshot: was written by an earlier version of zestor"):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["journal", "snapshot"])
def test_a_file_that_is_missing_is_refused_by_name(name: str, tmp_path: Path) -> None:
    contents_after(tmp_path, 2)
    contents_after(tmp_path, 2)
    (tmp_path / name).unlink()

    with pytest.raises(ConfigError, match=rf"{name}: is damaged at byte 0: it is missing"):
        opened(tmp_path)


def test_an_older_snapshot_beside_a_newer_journal_is_refused(tmp_path: Path) -> None:
    contents_after(tmp_path, 2)
    opened(tmp_path)
    old = (tmp_path / "snapshot").read_bytes()
    contents_after(tmp_path, 3)
    opened(tmp_path)
    put(opened(tmp_path)[1], "x", 7)
    (tmp_path / "snapshot").write_bytes(old)

    with pytest.raises(ConfigError, match="snapshot: is damaged at byte 0: it is older than the journal"):
        opened(tmp_path)


DAMAGE = st.tuples(
    st.sampled_from(["journal", "snapshot"]),
    st.sampled_from(["flip", "cut", "zeros", "insert", "append"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 7),
)


@given(damage=DAMAGE)
@settings(max_examples=150, deadline=None)
def test_a4_damage_anywhere_loses_nothing_that_was_acknowledged_or_is_refused(
    damage: tuple[str, str, float, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    name, how, place, bit = damage
    folder = tmp_path_factory.mktemp("damaged")
    contents_after(folder, 2)
    before = contents_after(folder, 4)
    data = bytearray((folder / name).read_bytes())
    at = int(place * len(data))
    if how == "flip":
        data[at] ^= 1 << bit
    elif how == "cut":
        del data[at:]
    elif how == "zeros":
        data[at : at + 16] = bytes(len(data[at : at + 16]))
    elif how == "insert":
        data[at:at] = b"x"
    else:
        data += b"\0" * (bit + 1)
    changed = bytes(data) != (folder / name).read_bytes()
    (folder / name).write_bytes(bytes(data))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}

    refusal, found = "", before
    try:
        found = contents(opened(folder)[1])
    except ConfigError as error:
        refusal = str(error)

    if refusal:
        assert changed
        assert str(folder / name) in refusal
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    else:
        assert found == before
        assert not changed or (name, how) == ("journal", "append")


OPEN: list[FileJournal] = []


def opened(folder: Path) -> tuple[FileJournal, Storage]:
    """A storage kept in this folder; its former owner is taken for dead."""
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
    whole = (folder / "journal").read_bytes()
    put(storage, "last", 1)
    record = (folder / "journal").read_bytes()[len(whole) :]
    (folder / "journal").write_bytes(whole + record[:-torn])  # the process ended while it wrote
    _, storage = opened(folder)
    assert (contents(storage), storage.revision) == (before, revision)
    put(storage, "next", 2)
    _, storage = opened(folder)
    assert "default/next" in contents(storage)
