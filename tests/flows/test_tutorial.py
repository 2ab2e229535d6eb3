"""The tutorial, followed to the letter: its files written, its commands run, their output compared."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zestor_controller.testing.binaries import kubectl

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial" / "first-operator.md").read_text()
FENCED = re.compile(r"^```([a-z]+)([^\n]*)\n(.*?)^```", re.M | re.S)
BLOCKS = [(match[1], match[2].strip(), match[3]) for match in FENCED.finditer(PAGE)]
FILES = {"python": "greetings.py", "yaml": "greeting.yaml", 'title="test_greetings.py"': "test_greetings.py"}

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("kubectl")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tutorial's files, and with its two commands on the path."""
    folder = tmp_path_factory.mktemp("tutorial")
    for language, title, text in BLOCKS:
        name = FILES.get(title or language)
        if name is not None:
            (folder / name).write_text(text)
    (folder / "bin").mkdir()
    (folder / "bin" / "kubectl").symlink_to(kubectl("1.37"))
    (folder / "bin" / "zestor").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zestor_controller.cli.main "$@"\n')
    (folder / "bin" / "zestor").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def environment(desk: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "HOME": str(desk)}


@pytest.fixture(scope="module")
def dev(desk: Path, environment: dict[str, str]) -> Iterator[None]:
    """Step 3's first terminal, once the Greeting is Ready."""
    command = next(text.strip() for language, _, text in BLOCKS if language == "sh" and "zestor dev" in text)
    with subprocess.Popen(
        shlex.split(command), cwd=desk, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stderr is not None
            shown = []
            for line in process.stderr:
                shown.append(line)
                if "Greeting" in line and "Ready=True" in line:
                    break
            else:
                pytest.fail("".join(shown))
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
    assert process.returncode in (0, 130)


@pytest.mark.usefixtures("dev")
def test_each_command_of_the_tutorial_prints_what_the_page_shows(desk: Path, environment: dict[str, str]) -> None:
    seen = 0
    for language, _, text in BLOCKS:
        if language != "console":
            continue
        for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            if command.startswith("export "):
                name, _, value = command.removeprefix("export ").partition("=")
                environment[name] = value
                continue
            done = subprocess.run(
                command,
                shell=True,
                cwd=desk,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.stdout.strip() == expected.strip(), command
            seen += 1
    assert seen == PAGE.count("\n$ kubectl")


@pytest.mark.usefixtures("dev")
def test_the_operator_runs_against_a_cluster_as_the_page_says(desk: Path, environment: dict[str, str]) -> None:
    block = next(text for language, _, text in BLOCKS if language == "sh" and "zestor run" in text)
    *before, run = block.strip().splitlines()
    env = {**environment, "KUBECONFIG": ".zestor/kubeconfig"}
    for command in before:
        subprocess.run(shlex.split(command), cwd=desk, env=env, check=True, capture_output=True, timeout=60)
    with subprocess.Popen(shlex.split(run), cwd=desk, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("started" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_the_test_of_the_tutorial_passes(desk: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_greetings.py"],
        cwd=desk,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
