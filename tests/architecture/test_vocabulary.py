"""The code base speaks the field's language: no word that `vocabulary` refuses."""

import re
from functools import cache
from pathlib import Path

import pytest

from .vocabulary import EXCEPTIONS, REFUSED, Offence, files, offences

ROOT = Path(__file__).parents[2]
PLACES = [ROOT / name for name in ("zestor_controller", "tests", "benchmarks", "examples", "docs", "charts", "crds")]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml")]
QUOTED = {
    "tests/golden/replay.py",  # comes with the recorded data and is kept as it is
    "tests/architecture/test_vocabulary.py",  # examples of what is refused
}


@cache
def found() -> dict[str, list[Offence]]:
    """The offences of every file that has any, by its path in the repository."""
    by_file = {path.relative_to(ROOT).as_posix(): offences(path) for path in files(PLACES + PAGES)}
    return {path: offences for path, offences in by_file.items() if offences and path not in QUOTED}


def test_no_refused_word_is_written() -> None:
    assert [str(offence) for offences_here in found().values() for offence in offences_here] == []


def test_every_quoted_file_quotes_a_refused_word() -> None:
    assert [path for path in sorted(QUOTED) if not offences(ROOT / path)] == []


def test_every_exception_is_written_somewhere() -> None:
    text = " ".join(path.read_text(encoding="utf-8").lower() for path in files(PLACES + PAGES))

    assert [pattern for pattern in EXCEPTIONS if not re.search(pattern, text)] == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def is_answered(): ...", ["answered"]),
        ("class MisfitError(Exception): ...", ["misfit"]),
        ("def wait(whom, *, forEver=1): ...", ["for ever", "whom"]),
        ("import math as room", ["room"]),
        ("self.told = 1", ["told"]),
        ("x = 1  # nobody waits", ["nobody"]),
        ('"""What always holds: nothing."""', ["what always holds"]),
        ('raise ValueError(f"the door of {x}")', ["door"]),
        ('log.info("%s stands", x)', ["stands"]),
        ('x = {"answer": understand(outstanding, withstood="rooms")}', []),
        ("math.floor(x.answer)", []),
    ],
)
def test_words_are_found_where_they_are_defined_or_read_as_text(source: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)

    assert words == [offence.word for offence in offences(path)]


def test_an_offence_names_its_place_and_the_fields_term(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("A page.\n\nIt tells\n")

    assert [f"{path}:3: tells -> {REFUSED['tell|tells|telling|told|untold']}"] == [str(o) for o in offences(path)]
