"""A chart's files as text, from a manager.

Invariant: the same manager gives the same text. Files of :data:`WRITTEN_ONCE` are the author's after the first time;
every other file carries a checksum header (:mod:`~zestor_controller.chart.checksum`) and is written anew by each sync.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from zestor_controller.chart.checksum import sign
from zestor_controller.chart.values import Image, Values, rows, values_schema, values_yaml
from zestor_controller.controller import Rule
from zestor_controller.crd import own_models, render_crd, yaml_text
from zestor_controller.errors import ConfigError
from zestor_controller.manager import Manager
from zestor_controller.manager.rights import READ, VERBS, rules_for
from zestor_controller.objects import CustomResource, kind_of

__all__ = ["chart_name", "is_written_once", "render"]

WRITTEN_ONCE: Final = ("Chart.yaml", "values.yaml", "ci/")
ONCE: Final = "# Written once by `zestor chart init`; yours from here on. Every value is described in README.md.\n"
PLACEHOLDER: Final = re.compile(r"^( *)?@@([a-z_]+)@@$|@@([a-z_]+)@@", re.M)
Models = Iterable[type[CustomResource[Any, Any]]]


def is_written_once(path: str) -> bool:
    """Whether a file is the author's after the first time."""
    return path.startswith(WRITTEN_ONCE)


def chart_name(manager: Manager) -> str:
    """The chart's name: the first custom resource's kind, or else the first kind, and ``-operator``."""
    kinds = [controller.kind for controller in manager.controllers]
    own = [kind for kind in kinds if issubclass(kind.model, CustomResource) and not kind.external]
    if not kinds:
        raise ConfigError("a chart needs an operator with at least one Controller")
    return f"{(own or kinds)[0].kind.lower()}-operator"


def render(manager: Manager, *, target: str = "main.py", models: Models | None = None) -> dict[str, str]:
    """The files of the operator's chart.

    Args:
        manager: the operator.
        target: what ``zestor run`` is given in the image, where /app is its working directory.
        models: the custom resources whose CRDs are in the chart; those that a controller reconciles unless given.

    Returns:
        From the path in the chart to the text; every path has the text that ``zestor chart init`` writes.

    Raises:
        ConfigError: the manager has no controller.
    """
    name = chart_name(manager)
    if models is None:
        kinds = [controller.kind.model for controller in manager.controllers]
        models = [model for model in kinds if issubclass(model, CustomResource)]
    models = sorted(own_models(models), key=lambda model: kind_of(model).store_name)
    rules = rules_for(manager.controllers)
    values = Values(image=Image(repository=name))
    names = {
        "name": name,
        "target": json.dumps(target) if not re.fullmatch(r"[\w./:-]+", target) else target,
        "description": json.dumps(_description(name, models)),
        "namespaced_rules": _rules(rules.namespaced),
        "cluster_rules": _rules(rules.cluster),
        "viewer_rules": _people(models, READ),
        "editor_rules": _people(models, VERBS),
    }
    texts = {path: _filled(text, names) for path, text in _skeleton()}
    if not models:
        del texts["templates/rbac/viewer.yaml"], texts["templates/rbac/editor.yaml"]
    texts["values.yaml"] = ONCE + values_yaml(values)
    texts["values.schema.json"] = values_schema()
    texts["README.md"] = _readme(name, models, values)
    for model in models:
        file, text = render_crd(model)
        texts[f"templates/crds/{file}"] = _crd_template(text)
    return {path: text if is_written_once(path) else sign(path, text) for path, text in sorted(texts.items())}


def _skeleton() -> Iterable[tuple[str, str]]:
    def walk(folder: Traversable, path: str) -> Iterable[tuple[str, str]]:
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.is_dir():
                yield from walk(entry, f"{path}{entry.name}/")
            else:
                yield f"{path}{entry.name}", entry.read_text(encoding="utf-8")

    return walk(files("zestor_controller.chart").joinpath("skeleton"), "")


def _filled(text: str, names: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        indent, whole, part = match.groups()
        if part is not None:
            return names[part]
        return "\n".join(f"{indent or ''}{line}" for line in names[whole].splitlines())

    return PLACEHOLDER.sub(fill, text)


def _description(name: str, models: list[type[CustomResource[Any, Any]]]) -> str:
    for model in models:
        if model.__doc__:
            return " ".join(model.__doc__.split())
    return f"Runs {name}."


def _people(models: list[type[CustomResource[Any, Any]]], verbs: Iterable[str]) -> str:
    rules = []
    for model in models:
        kind = kind_of(model)
        rules.append(Rule(kind.group, (kind.plural,), tuple(verbs)))
        rules.append(Rule(kind.group, (f"{kind.plural}/status",), ("get",)))
    return _rules(rules)


def _rules(rules: Iterable[Rule]) -> str:
    documents = [rule.document() for rule in rules]
    return yaml_text(documents).rstrip() if documents else ""


def _crd_template(text: str) -> str:
    """A CRD as a template: behind its switch, and kept when the release is deleted."""
    # What looks like a template in a description or a default is none.
    safe = re.sub(r"\{\{|\}\}", lambda match: '{{ "' + match[0] + '" }}', text)
    _, _, body = safe.partition("\n")  # the header says where it comes from
    head, name, rest = re.split(r"^(  name: .+\n)", body, maxsplit=1, flags=re.M)
    annotations = (
        "  {{- if or .Values.crds.keep .Values.crds.annotations }}\n"
        "  annotations:\n"
        "    {{- if .Values.crds.keep }}\n"
        "    helm.sh/resource-policy: keep\n"
        "    {{- end }}\n"
        "    {{- with .Values.crds.annotations }}\n"
        "    {{- toYaml . | nindent 4 }}\n"
        "    {{- end }}\n"
        "  {{- end }}\n"
    )
    return "{{- if .Values.crds.enabled }}\n" + head + name + annotations + rest + "{{- end }}\n"


def _readme(name: str, models: list[type[CustomResource[Any, Any]]], values: Values) -> str:
    kinds = ", ".join(f"`{kind_of(model).store_name}`" for model in models)
    table = "\n".join(f"| `{path}` | `{default}` | {text} |" for path, default, text in rows(values))
    crds = (
        f"The CRDs of {kinds} are installed and upgraded with the release (`crds.enabled`) and stay, with every object "
        "of theirs, when it is uninstalled (`crds.keep`).\n\n"
        if models
        else ""
    )
    command = f"helm install {name} . --namespace {name} --create-namespace"
    return (
        f"# {name}\n\n{_description(name, models)}\n\n```sh\n{command}\n```\n\n{crds}## Values\n\n"
        "The defaults are those of a fresh chart; `values.yaml` may say others. An unknown value is refused.\n\n"
        f"| value | default | |\n|---|---|---|\n{table}\n"
    )
