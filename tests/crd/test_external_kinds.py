"""A class that is external (M3): its chart and its development cluster know the kind, and have no CRD of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zestor_controller import Controller, CustomResource, Manager, Spec, Status
from zestor_controller.chart import render
from zestor_controller.testing.processes import zestor


class Web(CustomResource[Spec, Status], group="own.example.org", version="v1", plural="webs"):
    """A class of the operator's own."""


class Certificate(
    CustomResource[Spec, Status], group="others.example.org", version="v1", plural="certificates", external=True
):
    """A class of another operator's kind."""


def charted(*kinds: type[CustomResource[Any, Any]]) -> dict[str, str]:
    controllers = [Controller(kind) for kind in kinds]
    for controller in controllers:
        controller.reconciler(lambda obj, ctx: None)
    return render(Manager(*controllers))


def test_m3_an_external_class_is_not_charted() -> None:
    files = charted(Web, Certificate)

    crds = [path for path in files if path.startswith("templates/crds/")]
    assert crds == ["templates/crds/webs.own.example.org.yaml"]
    people = files["templates/rbac/viewer.yaml"] + files["templates/rbac/editor.yaml"]
    assert "webs" in people
    assert "certificates" not in people


def test_an_operator_of_external_kinds_only_still_has_the_rights_to_reconcile_them() -> None:
    files = charted(Certificate)

    assert [path for path in files if path.startswith("templates/crds/")] == []
    assert "templates/rbac/viewer.yaml" not in files
    assert "certificates" in files["templates/rbac/manager.yaml"]
    assert "others.example.org" in files["templates/rbac/manager.yaml"]


OPERATOR = """
import json
from zestor_controller import *
from zestor_controller.objects import set_condition

class WebStatus(Status):
    conditions: Conditions = []

class Web(CustomResource[Spec, WebStatus], group="own.example.org", version="v1", plural="webs"):
    "a class of its own"

class Certificate(
    CustomResource[Spec, Status], group="others.example.org", version="v1", plural="certificates", external=True
):
    "a class of another operator's"

webs = Controller(Web)

@webs.reconciler
async def reconcile(web, ctx):
    found = await ctx.client.list("apiextensions.k8s.io/v1/CustomResourceDefinition")
    with open("found.json", "w") as file:
        json.dump([crd.metadata.name for crd in found], file)
    set_condition(web.status.conditions, "Ready", True, "Done", "done")
    await ctx.apply_status(web)
"""
WEB = "apiVersion: own.example.org/v1\nkind: Web\nmetadata: {name: a}\nspec: {}\n"


def test_m3_an_external_class_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(OPERATOR)
    (tmp_path / "web.yaml").write_text(WEB)

    done = zestor("dev", ".", "--apply", "web.yaml", "--exit-when", "Ready", "--output", "json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "found.json").read_text()) == ["webs.own.example.org"]
