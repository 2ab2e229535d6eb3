"""What a user's editor infers: the programs here are checked by two type checkers.

``assert_type`` holds what is inferred; a line that ends in ``# error`` is a mistake that both checkers find, and
no other line may be one. (Neither checks the arguments of a class whose metaclass is pydantic's: those are checked when
the class is made.)
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"


def expected() -> set[tuple[str, int]]:
    return {
        (path.name, number)
        for path in PROGRAMS.glob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.endswith("# error")
    }


def complaints_of_mypy(cache: Path) -> dict[tuple[str, int], str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", f"--cache-dir={cache}", "--config-file="]
    done = subprocess.run([*command, "."], cwd=PROGRAMS, capture_output=True, text=True, check=False)
    found = re.findall(r"^(\w+\.py):(\d+): error: (.*)$", done.stdout, re.M)
    assert found, done.stdout + done.stderr
    return {(name, int(line)): message for name, line, message in found}


def complaints_of_basedpyright(folder: Path) -> dict[tuple[str, int], str]:
    config = folder / "pyrightconfig.json"
    settings = {"include": [str(PROGRAMS)], "extraPaths": [str(PROGRAMS)], "typeCheckingMode": "standard"}
    config.write_text(json.dumps({**settings, "reportUnusedExpression": False, "reportUnusedCoroutine": False}))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(config)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = [one for one in json.loads(done.stdout)["generalDiagnostics"] if one["severity"] == "error"]
    assert found, done.stdout + done.stderr
    return {(Path(one["file"]).name, one["range"]["start"]["line"] + 1): one["message"] for one in found}


CHECKERS = {"mypy": complaints_of_mypy, "basedpyright": complaints_of_basedpyright}


@pytest.mark.timeout(300)  # without a cache, and on a busy machine
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_checker_infers_every_type_and_finds_each_mistake_and_no_other(checker: str, tmp_path: Path) -> None:
    found = CHECKERS[checker](tmp_path)

    assert {place: message for place, message in found.items() if place not in expected()} == {}
    assert sorted(expected() - set(found)) == []


def test_the_programs_hold_mistakes_of_every_part() -> None:
    assert {name for name, _ in expected()} == {path.name for path in PROGRAMS.glob("*.py")}
