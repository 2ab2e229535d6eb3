"""The difference of two pod specs, as the refusal of a pod update shows it.

The server prints its internal form of the spec (Go field names, every field) and cuts a unified diff with three lines
of context from it. The tables below hold that form: the order of the fields, and how an absent one is shown.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["spec_difference", "template_text"]


# Field names of the internal structs, in their order. "=" gives the zero value of a field that is no pointer.
_CONTAINER = (
    'name="" image="" command args workingDir="" ports envFrom env resources resizePolicy restartPolicy '
    "restartPolicyRules volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle "
    'terminationMessagePath="" terminationMessagePolicy="" imagePullPolicy="" securityContext stdin=false '
    "stdinOnce=false tty=false"
)
_POD_SPEC = (
    'volumes initContainers containers ephemeralContainers restartPolicy="" terminationGracePeriodSeconds '
    'activeDeadlineSeconds dnsPolicy="" nodeSelector serviceAccountName="" automountServiceAccountToken nodeName="" '
    'securityContext imagePullSecrets hostname="" subdomain="" setHostnameAsFQDN affinity schedulerName="" tolerations '
    'hostAliases priorityClassName="" priority preemptionPolicy dnsConfig readinessGates runtimeClassName overhead '
    "enableServiceLinks topologySpreadConstraints os schedulingGates resourceClaims resources hostnameOverride"
)
_SECURITY = (
    "hostNetwork=false hostPID=false hostIPC=false shareProcessNamespace hostUsers seLinuxOptions windowsOptions "
    "runAsUser runAsGroup runAsNonRoot supplementalGroups supplementalGroupsPolicy fsGroup fsGroupChangePolicy sysctls "
    "seccompProfile appArmorProfile seLinuxChangePolicy"
)
_TOLERATION = 'key="" operator="" value="" effect="" tolerationSeconds'
_RESOURCES = "limits requests claims"
_SPEC_LEVEL = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")


def _go_name(name: str) -> str:
    for start, go in (("dns", "DNS"), ("tty", "TTY"), ("os", "OS")):
        if name == start or (name.startswith(start) and name[len(start)].isupper()):
            return go + name[len(start) :]
    return {"seLinuxOptions": "SELinuxOptions"}.get(name, name[0].upper() + name[1:])


def _struct(value: Json, table: str) -> Json:
    out: Json = {}
    for entry in table.split():
        name, _, absent = entry.partition("=")
        out[_go_name(name)] = value.get(name, json.loads(absent) if absent else None)
    return out


def _container(value: Json) -> Json:
    out = _struct(value, _CONTAINER)
    out["Resources"] = _struct(value.get("resources") or {}, _RESOURCES)
    for name in ("Ports", "Env", "EnvFrom", "VolumeMounts", "VolumeDevices"):
        out[name] = _renamed(out[name])
    return out


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {_go_name(name): _renamed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    return value


def _internal(spec: Json) -> Json:
    out = _struct(spec, _POD_SPEC)
    security = {**(spec.get("securityContext") or {}), **{name: spec[name] for name in _SPEC_LEVEL if name in spec}}
    out["SecurityContext"] = _struct(security, _SECURITY) if "securityContext" in spec else None
    for name in ("Containers", "InitContainers"):
        if out[name] is not None:
            out[name] = [_container(container) for container in out[name]]
    if out["Tolerations"] is not None:
        out["Tolerations"] = [_struct(toleration, _TOLERATION) for toleration in out["Tolerations"]]
    for name in ("Volumes", "Affinity", "DNSConfig", "HostAliases", "TopologySpreadConstraints", "ImagePullSecrets"):
        out[name] = _renamed(out[name])
    return out


def template_text(template: Json | None) -> str:
    """The internal form of a pod template in one line, as a refusal shows the value."""
    whole = template or {}
    return json.dumps(
        {**(whole.get("metadata") or {}), "Spec": _internal(whole.get("spec") or {})}, separators=(",", ":")
    )


def spec_difference(old: Json, new: Json) -> str:
    """A unified diff of the internal forms of two pod specs, without the names of files."""
    before, after = (json.dumps(_internal(spec), indent=1).splitlines() for spec in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    return "\n".join(lines) + "\n"
