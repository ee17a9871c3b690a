"""Simulated electrodes with known truth, for the demo, the tests and the benchmarks."""

from .electrode import Electrode, make_electrode, simulate_scan
from .fibsem import Defects, FibsemPhantom, make_fibsem

__all__ = ["Defects", "Electrode", "FibsemPhantom", "make_electrode", "make_fibsem", "simulate_scan"]
