"""Mutation testing of the parts whose promises are numbered: a seeded sample of mutants, and how many the tests kill.

Runs with ``pytest -m mutation`` only, and needs the dependency group ``mutation``. ``ZESTOR_MUTANTS`` is the number of
mutants of each part (40 unless given; 0 for all), ``ZESTOR_MUTANTS_SEED`` chooses which. Survivors are printed; look at
one with ``mutmut show NAME`` in the folder that is named.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = {
    "store": (["zestor_controller/store/*.py"], ["tests/store", "tests/contract"]),
    "cache": (["zestor_controller/cache/*.py"], ["tests/cache"]),
    "queue": (
        ["zestor_controller/controller/workqueue.py"],
        [
            f"tests/controller/test_{name}.py"
            for name in ("workqueue", "queue_rules", "controller_reconcile", "failures", "held")
        ],
    ),
    "manager": (
        ["zestor_controller/manager/*.py"],
        [
            f"tests/manager/test_{name}.py"
            for name in ("election", "manager_rules", "manager_serving", "metrics_page", "rights", "sampling", "terms")
        ],
    ),
    "verbs": (
        [
            f"zestor_controller/apiserver/{module}.py"
            for module in (
                "verbs/retrieval",
                "verbs/mutation",
                "verbs/deletion",
                "verbs/scale",
                "verbs/writepath",
                "request/deleteoptions",
            )
        ],
        # Where the server runs in the process of the test: mutmut does not learn what another process has reached.
        [
            f"tests/apiserver/test_{name}.py"
            for name in (
                "core_reads",
                "core_selectors",
                "core_writes",
                "verb_rules",
                "core_deletes",
                "deleteoptions",
                "scaling",
                "apply",
                "patch",
                "documents",
                "customresources_server",
                "evictions",
                "shadowing",
                "sizes",
            )
        ],
    ),
}
LEAST = 0.7  # of a sample that no test was written for; the aim is 0.9


def configure(folder, modules, tests):
    """A copy of what git knows, set up for mutmut."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    section = {
        "source_paths": ["zestor_controller"],
        "only_mutate": modules,
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-p", "no:xdist", "-x", "-q"],
        "also_copy": ["docs", "examples", "crds", "charts", "README.md"],
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in section.items()]
    text = "\n".join(["", "[tool.mutmut]", *lines, "mutate_only_covered_lines = true", "use_setproctitle = false", ""])
    with (folder / "pyproject.toml").open("a") as file:
        file.write(text)


def mutmut(folder, *names):
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 1), *names]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def results(folder):
    """Exit code by mutant; None where it has not been tried."""
    codes = {}
    for meta in sorted((folder / "mutants").rglob("*.py.meta")):
        codes.update(json.loads(meta.read_text())["exit_code_by_key"])
    return codes


@pytest.mark.parametrize("part", PARTS)
def test_every_file_of_a_part_exists(part):
    assert [place for places in PARTS[part] for place in places if not any(ROOT.glob(place))] == []


@pytest.mark.mutation
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("part", PARTS)
def test_the_tests_kill_mutants(part, tmp_path, capsys):
    status_of = pytest.importorskip("mutmut.stats").status_by_exit_code
    modules, tests = PARTS[part]
    configure(tmp_path, modules, tests)
    first = mutmut(tmp_path, "no.such.mutant")  # makes the mutants and learns which tests reach them
    names = sorted(results(tmp_path))
    assert names, first.stdout[-3000:] + first.stderr[-3000:]
    count = int(os.environ.get("ZESTOR_MUTANTS", "40")) or len(names)
    rng = random.Random(os.environ.get("ZESTOR_MUTANTS_SEED", "1"))
    chosen = sorted(rng.sample(names, min(count, len(names))))
    done = mutmut(tmp_path, *chosen)
    codes = results(tmp_path)
    statuses = {name: status_of[codes[name]] for name in chosen}
    killed = [name for name, status in statuses.items() if status in ("killed", "timeout")]
    survived = [name for name, status in statuses.items() if status in ("survived", "no tests")]
    with capsys.disabled():
        share = f"{len(killed)} of {len(killed) + len(survived)}"
        print(f"\n{part}: {share} sampled mutants are killed, of {len(names)} in all; the copy is {tmp_path}")
        for name in survived:
            print(f"  survived: {name}")
    assert killed, done.stdout[-3000:] + done.stderr[-3000:]
    assert len(killed) / (len(killed) + len(survived)) >= LEAST
