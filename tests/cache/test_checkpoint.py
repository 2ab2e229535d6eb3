"""Checkpoints: a restart resumes the watches, lists nothing, and misses nothing."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.cache import ClusterCache
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.http import HttpRequest, HttpResponse
from zestor_controller.testing.backup import Backup
from zestor_controller.testing.clock import run_virtual

KIND = "v1/ConfigMap"


class Server:
    """The embedded server, counting what is asked of ConfigMaps and Secrets."""

    def __init__(self):
        self.api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))
        self.asked = Counter()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if request.method == "GET" and request.path.endswith(("/configmaps", "/secrets")):
            query = dict(request.query)
            verb = "watch" if query.get("watch") else "version" if query.get("limit") == "1" else "list"
            self.asked[verb, request.path.rpartition("/")[2]] += 1
        return await self.api.handle(request)

    def client(self):
        return Client(MemoryTransport(self, {"Authorization": "Bearer t"}))


def files(folder):
    return sorted(folder.iterdir())


def body(name, **data):
    return {"metadata": {"name": name}, "data": data}


async def cached(server, folder, kind=KIND, **options):
    """The names and data of one life of a cache, and what it asked for."""
    server.asked.clear()
    async with ClusterCache(server.client(), checkpoints=folder) as cache:
        lister = await cache.add(kind, **options)
        at_once = [m.name for m in lister.metadata()]
        await asyncio.sleep(1)
        found = {m.name: lister.get(m.name, m.namespace)["data"] for m in lister.metadata()}
        assert set(at_once) == set(found)  # what was served first was no older
        return found, dict(server.asked)


@pytest.mark.parametrize("namespaces", [None, ["default", "kube-public"]])
def test_a_restart_lists_nothing_and_knows_what_changed_meanwhile(tmp_path: Path, namespaces):
    async def main():
        server = Server()
        client = server.client()
        for name in ("stays", "changes", "goes"):
            await client.create(KIND, body(name, a="1"), namespace="default")
        first, asked = await cached(server, tmp_path, namespaces=namespaces)
        assert set(first) == {"stays", "changes", "goes"}
        assert asked["list", "configmaps"] == len(namespaces or [None])
        changed = {**body("changes", a="2")}
        await client.apply(KIND, changed, namespace="default")
        await client.delete(KIND, "goes", namespace="default")
        await client.create(KIND, body("comes", a="3"), namespace="default")
        second, asked = await cached(server, tmp_path, namespaces=namespaces)
        assert second == {"stays": {"a": "1"}, "changes": {"a": "2"}, "comes": {"a": "3"}}
        assert ("list", "configmaps") not in asked
        assert all(path.stat().st_mode & 0o77 == 0 for path in files(tmp_path))

    run_virtual(main())


def test_a_checkpoint_whose_history_is_gone_is_a_list_again(tmp_path: Path):
    async def main():
        server = Server()
        client = server.client()
        await client.create(KIND, body("goes", a="0"), namespace="default")
        await cached(server, tmp_path)
        await client.delete(KIND, "goes", namespace="default")
        await client.create(KIND, body("comes", a="1"), namespace="default")
        server.api.compact()
        found, asked = await cached(server, tmp_path)
        assert found == {"comes": {"a": "1"}}
        assert asked["list", "configmaps"] == 1

    run_virtual(main())


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_is_delivered_and_not_used(tmp_path: Path, damage, caplog):
    async def main():
        server = Server()
        await server.client().create(KIND, body("a", b="1"), namespace="default")
        await cached(server, tmp_path)
        (file,) = files(tmp_path)
        data = file.read_bytes()
        flipped = data[:20] + bytes([data[20] ^ 1]) + data[21:]
        file.write_bytes({"cut": data[:-5], "flipped": flipped, "empty": b""}[damage])
        found, asked = await cached(server, tmp_path)
        assert found == {"a": {"b": "1"}}
        assert asked["list", "configmaps"] == 1
        assert "is not used" in caplog.text

    run_virtual(main())


def test_another_server_another_selection_and_secrets_begin_with_a_list(tmp_path: Path):
    async def main():
        one, other = Server(), Server()
        await one.client().create(KIND, body("here", a="1"), namespace="default")
        await other.client().create(KIND, body("there", a="1"), namespace="default")
        await cached(one, tmp_path)
        assert set((await cached(other, tmp_path))[0]) == {"there"}
        found, asked = await cached(one, tmp_path, labels="a=b")
        assert (found, asked["list", "configmaps"]) == ({}, 1)
        before = len(files(tmp_path))
        await one.client().create(
            "v1/Secret", {"metadata": {"name": "s"}, "stringData": {"a": "b"}}, namespace="default"
        )
        for _ in range(2):
            _, asked = await cached(one, tmp_path, "v1/Secret")
            assert asked["list", "secrets"] == 1
        assert len(files(tmp_path)) == before

    run_virtual(main())


def test_a_checkpoint_is_written_while_it_runs_for_a_process_that_is_killed(tmp_path: Path):
    async def main():
        server = Server()
        await server.client().create(KIND, body("a", b="1"), namespace="default")
        async with ClusterCache(server.client(), checkpoints=tmp_path) as cache:
            await cache.add(KIND)
            await asyncio.sleep(61)
            (file,) = files(tmp_path)
            written = file.stat().st_ino
            await asyncio.sleep(300)
            assert file.stat().st_ino == written  # nothing has changed, so nothing is written
            await server.client().create(KIND, body("b", b="1"), namespace="default")
            await asyncio.sleep(61)
            assert file.stat().st_ino != written

    run_virtual(main())


def test_a_checkpoint_of_before_a_restore_is_not_there_any_more_once_the_restore_is_noticed(tmp_path: Path):
    """Its version may come again in the server's new history, and then nothing could show that it is of the old one."""

    async def main():
        server = Server()
        client = server.client()
        await client.create(KIND, body("kept", a="1"), namespace="default")
        backup = Backup.of(server.api)
        await client.create(KIND, body("lost", a="1"), namespace="default")
        await cached(server, tmp_path)
        assert len(files(tmp_path)) == 1
        async with ClusterCache(server.client(), checkpoints=tmp_path) as cache:
            lister = await cache.add(KIND)
            assert lister.get("lost", "default") is not None
            for table in server.api.storage.tables():
                table.close()
            authenticator = TokenAuthenticator({"t": ADMINISTRATOR})
            server.api = backup.restore(authenticator, rng=random.Random(1), wall=lambda: 0.0)
            await asyncio.sleep(600)
            assert lister.status.restores == 1
            assert files(tmp_path) == []
        for number in range(5):  # the server passes the old checkpoint's version
            await client.create(KIND, body(f"new{number}", a="1"), namespace="default")
        found, _ = await cached(server, tmp_path)
        assert set(found) == {"kept", *(f"new{number}" for number in range(5))}

    run_virtual(main())
