"""``zestor apiserver``: the embedded server as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import click

from zestor_controller.apiserver import AuditLog
from zestor_controller.apiserver.server.secureserver import SecureServer, SecureServerOptions
from zestor_controller.cli.apply import apply_manifests
from zestor_controller.cli.manifests import Manifest, read_manifests
from zestor_controller.cli.options import check_overwritable
from zestor_controller.client import Client, MemoryTransport
from zestor_controller.cluster import Housekeeping
from zestor_controller.errors import TransportError

__all__ = ["apiserver"]


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    default=".zestor/kubeconfig",
    show_default=True,
    help="Where to write the administrator's kubeconfig, mode 0600, before it serves.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help='Further users: CSV of token,user,uid,"group1,group2".',
)
@click.option("--rbac", is_flag=True, help="Check rights, and let requests without a token be system:anonymous.")
@click.option(
    "--audit-log", type=click.Path(dir_okay=False, path_type=Path), help="Write a JSON line for each request."
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep objects, tokens and certificates in this folder.",
)
@click.option("--controllers", type=click.Choice(["none", "all"]), default="none", show_default=True)
@click.option("--crds", multiple=True, metavar="PATH", help="Apply CRDs of a file or folder before it is ready.")
@click.option("--apply", "applied", multiple=True, metavar="FILE", help="Apply objects of a file, a folder or -.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def apiserver(
    port: int,
    bind: str,
    kubeconfig: Path,
    token_file: Path | None,
    rbac: bool,
    audit_log: Path | None,
    data: Path | None,
    controllers: str,
    crds: tuple[str, ...],
    applied: tuple[str, ...],
    output: str,
) -> None:
    """Run an embedded API server until SIGTERM; prints `ready URL` once it serves."""
    check_overwritable(kubeconfig)
    settings = SecureServerOptions(
        bind=bind,
        port=port,
        kubeconfig=kubeconfig,
        rbac=rbac,
        token_file=token_file,
        audit=AuditLog(audit_log),
        data=data,
    )
    asyncio.run(_serve(settings, controllers, read_manifests(crds), read_manifests(applied), output))


async def _serve(
    settings: SecureServerOptions, controllers: str, crds: list[Manifest], objects: list[Manifest], output: str
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with SecureServer(settings) as served, asyncio.TaskGroup() as tasks:
            if controllers == "all":
                housekeeping = Housekeeping(served.api, served.internal_token, served.ca)
                tasks.create_task(housekeeping.run(stop), name="housekeeping")
            headers = {"Authorization": f"Bearer {served.internal_token}", "User-Agent": "zestor-apiserver"}
            client = Client(MemoryTransport(served.api, headers))
            try:
                await apply_manifests(client, [*crds, *objects])
                told = {"ready": served.url, "kubeconfig": str(settings.kubeconfig)}
                click.echo(json.dumps(told) if output == "json" else f"ready {served.url}")
                await stop.wait()
            finally:
                stop.set()
    except OSError as error:
        where = f"{settings.bind}:{settings.port}"
        raise TransportError(f"cannot listen on {where}: {error.strerror or error}; choose another --port") from error
