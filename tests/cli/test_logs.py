"""What a log record shows of a failure: its type, its message, and the frames of the user's files."""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path

import pytest
from pydantic import model_validator

from zestor_controller import CustomResource, Spec, Status
from zestor_controller.cache.record import Record, RecordCodec
from zestor_controller.cli.logs import JsonFormatter, TextFormatter, traceback_text
from zestor_controller.controller.controller import Source
from zestor_controller.controller.eventhandler import requests_of
from zestor_controller.controller.objectlogger import ObjectLogger
from zestor_controller.errors import ConfigError, InvalidObject, TransportError
from zestor_controller.objects import NamespacedName, kind_of
from zestor_controller.store import Event, EventType, MemoryStore
from zestor_controller.testing.processes import zestor

OPERATOR = """
import logging, threading
from zestor_controller import Context, Controller, CustomResource, Manager, Spec, Status
from zestor_controller.errors import TerminalError


class WebSpec(Spec):
    size: int = 1


class Web(CustomResource[WebSpec, Status], group="logs.example.org", version="v1", plural="webs"):
    "a web"


def which(config_map):
    raise LookupError("from-the-map")


webs = Controller(Web).watches("v1/ConfigMap", map=which)


@webs.reconciler
async def reconcile(web: Web, ctx: Context) -> None:
    try:
        {}["from-the-reconcile"]
    except KeyError:
        ctx.log.exception("own words", extra={"size": 7})
        logging.getLogger("a.library").exception("words of a library")
    thread = threading.Thread(target=lambda: [].pop(), name="helper")
    thread.start()
    thread.join()
    raise TerminalError("the last word")


manager = Manager(webs)
"""
MANIFEST = """
apiVersion: logs.example.org/v1
kind: Web
metadata: {name: a, namespace: default}
spec: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b, namespace: default}
"""


