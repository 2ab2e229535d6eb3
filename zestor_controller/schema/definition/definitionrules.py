"""The rules of a CustomResourceDefinition: names, versions, subresources, columns, and its schemas.

Works on the definition as a plain object, so that the embedded server and the CRD compiler ask the same function. Paths
are the server's: what all versions say alike stands in ``spec``, not in ``spec.versions[0]``.

Source: ``k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from zestor_controller.schema import nameformat
from zestor_controller.schema.celrules import Rules, has_rules
from zestor_controller.schema.definition.conversionrules import check_conversion
from zestor_controller.schema.definition.schemarules import check_schema, unrecognized_formats
from zestor_controller.schema.definition.versionrules import check_column, check_scale, check_selectable
from zestor_controller.schema.fielderror import (
    ErrorType,
    FieldError,
    invalid,
    not_supported,
    required,
)
from zestor_controller.schema.gotext import quote
from zestor_controller.schema.structural import Schema

__all__ = [
    "definition_approval",
    "definition_formats",
    "definition_has_rules",
    "set_definition_defaults",
    "validate_definition",
    "validate_definition_update",
    "version_schema",
]

Json = Mapping[str, Any]

_APPROVED = "api-approved.kubernetes.io"
_PULL = "see https://github.com/kubernetes/enhancements/pull/1111"
_SHARED = (
    ("schema", "Schema"),
    ("subresources", "Subresources"),
    ("additionalPrinterColumns", "AdditionalPrinterColumns"),
    ("selectableFields", "SelectableFields"),
)


def version_schema(version: Json) -> Schema | None:
    """The schema of one of a definition's versions; None when it has none."""
    found = (version.get("schema") or {}).get("openAPIV3Schema")
    return found if isinstance(found, Mapping) else None


def definition_has_rules(crd: Json) -> bool:
    """Whether any version's schema carries ``x-kubernetes-validations``."""
    return any(has_rules(version_schema(version)) for version in (crd.get("spec") or {}).get("versions") or ())


def definition_formats(crd: Json) -> list[str]:
    """The formats in a definition's schemas that mean nothing to the server, which warns about them."""
    versions: list[Json] = list((crd.get("spec") or {}).get("versions") or ())
    found: list[str] = []
    shared = bool(versions) and all(version.get("schema") == versions[0].get("schema") for version in versions)
    for version in versions[:1] if shared else versions:
        found += unrecognized_formats(version_schema(version))
    return found


def set_definition_defaults(crd: dict[str, Any]) -> None:
    """Set what a definition may leave out, in place: singular and list kind, the conversion, the stored version."""
    spec = crd.setdefault("spec", {})
    given = spec.setdefault("names", {})
    if not given.get("singular") and given.get("kind"):
        given["singular"] = given["kind"].lower()
    if not given.get("listKind") and given.get("kind"):
        given["listKind"] = f"{given['kind']}List"
    if spec.get("conversion") is None:
        spec["conversion"] = {"strategy": "None"}
    service = ((spec["conversion"].get("webhook") or {}).get("clientConfig") or {}).get("service")
    if isinstance(service, dict) and service.get("port") is None:
        service["port"] = 443


def _stored(crd: Json) -> list[str]:
    given = (crd.get("status") or {}).get("storedVersions")
    if given:
        return list(given)
    versions = (crd.get("spec") or {}).get("versions") or ()
    return [version.get("name", "") for version in versions if version.get("storage")][:1]


def validate_definition(crd: Json, rules: Rules | None = None) -> list[FieldError]:
    """Every rule that a new definition breaks.

    Args:
        crd: the definition; what may be left out need not be there.
        rules: the engine that compiles ``x-kubernetes-validations``; None: they are not compiled.
    """
    spec = crd.get("spec") or {}
    given = spec.get("names") or {}
    name = (crd.get("metadata") or {}).get("name") or ""
    found: list[FieldError] = []
    if name != f"{given.get('plural') or ''}.{spec.get('group') or ''}":
        found.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    found += _check_spec(spec, rules)
    found += _check_stored_versions(crd)
    found += _check_approval(crd, None)
    found += _check_preserve(spec)
    return found


