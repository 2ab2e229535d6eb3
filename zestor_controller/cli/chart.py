"""``zestor chart``: a Helm chart from an operator's code, kept in step with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from zestor_controller.chart import chart_name, check_chart, init_chart, lint_chart, render, sync_chart
from zestor_controller.chart.folder import Trouble
from zestor_controller.cli.target import find_target, load_target
from zestor_controller.errors import ConfigError

__all__ = ["chart"]

OUT = click.option("--out", type=click.Path(path_type=Path), help="The chart's folder; charts/<name> unless given.")
OUTPUT = click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group()
def chart() -> None:
    """A Helm chart from an operator's code."""


@chart.command()
@click.argument("target")
@OUT
@OUTPUT
def init(target: str, out: Path | None, output: str) -> None:
    """Write a chart for the operator TARGET."""
    folder, texts = _chart(target, out)
    written = init_chart(folder, texts)
    if output == "json":
        click.echo(json.dumps({"chart": str(folder), "written": [str(path) for path in written]}))
        return
    for path in written:
        click.echo(f"{path}: written", err=True)
    click.echo(f"next: set image.repository in {folder}/values.yaml, then `helm install NAME {folder}`", err=True)


@chart.command()
@click.argument("target")
@OUT
@OUTPUT
def sync(target: str, out: Path | None, output: str) -> None:
    """Write the generated files anew; exits 1, having written nothing, when one of them was edited."""
    folder, texts = _chart(target, out)
    done = sync_chart(folder, texts)
    if done.refused:
        _report(done.refused, output)
    if output == "json":
        written, removed = ([str(path) for path in paths] for paths in (done.written, done.removed))
        click.echo(json.dumps({"chart": str(folder), "written": written, "removed": removed}))
        return
    for word, paths in (("written", done.written), ("removed", done.removed)):
        for path in paths:
            click.echo(f"{path}: {word}", err=True)
    if not done.written and not done.removed:
        click.echo(f"{folder}: unchanged", err=True)


@chart.command()
@click.argument("target")
@OUT
@OUTPUT
def check(target: str, out: Path | None, output: str) -> None:
    """Write nothing; exits 1 when the chart is not what the operator's code says."""
    _report(check_chart(*_chart(target, out)), output)


@chart.command()
@click.argument("target")
@OUT
@OUTPUT
def lint(target: str, out: Path | None, output: str) -> None:
    """Check the chart, its ci/*-values.yaml, and with Helm on the PATH what Helm says."""
    _report(lint_chart(*_chart(target, out)), output)


def _chart(target: str, out: Path | None) -> tuple[Path, dict[str, str]]:
    """The chart's folder, and its files as they should be."""
    place = find_target(target)
    loaded = load_target(place)
    if loaded.manager is None:
        raise ConfigError(f"{target}: there is no Manager and no Controller in it; a chart runs an operator")
    inside = place.file.name if place.file is not None else target
    texts = render(loaded.manager, target=inside, models=loaded.models)
    return out if out is not None else Path("charts") / chart_name(loaded.manager), texts


def _report(troubles: Sequence[Trouble], output: str) -> None:
    """Print troubles and exit 1, if there are any."""
    if output == "json":
        rows = [{"file": str(t.path), "line": t.line, "message": t.message, "diff": t.diff} for t in troubles]
        click.echo(json.dumps(rows))
    for trouble in troubles:
        click.echo(str(trouble), err=True)
        if trouble.diff and output == "text":
            click.echo(trouble.diff, err=True)
    if troubles:
        sys.exit(1)
