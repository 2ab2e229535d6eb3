"""The reference page knows every verb and option of the command, and no other."""

import importlib
import re
from pathlib import Path

import click
import pytest

from zestor_controller.cli.main import cli

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "command.md").read_text()
SECTIONS = {"dev": "zestor dev TARGET", "apiserver": "zestor apiserver", "run": "zestor run TARGET"}


@pytest.mark.parametrize("verb", sorted(SECTIONS))
def test_every_option_of_a_verb_is_on_its_page_and_no_other(verb: str) -> None:
    section = PAGE.split(f"## `{SECTIONS[verb]}`", 1)[1].split("\n## ", 1)[0]
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    assert set(re.findall(r"--[a-z][a-z-]*", section)) == options


def test_every_verb_is_on_the_page() -> None:
    for verb in cli.list_commands(click.Context(cli)):
        assert f"## `zestor {verb}" in PAGE


def test_the_module_of_each_verb_can_be_imported() -> None:
    for verb in cli.list_commands(click.Context(cli)):
        assert cli.get_command(click.Context(cli), verb) is not None
    assert importlib.import_module("zestor_controller.cli.main")
