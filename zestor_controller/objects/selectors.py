"""Label selectors: parse, match, print. Unknown syntax raises; a selector never matches everything by mistake.

Source: k8s.io/apimachinery/pkg/labels/selector.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from zestor_controller.objects.jsonvalue import JsonValue

__all__ = ["LabelSelector", "Requirement"]

_KEY: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?)?"
_EQUALITY: Final = re.compile(rf"\s*({_KEY})\s*(==|=|!=)\s*({_VALUE})\s*$")
_SET: Final = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*$")
_EXISTS: Final = re.compile(rf"\s*(!?)\s*({_KEY})\s*$")
_OPERATORS: Final = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_COMMA: Final = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label: operator ``in``, ``notin``, ``exists`` or ``!``."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it; ``notin`` also holds where the label is absent."""
        if self.operator == "in":
            return self.key in labels and labels[self.key] in self.values
        if self.operator == "notin":
            return labels.get(self.key) not in self.values if self.key in labels else True
        return (self.key in labels) is (self.operator == "exists")

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.key
        if self.operator == "!":
            return f"!{self.key}"
        if len(self.values) == 1:
            return f"{self.key}{'=' if self.operator == 'in' else '!='}{self.values[0]}"
        return f"{self.key} {self.operator} ({','.join(self.values)})"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Requirements that must all be met; none matches everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """From text such as ``app=web,tier!=cache,env in (a,b),!legacy``.

        Raises:
            ValueError: the text is not understood; the message quotes the part.
        """
        if not text.strip():
            return cls()
        return cls(tuple(_requirement(part, text) for part in _COMMA.split(text)))

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Self:
        """Equality with every given label.

        Raises:
            ValueError: a key or a value is no label's; written into a text it would select something else.
        """
        for key, value in labels.items():
            if not re.fullmatch(_KEY, key) or not re.fullmatch(_VALUE, value):
                raise ValueError(f"label selector {dict(labels)!r}: {key!r}: {value!r} is no label")
        return cls(tuple(Requirement(key, "in", (value,)) for key, value in sorted(labels.items())))

    @classmethod
    def of_spec(cls, selector: Mapping[str, JsonValue]) -> Self:
        """From the ``selector`` of a Deployment's spec and its like: ``matchLabels`` and ``matchExpressions``.

        Raises:
            ValueError: it holds an operator or a label that is none.
        """
        requirements = list(cls.of(selector.get("matchLabels") or {}).requirements)
        for expression in selector.get("matchExpressions") or ():
            operator = _OPERATORS.get(str(expression.get("operator")))
            values = tuple(expression.get("values") or ())
            key = str(expression.get("key"))
            if (
                operator is None
                or bool(values) is not (operator in ("in", "notin"))
                or not re.fullmatch(_KEY, key)
                or not all(re.fullmatch(_VALUE, value) for value in values)
            ):
                raise ValueError(f"label selector {dict(selector)!r}: cannot understand {dict(expression)!r}")
            requirements.append(Requirement(key, operator, values))
        return cls(tuple(requirements))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet every requirement."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


def _requirement(part: str, whole: str) -> Requirement:
    if match := _EQUALITY.match(part):
        key, operator, value = match.groups()
        return Requirement(key, "notin" if operator == "!=" else "in", (value,))
    if match := _SET.match(part):
        key, operator, listed = match.groups()
        values = tuple(value.strip() for value in listed.split(","))
        if all(re.fullmatch(_VALUE, value) for value in values):
            return Requirement(key, operator, values)
    elif match := _EXISTS.match(part):
        return Requirement(match.group(2), "!" if match.group(1) else "exists")
    raise ValueError(f"label selector {whole!r}: cannot understand {part.strip()!r}")
