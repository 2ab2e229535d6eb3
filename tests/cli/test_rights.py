"""``zestor dev --rbac`` and ``zestor rbac``: an operator does what its generated rights allow, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from zestor_controller.testing.processes import zestor

OPERATOR = """
from datetime import timedelta
import asyncio, os, kubernetes
from zestor_controller import *
from zestor_controller import Client
from zestor_controller.objects import MergePatch, set_condition

class S(Spec):
    size: int = 1

class St(Status):
    conditions: Conditions = []

class Web(CustomResource[S, St], group="rights.example.org", version="v1", plural="webs"):
    "a web"

def secret(client):
    kubernetes.config.load_config()
    return kubernetes.client.CoreV1Api().list_secret_for_all_namespaces()

webs = Controller(Web, RULES).owns("v1/ConfigMap")

@webs.finalizer("rights.example.org/cleanup")
async def cleanup(web, ctx): ...

@webs.reconciler
async def reconcile(web, ctx):
    await ctx.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "child"}, "data": {"a": "b"}})
    await ctx.client.patch(Web, web.metadata.name, MergePatch({"metadata": {"labels": {"seen": "yes"}}}))
    ctx.event("Seen", "it was seen")
    async with Client.connect() as client:
        await client.list("v1/Node")
    await asyncio.to_thread(secret, ctx)
    set_condition(web.status.conditions, "Ready", True, "Done", "done")
    await ctx.apply_status(web)
"""
WEB = "apiVersion: rights.example.org/v1\nkind: Web\nmetadata: {name: a, namespace: default}\nspec: {size: 2}\n"
DECLARED = """rules=[
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
]"""


def operate(folder: Path, rules: str, *options: str, code: int) -> list[dict[str, object]]:
    (folder / "main.py").write_text(OPERATOR.replace("RULES", rules))
    (folder / "web.yaml").write_text(WEB)
    command = ["dev", ".", "--apply", "web.yaml", "--exit-when", "Ready", "--output", "json", *options]
    done = zestor(*command, cwd=folder)
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_operator_reconciles_under_exactly_its_generated_and_declared_rights(tmp_path: Path) -> None:
    lines = operate(tmp_path, DECLARED, "--rbac", code=0)
    assert any("system:serviceaccount:default:zestor-dev-operator" in str(line.get("message")) for line in lines)


def test_without_a_declaration_the_same_operator_is_forbidden_by_name(tmp_path: Path) -> None:
    lines = operate(tmp_path, "", "--rbac", "--timeout", "4s", code=1)
    errors = {str(line["error"]) for line in lines if line.get("event") == "reconcile" and "error" in line}
    assert any("nodes is forbidden" in error and "zestor-dev-operator" in error for error in errors), errors


def test_a_declared_rule_is_printed_and_charted(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(OPERATOR.replace("RULES", DECLARED))
    role, lease = yaml.safe_load_all(zestor("rbac", "generate", ".", cwd=tmp_path).stdout)
    assert {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]} in role["rules"]
    assert lease["rules"][0]["resources"] == ["leases"]
    done = zestor("chart", "init", ".", "--out", "chart", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    manager = (tmp_path / "chart" / "templates" / "rbac" / "manager.yaml").read_text()
    cluster_rules = manager.partition('.clusterRules" -}}')[2].partition("{{- end }}")[0]
    assert "- nodes" in cluster_rules
    assert "- secrets" not in cluster_rules
