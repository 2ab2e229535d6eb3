"""The mirror for kopf operators."""

from typing import assert_type

import kopf
from models import Site

from zestor_controller.adapters.kopf import Mirror, mirror

registry = kopf.OperatorRegistry()
assert_type(mirror(Site, "v1/ConfigMap", registry=registry, namespaces=["a"]), Mirror)
mirror(Site, indexes={Site: {"image": lambda site: [site.spec.image]}})
mirror(sites=Site)
mirror(5)  # error
mirror(Site, registry="default")  # error
