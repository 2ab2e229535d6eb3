"""The whole definition: columns and scale paths are resolved, files are stable, drift is found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import ConfigDict, Field, create_model

from zestor_controller import Conditions, CustomResource, Spec, Status
from zestor_controller.crd import check_crds, crd_for, render_crd, write_crds
from zestor_controller.errors import SchemaError
from zestor_controller.objects import Column, Scale


class ShelfSpec(Spec):
    replicas: int = 1


class ShelfStatus(Status):
    replicas: int | None = None
    selector: str | None = None
    conditions: Conditions = Conditions()


NAMES: dict[str, Any] = {"group": "shelves.example.org", "version": "v1", "plural": "shelves"}


class Shelf(
    CustomResource[ShelfSpec, ShelfStatus],
    short_names=("sh",),
    columns=(
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    ),
    scale=Scale(".spec.replicas", ".status.replicas", ".status.selector"),
    **NAMES,
):
    """A shelf."""


def test_a_definition_has_names_columns_and_subresources() -> None:
    made = crd_for(Shelf)
    assert made["metadata"]["name"] == "shelves.shelves.example.org"
    assert made["spec"]["names"] == {
        "kind": "Shelf",
        "listKind": "ShelfList",
        "plural": "shelves",
        "singular": "shelf",
        "shortNames": ["sh"],
    }
    version = made["spec"]["versions"][0]
    assert [column["name"] for column in version["additionalPrinterColumns"]] == ["Ready", "Age"]
    assert version["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    }
    conditions = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == ("map", ["type"])


def test_each_definition_is_a_copy_of_its_own() -> None:
    crd_for(Shelf)["spec"]["versions"].clear()
    assert len(crd_for(Shelf)["spec"]["versions"]) == 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".status.redy", "there is no field 'redy' at '.status.redy'; there are: conditions, replicas, selector"),
        (".spec.replicas[0]", ".spec.replicas is no list"),
        (".status.conditions[?(@.kind=='Ready')].status", "there is no field 'kind'"),
        ("status.replicas", "cannot understand the path"),
        (".status.conditions[", "cannot understand the path"),
    ],
)
def test_a_column_that_leads_nowhere_is_refused(path: str, message: str) -> None:
    class Broken(CustomResource[ShelfSpec, ShelfStatus], kind="Broken", columns=(Column("Ready", path),), **NAMES):
        pass

    with pytest.raises(SchemaError, match="column 'Ready' of Broken") as caught:
        crd_for(Broken)
    assert message in str(caught.value)


def test_a_scale_that_leads_nowhere_is_refused() -> None:
    class Broken2(CustomResource[ShelfSpec, ShelfStatus], scale=Scale(".spec.replica", ".status.replicas"), **NAMES):
        pass

    with pytest.raises(SchemaError, match="scale of Broken2: there is no field 'replica'"):
        crd_for(Broken2)


def test_writing_is_stable_and_drift_is_found_at_its_line(tmp_path: Path) -> None:
    (path,) = write_crds([Shelf], tmp_path)
    assert path.name == "shelves.shelves.example.org.yaml"
    assert yaml.safe_load(path.read_text()) == crd_for(Shelf)
    assert write_crds([Shelf], tmp_path) == []
    assert check_crds([Shelf], tmp_path) == []
    lines = path.read_text().splitlines()
    at = next(n for n, line in enumerate(lines, 1) if "shortNames" in line)
    lines[at - 1] += " # by hand"
    path.write_text("\n".join(lines) + "\n")
    (drift,) = check_crds([Shelf], tmp_path)
    assert (drift.path, drift.line) == (path, at)
    assert "-      shortNames: # by hand" in drift.diff or "# by hand" in drift.diff
    path.unlink()
    (missing,) = check_crds([Shelf], tmp_path)
    assert missing.line == 1
    assert render_crd(Shelf)[0] == path.name


def declare(spec: type[Spec] = Spec, **arguments: Any) -> type[CustomResource[Any, Any]]:
    made: type[CustomResource[Any, Any]] = type(
        "Made",
        (CustomResource[spec, Status],),  # type: ignore[valid-type]
        {"__module__": __name__, **arguments.pop("namespace", {})},
        **{"group": "made.example.org", "version": "v1", "plural": "mades", **arguments},
    )
    return made


@pytest.mark.parametrize(
    ("annotation", "default", "path"),
    [
        (Annotated[str, Field(pattern="^[a-z]+$")], "", "spec.value"),
        (Annotated[int, Field(ge=1)], 0, "spec.value"),
        (Annotated[str, Field(max_length=1)], "ab", "spec.value"),
        (Annotated[str, Field(json_schema_extra={"format": "date"})], "today", "spec.value"),
        (Annotated[int, Field(json_schema_extra={"format": "int32"})], 2**31, "spec.value"),
        (Literal["a", "b"], "c", "spec.value"),
        (list[Annotated[int, Field(ge=1)]], [1, 0], "spec.value[1]"),
    ],
)
def test_a_default_that_breaks_its_own_constraint_is_refused_by_name(annotation: Any, default: Any, path: str) -> None:
    spec = create_model("MadeSpec", __base__=Spec, value=(annotation, default))

    with pytest.raises(SchemaError, match="the default of this field breaks a rule of servers") as caught:
        crd_for(declare(spec))
    assert caught.value.path.startswith(path)


def test_what_a_class_says_of_the_whole_object_is_in_the_schema_or_refused() -> None:
    rules = {"x-kubernetes-validations": [{"rule": "self.metadata.name != 'x'"}]}
    made = crd_for(declare(namespace={"model_config": ConfigDict(json_schema_extra=dict(rules))}))
    assert made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"]

    for extra in ({"minProperties": 3}, {"x-kubernetes-preserve-unknown-fields": True}, lambda schema: None):
        with pytest.raises(SchemaError, match="json_schema_extra of Made"):
            crd_for(declare(namespace={"model_config": ConfigDict(json_schema_extra=extra)}))


def test_a_group_that_servers_protect_is_refused() -> None:
    with pytest.raises(SchemaError, match="protected groups must have approval annotation"):
        crd_for(declare(group="made.k8s.io"))
