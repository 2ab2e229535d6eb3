"""Test helpers for users: pytest fixtures, faults, simulation, the store's conformance suite, real client binaries.

The layers below do not know that tests exist. Nothing is imported until it is used: pytest loads this package in every
environment that has it installed.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zestor_controller.testing.simulation import SimulationResult, simulate

__all__ = ["SimulationResult", "simulate"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from zestor_controller.testing import simulation

        return getattr(simulation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
