"""DaemonSets: an annotation counts the changes of their template."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from zestor_controller.apiserver.builtin.apps.rollingupdate import check_rolling_update
from zestor_controller.apiserver.builtin.declaration import ALL, declare
from zestor_controller.apiserver.builtin.pods.templatecolumns import IMAGES, POD_SELECTOR
from zestor_controller.apiserver.builtin.pods.templatestrategy import TemplateStrategy
from zestor_controller.apiserver.builtin.printcolumns import AGE, NAME, columns, selector_at, value_at
from zestor_controller.apiserver.encoding import typedcodec as codec
from zestor_controller.apiserver.rest.resource import Resource
from zestor_controller.apiserver.validation.fieldchecks import check_not_negative, shown_fields
from zestor_controller.schema import gotext
from zestor_controller.schema.fielderror import FieldError, not_supported, required

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zestor_controller.apiserver.rest.strategy import WriteContext
    from zestor_controller.apiserver.typed.typedef import Json

__all__ = ["DaemonSetStrategy", "resource"]

_COUNT = re.compile(r"[-+]?[0-9]{1,18}")
_TEMPLATE_COUNT = "deprecated.daemonset.template.generation"


def _annotate(obj: Json, name: str, value: str) -> None:
    obj["metadata"]["annotations"] = {**(obj["metadata"].get("annotations") or {}), name: value}


class DaemonSetStrategy(TemplateStrategy):
    """DaemonSets. An annotation counts the changes of the template, since old clients read it.

    The server keeps the count as a field, so each object that it decodes has the annotation, and a client that writes
    without apply becomes its owner.
    """

    def decode(self, body: Json, validation: str, duplicates: Sequence[str]) -> tuple[Json, list[str]]:
        """Refuse a count that is no number."""
        obj, complaints = super().decode(body, validation, duplicates)
        count = ((obj.get("metadata") or {}).get("annotations") or {}).get(_TEMPLATE_COUNT, "0")
        if _COUNT.fullmatch(count) is None:
            why = f"strconv.ParseInt: parsing {gotext.quote(count)}: invalid syntax"
            raise codec.DecodeFailure(self.kind, self.version, why)
        return obj, complaints

    def default(self, obj: Json) -> None:
        """Also the count of templates, which is zero until the server sets it."""
        super().default(obj)
        if _TEMPLATE_COUNT not in (obj["metadata"].get("annotations") or {}):
            _annotate(obj, _TEMPLATE_COUNT, "0")

    def prepare_for_create(self, ctx: WriteContext, obj: Json) -> None:
        """Start to count the templates."""
        super().prepare_for_create(ctx, obj)
        if int(obj["metadata"]["annotations"][_TEMPLATE_COUNT]) < 1:
            _annotate(obj, _TEMPLATE_COUNT, "1")

    def prepare_for_update(self, ctx: WriteContext, new: Json, old: Json) -> None:
        """Count a change of the template."""
        super().prepare_for_update(ctx, new, old)
        self._count_template(new, old)

    def prepare_status(self, new: Json, old: Json) -> None:
        """Keep the count of templates too."""
        super().prepare_status(new, old)
        self._count_template(new, old)

    def _count_template(self, new: Json, old: Json) -> None:
        text = (old["metadata"].get("annotations") or {}).get(_TEMPLATE_COUNT, "")
        count = int(text) if text.isdecimal() else 0
        if (new.get("spec") or {}).get("template") != (old.get("spec") or {}).get("template"):
            count += 1
        if count:
            _annotate(new, _TEMPLATE_COUNT, str(count))

    def default_spec(self, obj: Json, spec: Json) -> None:
        """One node at a time."""
        update = spec.get("updateStrategy")
        if not update:
            update = spec["updateStrategy"] = {}
        update.setdefault("type", "RollingUpdate")
        if update["type"] == "RollingUpdate":
            rolling = update.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)
        spec.setdefault("revisionHistoryLimit", 10)

    def check_own(self, spec: Json) -> list[FieldError]:
        """The update strategy."""
        update = spec.get("updateStrategy") or {}
        kind = update.get("type", "")
        if kind == "RollingUpdate":
            if update.get("rollingUpdate") is None:
                return [required("spec.updateStrategy.rollingUpdate")]
            return check_rolling_update("spec.updateStrategy.rollingUpdate", update["rollingUpdate"])
        if kind != "OnDelete":
            refused = not_supported("spec.updateStrategy", update, ["RollingUpdate", "OnDelete"])
            return [replace(refused, shown=shown_fields(update, "type", "rollingUpdate"))]
        return []

    def validate_status(self, new: Json, old: Json) -> list[FieldError]:
        """No negative counts."""
        errors: list[FieldError] = []
        for name, value in (new.get("status") or {}).items():
            if isinstance(value, int):
                errors += check_not_negative(f"status.{name}", value)
        return errors


def resource() -> Resource:
    """The resource ``daemonsets`` of ``apps/v1``."""
    return declare(
        "apps/v1",
        "DaemonSet",
        "daemonsets",
        DaemonSetStrategy,
        columns(
            "daemonsets",
            NAME,
            ("Desired", value_at("status", "desiredNumberScheduled", absent=0), 0),
            ("Current", value_at("status", "currentNumberScheduled", absent=0), 0),
            ("Ready", value_at("status", "numberReady", absent=0), 0),
            ("Up-to-date", value_at("status", "updatedNumberScheduled", absent=0), 0),
            ("Available", value_at("status", "numberAvailable", absent=0), 0),
            ("Node Selector", selector_at("spec", "template", "spec", "nodeSelector"), 0),
            AGE,
            *IMAGES,
            POD_SELECTOR,
        ),
        short_names=("ds",),
        categories=ALL,
        subresources=("status",),
    )
