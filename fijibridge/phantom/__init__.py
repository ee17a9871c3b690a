"""Simulated electrodes with known truth, for the demo, the tests and the benchmarks."""

from .electrode import Electrode, make_electrode, simulate_scan

__all__ = ["Electrode", "make_electrode", "simulate_scan"]
