"""The store is usable alone: importing it loads no HTTP, no Kubernetes, no metrics library."""

import subprocess
import sys


def test_importing_the_store_loads_nothing_heavy():
    code = "import sys, zestor_controller.store; print(*sorted({m.partition('.')[0] for m in sys.modules}))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    heavy = {"aiohttp", "kubernetes", "kopf", "prometheus_client", "msgspec", "pydantic", "yaml", "cryptography"}
    assert "zestor_controller" in loaded
    assert heavy.isdisjoint(loaded)
