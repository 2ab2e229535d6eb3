"""``zestor run``: an operator against a cluster."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from zestor_controller.cli.options import DURATION, watched_namespaces
from zestor_controller.cli.target import find_target, load_target
from zestor_controller.client.environment import cluster_environment
from zestor_controller.errors import ConfigError
from zestor_controller.manager import LeaderElection, Manager
from zestor_controller.manager.health import default_host

__all__ = ["LeaseOptions", "RunOptions", "run"]


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
def run(target: str, **given: Any) -> None:
    """Run the operator TARGET against a cluster until SIGTERM."""
    lease = LeaseOptions(**{field.name: given.pop(field.name) for field in fields(LeaseOptions)})
    options = RunOptions(lease=lease, **given)
    watched = watched_namespaces(options.namespace, options.namespaces)
    if lease.lease_name and not lease.leader_elect:
        raise ConfigError("--lease-name has a meaning with --leader-elect only; give both")
    host = default_host()  # before the environment of a pod is hidden from the operator
    with ExitStack() as stack:
        manager = _loaded(stack, target, options.kubeconfig, options.context)
        manager.host = manager.host or host
        if watched:
            manager.namespaces = watched
        _configure(manager, options)
        code = manager.run()
    sys.exit(code)


@dataclass(frozen=True, slots=True)
class LeaseOptions:
    """The options of ``zestor run`` for the leader election."""

    leader_elect: bool
    lease_name: str | None
    lease_namespace: str | None
    lease_duration: timedelta
    renew_deadline: timedelta
    retry_period: timedelta

    def election(self, manager: Manager) -> LeaderElection:
        """The election that they describe, of a manager's replicas."""
        return LeaderElection(
            self.lease_name or f"{manager.controllers[0].name}-leader",
            namespace=self.lease_namespace,
            lease_duration=self.lease_duration,
            renew_deadline=self.renew_deadline,
            retry_period=self.retry_period,
        )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of ``zestor run``; None leaves what the operator's code says."""

    kubeconfig: Path | None
    context: str | None
    namespace: str | None
    namespaces: str | None
    workers: int | None
    metrics_port: int | None
    health_port: int | None
    checkpoint: Path | None
    lease: LeaseOptions


def _configure(manager: Manager, options: RunOptions) -> None:
    """Set what the command line says over what the operator's code says."""
    if options.metrics_port is not None:
        manager.metrics_port = options.metrics_port
    if options.health_port is not None:
        manager.health_port = options.health_port
    if options.workers is not None:
        for controller in manager.controllers:
            controller.concurrency = options.workers
    if options.checkpoint is not None:
        manager.checkpoints = options.checkpoint
    if options.lease.leader_elect:
        manager.leader_election = options.lease.election(manager)


def _loaded(stack: ExitStack, target: str, kubeconfig: Path | None, context: str | None) -> Manager:
    """The operator's manager, imported while the environment names the cluster that it is going to run against."""
    place = find_target(target)
    given = kubeconfig is not None or context is not None
    used = None
    try:
        used = stack.enter_context(cluster_environment(kubeconfig, context))
    except ConfigError:
        if given:
            raise  # else the operator's own code may name a cluster; if it does not, connecting fails with this error
    manager = load_target(place).manager
    if manager is None:
        raise ConfigError(f"{target}: there is no Manager and no Controller in it")
    if given:
        # The original, not the private copy of it: a token that a login writes there is seen.
        single = used is not None and len(used.paths) == 1
        manager.kubeconfig = used.paths[0] if used is not None and single else kubeconfig
        manager.context = context if single or kubeconfig is not None else None
    elif manager.kubeconfig is not None or manager.context is not None:
        stack.enter_context(cluster_environment(manager.kubeconfig, manager.context))
    return manager
