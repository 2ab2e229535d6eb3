"""In-house words that the field has a term for, and where they are written.

Checked are names that a file defines, its own name, comments, docstrings and every other string of more than one word;
of a file that is not Python, every line. Strings of one word are data (keys, names of objects): they are not checked.

Run as a program (`python tests/architecture/vocabulary.py PATH...`) it prints a line for each offence and exits with 1.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REFUSED = {
    r"houses?|stairs?|grounds?": "architecture, code base; import direction; leaf module, reason",
    r"rooms?": "package, module; space, capacity",
    r"floors?": "layer; lower limit",
    r"doors?": "entry point, public API, endpoint",
    r"rings?": "import cycle; (a function that rings) wake, notify",
    r"tell|tells|telling|told|untold": "deliver, emit, notify, report, log, return; message; (apart) distinguish",
    r"answer|answers|answered|answering|answerable|unanswered": "return; response (HTTP), result, return value",
    r"words": "message, text; tokens",
    r"stands?|stood|standing": "is, appears, is stored, is set, is registered; (in for) replaces; (by) is on standby",
    r"somebody|nobody|whoever|whomever|whom": "name the actor: another client, no caller, the consumer; or the passive",
    r"settle|settles|settled|settling|unsettled": "catch up, sync, finish, prune, resolve",
    r"judges?|judged|judging|judge?ments?": "validate, authorize, evaluate, check",
    r"misfits?": "type mismatch, type error",
    r"strange|stranger|strangers|strangely": "unknown, unregistered, unexpected",
    r"breaths?|breathes?|breathed|breathing": "yield to the event loop",
    r"for ever": "indefinitely; until cancelled; no timeout",
    r"heeds?|heeded|heeding|unheeded": "honour, respect, apply",
    r"what always holds": "Invariant:",
}
"""Patterns of refused words, in lower case with single spaces, and what to write instead."""

EXCEPTIONS: dict[str, str] = {}
"""Uses that stay, each with its reason."""

_SUGGESTIONS = {f"w{number}": suggestion for number, suggestion in enumerate(REFUSED.values())}
_WORDS = re.compile("|".join(rf"(?P<w{number}>\b(?:{pattern})\b)" for number, pattern in enumerate(REFUSED)))
_ALLOWED = re.compile("|".join(rf"\b(?:{pattern})\b" for pattern in EXCEPTIONS) or "(?!)")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[_\W]+")
_TEXT = {".md", ".toml", ".sh", ".yaml", ".yml", ".txt", ".tpl", ".cfg"}


@dataclass(frozen=True, order=True)
class Offence:
    """A refused word, where it is written, and what to write instead."""

    path: Path
    line: int
    word: str
    suggestion: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word} -> {self.suggestion}"


def offences(path: Path) -> list[Offence]:
    """Every refused word of a file; sorted by line, each word of a line once."""
    texts = _python(path.read_text(encoding="utf-8")) if path.suffix == ".py" else _lines(path)
    name = (1, path.parent.name if path.stem == "__init__" else path.stem)
    return sorted(
        {Offence(path, line, word, advice) for line, text in (name, *texts) for word, advice in refused(text)}
    )


@cache
def refused(text: str) -> list[tuple[str, str]]:
    """The refused words of a line or an identifier, each with its suggestion."""
    plain = _ALLOWED.sub("-", _SEPARATORS.sub(" ", _CAMEL.sub(" ", text)).lower())
    return [(match.group(), _SUGGESTIONS[str(match.lastgroup)]) for match in _WORDS.finditer(plain)]


def files(paths: list[Path]) -> Iterator[Path]:
    """The files to check: those named, and in folders everything that is code or text, but no data."""
    for path in paths:
        if path.is_file():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(path).parts)
            if not hidden and file.is_file() and file.suffix in _TEXT | {".py"} and file != Path(__file__):
                yield file


# Internals


def _lines(path: Path) -> list[tuple[int, str]]:
    return list(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))


def _python(source: str) -> Iterator[tuple[int, str]]:
    if any("#" in line and refused(line) for line in source.splitlines()):  # tokenizing takes longer than the rest
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if " " in node.value.strip():
                for number, line in enumerate(node.value.splitlines()):
                    yield node.lineno + number, line
        else:
            for name in _defined(node):
                yield node.lineno, name  # type: ignore[attr-defined]  # every node that defines a name has a line


def _defined(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.arg(arg=name) | ast.keyword(arg=str(name)) | ast.alias(asname=str(name)):
            yield name
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case _:
            return


def main(arguments: list[str]) -> int:
    """Print the offences of files and folders."""
    found = [offence for path in files([Path(argument) for argument in arguments]) for offence in offences(path)]
    for offence in found:
        print(offence)
    print(f"{len(found)} offences" if found else "no offences", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
