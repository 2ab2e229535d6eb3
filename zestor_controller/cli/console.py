"""What `zestor dev` shows: one line an event, pleasant on a terminal, plain elsewhere, JSON on request.

Invariant: with ``--output json`` standard output holds one JSON document a line and nothing else; messages for
users go to standard error.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TextIO

import click

from zestor_controller.cli.apply import condition_of
from zestor_controller.store import Event, EventType

__all__ = ["Console", "summary_of"]

_COLOURS = {
    "created": "green",
    "changed": "blue",
    "deleted": "magenta",
    "ok": "green",
    "error": "red",
    "timeout": "red",
    "terminal": "red",
    "Normal": "cyan",
    "Warning": "yellow",
}


class Console:
    """Prints what happens.

    Args:
        json_lines: print JSON lines on standard output instead of text on standard error.
        stream: where text goes.
    """

    def __init__(self, *, json_lines: bool, stream: TextIO | None = None) -> None:
        self._json = json_lines
        self._stream = stream if stream is not None else sys.stderr
        self._colour = not json_lines and self._stream.isatty()
        self._width = shutil.get_terminal_size().columns if self._colour else 0

    def note(self, text: str, **fields: Any) -> None:
        """Something about the session itself."""
        self._emit("note", {"message": text, **fields}, self._paint(text, "bold"))

    def object(self, change: str, kind: str, name: str, summary: str) -> None:
        """An object was created, changed or deleted."""
        fields = {"change": change, "kind": kind, "object": name, "summary": summary}
        self._emit("object", fields, f"{kind:<12} {name:<32} {self._paint(f'{change:<8}', change)} {summary}".rstrip())

    def reconcile(self, controller: str, name: str, result: str, seconds: float, causes: tuple[str, ...], error: str,
                  retry_after: float | None) -> None:  # fmt: skip
        """A reconcile ended."""
        fields: dict[str, Any] = {
            "controller": controller,
            "object": name,
            "result": result,
            "seconds": round(seconds, 6),
            "causes": list(causes),
        }
        word = "ok" if not error else result
        text = f"{'reconcile':<12} {name:<32} {self._paint(f'{word:<8}', word)} {seconds * 1000:.0f} ms"
        if causes:
            because = f"because: {causes[0]}" + (f" (+{len(causes) - 1})" if len(causes) > 1 else "")
            plain = len(f"HH:MM:SS  {'reconcile':<12} {name:<32} {word:<8} {seconds * 1000:.0f} ms  {because}")
            text += f"\n{'':<23}{because}" if self._width and plain > self._width else f"  {because}"
        if error:
            fields["error"] = error  # as text, the log record right before has it, with the traceback
            if retry_after is not None:
                text += f"  again in {retry_after:.3g} s"
        if retry_after is not None:
            fields["retryAfter"] = retry_after
        self._emit("reconcile", fields, text)

    def event(self, type: str, name: str, reason: str, message: str) -> None:
        """A Kubernetes Event was written."""
        fields = {"type": type, "object": name, "reason": reason, "message": message}
        self._emit("event", fields, f"{'event':<12} {name:<32} {self._paint(f'{type:<8}', type)} {reason}: {message}")

    def result(self, result: str, objects: Sequence[Mapping[str, Any]], diagnosis: Sequence[str]) -> None:
        """The end: the last line of JSON, or the diagnosis of what did not come about."""
        if self._json:
            document: dict[str, Any] = {"result": result, "objects": list(objects)}
            if diagnosis:
                document["diagnosis"] = list(diagnosis)
            click.echo(json.dumps(document))
            return
        for line in diagnosis:
            click.echo(self._paint(line, "error"), file=self._stream)

    def _emit(self, event: str, fields: dict[str, Any], text: str) -> None:
        now = datetime.now().astimezone()
        if self._json:
            click.echo(json.dumps({"time": now.isoformat(timespec="milliseconds"), "event": event, **fields}))
        else:
            click.echo(f"{self._paint(now.strftime('%H:%M:%S'), 'time')}  {text}", file=self._stream)

    def _paint(self, text: str, what: str) -> str:
        if not self._colour:
            return text
        if what == "bold":
            return click.style(text, bold=True)
        if what == "time":
            return click.style(text, dim=True)
        return click.style(text, fg=_COLOURS.get(what))


def summary_of(event: Event[Any]) -> str:
    """A short summary of an object: how far it is."""
    if event.type is EventType.DELETE:
        return ""
    obj = event.object
    status = obj.get("status") or {}
    parts = []
    if obj.metadata.deletion_timestamp:
        parts.append("terminating")
    if status.get("phase"):
        parts.append(str(status["phase"]))
    replicas = (obj.get("spec") or {}).get("replicas")
    if replicas is not None:
        parts.append(f"{status.get('readyReplicas', 0)}/{replicas} ready")
    ready = condition_of(obj, "Ready")
    if ready and "phase" not in status:
        parts.append(f"Ready={ready['status']}" + (f" ({ready['reason']})" if ready["status"] != "True" else ""))
    return ", ".join(parts)
