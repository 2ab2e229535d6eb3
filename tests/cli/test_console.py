"""What `zestor dev` prints: text for users, plain where there is no terminal, and JSON lines on request."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime
from typing import Any

import click
import pytest

from zestor_controller.cli.console import Console, summary_of
from zestor_controller.objects import Unstructured
from zestor_controller.store import Event, EventType

TIME = re.compile(r"^\d\d:\d\d:\d\d  ")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO) -> list[str]:
    """The lines without colours and times."""
    return [TIME.sub("", click.unstyle(line)) for line in stream.getvalue().splitlines()]


def everything(console: Console) -> None:
    console.note("cluster https://x", url="https://x")
    console.object("created", "Website", "default/blog", "1/2 ready")
    console.object("deleted", "Website", "default/blog", "")
    console.reconcile("webs", "default/blog", "ok", 0.0123, ("Website default/blog changed",), "", None)
    console.reconcile("webs", "default/blog", "error", 0.5, ("a", "b", "c"), "RuntimeError: no luck", 0.64)
    console.reconcile("webs", "default/blog", "terminal", 2, (), "TerminalError: never", None)
    console.event("Warning", "default/blog", "Failed", "no luck")


def test_text_is_one_line_for_each_happening() -> None:
    stream = io.StringIO()

    everything(Console(json_lines=False, stream=stream))

    assert all(TIME.match(line) for line in stream.getvalue().splitlines())
    assert shown(stream) == [
        "cluster https://x",
        "Website      default/blog                     created  1/2 ready",
        "Website      default/blog                     deleted",
        "reconcile    default/blog                     ok       12 ms  because: Website default/blog changed",
        "reconcile    default/blog                     error    500 ms  because: a (+2)  again in 0.64 s",
        "reconcile    default/blog                     terminal 2000 ms",
        "event        default/blog                     Warning  Failed: no luck",
    ]


def test_there_is_no_colour_without_a_terminal_and_colour_on_one() -> None:
    plain, terminal = io.StringIO(), Terminal()
    for stream in (plain, terminal):
        everything(Console(json_lines=False, stream=stream))
        Console(json_lines=False, stream=stream).result("timeout", [], ["Website default/blog: does not exist"])

    assert "\x1b" not in plain.getvalue()
    lines = terminal.getvalue().splitlines()
    assert all("\x1b[" in line for line in lines if TIME.match(click.unstyle(line)))
    assert click.style("created ", fg="green") in terminal.getvalue()
    assert click.style("error   ", fg="red") in terminal.getvalue()
    assert click.style("Warning ", fg="yellow") in terminal.getvalue()
    assert click.style("Website default/blog: does not exist", fg="red") in terminal.getvalue()
    assert click.style("cluster https://x", bold=True) in terminal.getvalue()


def test_a_cause_that_does_not_fit_a_terminal_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow, wide, piped = Terminal(), Terminal(), io.StringIO()
    cause = "ConfigMap default/a-rather-long-name was changed"

    for stream, columns in ((narrow, "80"), (wide, "160"), (piped, "80")):
        monkeypatch.setenv("COLUMNS", columns)
        Console(json_lines=False, stream=stream).reconcile("webs", "default/blog", "ok", 0.001, (cause,), "", None)

    assert [line.strip() for line in shown(narrow)][1:] == [f"because: {cause}"]
    assert all(len(click.unstyle(line)) <= 80 for line in narrow.getvalue().splitlines())
    assert len(shown(wide)) == len(shown(piped)) == 1


def test_json_is_one_document_a_line_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    console = Console(json_lines=True, stream=stream)

    everything(console)
    console.result("timeout", [{"object": "default/blog"}], ["does not exist"])
    console.result("Ready", [], [])

    assert stream.getvalue() == ""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in lines[:-2]:
        assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert lines == [
        {"event": "note", "message": "cluster https://x", "url": "https://x"},
        {"event": "object", "change": "created", "kind": "Website", "object": "default/blog", "summary": "1/2 ready"},
        {"event": "object", "change": "deleted", "kind": "Website", "object": "default/blog", "summary": ""},
        {
            "event": "reconcile",
            "controller": "webs",
            "object": "default/blog",
            "result": "ok",
            "seconds": 0.0123,
            "causes": ["Website default/blog changed"],
        },
        {
            "event": "reconcile",
            "controller": "webs",
            "object": "default/blog",
            "result": "error",
            "seconds": 0.5,
            "causes": ["a", "b", "c"],
            "error": "RuntimeError: no luck",
            "retryAfter": 0.64,
        },
        {
            "event": "reconcile",
            "controller": "webs",
            "object": "default/blog",
            "result": "terminal",
            "seconds": 2,
            "causes": [],
            "error": "TerminalError: never",
        },
        {
            "event": "event",
            "type": "Warning",
            "object": "default/blog",
            "reason": "Failed",
            "message": "no luck",
        },
        {"result": "timeout", "objects": [{"object": "default/blog"}], "diagnosis": ["does not exist"]},
        {"result": "Ready", "objects": []},
    ]


def test_text_goes_to_standard_error_unless_another_stream_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    Console(json_lines=False).note("hello")

    out, err = capsys.readouterr()
    assert (out, TIME.sub("", err)) == ("", "hello\n")


READY = {"type": "Ready", "status": "True", "reason": "Done"}
NOT_READY = {"type": "Ready", "status": "False", "reason": "Waiting"}


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        ({}, ""),
        ({"spec": None, "status": None}, ""),
        ({"spec": {"replicas": 2}}, "0/2 ready"),
        ({"spec": {"replicas": 0}}, "0/0 ready"),
        ({"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}, "1/2 ready"),
        ({"status": {"phase": "Running"}}, "Running"),
        ({"status": {"conditions": [READY]}}, "Ready=True"),
        ({"status": {"conditions": [NOT_READY]}}, "Ready=False (Waiting)"),
        ({"status": {"conditions": [{"type": "Other", "status": "True"}]}}, ""),
        ({"status": {"phase": "Pending", "conditions": [NOT_READY]}}, "Pending"),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, "terminating"),
        (
            {
                "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"replicas": 3},
                "status": {"readyReplicas": 3, "conditions": [READY]},
            },
            "terminating, 3/3 ready, Ready=True",
        ),
    ],
)
def test_a_summary_says_how_far_an_object_is(body: dict[str, Any], summary: str) -> None:
    obj = Unstructured({"metadata": {"name": "a"}, **body})

    assert summary_of(Event("pods", "default/a", EventType.UPDATE, obj, None)) == summary
    assert summary_of(Event("pods", "default/a", EventType.DELETE, obj, None)) == ""
