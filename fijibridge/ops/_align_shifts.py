"""The shifts of a stack: a result to look at, to write to a file, and to apply again."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ReadError
from ..io import write_text

_COLUMNS = (
    "z", "shift_y", "shift_x", "angle_deg", "confidence", "residual", "outlier", "slow_y", "slow_x",
    "m_yy", "m_yx", "m_xy", "m_xx",
)  # fmt: skip


@dataclass(frozen=True)
class Shifts:
    """Shifts that align a stack, slice by slice.

    Attributes
    ----------
    shifts : (n, 2) voxels (y, x) to apply to each slice.
    confidence : (n,) 0..1, correlation with the neighbours as a share of what is usual in this stack.
    residual : (n,) voxels by which the measurements at this slice disagree.
    outliers : (n,) bool, slices that do not fit their neighbours (charged, out of focus, torn, another place); their
        shift is interpolated.
    slow : (n, 2) voxels, slow movement that was measured but kept (zero unless ``trend="keep"``): drift or slanted
        structure, which neighbouring slices cannot tell apart.
    matrices : (n, 2, 2) in (y, x), by which each slice is turned (and stretched) about its centre before it is moved by
        its shift; None where only translation was measured.
    """

    shifts: NDArray[np.float64]
    confidence: NDArray[np.float64]
    residual: NDArray[np.float64]
    outliers: NDArray[np.bool_]
    slow: NDArray[np.float64]
    matrices: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.shifts)

    @property
    def angles_deg(self) -> NDArray[np.float64]:
        """Give by how many degrees each slice is turned, counter-clockwise as seen on a screen (y down)."""
        if self.matrices is None:
            return np.zeros(len(self))
        # Of a stretch, the turn that lies nearest to it.
        m = self.matrices
        return np.asarray(np.degrees(np.arctan2(m[:, 1, 0] - m[:, 0, 1], m[:, 0, 0] + m[:, 1, 1])))

    def as_json(self) -> dict[str, Any]:
        """Give all of it in plain JSON terms, as it goes into a history."""
        told: dict[str, Any] = {
            name: np.round(getattr(self, name), 4).tolist() for name in ("shifts", "confidence", "residual", "slow")
        }
        told["outliers"] = np.asarray(self.outliers, bool).tolist()
        return told if self.matrices is None else told | {"matrices": self.matrices.round(8).tolist()}

    @classmethod
    def from_step(cls, step: Mapping[str, Any]) -> Shifts | None:
        """Give the shifts that a step of a history recorded, or None where it recorded none, or shifts alone."""
        for part in (step, *step.get("within", ())):
            told = part.get("parameters", {})
            if {"shifts", "confidence", "residual", "outliers", "slow"} <= set(told):
                matrices = told.get("matrices")
                return cls(
                    np.array(told["shifts"], float), np.array(told["confidence"], float),
                    np.array(told["residual"], float), np.array(told["outliers"], bool), np.array(told["slow"], float),
                    None if matrices is None else np.array(matrices, float),
                )  # fmt: skip
        return None

    def valid_box(self, rows: int, columns: int) -> tuple[slice, slice]:
        """Give the rows and columns that every slice still fills after these shifts (may be empty)."""
        low, high = self.shifts.min(axis=0), self.shifts.max(axis=0)
        (top, left), (bottom, right) = np.ceil(np.maximum(high, 0)), np.ceil(np.maximum(-low, 0))
        return slice(int(top), max(int(top), rows - int(bottom))), slice(
            int(left), max(int(left), columns - int(right))
        )


def write_shifts(shifts: Shifts, path: str | Path) -> Path:
    """Write shifts as a CSV file with one line a slice.

    Parameters
    ----------
    shifts : what `estimate_shifts` gave.
    path : file to write; it appears whole or not at all.

    Returns
    -------
    The path.

    Raises
    ------
    WriteError : the file cannot be written there.
    """
    target = Path(path)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    matrices = np.tile(np.eye(2), (len(shifts), 1, 1)) if shifts.matrices is None else shifts.matrices
    for z in range(len(shifts)):
        numbers = (*shifts.shifts[z], shifts.angles_deg[z], shifts.confidence[z], shifts.residual[z])
        line = [z, *(f"{n:.6g}" for n in numbers), int(shifts.outliers[z]), *(f"{n:.6g}" for n in shifts.slow[z])]
        writer.writerow([*line, *(f"{n:.9g}" for n in matrices[z].ravel())])
    write_text(target, text.getvalue())
    return target


def read_shifts(path: str | Path) -> Shifts:
    """Read shifts that `write_shifts` wrote.

    Parameters
    ----------
    path : CSV file.

    Returns
    -------
    Shifts.

    Raises
    ------
    ReadError : the file is not there, or is not such a file.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file))
        table = np.array(rows, dtype=float)
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot read shifts from {path}: {error}; write them with write_shifts") from error
    if tuple(header) != _COLUMNS or table.shape[1:] != (len(_COLUMNS),) or not np.isfinite(table).all():
        raise ReadError(f"{path} holds no shifts: expected the columns {', '.join(_COLUMNS)}, got {', '.join(header)}")
    matrices = table[:, 9:13].reshape(-1, 2, 2)
    turned = None if (matrices == np.eye(2)).all() else matrices
    return Shifts(table[:, 1:3], table[:, 4], table[:, 5], table[:, 6] > 0, table[:, 7:9], turned)
