"""From pydantic models to CustomResourceDefinitions."""

from zestor_controller.crd.definition import crd_for
from zestor_controller.crd.render import Drift, check_crds, render_crd, write_crds

__all__ = ["Drift", "check_crds", "crd_for", "render_crd", "write_crds"]
