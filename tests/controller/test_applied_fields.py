"""What ctx.apply and ctx.apply_status send: what was set, changed or owned, on the embedded server (R5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import pytest
from operating import virtual
from pydantic import BaseModel, Field

from zestor_controller import Client, Conditions, Context, Controller, CustomResource, Manager, Spec, Status
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import MemoryTransport
from zestor_controller.crd import crd_for
from zestor_controller.errors import ConfigError
from zestor_controller.objects import ListMap, set_condition


class Limits(BaseModel):
    cpu: int = 1
    memory: int = 512


class Port(BaseModel):
    name: str
    number: int = 80


class Git(BaseModel):
    kind: Literal["git"] = "git"
    url: str
    depth: int = 1


class PlantSpec(Spec):
    image: str = "a"
    replicas: int = 1
    limits: Limits = Limits()
    ports: Annotated[list[Port], ListMap("name")] = []
    labels: dict[str, str] = Field(default_factory=dict)
    source: Git | None = None
    note: str | None = None


class PlantStatus(Status):
    a: int = 0
    b: int = 0
    parts: Limits = Limits()
    conditions: Conditions = []
    labels: list[str] = []
    counts: dict[str, int] = {}


class Plant(CustomResource[PlantSpec, PlantStatus], group="demo.example.org", version="v1", plural="plants"):
    pass


TEXT = "demo.example.org/v1/Plant"


@asynccontextmanager
async def cluster() -> AsyncIterator[Client]:
    api = ApiServer(TokenAuthenticator({"t": ADMINISTRATOR}))
    async with Client(MemoryTransport(api, {"Authorization": "Bearer t"})) as client:
        await client.apply(crd_for(Plant))
        await asyncio.sleep(1)
        yield client


async def stored(client: Client) -> dict[str, Any]:
    return (await client.get(TEXT, "x")).to_dict()


async def applied(client: Client, manager: str, part: str = "spec") -> Any:
    """The fields that a manager has applied of a part, without the marks of fieldsV1."""

    def names(fields: dict[str, Any]) -> Any:
        found = {key.partition(":")[2]: names(inner) for key, inner in fields.items() if key != "."}
        return found or True

    for entry in (await stored(client))["metadata"]["managedFields"]:
        if entry["manager"] == manager and entry["operation"] == "Apply":
            return names(entry["fieldsV1"].get(f"f:{part}", {}))
    return None


@pytest.mark.parametrize(
    ("spec", "owned"),
    [
        ({"image": "a"}, {"image": True}),
        ({"limits": {"cpu": 4}}, {"limits": {"cpu": True}}),
        ({"limits": Limits(memory=3)}, {"limits": {"memory": True}}),
        ({"ports": [{"name": "web"}]}, {"ports": {'{"name":"web"}': {"name": True}}}),
        ({"source": {"url": "u"}}, {"source": {"kind": True, "url": True}}),
        ({"labels": {"a": "1"}, "note": None}, {"labels": {"a": True}}),
    ],
    ids=str,
)
@virtual
async def test_a_typed_apply_owns_the_fields_that_were_set_and_no_default(spec: Any, owned: Any) -> None:
    async with cluster() as client:
        await client.apply(Plant(metadata={"name": "x"}, spec=spec), field_manager="me")
        assert await applied(client, "me") == owned


@virtual
async def test_what_was_set_after_the_object_was_made_is_sent_at_every_depth() -> None:
    plant = Plant(metadata={"name": "x"})
    plant.spec.limits.cpu = 4
    plant.spec.ports.append(Port(name="web", number=81))
    plant.spec.labels["a"] = "1"
    async with cluster() as client:
        await client.apply(plant, field_manager="me")
        ports = {'{"name":"web"}': {"name": True, "number": True}}
        assert await applied(client, "me") == {"limits": {"cpu": True}, "ports": ports, "labels": {"a": True}}


@virtual
async def test_create_and_replace_send_an_object_with_its_defaults() -> None:
    async with cluster() as client:
        await client.create(Plant(metadata={"name": "x"}, spec={"image": "b"}))
        assert (await stored(client))["spec"]["replicas"] == 1
        plant = await client.get(Plant, "x")
        plant.spec.replicas = 3
        await client.replace(plant)
        assert (await stored(client))["spec"]["limits"] == {"cpu": 1, "memory": 512}


@virtual
async def test_two_status_writers_keep_each_others_fields_and_conditions() -> None:
    async with cluster() as client:
        await client.create(Plant(metadata={"name": "x"}))
        one, two = await client.get(Plant, "x"), await client.get(Plant, "x")

        one.status.a = 7
        one.status.parts.cpu = 2
        one.status.counts["one"] = 1
        set_condition(one.status.conditions, "Watered", True, "Rain")
        await client.apply_status(one, field_manager="one")
        two.status.b = 9
        two.status.parts.memory = 3
        two.status.counts["two"] = 2
        set_condition(two.status.conditions, "Planted", False, "NoSoil", "there is none")
        await client.apply_status(two, field_manager="two")

        for _ in range(2):  # each reads what both have written, and changes its own alone
            one, two = await client.get(Plant, "x"), await client.get(Plant, "x")
            one.status.a += 1
            set_condition(one.status.conditions, "Watered", False, "Drought")
            two.status.b += 1
            set_condition(two.status.conditions, "Planted", True, "Soil")
            await client.apply_status(one, field_manager="one")
            await client.apply_status(two, field_manager="two")
        status = (await stored(client))["status"]
        assert (status["a"], status["b"]) == (9, 11)
        assert status["parts"] == {"cpu": 2, "memory": 3}
        assert status["counts"] == {"one": 1, "two": 2}
        reasons = {condition["type"]: condition["reason"] for condition in status["conditions"]}
        assert reasons == {"Watered": "Drought", "Planted": "Soil"}
        assert sorted(await applied(client, "one", "status")) == ["a", "conditions", "counts", "parts"]
        assert list((await applied(client, "two", "status"))["conditions"]) == ['{"type":"Planted"}']


@virtual
async def test_unstructured_statuses_are_sent_by_the_same_rule() -> None:
    async with cluster() as client:
        await client.create(Plant(metadata={"name": "x"}))
        one, two = await client.get(TEXT, "x"), await client.get(TEXT, "x")
        ready = {"status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        one["status"] = {"a": 7, "conditions": [{"type": "One", **ready}], "labels": ["x"]}
        two["status"] = {"b": 9, "conditions": [{"type": "Two", **ready}]}
        await client.apply_status(one, field_manager="one")
        await client.apply_status(two, field_manager="two")
        again = await client.get(TEXT, "x")
        again["status"]["conditions"][0]["reason"] = "Changed"
        again["status"]["a"] = 8
        await client.apply_status(again, field_manager="one")
        assert sorted(await applied(client, "one", "status")) == ["a", "conditions", "labels"]
        assert list((await applied(client, "two", "status"))["conditions"]) == ['{"type":"Two"}']
        status = (await stored(client))["status"]
        assert (status["a"], status["b"], status["labels"]) == (8, 9, ["x"])


@virtual
async def test_a_field_that_is_owned_is_sent_unchanged_given_up_by_none_and_set_back_in_one_run() -> None:
    async with cluster() as client:
        await client.create(Plant(metadata={"name": "x"}))
        plant = await client.get(Plant, "x")
        plant.status.a, plant.status.labels = 7, ["one", "two"]
        await client.apply_status(plant, field_manager="me")

        plant = await client.get(Plant, "x")
        await client.apply_status(plant, field_manager="me")  # nothing is changed: nothing is given up
        assert await applied(client, "me", "status") == {"a": True, "labels": True}

        plant.status.a = 8
        await client.apply_status(plant, field_manager="me")
        plant.status.a = 7  # as it was read
        plant.status.labels = None  # type: ignore[assignment]
        await client.apply_status(plant, field_manager="me")
        assert await applied(client, "me", "status") == {"a": True}
        status = (await stored(client))["status"]
        assert (status["a"], status["labels"]) == (7, [])

        plant.status.b = 5
        await client.apply_status(plant, field_manager="me")
        plant.status.b = 0  # as it was read, and this manager's since
        await client.apply_status(plant, field_manager="me")
        assert await applied(client, "me", "status") == {"a": True, "b": True}

        other = await client.get(Plant, "x")
        other.status.parts.memory = 3  # beside a default of the server, which no manager owns
        await client.apply_status(other, field_manager="other")
        assert await applied(client, "other", "status") == {"parts": {"memory": True}}


@virtual
async def test_a_status_of_which_nothing_was_changed_and_nothing_is_owned_sends_nothing() -> None:
    async with cluster() as client:
        await client.create(Plant(metadata={"name": "x"}))
        plant = await client.get(Plant, "x")
        plant.status.a = 7
        await client.apply_status(plant, field_manager="one")
        before = await stored(client)
        read = await client.get(Plant, "x")
        assert await client.apply_status(read, field_manager="two") == read
        assert await stored(client) == before
        with pytest.raises(ConfigError, match="there is no status to apply"):
            await client.apply_status(Plant(metadata={"name": "x"}), field_manager="two")


@virtual
async def test_ctx_apply_of_an_object_that_was_read_sends_what_was_changed_and_what_the_controller_owns() -> None:
    async with cluster() as client:
        plants = Controller(Plant, name="me").owns("v1/ConfigMap")
        done: list[str] = []

        @plants.reconciler
        async def reconcile(plant: Plant, ctx: Context) -> None:
            if done:
                return
            child = await ctx.client.get("v1/ConfigMap", "c", namespace="default")
            child["data"]["mine"] = "1"
            await ctx.apply(child)
            child["data"] |= {"mine": "2", "theirs": "9"}
            await ctx.apply(child)
            child["data"]["theirs"] = "1"  # as it was read, and this controller's since
            await ctx.apply(child)
            plant.metadata.labels = {"seen": "yes"}
            await ctx.apply(plant)  # the reconciled object itself
            done.append(plant.metadata.name)

        await client.create("v1/ConfigMap", {"metadata": {"name": "c"}, "data": {"theirs": "1", "other": "1"}})
        stop = asyncio.Event()
        serving = asyncio.create_task(Manager(plants).serve(stop, client=client))
        await client.create(Plant(metadata={"name": "x"}, spec={"image": "b"}))
        async with asyncio.timeout(30):
            while not done:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        stop.set()
        await serving

        child = await client.get("v1/ConfigMap", "c")
        entries = {entry["manager"]: entry for entry in child.metadata.managed_fields or ()}
        assert entries["me"]["fieldsV1"]["f:data"] == {"f:mine": {}, "f:theirs": {}}
        assert child["data"] == {"theirs": "1", "other": "1", "mine": "2"}
        assert [reference.name for reference in child.metadata.owner_references or ()] == ["x"]
        plant = await client.get(Plant, "x")
        assert plant.metadata.labels == {"seen": "yes"}
        assert plant.metadata.owner_references is None
        assert await applied(client, "me") is True  # nothing of the spec


@virtual
async def test_a_copy_of_a_read_object_under_another_name_is_sent_as_it_is() -> None:
    async with cluster() as client:
        await client.create(Plant(metadata={"name": "x"}, spec={"image": "b", "replicas": 4}))
        copy = await client.get(Plant, "x")
        copy.metadata.name, copy.metadata.uid, copy.metadata.resource_version = "y", None, None
        await client.apply(copy, field_manager="me")
        made = await client.get(Plant, "y")
        assert (made.spec.image, made.spec.replicas) == ("b", 4)
