"""JSON paths of columns and scales, resolved against a schema: a server accepts a wrong one and shows nothing."""

from __future__ import annotations

import re
from typing import Any, Final

from zestor_controller.errors import SchemaError

__all__ = ["resolve"]

_STEP: Final = re.compile(
    r"\.([A-Za-z_][\w-]*)|\[\?\(@((?:\.[A-Za-z_][\w-]*)+)==(?:'[^']*'|\"[^\"]*\")\)\]|\[(\d+|\*)\]"
)


def resolve(schema: dict[str, Any], path: str, what: str) -> dict[str, Any]:
    """The schema at a JSON path.

    Args:
        schema: the schema of the whole object.
        path: such as ``.spec.replicas`` or ``.status.conditions[?(@.type=='Ready')].status``.
        what: what the path is for; errors begin with it.

    Raises:
        SchemaError: the path is not understood, or leads nowhere.
    """
    here, at = schema, 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise SchemaError(f"{what}: cannot understand the path {path!r} at {path[at:]!r}", path=path)
        at = match.end()
        name, filtered, _ = match.groups()
        if name is None:
            if "items" not in here:
                raise SchemaError(f"{what}: {path[: match.start()] or '.'} is no list", path=path)
            here = here["items"]
            if filtered is not None:
                resolve(here, filtered, what)
            continue
        if here.get("x-kubernetes-preserve-unknown-fields") and "properties" not in here:
            return {}
        if "properties" in here and name in here["properties"]:
            here = here["properties"][name]
        elif "additionalProperties" in here:
            here = here["additionalProperties"]
        else:
            known = ", ".join(sorted(here.get("properties", {}))) or "none"
            raise SchemaError(f"{what}: there is no field {name!r} at {path!r}; there are: {known}", path=path)
    return here
