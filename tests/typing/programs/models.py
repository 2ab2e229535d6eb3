"""The kind of the programs here."""

from typing import Annotated

from pydantic import Field

from zestor_controller import Conditions, CustomResource, Spec, Status
from zestor_controller.objects import Column


class SiteSpec(Spec):
    image: str = "nginx"
    replicas: Annotated[int, Field(ge=0)] = 1


class SiteStatus(Status):
    ready_replicas: int = 0
    conditions: Conditions = []


class Site(
    CustomResource[SiteSpec, SiteStatus],
    group="g.example.org",
    version="v1",
    plural="sites",
    columns=(Column("Image", ".spec.image"),),
):
    """A site."""


def mistakes(site: Site) -> None:
    assert site.spec.picture  # error
    site.spec.image = 3  # error
