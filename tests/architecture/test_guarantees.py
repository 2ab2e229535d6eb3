"""The page of guarantees: each promise once, in one sentence, with tests that exist; and each number that is used."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "guarantees.md"
ENTRY = re.compile(r"^- \*\*([A-Z]\d+)\*\* (.+?)\n  Tests: (.+?)(?:\n  Planned: (.+?))?(?=\n- |\n\n|\Z)", re.M | re.S)
USED = re.compile(r"(?<![\w./#\\-])([SCQRLAM]\d{1,2})(?![\w-])")
RULES_OF_RUFF = ROOT / "tests" / "architecture" / "test_limits.py"  # names some, which look like numbers of promises
NAMED = re.compile(r"test_((?:[scqrlam]\d+_)+)")
SOURCES = sorted(
    path
    for folder in ("zestor_controller", "docs", "tests", "examples", "benchmarks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".md") and "golden" not in path.parts and path not in (PAGE, RULES_OF_RUFF)
)
TESTS = sorted([*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "zestor_controller/testing").rglob("*.py")])


@functools.cache
def entries() -> dict[str, tuple[str, list[str]]]:
    """The sentence and the tests of each promise of the page."""
    return {
        number: (" ".join(text.split()), re.findall(r"`([^`]+)`", tests))
        for number, text, tests, _ in ENTRY.findall(PAGE.read_text())
    }


def numbers_of(name: str) -> list[str]:
    """The promises that a test is named after."""
    found = NAMED.match(name)
    return found[1].upper().strip("_").split("_") if found else []


@functools.cache
def named_tests() -> dict[str, list[str]]:
    """The tests that are named after each promise, of the whole repository."""
    found: dict[str, list[str]] = {}
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for number in numbers_of(node.name):
                    found.setdefault(number, []).append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def test_the_numbers_of_each_letter_have_no_gap_and_no_number_is_there_twice() -> None:
    listed = re.findall(r"^- \*\*([A-Z])(\d+)\*\*", PAGE.read_text(), re.M)
    by_letter: dict[str, list[int]] = {}
    for letter, number in listed:
        by_letter.setdefault(letter, []).append(int(number))
    assert list(by_letter) == list("SCQRLAM")
    assert {letter: list(range(1, len(found) + 1)) for letter, found in by_letter.items()} == by_letter
    assert len(entries()) == len(listed), "an entry of the page has no line of tests"


@pytest.mark.parametrize("number", list(entries()))
def test_a_promise_is_one_sentence(number: str) -> None:
    sentence = entries()[number][0]
    assert sentence.endswith(".")
    assert re.findall(r"(?<!\be\.g)[.!?] (?=[A-Z`])", sentence) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_number_that_is_used_is_on_the_page(path: Path) -> None:
    used = {number: line for line, text in enumerate(path.read_text().splitlines(), 1) for number in USED.findall(text)}
    assert {number: line for number, line in used.items() if number not in entries()} == {}


def test_every_number_in_the_name_of_a_test_is_on_the_page() -> None:
    assert set(named_tests()) - set(entries()) == set()


@pytest.mark.parametrize("number", list(entries()))
def test_every_promise_has_tests_of_its_name_and_the_page_names_some_of_them(number: str) -> None:
    known = named_tests()
    assert known.get(number), f"no test is named test_{number.lower()}_..."
    of_the_page = entries()[number][1]
    assert of_the_page
    for test in of_the_page:
        name = test.rpartition("::")[2]
        assert number in numbers_of(name)
        assert name in {known_test.rpartition("::")[2] for known_test in known[number]}, f"{name} does not exist"


def test_the_tests_of_the_page_are_collected() -> None:
    tests = {test for _, found in entries().values() for test in found}
    files = sorted({test.partition("::")[0] for test in tests})
    assert [file for file in files if not (ROOT / file).is_file()] == []
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run([*command, *sorted(tests)], cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
