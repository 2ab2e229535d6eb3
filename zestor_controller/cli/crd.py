"""``zestor crd``: CRDs from models, and the check that finds drift."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from zestor_controller.cli.target import load_target
from zestor_controller.crd import check_crds, own_models, render_crd, write_crds

__all__ = ["crd"]


@click.group()
def crd() -> None:
    """Custom resource definitions."""


@crd.command()
@click.argument("target", default=".")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="crds", help="The folder to write to.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file is missing or differs.")
@click.option("--output", type=click.Choice(["text", "json", "yaml"]), default="text", help="yaml prints the CRDs.")
def generate(target: str, out: Path, check: bool, output: str) -> None:
    """Write one CRD file for each custom resource class of TARGET that is not external."""
    models = own_models(load_target(target).models)
    if output == "yaml":
        for model in models:
            click.echo("---\n" + render_crd(model)[1], nl=False)
        return
    if check:
        drifts = check_crds(models, out)
        if output == "json":
            click.echo(json.dumps([{"file": str(d.path), "line": d.line, "diff": d.diff} for d in drifts]))
        for drift in drifts:
            click.echo(f"{drift.path}:{drift.line}: not what the class says; run `zestor crd generate`", err=True)
            if output == "text":
                click.echo(drift.diff, err=True)
        if drifts:
            sys.exit(1)
        return
    changed = write_crds(models, out)
    if output == "json":
        click.echo(json.dumps({"written": [str(path) for path in changed]}))
        return
    for model in models:
        path = out / render_crd(model)[0]
        click.echo(f"{path}: {'written' if path in changed else 'unchanged'}", err=True)
