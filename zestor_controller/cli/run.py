"""``zestor run``: an operator against a cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from zestor_controller.cli.target import load_target
from zestor_controller.errors import ConfigError

__all__ = ["run"]


@click.command()
@click.argument("target")
@click.option("--kubeconfig", type=click.Path(dir_okay=False, path_type=Path), help="KUBECONFIG unless given.")
@click.option("--context", help="A context of the kubeconfig.")
@click.option("--namespace", help="Watch this namespace only.")
@click.option("--namespaces", help="Watch these namespaces only, separated by commas.")
@click.option("--workers", type=click.IntRange(min=1), help="How many objects each controller reconciles at once.")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Serve /metrics here.")
@click.option("--health-port", type=click.IntRange(0, 65535), help="Serve /healthz, /readyz and /statusz here.")
def run(
    target: str,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    namespaces: str | None,
    workers: int | None,
    metrics_port: int | None,
    health_port: int | None,
) -> None:
    """Run the operator TARGET against a cluster until SIGTERM."""
    manager = load_target(target).manager
    if manager is None:
        raise ConfigError(f"{target}: there is no Manager and no Controller in it")
    if namespace and namespaces:
        raise ConfigError("give --namespace or --namespaces, not both")
    if kubeconfig is not None:
        manager.kubeconfig = kubeconfig
    if context is not None:
        manager.context = context
    watched = [part.strip() for part in (namespaces or namespace or "").split(",") if part.strip()]
    if watched:
        manager.namespaces = watched
    if metrics_port is not None:
        manager.metrics_port = metrics_port
    if health_port is not None:
        manager.health_port = health_port
    if workers is not None:
        for controller in manager.controllers:
            controller.concurrency = workers
    sys.exit(manager.run())
