"""The strategies of custom resources: what the schema of a version makes of a read or write.

Invariant: what is stored is pruned, defaulted and valid under the schema of the version that it was written in, and is
kept in the storage version; an object is read with the defaults of the version that it is kept in.

Source: ``k8s.io/apiextensions-apiserver/pkg/registry/customresource/strategy.go``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from zestor_controller.apiserver.crds.crdversion import CompiledVersion, compile_version, read_metadata
from zestor_controller.apiserver.encoding import typedcodec as codec
from zestor_controller.apiserver.rest.resource import ScalePaths
from zestor_controller.apiserver.rest.status import forbidden
from zestor_controller.apiserver.rest.status import invalid as invalid_status
from zestor_controller.apiserver.rest.strategy import BaseStrategy, SubresourceStrategy, WriteContext
from zestor_controller.apiserver.typed.typedef import Json
from zestor_controller.apiserver.validation import scalepaths
from zestor_controller.schema import nameformat
from zestor_controller.schema.embeddedresource import CoercionError
from zestor_controller.schema.fielderror import ErrorType, FieldError, invalid
from zestor_controller.schema.ratchet import UNCORRELATED, equal

__all__ = ["CustomStatusStrategy", "CustomStrategy"]

_STANDARD_FINALIZERS = frozenset({"orphan", "foregroundDeletion", "kubernetes"})
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
_UNKNOWN: Final = compile_version("", {"type": "object"}, None)


class CustomStrategy(BaseStrategy):
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
        versions: Mapping[str, CompiledVersion],
        own: str,
        stored: str,
        *,
        has_status: bool,
        scale_paths: ScalePaths | None,
        terminating: str = "",
    ) -> None:
        self.kind = kind
        self.version = version
        self.has_status = has_status
        self._scale_paths = scale_paths
        self._terminating = terminating
        self._versions = versions
        self._own = versions[own]
        self._stored = versions[stored]
        self._group = own.partition("/")[0]

    def _unreadable(self, why: str) -> codec.DecodeFailure:
        return codec.DecodeFailure(self.kind, self.version, why)

    def decode(self, body: Json, validation: str, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
        """Read ObjectMeta by its own rules, and prune the rest."""
        unknown: list[str] = []
        try:
            body["metadata"], strange = read_metadata(body.get("metadata"))
            unknown += [f"metadata.{path}" for path in strange]
            api_version = str(body.get("apiVersion") or "")
            if body.get("kind") == self.kind and api_version.rpartition("/")[0] == self._group:
                # A patch may have changed the version: its own schema prunes, and a version that is not known has none.
                self._versions.get(api_version, _UNKNOWN).clean(body, unknown)
        except CoercionError as error:
            raise self._unreadable(error.error.message()) from None
        except ValueError as error:
            raise self._unreadable(str(error)) from None
        complaints = [f'duplicate field "{path}"' for path in duplicates]
        complaints += [f'unknown field "{path}"' for path in unknown]
        if complaints and validation == "Strict":
            raise self._unreadable("strict decoding error: " + ", ".join(complaints))
        return body, complaints if validation == "Warn" else []

    def default(self, obj: Json) -> None:
        """Set the defaults of this version's schema."""
        if self._own.default is not None:
            self._own.default(obj)

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Drop the status where it has a subresource of its own, and start counting generations."""
        if self._terminating:
            why = "create not allowed while custom resource definition is terminating"
            raise forbidden(self._group, self._terminating, obj["metadata"].get("name") or "", why)
        if self.has_status:
            obj.pop("status", None)
        obj["metadata"]["generation"] = 1
        ctx.warnings.extend(_finalizer_warnings(obj, None))

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Keep the status where it has a subresource of its own, and count the generation."""
        if self.has_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        generation = old["metadata"].get("generation") or 0
        changed = not equal(_content(new), _content(old))
        new["metadata"]["generation"] = generation + changed
        ctx.warnings.extend(_finalizer_warnings(new, old))

    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        """The status, where it has an endpoint of its own."""
        return (("status",),) if self.has_status else ()

    def validate_create(self, ctx: WriteContext, obj: Json) -> list[FieldError]:
        """The rules of the schema."""
        self._check_type(obj)
        own = self._own
        found = own.validator.validate(obj)
        if self._scale_paths is not None:
            found += scalepaths.check_spec(obj, self._scale_paths) + scalepaths.check_status(obj, self._scale_paths)
        found += self._check_parts(obj)
        if own.check_lists is not None:
            own.check_lists(obj, "", found)
        return self._check_rules(found, obj, None, ctx)

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """The rules of the schema; what was wrong before and is unchanged is tolerated."""
        self._check_type(new)
        found = self._own.validator.validate_update(new, old)
        if self._scale_paths is not None:
            found += scalepaths.check_spec(new, self._scale_paths)
        return self._check_change([*found, *self._check_parts(new)], new, old, ctx)

    def validate_status(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """The rules of the status in the schema, and those that need the complete object."""
        self._check_type(new)
        return self._check_change(self._check_status(new, old), new, old, ctx)

    def _check_change(self, found: list[FieldError], new: Json, old: Json, ctx: WriteContext) -> list[FieldError]:
        """Add what every write of an object is checked for."""
        if self._scale_paths is not None:
            found += scalepaths.check_status(new, self._scale_paths)
        check_lists = self._own.check_lists
        if check_lists is not None:
            repeated: list[FieldError] = []
            check_lists(new, "", repeated)
            before: list[FieldError] = []
            if repeated:
                check_lists(old, "", before)
            found += [] if before else repeated
        return self._check_rules(found, new, old, ctx)

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

    def _check_rules(self, found: list[FieldError], new: Json, old: Json | None, ctx: WriteContext) -> list[FieldError]:
        if not self._own.has_rules:
            return found
        if any(error.type in _BLOCKING for error in found):
            return [*found, _UNCHECKED]
        if self._own.rules is None:
            return found
        broken, tolerated = self._own.rules.evaluate(new, old)
        ctx.warnings.extend(error.message() for error in tolerated)
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


class CustomStatusStrategy(SubresourceStrategy):
    """How the status of a custom resource is written: everything else stays.

    Args:
        main: the strategy of the object.
    """

    def __init__(self, main: CustomStrategy) -> None:
        super().__init__(main)
        self._custom = main

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Keep everything but the status."""
        _take_status(new, old)

    def validate_update(self, ctx: WriteContext, new: Json, old: Json) -> list[FieldError]:
        """The rules of the status."""
        return self._custom.validate_status(ctx, new, old)

    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        """Everything but the status."""
        return (("metadata",), ("spec",))


def _clean_stored(version: CompiledVersion, obj: Json) -> None:
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
