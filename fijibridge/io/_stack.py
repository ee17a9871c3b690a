"""What a reader hands back: voxels, and what the file says of their size and past."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..volume import Step
from ._calibration import Calibration


class Stack(NamedTuple):
    """Voxels (z, y, x) with the file's calibration and history; `name` goes into messages."""

    name: str
    data: NDArray[np.generic]
    calibration: Calibration
    history: tuple[Step, ...] = ()


def describe(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Say size and dtype of slices in words, for messages."""
    return f"{' x '.join(str(size) for size in shape)} {dtype}"
