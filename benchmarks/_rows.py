"""What every benchmark writes: rows of name, size, metric, value and unit; versions of all measured; the machine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One measured number."""

    name: str
    size: str
    metric: str
    value: float
    unit: str


def versions(*packages: str) -> dict[str, str]:
    """Name what was measured, fijibridge first, and on what; a package that is not there is said to be missing."""
    found = {"python": platform.python_version(), "machine": platform.processor() or platform.machine()}
    found["cores"] = str(os.cpu_count())
    for name in ("fijibridge", *packages):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def write_rows(rows: Iterable[Row], file: Path | None, measured: Mapping[str, str], *, keep: bool = False) -> None:
    """Write rows and versions where a file is given; `keep` leaves in it what was not measured anew."""
    if file is None:
        return
    new = [row._asdict() for row in rows]
    if keep and file.is_file():
        again = {(row["name"], row["size"]) for row in new}
        new = [row for row in read_rows(file) if (row["name"], row["size"]) not in again] + new
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"rows": new, "versions": dict(measured), "command": sys.argv}
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Read the rows of a file."""
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["rows"]
    return rows
