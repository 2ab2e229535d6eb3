"""`python -m zestor_controller.testing simulate`: seeds, counts, the trace, and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from zestor_controller.testing import simulate
from zestor_controller.testing.__main__ import main


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["simulate", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_seeds_without_a_violation_are_exit_0_and_counted() -> None:
    code, out, err = run("--seed", "3", "--count", "2", "--steps", "5")

    assert (code, out) == (0, "")
    assert err == "2 of 2 seeds without a violation\n"


def test_the_trace_is_that_of_the_last_seed_and_the_same_each_time(tmp_path: Path) -> None:
    one, again = tmp_path / "one", tmp_path / "again"
    run("--seed", "4", "--steps", "6", "--trace", str(one))
    run("--seed", "3", "--count", "2", "--steps", "6", "--trace", str(again))

    assert one.read_text() == again.read_text()
    assert one.read_text().splitlines() == list(simulate(4, steps=6).trace)
    assert one.read_text().splitlines() != list(simulate(5, steps=6).trace)


@pytest.mark.parametrize("option", [["--count", "0"], ["--steps", "0"], ["--seed", "x"], ["--wings"]])
def test_bad_input_is_exit_2(option: list[str]) -> None:
    code, out, err = run(*option)

    assert (code, out) == (2, "")
    assert option[0] in err
