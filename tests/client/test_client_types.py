"""What an editor infers from the verbs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SNIPPET = """
from typing import Annotated, assert_type
from pydantic import Field
from zestor_controller.client import Client, ObjectList, ServerWatch
from zestor_controller.objects import Conditions, CustomResource, Kind, Spec, Status, Unstructured, kind_of

class SiteSpec(Spec):
    image: str = "nginx"
    replicas: Annotated[int, Field(ge=0)] = 1

class SiteStatus(Status):
    ready_replicas: int = 0
    conditions: Conditions = []

class Site(CustomResource[SiteSpec, SiteStatus], group="g.example.org", version="v1", plural="sites"):
    pass

async def use(client: Client) -> None:
    site = await client.get(Site, "a")
    assert_type(site, Site)
    assert_type(site.spec.image, str)
    assert_type(site.status.ready_replicas, int)
    assert_type(await client.get("v1/Pod", "a"), Unstructured)
    assert_type(await client.list(Site), ObjectList[Site])
    assert_type(await client.apply(Site, site), Site)
    assert_type(await client.apply(site), Site)
    assert_type(await client.apply("v1/Pod", {}), Unstructured)
    assert_type(await client.apply({"apiVersion": "v1"}), Unstructured)
    assert_type(await client.apply_status(site), Site)
    assert_type(await client.apply_status(Site, site), Site)
    assert_type(await client.create(Site, site), Site)
    assert_type(await client.create(site), Site)
    assert_type(await client.create("v1/Pod", {}), Unstructured)
    assert_type(await client.replace(Site, site), Site)
    assert_type(await client.replace(site), Site)
    assert_type(await client.wait_for(Site, "a", "Ready"), Site)
    assert_type(await client.wait_for(Site, "a", lambda s: s and s.status.ready_replicas == 1), Site)
    assert_type(client.watch(Site), ServerWatch[Site])
    async for event in client.watch(Site):
        assert_type(event.object, Site)
    kind: Kind[Site] = kind_of(Site)
    text: Kind[Unstructured] = kind_of("apps/v1/Deployment")
    wrong: int = (await client.get(Site, "a")).spec.image
"""


def test_an_editor_infers_what_each_verb_returns(tmp_path: Path) -> None:
    """Exactly one error, in the line that is wrong; `assert_type` checks the others."""
    module = tmp_path / "use.py"
    module.write_text(SNIPPET)

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", f"--cache-dir={tmp_path}", str(module)],
        capture_output=True,
        text=True,
        check=False,
    )

    lines = [line for line in done.stdout.splitlines() if "error:" in line]
    assert len(lines) == 1, done.stdout + done.stderr
    assert '"str"' in lines[0]
