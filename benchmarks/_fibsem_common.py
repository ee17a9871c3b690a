"""What both halves of the FIB-SEM benchmark share: the rows of numbers, what is measured with, and what ran."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _rows import Row

PEERS = ("pystackreg", "pystack3d", "pystripe", "pyvsnr", "scikit-image", "SimpleITK")
rows: list[Row] = []


def report(name: str, size: str, **metrics: tuple[float, str]) -> None:
    """Keep the numbers of one line of a table and print it."""
    for metric, (value, unit) in metrics.items():
        rows.append(Row(name, size, metric, round(float(value), 4), unit))
    print(f"  {name:44s} " + "  ".join(f"{metric} {value:8.3f}" for metric, (value, _) in metrics.items()), flush=True)


def measured(work: Callable[[], Any]) -> tuple[Any, float]:
    """Run, and give the result and the CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def installed(module: str) -> bool:
    try:
        importlib.import_module("pystripe.core" if module == "pystripe" else module)
    except ImportError:
        return False
    return True
