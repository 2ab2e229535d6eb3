"""`zestor dev`: what it waits for, what it reports when that does not come about, and what it installs and shows."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Command, Done

OPERATOR = """
from zestor_controller import *
from zestor_controller.objects import set_condition


class ThingStatus(Status):
    conditions: Conditions = []


class Thing(CustomResource[Spec, ThingStatus], group="dev.example.org", version="v1", plural="things"):
    "a thing"


things = Controller(Thing)


@things.reconciler
async def reconcile(thing, ctx):
    BODY
"""
READY = """set_condition(thing.status.conditions, "Ready", True, "Done", "done")
    ctx.event("Seen", "it was seen")
    await ctx.apply_status(thing)"""
NOT_READY = """set_condition(thing.status.conditions, "Ready", False, "Waiting", "for the moon")
    await ctx.apply_status(thing)"""
THING = "apiVersion: dev.example.org/v1\nkind: Thing\nmetadata: {name: NAME}\nspec: {}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, body: str, *names: str) -> None:
    (folder / "main.py").write_text(OPERATOR.replace("BODY", body))
    (folder / "things.yaml").write_text("---\n".join(THING.replace("NAME", name) for name in names))


def documents(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_it_ends_once_every_applied_object_has_the_condition(command: Command, folder: Path) -> None:
    write(folder, READY, "a", "b")

    done = command("dev", ".", "--apply", "things.yaml", "--exit-when", "Ready", "--output", "json")

    *lines, last = documents(done)
    assert done.code == 0, done.err
    assert last["result"] == "Ready"
    assert [(o["kind"], o["object"], o["ready"]) for o in last["objects"]] == [
        ("Thing", "default/a", True),
        ("Thing", "default/b", True),
    ]
    condition = {"type": "Ready", "status": "True", "reason": "Done", "message": "done"}
    assert all(o["conditions"] == [condition] for o in last["objects"])
    assert {line["object"] for line in lines if line["event"] == "reconcile"} == {"default/a", "default/b"}
    changes = [line["change"] for line in lines if line["event"] == "object" and line["object"] == "default/a"]
    assert changes[0] == "created"
    notes = " ".join(line["message"] for line in lines if line["event"] == "note")
    assert "things.dev.example.org" in notes


def test_the_kubeconfig_is_where_it_was_requested_and_names_the_cluster(command: Command, folder: Path) -> None:
    write(folder, READY, "a")

    done = command(
        *("dev", ".", "--apply", "things.yaml", "--exit-when", "Ready", "--kubeconfig", "k/config", "--output", "json")
    )

    url = next(line["url"] for line in documents(done) if "url" in line)
    path = folder / "k" / "config"
    assert yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"] == url
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.environ.get("KUBECONFIG") != str(path)


def test_the_manifests_beside_the_operator_are_applied_unless_others_are_given(command: Command, folder: Path) -> None:
    write(folder, READY, "a")
    (folder / "manifests").mkdir()
    (folder / "manifests" / "own.yaml").write_text(THING.replace("NAME", "of-the-folder"))

    def objects(*options: str) -> list[str]:
        done = command("dev", ".", "--exit-when", "Ready", "--output", "json", *options)
        return [o["object"] for o in documents(done)[-1]["objects"]]

    assert objects() == ["default/of-the-folder"]
    assert objects("--apply", "things.yaml") == ["default/a"]


def test_manifests_come_from_standard_input(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, READY, "a")
    monkeypatch.setattr(sys, "stdin", io.StringIO(THING.replace("NAME", "piped")))

    done = command("dev", ".", "--apply", "-", "--exit-when", "Ready", "--output", "json")

    assert [o["object"] for o in documents(done)[-1]["objects"]] == ["default/piped"]


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (NOT_READY, ["Thing default/a", "Ready is False", "Waiting: for the moon"]),
        ("raise ValueError('no luck')", ["Thing default/a", "Ready", "ValueError: no luck"]),
        ("pass", ["Thing default/a", "no condition Ready", "none"]),
        (
            NOT_READY.replace('"Ready"', '"Other"'),
            ["Thing default/a", "no condition Ready", "Other"],
        ),
        ("await ctx.client.delete(Thing, thing.metadata.name)", ["Thing default/a", "does not exist"]),
    ],
    ids=["false", "error", "none", "another", "deleted"],
)
def test_a_condition_that_does_not_come_about_is_exit_1_with_the_reason(
    command: Command, folder: Path, body: str, parts: list[str]
) -> None:
    write(folder, body, "a")
    arguments = ["dev", ".", "--apply", "things.yaml", "--exit-when", "Ready", "--timeout", "2s", "--output", "json"]

    done = command(*arguments)

    last = documents(done)[-1]
    assert (done.code, last["result"]) == (1, "timeout")
    assert last["objects"][0]["ready"] is False
    text = " ".join(last["diagnosis"])
    for part in parts:
        assert part in text


def test_one_of_two_objects_is_not_enough(command: Command, folder: Path) -> None:
    write(folder, "if thing.metadata.name == 'b': return\n    " + READY, "a", "b")

    done = command("dev", ".", "--apply", "things.yaml", "--exit-when", "Ready", "--timeout", "2s", "--output", "json")

    last = documents(done)[-1]
    assert done.code == 1
    assert {o["object"]: o["ready"] for o in last["objects"]} == {"default/a": True, "default/b": False}
    assert not any("default/a" in line for line in last["diagnosis"])


def test_a_condition_of_an_older_generation_does_not_count(command: Command, folder: Path) -> None:
    stale = READY.replace("ctx.event", "thing.status.conditions[0].observed_generation = 99\n    ctx.event")
    write(folder, stale, "a")

    done = command("dev", ".", "--apply", "things.yaml", "--exit-when", "Ready", "--timeout", "2s", "--output", "json")

    last = documents(done)[-1]
    assert (done.code, last["result"], last["objects"][0]["ready"]) == (1, "timeout", False)


def test_objects_of_other_kinds_are_nothing_to_wait_for(command: Command, folder: Path) -> None:
    write(folder, READY)
    (folder / "map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n")

    done = command("dev", ".", "--apply", "map.yaml", "--exit-when", "Ready")

    assert done.code == 2
    assert "--exit-when" in done.err


def test_text_goes_to_standard_error_and_nothing_to_standard_output(command: Command, folder: Path) -> None:
    write(folder, READY, "a")

    done = command("dev", ".", "--apply", "things.yaml", "--exit-when", "Ready")

    assert (done.code, done.out) == (0, "")
    assert "\x1b" not in done.err
    assert "Thing        default/a                        created" in done.err
    assert "reconcile    default/a" in done.err
    assert "export KUBECONFIG=.zestor/kubeconfig\n" in done.err


def test_a_module_of_models_cannot_be_run(command: Command, folder: Path) -> None:
    (folder / "main.py").write_text(OPERATOR.partition("things = ")[0])

    done = command("dev", ".")

    assert done.code == 2
    assert "Controller" in done.err


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--exit-when", "Never"], 130)])
def test_ctrl_c_ends_it(folder: Path, options: list[str], code: int) -> None:
    write(folder, "print('at work', flush=True)", "a")
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "dev", ".", "--apply", "things.yaml"]
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == code
    assert "Traceback" not in (folder / "errors").read_text()


def test_a_file_that_is_broken_while_it_reloads_is_reported_and_its_repair_is_picked_up(folder: Path) -> None:
    write(folder, "print('first', flush=True)", "a")
    command = [sys.executable, "-P", "-m", "zestor_controller.cli.main", "dev", ".", "--apply", "things.yaml"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [*command, "--reload"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "first\n"
        (folder / "main.py").write_text("def broken(:\n")
        while "main.py:1" not in (line := process.stderr.readline()):
            assert line, "it ended"
        (folder / "main.py").write_text(OPERATOR.replace("BODY", "print('repaired', flush=True)"))
        assert process.stdout.readline() == "repaired\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
