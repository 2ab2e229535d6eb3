"""Seeded simulation: an operator, users and a faulty network against the embedded server, in virtual time.

Invariant: a run is a function of its seed. One thread, one event loop with a virtual clock, one seeded ``Random`` for
each part; the order of no set and no hash decides anything. A violation that a seed finds is found by it again.
"""

from zestor_controller.testing.simulation.run import SimulationResult, simulate

__all__ = ["SimulationResult", "simulate"]
