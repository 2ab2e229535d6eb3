"""``python -m zestor_controller.testing simulate``: run seeds of the simulation and print what they find.

Exit codes: 0 no violation, 1 a violation was found, 2 bad input.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from zestor_controller.testing.simulation import simulate as simulate_seed

__all__ = ["main"]


@click.group()
def main() -> None:
    """Tools for testing this package and programs that use it."""


@main.command()
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed.")
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="How many seeds to run.")
@click.option("--steps", type=click.IntRange(min=1), default=40, show_default=True, help="Steps of a run.")
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what happened to this file: of the last seed, or of the first that finds a violation.",
)
@click.option("--keep-going", is_flag=True, help="Go on after a seed that finds a violation.")
def simulate(seed: int, count: int, steps: int, trace: Path | None, keep_going: bool) -> None:
    """Run an operator, users and a faulty network in virtual time, and check the promises."""
    failed = 0
    for number in range(seed, seed + count):
        result = simulate_seed(number, steps=steps)
        if trace is not None and not failed:
            trace.write_text("".join(f"{line}\n" for line in (*result.trace, *result.violations)))
        if result.violations:
            failed += 1
            for violation in result.violations:
                click.echo(f"seed {number}: {violation}")
            if not keep_going:
                break
    click.echo(f"{number - seed + 1 - failed} of {number - seed + 1} seeds without a violation", err=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(prog_name="python -m zestor_controller.testing")
