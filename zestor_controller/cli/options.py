"""What options of several verbs have in common."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click
import yaml

from zestor_controller.errors import ConfigError

__all__ = ["DURATION", "check_overwritable", "watched_namespaces"]

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on only
    """A length of time as Kubernetes writes it: ``90s``, ``1m30s``, ``500ms``; a bare number means seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """A timedelta.

        Raises:
            BadParameter: the text is no length of time.
        """
        if isinstance(value, timedelta):
            return value
        text = str(value)
        if re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))+", text):
            parts = re.findall(r"([\d.]+)(ms|s|m|h)", text)
            return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return timedelta(seconds=float(text))
        self.fail(f"{text!r} is no length of time: write a number with a unit, such as 60s or 2m", param, ctx)


DURATION: Final = _Duration()


def watched_namespaces(namespace: str | None, namespaces: str | None) -> list[str]:
    """The namespaces that the two options name; empty if neither is given.

    Raises:
        ConfigError: both are given, one of the names is empty or no namespace's name, or a name is there twice.
    """
    if namespace is not None and namespaces is not None:
        raise ConfigError("give --namespace or --namespaces, not both")
    if namespace is None and namespaces is None:
        return []
    option = "--namespace" if namespace is not None else "--namespaces"
    text = namespace if namespace is not None else namespaces or ""
    advice = "leave the option out to watch all namespaces"
    if not text.strip():
        raise ConfigError(f"{option} {text!r} names no namespace; {advice}")
    names = [text] if namespace is not None else [part.strip() for part in text.split(",")]
    for name in names:
        if not name:
            raise ConfigError(f"{option} {text!r}: there is an empty name between the commas")
        if len(name) > 63 or not _NAMESPACE.fullmatch(name):
            hint = f"patterns are not supported; {advice}" if set("*?[") & set(name) else "separate names by commas"
            if option == "--namespace" and "," in name:
                hint = "use --namespaces for several"
            raise ConfigError(
                f"{option} {text!r}: {name!r} is no name of a namespace (lower-case letters, digits and dashes, at "
                f"most 63 characters); {hint}"
            )
        if names.count(name) > 1:
            raise ConfigError(f"{option} {text!r}: {name!r} is named twice")
    return names


def check_overwritable(kubeconfig: Path) -> None:
    """Refuse to write an embedded server's kubeconfig over one that names other clusters.

    Raises:
        ConfigError: the file names a cluster that is not an embedded one.
    """
    try:
        document = yaml.safe_load(kubeconfig.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return  # writing it fails with a better message, or nothing of value is there
    clusters = document.get("clusters") if isinstance(document, dict) else None
    names = [str(entry.get("name")) for entry in clusters or () if isinstance(entry, dict)]
    others = [name for name in names if name != "zestor"]
    if others:
        raise ConfigError(
            f"--kubeconfig {kubeconfig} holds other clusters ({', '.join(others)}) and would be overwritten; "
            "name another file"
        )
