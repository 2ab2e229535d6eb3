"""Field errors, with the messages of the Kubernetes API machinery.

A validation produces a list of these; the API server turns the list into one ``Invalid`` Status. The wording follows
``k8s.io/apimachinery/pkg/util/validation/field/errors.go``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from zestor_controller.schema import gotext

__all__ = [
    "ErrorType",
    "FieldError",
    "duplicate",
    "forbidden",
    "internal",
    "invalid",
    "not_found",
    "not_supported",
    "required",
    "too_long",
    "too_many",
    "type_invalid",
]


class ErrorType(Enum):
    """What is wrong with a field: the value is the cause's reason, the label its text in the message."""

    NOT_FOUND = "FieldValueNotFound"
    REQUIRED = "FieldValueRequired"
    DUPLICATE = "FieldValueDuplicate"
    INVALID = "FieldValueInvalid"
    NOT_SUPPORTED = "FieldValueNotSupported"
    FORBIDDEN = "FieldValueForbidden"
    TOO_LONG = "FieldValueTooLong"
    TOO_MANY = "FieldValueTooMany"
    INTERNAL = "InternalError"
    TYPE_INVALID = "FieldValueTypeInvalid"

    @property
    def label(self) -> str:
        """The text between the field and the value in a message."""
        return _LABELS[self]


_LABELS = {
    ErrorType.NOT_FOUND: "Not found",
    ErrorType.REQUIRED: "Required value",
    ErrorType.DUPLICATE: "Duplicate value",
    ErrorType.INVALID: "Invalid value",
    ErrorType.NOT_SUPPORTED: "Unsupported value",
    ErrorType.FORBIDDEN: "Forbidden",
    ErrorType.TOO_LONG: "Too long",
    ErrorType.TOO_MANY: "Too many",
    ErrorType.INTERNAL: "Internal error",
    ErrorType.TYPE_INVALID: "Invalid value",
}
_WITHOUT_VALUE = frozenset({ErrorType.REQUIRED, ErrorType.FORBIDDEN, ErrorType.TOO_LONG, ErrorType.INTERNAL})


@dataclass(frozen=True, slots=True)
class FieldError:
    """One complaint about one field.

    Attributes:
        type: the class of the complaint.
        field: the path, such as ``spec.ports[0].name`` or ``metadata.labels``.
        value: the offending value (not shown for some types).
        detail: what the value should have been.
        shown: the value as messages show it, where that is not its JSON (Go prints structs in its own way).
    """

    type: ErrorType
    field: str
    value: Any = None
    detail: str = ""
    shown: str | None = None

    def body(self) -> str:
        """The message without the field's name: the text of ``details.causes[].message``."""
        text = self.type.label
        if self.type not in _WITHOUT_VALUE:
            text += f": {self.shown if self.shown is not None else show(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    def message(self) -> str:
        """The whole message: ``field: label: value: detail``."""
        return f"{self.field}: {self.body()}"

    def under(self, path: str) -> FieldError:
        """The same complaint about a field within `path`."""
        return replace(self, field=f"{path}.{self.field}" if self.field else path)

    def cause(self) -> dict[str, str]:
        """The entry of ``details.causes``."""
        return {"reason": self.type.value, "message": self.body(), "field": self.field}


def show(value: Any) -> str:
    """A value as messages show it: strings quoted as Go does, the rest as JSON."""
    if isinstance(value, str):
        return gotext.quote(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return gotext.number(value)
    return gotext.encode(value)


def not_found(field: str, value: Any) -> FieldError:
    """The field refers to something that does not exist."""
    return FieldError(ErrorType.NOT_FOUND, field, value)


def required(field: str, detail: str = "") -> FieldError:
    """The field must be given."""
    return FieldError(ErrorType.REQUIRED, field, "", detail)


def duplicate(field: str, value: Any) -> FieldError:
    """The value must be unique, and is not."""
    return FieldError(ErrorType.DUPLICATE, field, value)


def invalid(field: str, value: Any, detail: str = "") -> FieldError:
    """The value breaks a rule."""
    return FieldError(ErrorType.INVALID, field, value, detail)


def type_invalid(field: str, value: Any, detail: str = "") -> FieldError:
    """The value has the wrong type."""
    return FieldError(ErrorType.TYPE_INVALID, field, value, detail)


def not_supported(field: str, value: Any, supported: list[str] | None = None) -> FieldError:
    """The value is none of an enumeration; the detail lists the supported values in the given order."""
    detail = "supported values: " + ", ".join(gotext.quote(known) for known in supported) if supported else ""
    return FieldError(ErrorType.NOT_SUPPORTED, field, value, detail)


def forbidden(field: str, detail: str = "") -> FieldError:
    """The field must not be set, or not be changed."""
    return FieldError(ErrorType.FORBIDDEN, field, "", detail)


def too_long(field: str, limit: int) -> FieldError:
    """The string is longer than `limit` bytes."""
    if limit < 0:
        return FieldError(ErrorType.TOO_LONG, field, "", "value is too long")
    return FieldError(ErrorType.TOO_LONG, field, "", f"may not be more than {limit} byte{'' if limit == 1 else 's'}")


def too_many(field: str, actual: int, limit: int) -> FieldError:
    """The list holds more than `limit` items."""
    return FieldError(ErrorType.TOO_MANY, field, actual, f"must have at most {limit} item{'' if limit == 1 else 's'}")


def internal(field: str, detail: str) -> FieldError:
    """The validation itself failed."""
    return FieldError(ErrorType.INTERNAL, field, None, detail)
