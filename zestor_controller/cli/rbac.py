"""``zestor rbac``: the rights that an operator needs, and whether a user has them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from zestor_controller.chart import chart_name
from zestor_controller.cli.options import watched_namespaces
from zestor_controller.cli.target import load_target
from zestor_controller.client import Client
from zestor_controller.crd import yaml_text
from zestor_controller.errors import ConfigError
from zestor_controller.manager import Manager, Rule, missing_rights, rules_for
from zestor_controller.manager.rights import LEASES

__all__ = ["rbac"]


@click.group()
def rbac() -> None:
    """The rights of an operator."""


@rbac.command()
@click.argument("target")
@click.option("--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def generate(target: str, output: str) -> None:
    """Print the rules that TARGET needs, as a ClusterRole and, for its lease, a Role."""
    manager = _manager(target)
    name = chart_name(manager)
    rules = rules_for(manager.controllers)
    documents = [
        _role("ClusterRole", name, (*rules.namespaced, *rules.cluster)),
        _role("Role", f"{name}-leader-election", (LEASES,)),
    ]
    if output == "json":
        click.echo(json.dumps(documents))
        return
    for document in documents:
        click.echo("---\n" + yaml_text(document), nl=False)


@rbac.command()
@click.argument("target")
@click.option("--kubeconfig", type=click.Path(dir_okay=False, path_type=Path), help="KUBECONFIG unless given.")
@click.option("--context", help="A context of the kubeconfig.")
@click.option("--namespace", help="Ask about this namespace only; about all unless given.")
@click.option("--as", "user", help="Ask for this user, such as system:serviceaccount:NAMESPACE:NAME.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def verify(
    target: str, kubeconfig: Path | None, context: str | None, namespace: str | None, user: str | None, output: str
) -> None:
    """Ask a cluster whether TARGET's rights are granted; exits 1 and names what is missing."""
    namespaces = watched_namespaces(namespace, None)
    rules = rules_for(_manager(target).controllers)

    async def review() -> list[str]:
        async with Client.connect(kubeconfig=kubeconfig, context=context) as client:
            return await missing_rights(client, rules, namespaces=namespaces, user=user)

    missing = asyncio.run(review())
    if output == "json":
        click.echo(json.dumps({"missing": missing}))
    who = user or "the present user"
    for right in missing:
        click.echo(f"{who} may not: {right}", err=True)
    if missing:
        sys.exit(1)
    click.echo(f"{who} has every right that {target} needs", err=True)


def _manager(target: str) -> Manager:
    manager = load_target(target).manager
    if manager is None:
        raise ConfigError(f"{target}: there is no Manager and no Controller in it; only an operator needs rights")
    return manager


def _role(kind: str, name: str, rules: tuple[Rule, ...]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "rules": [rule.document() for rule in rules],
    }
