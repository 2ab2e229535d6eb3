"""Ingresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.declaration import declare
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, NONE, columns, first_few, value_at
from zestor_controller.apiserver.encoding.typedstrategy import BuiltinStrategy
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import bad_port, bad_subdomain, check_text
from zestor_controller.schema.fielderror import FieldError, invalid, not_supported, required

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["IngressStrategy", "resource"]

_PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"]


class IngressStrategy(BuiltinStrategy):
    """Ingresses."""

    generation = True

    def validate(self, obj: Json) -> list[FieldError]:
        """A default backend or rules, and whole paths."""
        spec = obj.get("spec") or {}
        errors: list[FieldError] = []
        if not spec.get("rules") and not spec.get("defaultBackend"):
            message = "either `defaultBackend` or `rules` must be specified"
            errors.append(invalid("spec", spec, message))
        if spec.get("defaultBackend"):
            errors += _check_backend("spec.defaultBackend", spec["defaultBackend"])
        for index, rule in enumerate(spec.get("rules", ())):
            where = f"spec.rules[{index}]"
            host = rule.get("host", "")
            if host:
                errors += check_text(f"{where}.host", host.removeprefix("*."), bad_subdomain)
            http = rule.get("http")
            if http is None:
                continue
            if not http.get("paths"):
                errors.append(required(f"{where}.http.paths"))
            for at, path in enumerate(http.get("paths") or ()):
                errors += _check_path(f"{where}.http.paths[{at}]", path)
        return errors


def _check_path(field: str, path: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    kind, text = path.get("pathType"), path.get("path", "")
    if kind is None:
        errors.append(required(f"{field}.pathType", "pathType must be specified"))
    elif kind not in _PATH_TYPES:
        errors.append(not_supported(f"{field}.pathType", kind, _PATH_TYPES))
    elif (kind != "ImplementationSpecific" or text) and not text.startswith("/"):
        errors.append(invalid(f"{field}.path", text, "must be an absolute path"))
    return errors + _check_backend(f"{field}.backend", path.get("backend") or {})


def _check_backend(field: str, backend: Json) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(field, "", "cannot set both resource and service backends")]
    if service is None and resource is None:
        return [required(field, "resource or service backend is required")]
    if service is None:
        return []
    errors: list[FieldError] = []
    if not service.get("name"):
        errors.append(required(f"{field}.service.name"))
    port = service.get("port") or {}
    if not port.get("number") and not port.get("name"):
        errors.append(required(field, "port name or number is required"))
    elif port.get("number") and port.get("name"):
        errors.append(invalid(field, "", "cannot set both port name & port number"))
    elif port.get("number"):
        errors += [invalid(f"{field}.service.port.number", port["number"], text) for text in bad_port(port["number"])]
    return errors


def _hosts(obj: Json, now: float) -> str:
    hosts = [rule["host"] for rule in (obj.get("spec") or {}).get("rules", ()) if rule.get("host")]
    return first_few(hosts, "*")


def _ingress_address(obj: Json, now: float) -> str:
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress", ())
    return ",".join(point.get("ip") or point.get("hostname", "") for point in points)


def resource() -> Resource:
    """The resource ``ingresses`` of ``networking.k8s.io/v1``."""
    return declare(
        "networking.k8s.io/v1",
        "Ingress",
        "ingresses",
        IngressStrategy,
        columns(
            "ingresses",
            NAME,
            ("Class", value_at("spec", "ingressClassName", absent=NONE), 0),
            ("Hosts", _hosts, 0),
            ("Address", _ingress_address, 0),
            ("Ports", lambda obj, now: "80, 443" if (obj.get("spec") or {}).get("tls") else "80", 0),
            AGE,
        ),
        short_names=("ing",),
        subresources=("status",),
    )
