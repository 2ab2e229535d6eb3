"""A backup of an embedded server, and the server that starts from it: as etcd's snapshots, plain or bumped."""

from __future__ import annotations

import random
from typing import Any

import pytest

from zestor_controller import Client
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import MemoryTransport
from zestor_controller.errors import Gone, NotFound
from zestor_controller.testing.backup import Backup

MAP = "v1/ConfigMap"
TOKENS = {"t": ADMINISTRATOR}


def client_of(server: ApiServer) -> Client:
    return Client(MemoryTransport(server, {"Authorization": "Bearer t"}))


def restored(backup: Backup, bump: int = 0) -> ApiServer:
    return backup.restore(TokenAuthenticator(TOKENS), bump=bump, rng=random.Random(1), wall=lambda: 1_800_000_000.0)


async def with_objects() -> tuple[ApiServer, dict[str, Any]]:
    server = ApiServer(TokenAuthenticator(TOKENS))
    client = client_of(server)
    made = {name: await client.create(MAP, {"metadata": {"name": name}, "data": {"k": name}}) for name in "abc"}
    await client.delete(MAP, "b")
    del made["b"]
    return server, made


def maps(listed: Any) -> dict[str, Any]:
    return {obj.metadata.name: obj for obj in listed if obj.metadata.name != "kube-root-ca.crt"}


@pytest.mark.parametrize("bump", [0, 1_000_000])
async def test_a_restored_server_has_the_objects_as_they_were(bump: int) -> None:
    server, made = await with_objects()
    backup = Backup.of(server)
    after = client_of(server)
    await after.create(MAP, {"metadata": {"name": "later"}})
    await after.delete(MAP, "a")

    client = client_of(restored(backup, bump))

    listed = await client.list(MAP)
    assert maps(listed) == made  # their uids and versions included
    assert int(listed.resource_version) >= backup.revision + bump
    assert int(listed.resource_version) < backup.revision + bump + 50
    with pytest.raises(NotFound):
        await client.get(MAP, "later")


async def test_it_counts_on_from_the_backup_and_writes_go_on() -> None:
    server, _ = await with_objects()
    client = client_of(restored(Backup.of(server), 500))
    revision = int((await client.list(MAP)).resource_version)

    made = await client.create(MAP, {"metadata": {"name": "new"}})

    assert int(made.metadata.resource_version) == revision + 1
    changed = await client.get(MAP, "a")
    changed["data"] = {"k": "changed"}
    assert int((await client.replace(changed)).metadata.resource_version) == revision + 2


async def test_its_history_before_the_backup_is_gone() -> None:
    server, made = await with_objects()
    client = client_of(restored(Backup.of(server), 10_000))

    with pytest.raises(Gone):
        async for _ in client.watch(MAP, resource_version=made["a"].metadata.resource_version):
            pass


async def test_a_backup_is_not_changed_by_what_follows_it() -> None:
    server, made = await with_objects()
    backup = Backup.of(server)
    first = client_of(restored(backup))
    await first.delete(MAP, "a")

    assert maps(await client_of(restored(backup)).list(MAP)) == made
