"""Custom resources: classes that are kinds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from zestor_controller.errors import ConfigError
from zestor_controller.objects import (
    Column,
    Conditions,
    CustomResource,
    Scale,
    Spec,
    Status,
    Unstructured,
    is_true,
    kind_of,
    kind_of_object,
    set_condition,
)


class WebsiteSpec(Spec):
    image: str = "nginx:1.27"
    replicas: Annotated[int, Field(ge=0, le=50)] = 1
    host_name: str | None = None


class WebsiteStatus(Status):
    ready_replicas: int = 0
    conditions: Conditions = []  # pydantic copies a default


class Website(
    CustomResource[WebsiteSpec, WebsiteStatus],
    group="objects.zestor.dev",
    version="v1",
    plural="websites",
    short_names=("ws",),
    columns=(Column("Image", ".spec.image"),),
    scale=Scale(".spec.replicas", ".status.readyReplicas"),
):
    """A static website."""


def test_a_class_is_a_kind() -> None:
    kind = kind_of(Website)

    assert str(kind) == "objects.zestor.dev/v1/Website"
    assert kind.store_name == "websites.objects.zestor.dev"
    assert kind.presentation.short_names == ("ws",)
    assert kind.presentation.columns[0].json_path == ".spec.image"
    assert kind.presentation.scale == Scale(".spec.replicas", ".status.readyReplicas")


def test_its_text_names_the_same_kind_unstructured() -> None:
    assert kind_of("objects.zestor.dev/v1/Website").path() == kind_of(Website).path()
    assert kind_of("objects.zestor.dev/v1/Website").model is Unstructured


def test_an_object_reads_and_writes_wire_names() -> None:
    site = Website.model_validate({"metadata": {"name": "a"}, "spec": {"hostName": "x.org", "replicas": 3}})

    assert (site.spec.host_name, site.spec.replicas, site.spec.image) == ("x.org", 3, "nginx:1.27")
    assert site.to_dict() == {
        "apiVersion": "objects.zestor.dev/v1",
        "kind": "Website",
        "metadata": {"name": "a"},
        "spec": {"hostName": "x.org", "replicas": 3, "image": "nginx:1.27"},
    }


def test_an_object_without_a_status_has_a_default_one_of_its_own() -> None:
    one, other = Website.model_validate({}), Website.model_validate({})

    one.status.ready_replicas = 3

    assert other.status.ready_replicas == 0
    assert "status" in one.to_dict()
    assert "status" not in other.to_dict()


def test_a_condition_put_into_the_default_list_is_written() -> None:
    """Changing a list in place sets no field of the model; the status must be written all the same."""
    site = Website(metadata={"name": "a"})  # type: ignore[arg-type]  # pydantic makes the ObjectMeta

    set_condition(site.status.conditions, "Ready", True, "Works")

    assert is_true(site.status.conditions, "Ready")
    assert site.to_dict()["status"]["conditions"][0]["type"] == "Ready"


def test_a_status_of_zeros_that_was_set_is_written() -> None:
    site = Website()

    site.status.ready_replicas = 0

    assert site.to_dict()["status"]["readyReplicas"] == 0


def test_unknown_fields_survive_a_round_trip_everywhere() -> None:
    wire = {
        "apiVersion": "objects.zestor.dev/v1",
        "kind": "Website",
        "metadata": {"name": "a", "newMeta": 1},
        "spec": {"image": "i", "replicas": 1, "newSpec": {"x": [1]}},
        "status": {"readyReplicas": 1, "conditions": [], "newStatus": "s"},
        "newTop": True,
    }

    assert Website.model_validate(wire).to_dict() == wire


def test_a_decoded_object_says_what_it_is_even_when_the_wire_did_not() -> None:
    site = kind_of(Website).decode(b'{"metadata":{"name":"a"}}')

    assert (site.api_version, site.kind) == ("objects.zestor.dev/v1", "Website")
    assert kind_of_object(site)[0] is kind_of(Website)


def test_the_model_validates_what_it_decodes() -> None:
    with pytest.raises(ValidationError, match="replicas"):
        kind_of(Website).decode(b'{"spec":{"replicas":51}}')


def test_a_status_that_needs_arguments_is_refused_by_name() -> None:
    class Needy(Status):
        phase: str

    with pytest.raises(ConfigError, match="'phase' needs a default"):

        class Bad(CustomResource[Spec, Needy], group="g.example.org", version="v1", plural="bads"):
            pass


def test_a_missing_class_argument_is_named() -> None:
    with pytest.raises(ConfigError, match="plural="):

        class Bad(CustomResource[Spec, Status], group="g.example.org", version="v1"):
            pass


def test_a_spec_that_needs_arguments_is_required() -> None:
    class Needed(Spec):
        image: str

    class Thing(CustomResource[Needed, Status], group="needed.example.org", version="v1", plural="things"):
        pass

    with pytest.raises(ValidationError, match="spec"):
        Thing.model_validate({"metadata": {"name": "a"}})
    assert Thing(spec=Needed(image="i")).spec.image == "i"


def test_a_cluster_scoped_class_has_no_namespace_in_its_path() -> None:
    class Zone(
        CustomResource[Spec, Status], group="zone.example.org", version="v1beta1", plural="zones", namespaced=False
    ):
        pass

    assert kind_of(Zone).path(namespace="a", name="z") == "/apis/zone.example.org/v1beta1/zones/z"


SNIPPET = '''
from typing import Annotated
from pydantic import Field
from zestor_controller.objects import Conditions, CustomResource, Kind, Spec, Status, Unstructured, kind_of

class SiteSpec(Spec):
    image: str = "nginx"
    replicas: Annotated[int, Field(ge=0)] = 1

class SiteStatus(Status):
    ready_replicas: int = 0
    conditions: Conditions = []

class Site(CustomResource[SiteSpec, SiteStatus], group="g.example.org", version="v1", plural="sites"):
    """A site."""

kind: Kind[Site] = kind_of(Site)
text: Kind[Unstructured] = kind_of("apps/v1/Deployment")
site = kind.decode(b"{}")
image: str = site.spec.image
ready: int = site.status.ready_replicas
name: str = site.metadata.name
wrong: int = site.spec.image
'''


@pytest.mark.timeout(240)  # mypy, without a cache
def test_an_editor_infers_the_types_of_spec_and_status(tmp_path: Path) -> None:
    """Exactly one error: the wrong line is seen, the right ones are not."""
    module = tmp_path / "site.py"
    module.write_text(SNIPPET)

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", f"--cache-dir={tmp_path}", str(module)],
        capture_output=True,
        text=True,
        check=False,
    )

    lines = [line for line in done.stdout.splitlines() if "error:" in line]
    assert len(lines) == 1, done.stdout + done.stderr
    assert "wrong" not in lines[0]
    assert '"str"' in lines[0]
    assert f"{module}:{len(SNIPPET.splitlines())}:" in lines[0]


def test_an_unknown_class_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="plurals"):

        class Typo(CustomResource[Spec, Status], group="g.example.org", version="v1", plurals="typos"):
            pass
