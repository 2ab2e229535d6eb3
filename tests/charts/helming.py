"""Helm as these tests call it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from zestor_controller.testing.binaries import helm

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "website-operator"
EXAMPLE = ROOT / "examples" / "01_website"
Major: TypeAlias = Literal["3", "4"]
Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


def run_helm_in(
    home: Path, major: Major, *arguments: str, kubeconfig: Path | None = None, fails: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run Helm with a home of its own; `fails` says that an error is what the test wants."""
    env = {**os.environ, "HOME": str(home), "KUBECONFIG": str(kubeconfig or home / "none")}
    command = [str(helm(major)), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert bool(done.returncode) is fails, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done
