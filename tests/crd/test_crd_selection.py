"""Which classes become CRDs: external ones never, and no two classes the same one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zestor_controller import Controller, CustomResource, Spec, Status
from zestor_controller.crd import check_crds, crd_for, own_models, write_crds
from zestor_controller.errors import ConfigError, SchemaError


def model(name: str, **arguments: Any) -> type[CustomResource[Any, Any]]:
    named = {"group": "tests.example.org", "version": "v1", "plural": f"{name.lower()}s", **arguments}
    made: type[CustomResource[Any, Any]] = type(
        name, (CustomResource[Spec, Status],), {"__module__": __name__}, **named
    )
    return made


def test_m3_an_external_class_is_neither_written_nor_missed(tmp_path: Path) -> None:
    web, certificate = model("Web"), model("Certificate", external=True)

    written = write_crds([certificate, web], tmp_path)

    assert [path.name for path in written] == ["webs.tests.example.org.yaml"]
    assert [path.name for path in tmp_path.iterdir()] == ["webs.tests.example.org.yaml"]
    assert check_crds([certificate, web], tmp_path) == []


def test_m3_an_external_class_has_no_crd_and_can_be_reconciled() -> None:
    certificate = model("Certificate", external=True)

    with pytest.raises(ConfigError, match="Certificate is external"):
        crd_for(certificate)
    assert Controller(certificate).kind.external


def test_m4_two_versions_of_a_kind_are_refused_with_both_classes(tmp_path: Path) -> None:
    old, new = model("Web"), model("NewerWeb", kind="Web", plural="webs", version="v2")

    with pytest.raises(SchemaError) as caught:
        write_crds([old, new], tmp_path)

    assert ".Web (tests.example.org/v1/Web)" in str(caught.value)
    assert ".NewerWeb (tests.example.org/v2/Web)" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"plural": "webs"}, "webs"),
        ({"plural": "sites", "kind": "Web"}, "Web"),
        ({"plural": "web"}, "web"),
        ({"plural": "sites", "short_names": ("wb",)}, "wb"),
        ({"plural": "sites", "short_names": ("webs",)}, "webs"),
        ({"plural": "sites", "kind": "WebList"}, "WebList"),
    ],
)
def test_two_kinds_that_a_server_cannot_tell_apart_are_refused(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(SchemaError, match=r"Web .*Site ") as caught:
        own_models([model("Web", short_names=("wb",)), model("Site", **arguments)])
    assert repr(name) in str(caught.value) or "are both the CRD" in str(caught.value)


def test_the_same_names_in_two_groups_are_two_kinds() -> None:
    models = [model("Web"), model("Web", group="other.example.org")]

    assert own_models([*models, models[0]]) == models


def test_an_external_version_does_not_conflict_with_an_own_one() -> None:
    own = model("Web")

    assert own_models([own, model("OldWeb", kind="Web", plural="webs", version="v0", external=True)]) == [own]
