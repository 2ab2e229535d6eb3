"""Lets these tests import the helpers of the controller tests: importlib mode puts no folder on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "controller"))
