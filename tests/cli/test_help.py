"""The help of the command: complete, within 80 columns, without colour, and at once."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import pytest

from zestor_controller import __version__
from zestor_controller.cli.main import cli

from .conftest import Command


def paths(group: click.Group, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every verb and subverb, as it is written on a command line."""
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(click.Context(group)):
        one = group.get_command(click.Context(group), name)
        found.append((*prefix, name))
        if isinstance(one, click.Group):
            found += paths(one, (*prefix, name))
    return found


VERBS = paths(cli)


def test_the_verbs_of_the_command() -> None:
    expected = {("apiserver",), ("dev",), ("run",), ("crd", "generate"), ("rbac", "generate"), ("rbac", "verify")}
    expected |= {("chart", verb) for verb in ("init", "sync", "check", "lint")}
    assert expected <= set(VERBS)


@pytest.mark.parametrize("verb", [(), *VERBS], ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_fits_80_columns_and_has_no_colour(command: Command, verb: tuple[str, ...], option: str) -> None:
    done = command(*verb, option)

    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith("Usage: zestor" + "".join(f" {part}" for part in verb))
    assert [line for line in done.out.splitlines() if len(line) > 80] == []
    assert "\x1b" not in done.out


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_says_what_each_option_is_for(verb: tuple[str, ...]) -> None:
    one: click.Command = cli
    for part in verb:
        assert isinstance(one, click.Group)
        found = one.get_command(click.Context(one), part)
        assert found is not None
        one = found
    plain = {"output", "controllers"}  # their choices say it
    silent = [p.name for p in one.params if isinstance(p, click.Option) and not p.help and p.name not in plain]
    assert one.help
    assert silent == []


def test_the_list_of_verbs_has_a_line_for_each(command: Command) -> None:
    text = command("--help").out.partition("Verbs:")[2]

    assert re.findall(r"^  ([a-z]+)  ", text, re.M) == sorted({verb[0] for verb in VERBS})


def test_without_a_verb_the_help_is_shown(command: Command) -> None:
    done = command()

    assert done.code == 2 or done.code == 0
    assert "Usage: zestor" in done.out + done.err


def test_the_version(command: Command) -> None:
    assert command("--version").out == f"zestor, version {__version__}\n"


def test_help_loads_no_verb_and_no_http_library() -> None:
    code = (
        "import sys\nfrom zestor_controller.cli.main import main\n"
        "try:\n    main(['--help'])\nfinally:\n    print(sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert "'click'" in done.stderr
    for name in ("aiohttp", "kubernetes", "pydantic", "zestor_controller.cli.dev", "zestor_controller.apiserver"):
        assert f"'{name}'" not in done.stderr
