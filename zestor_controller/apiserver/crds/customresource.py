"""Custom resources: the Resource of each served version of a definition, and the strategy that its schema makes.

What always holds: what is stored is pruned, defaulted and valid under the schema of the version that it was written in,
and is kept in the storage version; an object is read with the defaults of the version that it is kept in.

Source: ``k8s.io/apiextensions-apiserver/pkg/registry/customresource`` and ``pkg/apiserver``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from zestor_controller.apiserver.crds import crdcolumns as customcolumns
from zestor_controller.apiserver.encoding import typedcodec as codec
from zestor_controller.apiserver.rest.resource import Resource, Subresource, Writing
from zestor_controller.apiserver.rest.status import forbidden
from zestor_controller.apiserver.rest.status import invalid as invalid_status
from zestor_controller.apiserver.syntax.gostring import quote
from zestor_controller.apiserver.typed.fieldtable import OBJECT_META, structural
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation import scalepaths as customscale
from zestor_controller.schema import nameformat
from zestor_controller.schema.celrules import Rules, RuleSet, has_rules
from zestor_controller.schema.definition import version_schema
from zestor_controller.schema.embeddedresource import Coercer, CoercionError, EmbeddedCheck, coercer, embedded_check
from zestor_controller.schema.fielddefaulter import Defaulter, defaulter
from zestor_controller.schema.fielderror import ErrorType, FieldError, invalid
from zestor_controller.schema.fieldpruner import Pruner, pruner
from zestor_controller.schema.listtype import ListCheck, list_check
from zestor_controller.schema.ratchet import UNCORRELATED, equal
from zestor_controller.schema.structural import Schema, Structural, parse
from zestor_controller.schema.validation import Validator

if TYPE_CHECKING:
    from zestor_controller.apiserver.typed.typedef import TypeDef

__all__ = ["CustomStrategy", "resources_of"]

_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_READ_WRITE = ("get", "patch", "update")
_NO_SCALE = ("", "", "")
_STANDARD_FINALIZERS = frozenset({"orphan", "foregroundDeletion", "kubernetes"})
_KUBE_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_BLOCKING = frozenset(
    {ErrorType.NOT_SUPPORTED, ErrorType.REQUIRED, ErrorType.TOO_LONG, ErrorType.TOO_MANY, ErrorType.TYPE_INVALID}
)
_UNCHECKED = FieldError(
    ErrorType.INVALID,
    "<nil>",
    None,
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation",
)


def _read_metadata(value: Any) -> tuple[Json, list[str]]:
    """ObjectMeta as Go reads and writes it, and the paths of its unknown fields."""
    if value is not None and not isinstance(value, dict):
        found = {str: "string", bool: "bool", list: "array"}.get(type(value), "number")
        raise ValueError(f"json: cannot unmarshal {found} into Go value of type v1.ObjectMeta")
    metadata, complaints = codec.decode(OBJECT_META, value or {}, ())
    if metadata.get("managedFields") == []:
        del metadata["managedFields"]  # resets the entries of built-in kinds only
    return metadata, [text.split('"')[1] for text in complaints]


@dataclass(frozen=True, slots=True)
class _Version:
    """One version's schema, compiled."""

    api_version: str
    schema: Schema
    node: Structural
    prune: Pruner
    default: Defaulter | None
    validator: Validator
    status_validator: Validator | None
    check_lists: ListCheck | None
    check_embedded: EmbeddedCheck | None
    coerce: Coercer | None
    rules: RuleSet | None
    has_rules: bool

    def clean(self, obj: Json, unknown: list[str] | None = None) -> None:
        """Take out what the schema does not know, in place.

        Raises:
            CoercionError: an embedded object cannot be read.
        """
        if unknown is None:
            self.prune(obj, None)
            if self.coerce is not None:
                self.coerce(obj, "", None)
            return
        found: list[str] = []
        self.prune(obj, found)
        unknown += sorted(found)
        if self.coerce is not None:
            strange: list[str] = []
            self.coerce(obj, "", strange)
            unknown += sorted(strange)


def _compile(api_version: str, schema: Schema, rules: Rules | None) -> _Version:
    node = parse(schema)
    status = (schema.get("properties") or {}).get("status")
    return _Version(
        api_version=api_version,
        schema=schema,
        node=node,
        prune=pruner(node),
        default=defaulter(node),
        validator=Validator(schema, node),
        status_validator=Validator(status, node.properties["status"]) if status is not None else None,
        check_lists=list_check(node),
        check_embedded=embedded_check(node),
        coerce=coercer(node, _read_metadata),
        rules=rules.compile(schema, node) if rules is not None else None,
        has_rules=has_rules(schema),
    )


