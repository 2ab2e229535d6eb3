"""From pydantic models to CustomResourceDefinitions."""

from zestor_controller.crd.definition import crd_for
from zestor_controller.crd.render import Drift, check_crds, drift_of, render_crd, write_crds, yaml_text
from zestor_controller.crd.selection import own_models

__all__ = ["Drift", "check_crds", "crd_for", "drift_of", "own_models", "render_crd", "write_crds", "yaml_text"]
