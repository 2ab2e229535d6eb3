"""Rights in the form of RBAC: one rule of a Role, and rules that the author of a controller declares.

Invariant: a declared rule is validated when the controller is declared, so that what a chart contains, what
``zestor rbac`` prints and what ``zestor dev --rbac`` grants are rules that an API server accepts.

Source: rbac.authorization.k8s.io/v1, PolicyRule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from zestor_controller.errors import ConfigError

__all__ = ["Rule", "declared_rules"]

KEYS: Final = ("apiGroups", "resources", "verbs", "resourceNames")
GROUP: Final = re.compile(r"\*|([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?")
RESOURCE: Final = re.compile(r"\*|(\*/)?[a-z0-9][-a-z0-9.]*(/(\*|[a-z0-9][-a-z0-9]*))?")
VERB: Final = re.compile(r"\*|[a-z][a-zA-Z-]*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a Role.

    Attributes:
        group: the API group; empty for the core.
        resources: plurals, with a subresource after a slash.
        verbs: what is allowed.
        names: these objects only; all unless given.
        cluster: the resources do not live in namespaces, so only a ClusterRole can grant it; resources of built-in
            kinds are known without it.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    cluster: bool = False

    def document(self) -> dict[str, Any]:
        """The rule as the API has it."""
        body = {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}
        return {**body, "resourceNames": list(self.names)} if self.names else body


def declared_rules(rules: Iterable[Rule | Mapping[str, Any]], owner: str) -> tuple[Rule, ...]:
    """The rules that a controller declares beside those that follow from what it watches and owns.

    Args:
        rules: each a :class:`Rule`, or a mapping as in a Role, with ``apiGroups``, ``resources``, ``verbs`` and perhaps
            ``resourceNames``.
        owner: the controller's name, for messages.

    Raises:
        ConfigError: a rule is not one that an API server accepts; the message says which and why.
    """
    if isinstance(rules, Mapping | str | Rule) or not isinstance(rules, Iterable):
        raise ConfigError(f"{owner}: rules takes a list of rules, not {type(rules).__name__}")
    found: list[Rule] = []
    for number, rule in enumerate(rules):
        where = f"{owner}: rules[{number}]"
        if isinstance(rule, Rule):
            found.append(_checked(rule, where))
        elif isinstance(rule, Mapping):
            found += _from_mapping(rule, where)
        else:
            raise ConfigError(f"{where}: a Rule or a mapping with {', '.join(KEYS[:3])}, not {type(rule).__name__}")
    return tuple(found)


def _from_mapping(rule: Mapping[str, Any], where: str) -> list[Rule]:
    unknown = [str(key) for key in rule if key not in KEYS]
    if "nonResourceURLs" in unknown:
        raise ConfigError(f"{where}: nonResourceURLs are no objects; grant them in a ClusterRole of your own")
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; a rule has {', '.join(KEYS)}")
    lists = {key: _texts(rule[key], f"{where}.{key}") for key in KEYS if key in rule}
    for key in KEYS[:3]:
        if key not in lists:
            raise ConfigError(f"{where}: {key} is missing")
    resources, verbs, names = lists["resources"], lists["verbs"], lists.get("resourceNames", ())
    if not lists["apiGroups"]:
        raise ConfigError(f'{where}: apiGroups is empty; the core group is ""')
    return [_checked(Rule(group, resources, verbs, names), where) for group in lists["apiGroups"]]


def _texts(value: Any, where: str) -> tuple[str, ...]:
    # A text is a sequence of texts too, and would become one rule for each of its letters.
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise ConfigError(f"{where}: a list of texts, not {type(value).__name__}")
    texts = tuple(value)
    for text in texts:
        if not isinstance(text, str):
            raise ConfigError(f"{where}: a list of texts; {text!r} is none")
    return texts


def _checked(rule: Rule, where: str) -> Rule:
    resources, verbs = _texts(rule.resources, f"{where}.resources"), _texts(rule.verbs, f"{where}.verbs")
    names = _texts(rule.names, f"{where}.names")
    if not isinstance(rule.group, str) or not GROUP.fullmatch(rule.group):
        raise ConfigError(f"{where}: {rule.group!r} is no API group; a group has no version, and the core's is ''")
    for what, values, pattern, example in (
        ("resource", resources, RESOURCE, "configmaps or deployments/scale, a plural in lower case"),
        ("verb", verbs, VERB, "get or patch"),
    ):
        if not values:
            raise ConfigError(f"{where}: there is no {what}")
        for value in values:
            if not pattern.fullmatch(value):
                raise ConfigError(f"{where}: {value!r} is no {what}; write it as {example}")
    if any(not name for name in names):
        raise ConfigError(f"{where}: an empty name names no object")
    if names and "create" in verbs:
        raise ConfigError(f"{where}: create cannot be limited to names, an object has none before; use a second rule")
    return Rule(rule.group, resources, verbs, names, rule.cluster)
