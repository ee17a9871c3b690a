"""What both halves of the FIB-SEM benchmark share: the rows of numbers, what is measured with, and what ran."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PEERS = ("pystackreg", "pystack3d", "pystripe", "pyvsnr", "scikit-image", "SimpleITK")
rows: list[dict[str, Any]] = []


def report(name: str, size: str, **metrics: tuple[float, str]) -> None:
    """Keep the numbers of one line of a table and print it."""
    for metric, (value, unit) in metrics.items():
        rows.append({"name": name, "size": size, "metric": metric, "value": round(float(value), 4), "unit": unit})
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


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.processor() or platform.machine()}
    for name in ("fijibridge", "numpy", "scipy", "numba", "PyWavelets", *PEERS):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def write(file: Path, *, join: bool) -> None:
    """Write all numbers; `join` keeps those of earlier runs in the file that this one did not measure anew."""
    kept: list[dict[str, Any]] = []
    if join and file.is_file():
        measured_now = {row["size"] for row in rows}
        kept = [row for row in json.loads(file.read_text("utf-8"))["rows"] if row["size"] not in measured_now]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"rows": kept + rows, "versions": versions()}, indent=1), encoding="utf-8")
