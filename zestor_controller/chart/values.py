"""The values of a chart: one model, from which ``values.yaml``, its schema and the README's table are written.

Invariant: names are those that operator charts have in common (cert-manager, external-secrets, kubebuilder's), so that
no user has to learn new ones; every value is used by a template; an unknown one is refused at every level.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["Values", "rows", "values_schema", "values_yaml"]

DURATION: Final = r"^(\d+(\.\d+)?(ms|s|m|h))+$"
Free = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class Image(_Part):
    repository: str = "operator"
    """The operator's image, without a tag."""
    tag: str | int = ""
    """Its tag; the chart's appVersion unless given."""
    digest: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""
    """Its digest, sha256:...; wins over the tag."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When it is pulled."""


class ServiceAccount(_Part):
    create: bool = True
    """Make one; otherwise name one that exists."""
    name: str = ""
    """Its name; the release's unless given."""
    annotations: dict[str, str] = {}
    """For cloud identities."""


class Helpers(_Part):
    enabled: bool = False
    """Add ClusterRoles for users, aggregated to view, edit and admin."""


class Rbac(_Part):
    create: bool = True
    """Grant the operator its rights."""
    namespaced: bool = False
    """Grant them by Roles in the watched namespaces instead of a ClusterRole."""
    extra_rules: list[Free] = []
    """Rights on kinds that no controller declares: what reconciles do through ctx.client."""
    helpers: Helpers = Helpers()


class Crds(_Part):
    enabled: bool = True
    """Install and upgrade the CRDs with the release."""
    keep: bool = True
    """Keep them, and every object of theirs, when the release is uninstalled."""
    annotations: dict[str, str] = {}
    """Annotations of the CRDs."""


class LeaderElectionValues(_Part):
    enabled: bool = True
    """Let one replica work at a time; without it a rollout stops the old one first."""
    lease_duration: Annotated[str, Field(pattern=DURATION)] = "15s"
    """How long others respect a lease that is not renewed."""
    renew_deadline: Annotated[str, Field(pattern=DURATION)] = "10s"
    """When a leader that cannot renew stops writing."""
    retry_period: Annotated[str, Field(pattern=DURATION)] = "2s"
    """The time between two renewals."""


class Logging(_Part):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""
    format: Literal["json", "text"] = "json"
    """One JSON document a line, or text for users."""


class MetricsValues(_Part):
    enabled: bool = True
    """Serve /metrics, with a Service in front."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """The port of both."""


class Values(_Part):
    """The values of a chart."""

    name_override: str = ""
    """Replaces the chart's name in names."""
    fullname_override: str = ""
    """Replaces the complete name."""
    namespace_override: str = ""
    """Installs into another namespace than the release's."""
    common_labels: dict[str, str] = {}
    """Labels of every object."""
    image: Image = Image()
    image_pull_secrets: list[Free] = []
    """Secrets to pull the image with: [{name: ...}]."""
    replica_count: Annotated[int, Field(ge=0)] = 1
    """One replica works; more are on standby, if leaderElection is enabled."""
    service_account: ServiceAccount = ServiceAccount()
    rbac: Rbac = Rbac()
    crds: Crds = Crds()
    leader_election: LeaderElectionValues = LeaderElectionValues()
    watch_namespaces: list[str] = []
    """The namespaces to watch; all unless given, or the release's own with rbac.namespaced."""
    logging: Logging = Logging()
    metrics: MetricsValues = MetricsValues()
    resources: Free = {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}
    """Requests and limits. A CPU limit would throttle the renewal of the lease."""
    pod_annotations: dict[str, str] = {}
    """Annotations of the Pods."""
    pod_labels: dict[str, str] = {}
    """Labels of the Pods."""
    pod_security_context: Free = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    """Pod Security "restricted", with the container's below."""
    security_context: Free = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    """The container's; it has an emptyDir at /tmp."""
    node_selector: dict[str, str] = {}
    """Labels of the nodes to run on."""
    tolerations: list[Free] = []
    """Taints to tolerate."""
    affinity: Free = {}
    """Affinity of the Pods."""
    topology_spread_constraints: list[Free] = []
    """How the Pods spread."""
    priority_class_name: str = ""
    """For example system-cluster-critical."""
    extra_args: list[str] = []
    """Further arguments of `zestor run`; the last of an option counts."""
    extra_env: list[Free] = []
    """Further environment variables."""
    extra_volumes: list[Free] = []
    """Further volumes."""
    extra_volume_mounts: list[Free] = []
    """Where they are mounted."""
    extra_objects: list[Free] = []
    """Further objects of the release; templates are expanded."""


def values_yaml(values: Values) -> str:
    """``values.yaml``: every value with its description."""
    return "\n".join(_lines(values, "")) + "\n"


def _lines(part: _Part, indent: str) -> list[str]:
    lines: list[str] = []
    for name, field in type(part).model_fields.items():
        key, value = field.alias or name, getattr(part, name)
        if field.description:
            lines.append(f"{indent}# {field.description}")
        if isinstance(value, _Part):
            lines += [f"{indent}{key}:", *_lines(value, indent + "  ")]
        else:
            text = yaml.safe_dump({key: value}, sort_keys=False, default_flow_style=False)
            lines += [indent + line for line in text.splitlines()]
    return lines


def rows(values: Values, prefix: str = "") -> list[tuple[str, str, str]]:
    """Each value's path, default as JSON, and description."""
    found: list[tuple[str, str, str]] = []
    for name, field in type(values).model_fields.items():
        key, value = f"{prefix}{field.alias or name}", getattr(values, name)
        if isinstance(value, _Part):
            found += rows(value, f"{key}.")  # type: ignore[arg-type]  # a part of the values
        else:
            found.append((key, json.dumps(value), field.description or ""))
    return found


def values_schema() -> str:
    """``values.schema.json``: Helm refuses what it does not allow, at install, upgrade, lint and template."""
    schema = _without_titles(Values.model_json_schema(by_alias=True))
    schema["properties"]["global"] = {"type": "object", "description": "Shared with the charts around this one."}
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **schema}, indent=2) + "\n"


def _without_titles(node: Any) -> Any:
    if isinstance(node, dict):
        # A property may be called title; a schema's own title is a text.
        kept = {key: value for key, value in node.items() if not (key == "title" and isinstance(value, str))}
        return {key: _without_titles(value) for key, value in kept.items() if key != "default"}
    return [_without_titles(item) for item in node] if isinstance(node, list) else node
