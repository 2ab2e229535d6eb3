"""The how-to page's controller does what the page says."""

from __future__ import annotations

import asyncio
import re
import sys
import types
from pathlib import Path

from operating import virtual

from zestor_controller import Client
from zestor_controller.apiserver import ApiServer
from zestor_controller.apiserver.auth.authentication import ADMINISTRATOR, TokenAuthenticator
from zestor_controller.client import MemoryTransport
from zestor_controller.crd import crd_for

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "write-a-controller.md").read_text()
CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"


@virtual
async def test_the_controller_of_the_page_copies_and_cleans_up() -> None:
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    page = types.ModuleType("howto_controller")
    sys.modules[page.__name__] = page
    exec(compile(block[1], "write-a-controller.md", "exec"), page.__dict__)

    tokens = TokenAuthenticator({"token": ADMINISTRATOR})
    stop = asyncio.Event()
    async with Client(MemoryTransport(ApiServer(tokens), {"Authorization": "Bearer token"})) as client:
        await client.create(CRD, crd_for(page.Greeting))
        await client.wait_for(CRD, "greetings.docs.example.org", until="Established")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(page.manager.serve(stop, client=client))
            await client.create(page.Greeting(metadata={"name": "a"}, spec={"text": "good morning"}))
            await client.wait_for(page.Greeting, "a", until=lambda obj: obj is not None and obj.status.copied)
            assert (await client.get("v1/ConfigMap", "a"))["data"] == {"text": "good morning"}
            await client.delete(page.Greeting, "a")
            await client.wait_for(page.Greeting, "a", until=lambda obj: obj is None)
            stop.set()