def validate_definition_update(new: Json, old: Json, rules: Rules | None = None) -> list[FieldError]:
    """Every rule that a changed definition breaks, immutable fields included.

    Args:
        new: the definition after the write, with its defaults.
        old: the definition before it.
        rules: see :func:`validate_definition`.
    """
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    found = list(_check_spec(spec, rules))
    fixed = [("group",), ("names", "plural")]
    if _is_established(old):
        fixed = [("scope",), ("names", "kind"), *fixed]
    for path in fixed:
        value, previous = _at(spec, path), _at(before, path)
        if value != previous:
            found.append(invalid(".".join(("spec", *path)), value, "field is immutable"))
    found += _check_names((new.get("status") or {}).get("acceptedNames") or {}, "status.acceptedNames")
    found += _check_stored_versions(new)
    found += _check_approval(new, old)
    if not before.get("preserveUnknownFields"):
        found += _check_preserve(spec)
    return found


def _is_established(crd: Json) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Established" and one.get("status") == "True" for one in conditions)


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = (value or {}).get(name)
    return value or ""


def _check_spec(spec: Json, rules: Rules | None) -> Iterator[FieldError]:
    yield from _check_group(spec.get("group") or "")
    scope = spec.get("scope") or ""
    if not scope:
        yield required("spec.scope")
    elif scope not in ("Cluster", "Namespaced"):
        yield not_supported("spec.scope", scope, ["Cluster", "Namespaced"])
    versions = list(spec.get("versions") or ())
    for index, version in enumerate(versions):
        if version_schema(version) is None:
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema")
    shared = {keyword for keyword, _ in _SHARED if _is_shared(versions, keyword)}
    yield from _check_versions(versions, shared, rules)
    given = dict(spec.get("names") or {})
    kind = given.get("kind") or ""
    given.setdefault("singular", kind.lower())
    given.setdefault("listKind", f"{kind}List" if kind else "")
    for name in ("plural", "singular", "kind", "listKind"):
        if not given.get(name):
            yield required(f"spec.names.{name}")
    yield from _check_names(given, "spec.names")
    if versions:
        yield from _check_version_parts(versions[0], "spec", shared, rules, _has_any_status(versions))
    yield from check_conversion(spec.get("conversion") or {"strategy": "None"})


def _is_shared(versions: Sequence[Json], keyword: str) -> bool:
    """Whether all versions say the same; the server then takes it for the definition's own."""
    return bool(versions) and all(
        (version.get(keyword) or None) == (versions[0].get(keyword) or None) for version in versions
    )


def _has_any_status(versions: Sequence[Json]) -> bool:
    return any((version.get("subresources") or {}).get("status") is not None for version in versions)


def _check_group(group: str) -> Iterator[FieldError]:
    if not group:
        yield required("spec.group")
    elif wrong := nameformat.dns1123_subdomain(group):
        yield invalid("spec.group", group, ",".join(wrong))
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")


