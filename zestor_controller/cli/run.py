"""``zestor run``: an operator against a cluster."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import click

from zestor_controller.cli.options import DURATION
from zestor_controller.cli.target import load_target
from zestor_controller.errors import ConfigError
from zestor_controller.manager import LeaderElection

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
@click.option(
    "--checkpoint",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep what the caches hold in this folder: a restart resumes the watches and lists nothing.",
)
@click.option("--leader-elect", is_flag=True, help="Work only while this replica has the lease.")
@click.option("--lease-name", help="The Lease; named after the first controller unless given.")
@click.option("--lease-namespace", help="Its namespace; POD_NAMESPACE or the context's own unless given.")
@click.option("--lease-duration", type=DURATION, default="15s", show_default=True, help="How long others respect it.")
@click.option("--renew-deadline", type=DURATION, default="10s", show_default=True, help="When a leader gives up.")
@click.option("--retry-period", type=DURATION, default="2s", show_default=True, help="The time between two renewals.")
def run(
    target: str,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    namespaces: str | None,
    workers: int | None,
    metrics_port: int | None,
    health_port: int | None,
    checkpoint: Path | None,
    leader_elect: bool,
    lease_name: str | None,
    lease_namespace: str | None,
    lease_duration: timedelta,
    renew_deadline: timedelta,
    retry_period: timedelta,
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
    if checkpoint is not None:
        manager.checkpoints = checkpoint
    if lease_name and not leader_elect:
        raise ConfigError("--lease-name has a meaning with --leader-elect only; give both")
    if leader_elect:
        manager.leader_election = LeaderElection(
            lease_name or f"{manager.controllers[0].name}-leader",
            namespace=lease_namespace,
            lease_duration=lease_duration,
            renew_deadline=renew_deadline,
            retry_period=retry_period,
        )
    sys.exit(manager.run())