def failing(tmp_path: Path, *options: str) -> str:
    (tmp_path / "app.py").write_text(OPERATOR)
    (tmp_path / "web.yaml").write_text(MANIFEST)
    command = ["dev", "app.py", "--apply", "web.yaml", "--exit-when", "Ready", "--timeout", "3s"]
    done = zestor(*options, *command, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    return done.stderr


def at(words: str) -> str:
    """The place of a line of the operator, as a traceback writes it."""
    return f'app.py", line {next(n for n, line in enumerate(OPERATOR.splitlines(), 1) if words in line)}, in '


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return failing(tmp_path_factory.mktemp("text"))


def test_text_logs_show_where_the_users_code_failed(text: str) -> None:
    shown = text
    for words in ("LookupError: from-the-map", "KeyError: 'from-the-reconcile'", "IndexError: pop from empty list"):
        assert words in shown
    assert shown.count("KeyError: 'from-the-reconcile'") == 2
    assert "webs.logs.example.org default/a: own words" in shown
    assert at("from-the-map") + "which" in shown
    assert at("[].pop()") + "<lambda>" in shown
    assert at("the last word") + "reconcile" in shown
    assert "thread helper ended with an exception" in shown
    assert "zestor_controller/controller" not in shown


def test_a_failed_attempt_is_reported_once(text: str) -> None:
    before_the_diagnosis = text.partition("has no condition Ready")[0]
    assert len(re.findall(r"^\S+  ERROR .*the last word", before_the_diagnosis, re.M)) == 1
    assert len(re.findall(r"^\S+  reconcile .*the last word", before_the_diagnosis, re.M)) == 0


def test_json_logs_show_the_same_in_keys(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in failing(tmp_path, "--log-format", "json").splitlines() if line[0] == "{"]
    own = next(line for line in lines if line["message"] == "own words")
    assert {
        "controller": "webs.logs.example.org",
        "namespace": "default",
        "name": "a",
        "size": 7,
    }.items() <= own.items()
    assert own["error"] == "KeyError: 'from-the-reconcile'"
    assert at("from-the-reconcile") + "reconcile" in own["traceback"]
    assert any(at("from-the-map") + "which" in line.get("traceback", "") for line in lines)
    assert any(at("[].pop()") + "<lambda>" in line.get("traceback", "") for line in lines)


def test_the_error_that_ends_the_command_is_json_where_logs_are(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import nothing_of_this_name\n")
    done = zestor("--log-format", "json", "run", str(tmp_path))
    assert done.returncode == 2
    (record,) = (json.loads(line) for line in done.stderr.splitlines())
    assert record["level"] == "error"
    assert "main.py:1: ModuleNotFoundError" in record["message"]


def test_debug_adds_the_frames_of_this_package(tmp_path: Path) -> None:
    assert "zestor_controller/controller/runner.py" in failing(tmp_path, "--debug")


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


def raised_inside() -> ConfigError:
    """An error whose innermost frame is in the package."""
    with pytest.raises(ConfigError) as caught:
        kind_of("no/such/Kind/at/all")
    return caught.value


def test_causes_and_groups_keep_the_frames_of_the_users_files() -> None:
    inner = raised(KeyError("inner"))
    text = traceback_text(raised(ExceptionGroup("both", [raised(ValueError("outer"), inner)])))
    for words in ("KeyError: 'inner'", "ValueError: outer", "direct cause", "both (1 sub-exception)"):
        assert words in text
    assert text.count("test_logs.py") == 3


def test_an_error_of_this_package_is_shown_without_what_caused_it_inside() -> None:
    text = traceback_text(raised_inside())
    assert "test_logs.py" in text
    assert "zestor_controller/objects" not in text


class Strict(Spec):
    """Its validator fails with something that is no validation error."""

    @model_validator(mode="after")
    def check(self) -> Strict:
        raise LookupError("in the validator")


class Picky(CustomResource[Strict, Status], group="logs.example.org", version="v1", plural="pickies"):
    """An object that never decodes."""


def test_a_cause_in_the_users_code_is_kept_whatever_raised_the_error() -> None:
    body = b'{"metadata": {"name": "a"}, "spec": {}}'
    with pytest.raises(InvalidObject) as caught:
        RecordCodec(kind_of(Picky)).decode(Record("u", 1, body, False))
    text = traceback_text(caught.value)
    assert "LookupError: in the validator" in text
    assert 'test_logs.py", line' in text.partition("direct cause")[0]


def test_a_failing_index_function_is_logged_once_for_each_place(caplog: pytest.LogCaptureFixture) -> None:
    def teams(value: int) -> list[int]:
        return [10 // value] if value < 5 else [[][value]]

    numbers = MemoryStore().kind("numbers", int, indexes={"teams": teams})
    for name, value in {"a": 0, "b": 0, "c": 2, "d": 7}.items():
        numbers.set(name, value)
    shown = [TextFormatter().format(record) for record in caplog.records]
    assert len(shown) == 2
    assert "ZeroDivisionError" in shown[0]
    assert "in teams" in shown[0]
    assert "IndexError" in shown[1]
    assert numbers.by_index("teams", 5) == [2]


def test_an_error_that_a_user_raises_from_another_keeps_its_cause() -> None:
    assert "KeyError: 'why'" in traceback_text(raised(TransportError("what"), raised(KeyError("why"))))


def test_an_exception_without_a_frame_of_the_user_says_how_to_see_them() -> None:
    error = raised_inside()
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next  # without the frame of this file
    assert "Traceback" not in traceback_text(error)
    with pytest.raises(AttributeError) as caught:
        NamespacedName.parse(None)  # type: ignore[arg-type]
    assert caught.tb is not None
    caught.value.__traceback__ = caught.tb.tb_next
    assert "--debug" in traceback_text(caught.value)


def test_what_another_handler_cached_in_a_record_is_neither_shown_nor_replaced() -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "m", (), (ValueError, raised(ValueError("v")), None))
    record.exc_text = "cached"
    assert "cached" not in TextFormatter().format(record)
    assert record.exc_text == "cached"


def test_a_key_of_extra_never_replaces_one_of_the_record() -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "m", "levelname": "INFO", "time": "noon"})
    document = json.loads(JsonFormatter().format(record))
    assert document["extra_time"] == "noon"
    assert document["time"] != "noon"


def test_the_logger_of_a_context_keeps_what_the_caller_adds(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ObjectLogger("webs", "default", "a").info("m", extra={"size": 1})
    record = caplog.records[0]
    assert (record.controller, record.namespace, record.object, record.size) == ("webs", "default", "a", 1)


def test_map_function_failures_are_logged_with_the_exception(caplog: pytest.LogCaptureFixture) -> None:
    def which(obj: object) -> str:
        raise LookupError("no luck")

    kind = kind_of("v1/ConfigMap")
    event = Event("configmaps", "default/a", EventType.CREATE, object(), None)
    assert list(requests_of(Source(kind, which), event, kind)) == []
    assert sys.exc_info() == (None, None, None)
    shown = TextFormatter().format(caplog.records[0])
    assert "LookupError: no luck" in shown
    assert "in which" in shown
