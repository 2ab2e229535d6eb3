"""Values of options that several verbs have: lengths of time, and kubeconfigs that are not to be lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
import pytest

from zestor_controller.cli.options import DURATION, check_overwritable
from zestor_controller.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1m30s", 90),
        ("2m", 120),
        ("1h", 3600),
        ("1h1m1s1ms", 3661.001),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("0.25s", 0.25),
        ("0s", 0),
        ("10", 10),
        ("2.5", 2.5),
    ],
)
def test_a_length_of_time_is_read_as_kubernetes_writes_it(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == timedelta(seconds=seconds)


def test_a_length_of_time_that_is_one_stays() -> None:
    assert DURATION.convert(timedelta(days=1), None, None) == timedelta(days=1)


@pytest.mark.parametrize(
    "text", ["", " ", "s", "-1s", "1d", "1s2", "1 s", "1m 30s", "1e3s", ".5s", "1..5s", "1,5s", "soon"]
)
def test_what_is_no_length_of_time_is_rejected_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="60s or 2m") as caught:
        DURATION.convert(text, None, None)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "just text",
        "clusters: nothing",
        "clusters: [nothing]",
        "clusters: []",
        "clusters: [{name: zestor}]",
        "clusters: [{name: zestor}, {name: zestor}]",
        "a: [not, closed",
    ],
)
def test_a_kubeconfig_that_holds_no_other_cluster_may_be_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    check_overwritable(path)
    assert path.read_text() == text


def test_a_kubeconfig_that_does_not_exist_or_is_no_text_may_be_written(tmp_path: Path) -> None:
    check_overwritable(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    check_overwritable(tmp_path / "binary")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("clusters: [{name: production}]", "(production)"),
        ("clusters: [{name: zestor}, {name: a}, {name: b}]", "(a, b)"),
        ("clusters: [{cluster: {}}]", "(None)"),
    ],
)
def test_the_clusters_that_would_be_lost_are_named(tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        check_overwritable(path)
    assert names in str(caught.value)
    assert str(path) in str(caught.value)
