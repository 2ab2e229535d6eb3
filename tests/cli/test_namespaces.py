"""--namespace and --namespaces: what names no namespace is refused, and never taken for all or none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zestor_controller.cli.options import watched_namespaces
from zestor_controller.errors import ConfigError
from zestor_controller.testing.processes import zestor


def test_names_are_taken_apart_at_commas() -> None:
    assert watched_namespaces(None, None) == []
    assert watched_namespaces("a", None) == ["a"]
    assert watched_namespaces(None, "a, b-1") == ["a", "b-1"]


@pytest.mark.parametrize(
    ("namespace", "namespaces", "message"),
    [
        ("a", "b", "not both"),
        ("", "b", "not both"),
        ("", None, "names no namespace"),
        (None, "", "names no namespace"),
        (None, "  ", "names no namespace"),
        (None, "a,,b", "empty name between the commas"),
        (None, "a,", "empty name"),
        (None, "*", "patterns are not supported"),
        (None, "team-*", "patterns are not supported"),
        (None, "a b", "separate names by commas"),
        (None, "Team", "no name of a namespace"),
        (None, "a" * 64, "at most 63"),
        (None, "a,b,a", "'a' is named twice"),
        ("a,b", None, "use --namespaces"),
        (" ", None, "names no namespace"),
    ],
)
def test_what_names_no_namespace_is_refused(namespace: str | None, namespaces: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        watched_namespaces(namespace, namespaces)


@pytest.mark.parametrize("verb", [["run"], ["rbac", "verify"]])
def test_the_command_ends_with_2_and_the_reason(tmp_path: Path, verb: list[str]) -> None:
    (tmp_path / "main.py").write_text("raise RuntimeError('imported')\n")
    done = zestor(*verb, str(tmp_path), "--namespace", "*")
    assert done.returncode == 2
    assert "patterns are not supported" in done.stderr