_UNKNOWN: Final = _compile("", {"type": "object"}, None)


class CustomStrategy:
    """How objects of one version of a custom resource are read and written.

    Args:
        kind: of the resource.
        version: the name of this version.
        versions: all versions of the definition, by apiVersion.
        own: the apiVersion of this version.
        stored: the apiVersion in which objects are kept.
        has_status: this version has the status subresource.
        scale_paths: where this version's scale is; None without that subresource.
        terminating: the definition is being deleted; nothing new is made. The resource's plural, for the refusal.
    """

    def __init__(
        self,
        kind: str,
        version: str,
        versions: Mapping[str, _Version],
        own: str,
        stored: str,
        *,
        has_status: bool,
        scale_paths: tuple[str, str, str] | None,
        terminating: str = "",
    ) -> None:
        self.kind = kind
        self.version = version
        self.has_status = has_status
        self.scale_paths = scale_paths or _NO_SCALE
        self._scaled = scale_paths is not None
        self._terminating = terminating
        self._versions = versions
        self._own = versions[own]
        self._stored = versions[stored]
        self._group = own.partition("/")[0]

    @property
    def schema(self) -> Schema:
        """This version's schema, as the definition states it."""
        return self._own.schema

    def _unreadable(self, why: str) -> codec.DecodeFailure:
        return codec.DecodeFailure(self.kind, self.version, why)

    def decode(self, body: Json, validation: str, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
        """Read ObjectMeta by its own rules, and prune the rest."""
        unknown: list[str] = []
        try:
            body["metadata"], strange = _read_metadata(body.get("metadata"))
            unknown += [f"metadata.{path}" for path in strange]
            api_version = str(body.get("apiVersion") or "")
            if body.get("kind") == self.kind and api_version.rpartition("/")[0] == self._group:
                # A patch may have changed the version: its own schema prunes, and a version that is not known has none.
                self._versions.get(api_version, _UNKNOWN).clean(body, unknown)
        except CoercionError as error:
            raise self._unreadable(error.error.message()) from None
        except ValueError as error:
            raise self._unreadable(str(error)) from None
        complaints = [f"duplicate field {quote(path)}" for path in duplicates]
        complaints += [f'unknown field "{path}"' for path in unknown]
        if complaints and validation == "Strict":
            raise self._unreadable("strict decoding error: " + ", ".join(complaints))
        return body, complaints if validation == "Warn" else []

    def default(self, obj: Json) -> None:
        """Set the defaults of this version's schema."""
        if self._own.default is not None:
            self._own.default(obj)

    def prepare_create(self, obj: Json, writing: Writing) -> None:
        """Drop the status where it has a subresource of its own, and start counting generations."""
        if self._terminating:
            why = "create not allowed while custom resource definition is terminating"
            raise forbidden(self._group, self._terminating, obj["metadata"].get("name") or "", why)
        if self.has_status:
            obj.pop("status", None)
        obj["metadata"]["generation"] = 1
        writing.warnings += _finalizer_warnings(obj, None)

    def prepare_update(self, new: Json, old: Json, writing: Writing) -> None:
        """Let a status write change the status alone, and a main write everything but that; count the generation."""
        if writing.subresource == "status":
            _take_status(new, old)
            return
        if self.has_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        generation = old["metadata"].get("generation") or 0
        changed = not equal(_content(new), _content(old))
        new["metadata"]["generation"] = generation + changed
        writing.warnings += _finalizer_warnings(new, old)

    def reset_fields(self, subresource: str) -> tuple[tuple[str, ...], ...]:
        """The paths that a write through a subresource (empty: the main one) sets back: nobody comes to own them."""
        if subresource == "status":
            return (("metadata",), ("spec",))
        return (("status",),) if self.has_status else ()

    def validate_create(self, obj: Json, writing: Writing) -> list[FieldError]:
        """The rules of the schema."""
        self._check_type(obj)
        own = self._own
        found = own.validator.validate(obj)
        if self._scaled:
            found += customscale.check_spec(obj, self.scale_paths) + customscale.check_status(obj, self.scale_paths)
        found += self._check_parts(obj)
        if own.check_lists is not None:
            own.check_lists(obj, "", found)
        return self._check_rules(found, obj, None, writing)

    def validate_update(self, new: Json, old: Json, writing: Writing) -> list[FieldError]:
        """The rules of the schema; what was wrong before and is unchanged is tolerated."""
        self._check_type(new)
        own = self._own
        if writing.subresource == "status":
            found = self._check_status(new, old)
        else:
            found = own.validator.validate_update(new, old)
            if self._scaled:
                found += customscale.check_spec(new, self.scale_paths)
            found += self._check_parts(new)
        if self._scaled:
            found += customscale.check_status(new, self.scale_paths)
        if own.check_lists is not None:
            repeated: list[FieldError] = []
            own.check_lists(new, "", repeated)
            before: list[FieldError] = []
            if repeated:
                own.check_lists(old, "", before)
            found += [] if before else repeated
        return self._check_rules(found, new, old, writing)

    def _check_type(self, obj: Json) -> None:
        found = []
        kind, api_version = obj.get("kind") or "", obj.get("apiVersion") or ""
        if kind != self.kind:
            found.append(invalid("kind", kind, f"must be {self.kind}"))
        if api_version != self._own.api_version:
            found.append(invalid("apiVersion", api_version, f"must be {self._own.api_version}"))
        if found:
            # Nothing else is looked at, and the refusal names the kind that was sent.
            raise invalid_status(self._group, kind, (obj.get("metadata") or {}).get("name") or "", found)

    def _check_status(self, new: Json, old: Json) -> list[FieldError]:
        validator = self._own.status_validator
        if validator is None or "status" not in new:
            return []
        return validator.validate_update(new["status"], old.get("status", UNCORRELATED), "status")

    def _check_parts(self, obj: Json) -> list[FieldError]:
        found: list[FieldError] = []
        if self._own.check_embedded is not None:
            self._own.check_embedded(obj, "", found)
        return found

    def _check_rules(self, found: list[FieldError], new: Json, old: Json | None, writing: Writing) -> list[FieldError]:
        if not self._own.has_rules:
            return found
        if any(error.type in _BLOCKING for error in found):
            return [*found, _UNCHECKED]
        if self._own.rules is None:
            return found
        broken, tolerated = self._own.rules.evaluate(new, old)
        writing.warnings += [error.message() for error in tolerated]
        return [*found, *broken]

    def on_read(self, obj: Json) -> Json:
        """The object in this version.

        Defaults are those of the version that it is kept in, even where its schema has gained them since.
        """
        kept = self._versions.get(obj.get("apiVersion") or "")
        if kept is not None:
            _clean_stored(kept, obj)
            if kept.default is not None:
                kept.default(obj)
        if kept is not self._own:
            obj["apiVersion"] = self._own.api_version
            _clean_stored(self._own, obj)
        metadata = obj.get("metadata")
        if isinstance(metadata, dict) and not metadata.get("generation"):
            metadata["generation"] = 1
        return obj

    def on_store(self, obj: Json) -> Json:
        """The object as it is kept: in the storage version, with its fields only."""
        if obj.get("apiVersion") != self._stored.api_version:
            obj["apiVersion"] = self._stored.api_version
            _clean_stored(self._stored, obj)
        return obj


def _clean_stored(version: _Version, obj: Json) -> None:
    """Prune what was stored; embedded objects that cannot be read any more are left as they are."""
    version.prune(obj, None)


def _take_status(new: Json, old: Json) -> None:
    """Make `new` the old object with the new status; who manages what and the version asked for are kept."""
    metadata = new["metadata"]
    taken = {"apiVersion": new.get("apiVersion"), "kind": new.get("kind")}
    status = {"status": new["status"]} if "status" in new else {}
    kept = {name: value for name, value in old.items() if name not in ("apiVersion", "kind", "status", "metadata")}
    before = dict(old["metadata"])
    for name in ("managedFields", "resourceVersion"):
        before.pop(name, None)
        if name in metadata:
            before[name] = metadata[name]
    new.clear()
    new.update({**taken, "metadata": before, **kept, **status})


def _content(obj: Json) -> Json:
    return {name: value for name, value in obj.items() if name != "metadata"}


def _finalizer_warnings(new: Json, old: Json | None) -> list[str]:
    before = set((old or {"metadata": {}})["metadata"].get("finalizers") or ())
    found: list[str] = []
    for finalizer in sorted(set(new["metadata"].get("finalizers") or ()) - before):
        start = f'metadata.finalizers: "{finalizer}": '
        found += [start + why for why in nameformat.qualified_name(finalizer)]
        if "/" in finalizer or finalizer in _STANDARD_FINALIZERS:
            continue
        more = " including a path (/)" if "." in finalizer else ""
        found.append(
            f"{start}prefer a domain-qualified finalizer name{more} to avoid accidental conflicts with other finalizer "
            "writers"
        )
    return found


def resources_of(crd: Json, rules: Rules | None = None) -> list[Resource]:
    """The resources that a definition serves: one for each served version, under the accepted names.

    Args:
        crd: the definition, known to be valid.
        rules: the CEL engine; None: ``x-kubernetes-validations`` hold nothing back.
    """
    spec = crd["spec"]
    group = spec["group"]
    versions = {
        f"{group}/{version['name']}": _compile(f"{group}/{version['name']}", version_schema(version) or {}, rules)
        for version in spec["versions"]
    }
    stored = next(f"{group}/{version['name']}" for version in spec["versions"] if version.get("storage"))
    accepted = (crd.get("status") or {}).get("acceptedNames") or {}
    called = accepted if accepted.get("kind") else spec["names"]
    terminating = bool(crd["metadata"].get("deletionTimestamp"))
    return [
        _resource(spec, called, version, versions, stored, terminating)
        for version in spec["versions"]
        if version.get("served")
    ]


def _resource(
    spec: Json, called: Json, version: Json, versions: Mapping[str, _Version], stored: str, terminating: bool
) -> Resource:
    group, name, kind = spec["group"], version["name"], called["kind"]
    own = f"{group}/{name}"
    given = version.get("subresources") or {}
    subresources: dict[str, Subresource] = {}
    if given.get("status") is not None:
        subresources["status"] = Subresource("status", kind, group, name, _READ_WRITE)
    scale_paths = None
    if given.get("scale") is not None:
        subresources["scale"] = Subresource("scale", "Scale", "autoscaling", "v1", _READ_WRITE)
        scale_paths = customscale.paths_of(given["scale"])
    strategy = CustomStrategy(
        kind,
        name,
        versions,
        own,
        stored,
        has_status="status" in subresources,
        scale_paths=scale_paths,
        terminating=called["plural"] if terminating else "",
    )
    return Resource(
        group=group,
        version=name,
        kind=kind,
        plural=called["plural"],
        singular=called.get("singular") or kind.lower(),
        namespaced=spec["scope"] == "Namespaced",
        strategy=strategy,
        types=_types(versions[own].schema),
        verbs=_VERBS,
        list_kind=called.get("listKind") or f"{kind}List",
        short_names=tuple(called.get("shortNames") or ()),
        categories=tuple(called.get("categories") or ()),
        subresources=subresources,
        columns=customcolumns.columns(version.get("additionalPrinterColumns")),
        selectable=customcolumns.selectors(version.get("selectableFields")),
        unconditional_update=False,
        generation=True,
        strategic=False,
        custom=True,
        deprecation=_deprecation(spec, version, kind),
    )


def _types(schema: Schema) -> Callable[[], TypeDef]:
    made: list[TypeDef] = []

    def types() -> TypeDef:
        if not made:
            made.append(structural(schema))
        return made[0]

    return types


def _deprecation(spec: Json, version: Json, kind: str) -> str:
    if not version.get("deprecated"):
        return ""
    given = version.get("deprecationWarning")
    if given is not None:
        return str(given)
    group, name = spec["group"], version["name"]
    warning = f"{group}/{name} {kind} is deprecated"
    newer = _newer(name, spec["versions"])
    return f"{warning}; use {group}/{newer} {kind}" if newer else warning


def _rank(name: str) -> tuple[int, ...]:
    """The order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, then all other names, backwards."""
    found = _KUBE_VERSION.fullmatch(name)
    if found is None:
        return (0, *(-ord(char) for char in name), 1)
    maturity = {None: 2, "beta": 1, "alpha": 0}[found[2]]
    return (1, maturity, int(found[1]), int(found[3] or 0))


def _newer(name: str, versions: Sequence[Json]) -> str:
    """The best version to go to: served, not deprecated, at least as stable, and newer than the one given."""
    mine = _rank(name)
    others = [
        other["name"]
        for other in versions
        if other.get("served") and not other.get("deprecated") and _rank(other["name"]) > mine
    ]
    return max(others, key=_rank, default="")