def _check_versions(versions: Sequence[Json], shared: set[str], rules: Rules | None) -> Iterator[FieldError]:
    called = [version.get("name") or "" for version in versions]
    separate = {keyword for keyword, _ in _SHARED} - shared
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if wrong := nameformat.dns1035_label(called[index]):
            yield invalid(f"{path}.name", called[index], ",".join(wrong))
        for why in _wrong_warning(version):
            yield invalid(f"{path}.deprecationWarning", version.get("deprecationWarning"), why)
        own_status = "subresources" in separate and _has_any_status([version])
        has_status = own_status or ("subresources" in shared and _has_any_status(versions))
        yield from _check_version_parts(version, path, separate, rules, has_status)
    shown = [_shown(version, shared) for version in versions]
    if len(set(called)) < len(called):
        yield _wrong_versions(shown, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield _wrong_versions(shown, "must have exactly one version marked as storage version")
    if called and (wrong := nameformat.dns1035_label(called[0])):
        yield invalid("spec.version", called[0], ",".join(wrong))


def _shown(version: Json, shared: set[str]) -> dict[str, Any]:
    """A version as the server's own type prints it."""
    found: dict[str, Any] = {
        "Name": version.get("name") or "",
        "Served": bool(version.get("served")),
        "Storage": bool(version.get("storage")),
        "Deprecated": bool(version.get("deprecated")),
        "DeprecationWarning": version.get("deprecationWarning"),
    }
    for keyword, label in _SHARED:
        found[label] = None if keyword in shared else version.get(keyword)
    return found


def _wrong_versions(shown: list[dict[str, Any]], why: str) -> FieldError:
    return FieldError(ErrorType.INVALID, "spec.versions", None, why, json.dumps(shown, separators=(",", ":")))


def _wrong_warning(version: Json) -> list[str]:
    text = version.get("deprecationWarning")
    if text is None:
        return []
    if not version.get("deprecated"):
        return ["can only be set for deprecated versions"]
    found = []
    if len(text.encode()) > 256:
        found.append("must be <= 256 characters long")
    if not text:
        found.append("must not be an empty string")
    for index, char in enumerate(text):
        if not char.isprintable():
            at = len(text[:index].encode())
            found.append(f"must only contain printable UTF-8 characters; non-printable character found at index {at}")
            break
    return found


def _check_version_parts(
    version: Json, path: str, keywords: set[str], rules: Rules | None, has_status: bool
) -> Iterator[FieldError]:
    """What a version says, as far as it is said at this path: in the version itself, or for all of them."""
    schema = version_schema(version)
    if "schema" in keywords and schema is not None:
        where = "spec.validation" if path == "spec" else f"{path}.schema"
        yield from check_schema(schema, f"{where}.openAPIV3Schema", has_status=has_status, rules=rules)
    if "subresources" in keywords:
        yield from check_scale((version.get("subresources") or {}).get("scale"), f"{path}.subresources.scale")
    if "additionalPrinterColumns" in keywords:
        for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
            yield from check_column(column, f"{path}.additionalPrinterColumns[{index}]")
    if "selectableFields" in keywords and version.get("selectableFields"):
        yield from check_selectable(version["selectableFields"], schema, f"{path}.selectableFields")


def _check_names(given: Json, path: str) -> Iterator[FieldError]:
    for name in ("plural", "singular"):
        text = given.get(name) or ""
        if text and (wrong := nameformat.dns1035_label(text)):
            yield invalid(f"{path}.{name}", text, ",".join(wrong))
    for name in ("kind", "listKind"):
        text = given.get(name) or ""
        if text and (wrong := nameformat.dns1035_label(text.lower())):
            why = "may have mixed case, but should otherwise match: " + ",".join(wrong)
            yield invalid(f"{path}.{name}", text, why)
    for name in ("shortNames", "categories"):
        for index, text in enumerate(given.get(name) or ()):
            if wrong := nameformat.dns1035_label(text):
                yield invalid(f"{path}.{name}[{index}]", text, ",".join(wrong))
    if given.get("kind") and given.get("kind") == given.get("listKind"):
        yield invalid(f"{path}.listKind", given["listKind"], "kind and listKind may not be the same")


def _check_stored_versions(crd: Json) -> Iterator[FieldError]:
    path = "status.storedVersions"
    stored = _stored(crd)
    if not stored:
        yield invalid(path, None, "must have at least one stored version")
        return
    left = {version: index for index, version in enumerate(stored)}
    for version in (crd.get("spec") or {}).get("versions") or ():
        name = version.get("name") or ""
        if version.get("storage") and name not in left:
            yield invalid(path, stored, f"must have the storage version {name}")
        left.pop(name, None)
    for name, index in left.items():
        why = (
            f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions "
            f"until a storage migration ensures no data remains persisted in {name} and removes {name} from "
            "status.storedVersions"
        )
        yield invalid(f"{path}[{index}]", name, why)


def definition_approval(crd: Json) -> tuple[str, str]:
    """Whether a definition in a group of the Kubernetes community may be there.

    Returns:
        ``missing``, ``invalid``, ``bypassed`` or ``approved``, and what to say about it; both empty for other groups.
    """
    group = (crd.get("spec") or {}).get("group") or ""
    if not (group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))):
        return "", ""
    annotation = ((crd.get("metadata") or {}).get("annotations") or {}).get(_APPROVED) or ""
    needed = f"protected groups must have approval annotation {quote(_APPROVED)}"
    if not annotation:
        return "missing", f"{needed}, {_PULL}"
    if annotation.startswith("unapproved"):
        return "bypassed", f"not approved: {quote(annotation)}"
    parts = urlsplit(annotation)
    if parts.scheme and parts.netloc:
        return "approved", f"approved in {annotation}"
    return "invalid", f'{needed} with either a URL or a reason starting with "unapproved", {_PULL}'


def _check_approval(crd: Json, old: Json | None) -> Iterator[FieldError]:
    state, why = definition_approval(crd)
    if old is not None and definition_approval(old)[0] == state:
        return
    path = f"metadata.annotations[{_APPROVED}]"
    if state == "missing":
        yield required(path, why)
    elif state == "invalid":
        yield invalid(path, crd["metadata"]["annotations"][_APPROVED], why)


def _check_preserve(spec: Json) -> Iterator[FieldError]:
    if spec.get("preserveUnknownFields"):
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        yield invalid("spec.preserveUnknownFields", True, why)
