"""docs/how-to/ship-with-helm.md, followed to the letter with both lines of Helm."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helming import EXAMPLE, ROOT

from zestor_controller.testing.binaries import helm, kubectl
from zestor_controller.testing.processes import ApiServerProcess

PAGE = (ROOT / "docs" / "how-to" / "ship-with-helm.md").read_text()
SERVER, *STEPS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)
(DOCKERFILE,) = re.findall(r"^```dockerfile\n(.*?)^```", PAGE, re.M | re.S)

pytestmark = [pytest.mark.xdist_group("charts"), pytest.mark.timeout(180)]


@pytest.fixture
def desk(tmp_path: Path, major: Any) -> Path:
    """A folder with the example's operator, and with the page's commands on the path."""
    shutil.copy(EXAMPLE / "main.py", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "helm").symlink_to(helm(major))
    (tmp_path / "bin" / "kubectl").symlink_to(kubectl("1.37"))
    (tmp_path / "bin" / "zestor").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -P -m zestor_controller.cli.main "$@"\n'
    )
    (tmp_path / "bin" / "zestor").chmod(0o755)
    return tmp_path


@pytest.fixture
def environment(desk: Path) -> Iterator[dict[str, str]]:
    """The page's first terminal at work; the other one's environment."""
    program, verb, *arguments = shlex.split(SERVER)
    assert (program, verb) == ("zestor", "apiserver")
    arguments = arguments[: arguments.index("--kubeconfig")]  # the process helper names its own
    with ApiServerProcess(*arguments, folder=desk) as server:
        path = f"{desk / 'bin'}:{os.environ['PATH']}"
        yield {**os.environ, "PATH": path, "HOME": str(desk), "KUBECONFIG": str(server.kubeconfig)}


def test_every_command_of_the_page_does_what_it_says(desk: Path, environment: dict[str, str]) -> None:
    responses: list[str] = []
    allowed = 0
    for step in STEPS:
        for command in step.strip().splitlines():
            done = subprocess.run(
                shlex.split(command),
                cwd=desk,
                env=environment,
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            responses.append(done.stdout + done.stderr)
            allowed += "has every right" in done.stderr
    assert "successfully rolled out" in "".join(responses)
    assert allowed == 1
    assert "websites.demo.zestor.dev" in responses[-1]
    assert (desk / "charts" / "website-operator" / "Chart.yaml").exists()


def test_the_image_of_the_page_runs_what_the_deployment_says() -> None:
    """Without a container runtime, read it: a pinned base, no root, the folder and the file of the Deployment."""
    lines = dict(line.split(" ", 1) for line in DOCKERFILE.strip().splitlines())
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", lines["FROM"])
    assert lines["USER"] == "65532:65532"
    assert lines["WORKDIR"] == "/app"
    assert lines["COPY"] == "main.py ."
