"""The seeded simulation: no seed breaks a promise, and a run is a function of its seed."""

import os
import subprocess
import sys

import pytest

from zestor_controller.testing import simulate

SEEDS = 200
MANY_SEEDS = 10_000
CHUNK = 10


def violations(first, count):
    found = {}
    for seed in range(first, first + count):
        result = simulate(seed)
        assert len(result.trace) > 20, f"seed {seed}: hardly anything happened"
        if result.violations:
            found[seed] = result.violations
    return found


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
@pytest.mark.timeout(300)
def test_no_seed_breaks_a_promise(first):
    assert violations(first, CHUNK) == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(SEEDS, MANY_SEEDS, 50))
def test_no_seed_of_many_breaks_a_promise(first):
    assert violations(first, 50) == {}


def run(*arguments, hash_seed="0"):
    return subprocess.run(
        [sys.executable, "-m", "zestor_controller.testing", "simulate", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )


@pytest.mark.parametrize("seed", [193, 7])
def test_a_run_is_a_function_of_its_seed_whatever_python_hashes_to(seed, tmp_path):
    traces = []
    for hash_seed in ("1", "2"):
        path = tmp_path / hash_seed
        done = run("--seed", str(seed), "--trace", str(path), hash_seed=hash_seed)
        assert done.returncode == 0, done.stdout + done.stderr
        traces.append(path.read_text())
    assert traces[0] == traces[1]
    assert traces[0].splitlines()[0].endswith("operator r0.0 starts")


def test_the_command_counts_its_seeds():
    done = run("--seed", "3", "--count", "2", "--steps", "5")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "2 of 2 seeds without a violation\n")


def test_the_command_refuses_what_it_cannot_run():
    done = run("--count", "0")
    assert done.returncode == 2
    assert "0 is not in the range" in done.stderr
