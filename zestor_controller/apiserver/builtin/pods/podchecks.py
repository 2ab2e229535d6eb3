"""Rules of pod specs, for pods and for templates.

The order of the errors follows the server's; the paths start at the field that is given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zestor_controller.apiserver.builtin.address import check_ip
from zestor_controller.apiserver.builtin.pods.claimspec import check_claim_template
from zestor_controller.apiserver.encoding.quantity import value_of
from zestor_controller.apiserver.validation.fieldchecks import (
    bad_config_key,
    bad_env_name,
    bad_name_label,
    bad_port,
    bad_port_name,
    bad_subdomain,
    check_enum,
    check_label_name,
    check_labels,
    check_not_negative,
    check_selector,
    check_text,
)
from zestor_controller.schema.fielderror import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["check_container", "check_pod_spec", "check_pod_template", "check_quantities", "pod_spec_warnings"]

_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_TERMINATION_POLICIES = ("FallbackToLogsOnError", "File")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_STANDARD_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
_MAX_INT32 = 2**31 - 1


def check_pod_template(field: str, template: Json) -> list[FieldError]:
    """Errors of a pod template: its labels, annotations and spec."""
    errors = check_labels(f"{field}.labels", (template.get("metadata") or {}).get("labels"))
    return errors + check_pod_spec(f"{field}.spec", template.get("spec") or {})


def check_pod_spec(field: str, spec: Json) -> list[FieldError]:
    """Errors of a pod's spec."""
    volumes, errors = _check_volumes(f"{field}.volumes", spec.get("volumes", ()))
    containers = spec.get("containers") or ()
    if not containers:
        errors.append(required(f"{field}.containers"))
    names: set[str] = set()
    for group in ("containers", "initContainers"):
        ports: set[str] = set()
        for index, container in enumerate(spec.get(group) or ()):
            where = f"{field}.{group}[{index}]"
            errors += check_container(where, container, volumes)
            name = container.get("name")
            if name and name in names:
                errors.append(duplicate(f"{where}.name", name))
            names.add(name)
            errors += _check_host_ports(where, container, ports)
    errors += check_enum(f"{field}.restartPolicy", spec.get("restartPolicy"), _RESTART_POLICIES)
    errors += check_enum(f"{field}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    errors += check_labels(f"{field}.nodeSelector", spec.get("nodeSelector"))
    errors += check_not_negative(f"{field}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    for name in ("serviceAccountName", "nodeName", "runtimeClassName", "priorityClassName"):
        if spec.get(name):
            errors += check_text(f"{field}.{name}", spec[name], bad_subdomain)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MAX_INT32:
        errors.append(
            invalid(f"{field}.activeDeadlineSeconds", deadline, f"must be between 1 and {_MAX_INT32}, inclusive")
        )
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            errors += check_text(f"{field}.{name}", spec[name], bad_name_label)
    for index, toleration in enumerate(spec.get("tolerations", ())):
        errors += _check_toleration(f"{field}.tolerations[{index}]", toleration)
    for index, alias in enumerate(spec.get("hostAliases", ())):
        errors += check_ip(f"{field}.hostAliases[{index}].ip", alias.get("ip", ""))
        for at, host in enumerate(alias.get("hostnames", ())):
            errors += check_text(f"{field}.hostAliases[{index}].hostnames[{at}]", host, bad_subdomain)
    for index, constraint in enumerate(spec.get("topologySpreadConstraints", ())):
        errors += _check_spread(f"{field}.topologySpreadConstraints[{index}]", constraint)
    return errors


def _check_spread(field: str, constraint: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    if constraint.get("maxSkew", 0) <= 0:
        errors.append(invalid(f"{field}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero"))
    if not constraint.get("topologyKey"):
        errors.append(required(f"{field}.topologyKey", "can not be empty"))
    else:
        errors += check_label_name(f"{field}.topologyKey", constraint["topologyKey"])
    allowed = ["DoNotSchedule", "ScheduleAnyway"]
    if constraint.get("whenUnsatisfiable") not in allowed:
        errors.append(not_supported(f"{field}.whenUnsatisfiable", constraint.get("whenUnsatisfiable", ""), allowed))
    return errors + check_selector(f"{field}.labelSelector", constraint.get("labelSelector"))


def _check_toleration(field: str, toleration: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    effect, value = toleration.get("effect", ""), toleration.get("value", "")
    if key:
        errors += check_label_name(f"{field}.key", key)
    elif operator != "Exists":
        errors.append(
            invalid(
                f"{field}.operator",
                operator,
                'operator must be Exists when `key` is empty, which means "match all values and all keys"',
            )
        )
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        errors.append(invalid(f"{field}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    if operator == "Exists" and value:
        errors.append(invalid(f"{field}.operator", value, "value must be empty when `operator` is 'Exists'"))
    elif operator not in ("", "Equal", "Exists"):
        errors.append(not_supported(f"{field}.operator", operator, ["Equal", "Exists"]))
    if effect and effect not in _EFFECTS:
        errors.append(not_supported(f"{field}.effect", effect, list(_EFFECTS)))
    return errors


def _check_volumes(field: str, volumes: Iterable[Json]) -> tuple[dict[str, Json], list[FieldError]]:
    errors: list[FieldError] = []
    known: dict[str, Json] = {}
    for index, volume in enumerate(volumes):
        where = f"{field}[{index}]"
        name = volume.get("name", "")
        sources = [source for source in _SOURCE_ORDER if volume.get(source) is not None]
        if not sources:
            errors.append(required(where, "must specify a volume type"))
        errors += [forbidden(f"{where}.{extra}", "may not specify more than 1 volume type") for extra in sources[1:]]
        for source in sources[:1]:
            errors += _check_source(f"{where}.{source}", source, volume[source])
        if not name:
            errors.append(required(f"{where}.name"))
        else:
            problems = check_text(f"{where}.name", name, bad_name_label)
            if problems:
                errors += problems
            elif name in known:
                errors.append(duplicate(f"{where}.name", name))
        known[name] = volume
    return known, errors


_SOURCE_ORDER = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs",
    "persistentVolumeClaim", "rbd", "cinder", "cephfs", "flocker", "downwardAPI", "fc", "azureFile", "configMap",
    "vsphereVolume", "quobyte", "azureDisk", "portworxVolume", "projected", "scaleIO", "storageos", "csi", "ephemeral",
    "flexVolume", "photonPersistentDisk", "image",
)  # fmt: skip
_REQUIRED_IN_SOURCE = {
    "secret": ("secretName",),
    "configMap": ("name",),
    "persistentVolumeClaim": ("claimName",),
    "hostPath": ("path",),
    "nfs": ("server", "path"),
    "csi": ("driver",),
}


def _check_source(field: str, kind: str, source: Json) -> list[FieldError]:
    errors = [required(f"{field}.{name}") for name in _REQUIRED_IN_SOURCE.get(kind, ()) if not source.get(name)]
    if kind == "ephemeral":
        template = source.get("volumeClaimTemplate")
        where = f"{field}.volumeClaimTemplate"
        errors += [required(where)] if template is None else check_claim_template(where, template)
    mode = source.get("defaultMode") if kind in ("secret", "configMap", "downwardAPI", "projected") else None
    if mode is not None and not 0 <= mode <= 0o777:
        message = "must be a number between 0 and 0777 (octal), both inclusive"
        errors.append(invalid(f"{field}.defaultMode", mode, message))
    if kind in ("secret", "configMap"):
        for index, item in enumerate(source.get("items", ())):
            errors += [required(f"{field}.items[{index}].{name}") for name in ("key", "path") if not item.get(name)]
    return errors


def _check_host_ports(field: str, container: Json, seen: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, port in enumerate(container.get("ports", ())):
        if port.get("hostPort"):
            key = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if key in seen:
                errors.append(duplicate(f"{field}.ports[{index}].hostPort", key))
            seen.add(key)
    return errors


def check_container(field: str, container: Json, volumes: Mapping[str, Json]) -> list[FieldError]:
    """Errors of one container, of a pod that has these volumes."""
    errors: list[FieldError] = []
    if not container.get("name"):
        errors.append(required(f"{field}.name"))
    else:
        errors += check_text(f"{field}.name", container["name"], bad_name_label)
    image = container.get("image", "")
    if not image:
        errors.append(required(f"{field}.image"))
    elif image != image.strip():
        errors.append(invalid(f"{field}.image", image, "must not have leading or trailing whitespace"))
    policy = container.get("terminationMessagePolicy")
    errors += check_enum(f"{field}.terminationMessagePolicy", policy, _TERMINATION_POLICIES)
    errors += _check_ports(f"{field}.ports", container.get("ports", ()))
    errors += _check_env(field, container)
    errors += _check_mounts(field, container, volumes)
    errors += check_enum(f"{field}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES)
    errors += _check_resources(f"{field}.resources", container.get("resources") or {})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            errors += _check_probe(f"{field}.{name}", container[name], name)
    for name, handler in (container.get("lifecycle") or {}).items():
        if name in ("postStart", "preStop"):
            errors += _check_handler(f"{field}.lifecycle.{name}", handler)
    return errors


def _check_ports(field: str, ports: Iterable[Json]) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        where = f"{field}[{index}]"
        name = port.get("name")
        if name:
            problems = check_text(f"{where}.name", name, bad_port_name)
            if problems:
                errors += problems
            elif name in names:
                errors.append(duplicate(f"{where}.name", name))
            names.add(name)
        number = port.get("containerPort", 0)
        if not number:
            errors.append(required(f"{where}.containerPort"))
        else:
            errors += [invalid(f"{where}.containerPort", number, text) for text in bad_port(number)]
        if port.get("hostPort"):
            errors += [invalid(f"{where}.hostPort", port["hostPort"], text) for text in bad_port(port["hostPort"])]
        errors += check_enum(f"{where}.protocol", port.get("protocol"), _PROTOCOLS)
    return errors


def _check_env(field: str, container: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, variable in enumerate(container.get("env", ())):
        where = f"{field}.env[{index}]"
        if not variable.get("name"):
            errors.append(required(f"{where}.name"))
        else:
            errors += check_text(f"{where}.name", variable["name"], bad_env_name)
        source = variable.get("valueFrom")
        if source is None:
            continue
        if not source:
            kinds = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef`, or `fileKeyRef`"
            message = f"must specify one of: {kinds}"
            errors.append(invalid(f"{where}.valueFrom", "", message))
        elif variable.get("value"):
            errors.append(invalid(f"{where}.valueFrom", "", "may not be specified when `value` is not empty"))
        elif len(source) > 1:
            errors.append(invalid(f"{where}.valueFrom", "", "may not have more than one field specified at a time"))
        for kind in ("configMapKeyRef", "secretKeyRef"):
            reference = source.get(kind)
            if reference is not None:
                if not reference.get("key"):
                    errors.append(required(f"{where}.valueFrom.{kind}.key"))
                else:
                    errors += check_text(f"{where}.valueFrom.{kind}.key", reference["key"], bad_config_key)
    return errors


def _check_mounts(field: str, container: Json, volumes: Mapping[str, Json]) -> list[FieldError]:
    errors: list[FieldError] = []
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts", ())):
        where = f"{field}.volumeMounts[{index}]"
        if not mount.get("name"):
            errors.append(required(f"{where}.name"))
        path = mount.get("mountPath", "")
        if not path:
            errors.append(required(f"{where}.mountPath"))
        if path in paths:
            errors.append(invalid(f"{where}.mountPath", path, "must be unique"))
        paths.add(path)
        if mount.get("name", "") not in volumes:
            errors.append(not_found(f"{where}.name", mount.get("name", "")))
        if ".." in mount.get("subPath", "").split("/"):
            errors.append(invalid(f"{where}.subPath", mount["subPath"], "must not contain '..'"))
        elif mount.get("subPath", "").startswith("/"):
            errors.append(invalid(f"{where}.subPath", mount["subPath"], "must be a relative path"))
    return errors


def check_quantities(field: str, amounts: Mapping[str, str] | None) -> list[FieldError]:
    """An error for each negative quantity of a resource list."""
    return [
        invalid(f"{field}[{name}]", amount, "must be greater than or equal to 0")
        for name, amount in (amounts or {}).items()
        if amount.startswith("-")
    ]


def _check_resources(field: str, resources: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name in amounts:
            errors += _check_resource_name(f"{field}.{part}[{name}]", name)
        errors += check_quantities(f"{field}.{part}", amounts)
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is not None and value_of(amount) > value_of(limit):
            errors.append(
                invalid(f"{field}.requests", amount, f"must be less than or equal to {name} limit of {limit}")
            )
    return errors


def _check_resource_name(field: str, name: str) -> list[FieldError]:
    errors = check_label_name(field, name)
    if errors or "/" in name or name in _STANDARD_RESOURCES or name.startswith("hugepages-"):
        return errors
    return [
        invalid(field, name, "must be a standard resource type or fully qualified"),
        invalid(field, name, "must be a standard resource for containers"),
    ]


def _check_probe(field: str, probe: Json, name: str) -> list[FieldError]:
    errors = _check_handler(field, probe)
    for part in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        errors += check_not_negative(f"{field}.{part}", probe.get(part))
    if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        errors.append(invalid(f"{field}.successThreshold", probe["successThreshold"], "must be 1"))
    return errors


def _check_handler(field: str, handler: Json) -> list[FieldError]:
    kinds = [kind for kind in ("exec", "httpGet", "tcpSocket", "grpc", "sleep") if handler.get(kind) is not None]
    errors: list[FieldError] = []
    if not kinds:
        errors.append(required(field, "must specify a handler type"))
    errors += [forbidden(f"{field}.{kind}", "may not specify more than 1 handler type") for kind in kinds[1:]]
    for kind in kinds[:1]:
        action = handler[kind]
        if kind == "exec" and not action.get("command"):
            errors.append(required(f"{field}.exec.command"))
        elif kind in ("httpGet", "tcpSocket", "grpc"):
            errors += _check_port_reference(f"{field}.{kind}.port", action.get("port", 0))
    return errors


def _check_port_reference(field: str, port: Any) -> list[FieldError]:
    if isinstance(port, int):
        return [invalid(field, port, text) for text in bad_port(port)]
    return check_text(field, port, bad_port_name)


def pod_spec_warnings(field: str, spec: Json) -> list[str]:
    """The server's warnings: variables and ports that one container defines twice."""
    warnings: list[str] = []
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            where = f"{field}.{group}[{index}]"
            names: set[str] = set()
            for at, variable in enumerate(container.get("env", ())):
                name = variable.get("name", "")
                if name in names and not re.search(rf"\$\({re.escape(name)}\)", variable.get("value", "")):
                    text = f'hides previous definition of "{name}", which may be dropped when using apply'
                    warnings.append(f"{where}.env[{at}]: {text}")
                names.add(name)
            ports: dict[tuple[Any, ...], int] = {}
            for at, port in enumerate(container.get("ports", ())):
                key = (port.get("containerPort"), port.get("protocol"), port.get("hostIP"), port.get("hostPort"))
                if key in ports:
                    text = f"duplicate port definition with {where}.ports[{ports[key]}]"
                    warnings.append(f"{where}.ports[{at}]: {text}")
                ports.setdefault(key, at)
    return warnings
