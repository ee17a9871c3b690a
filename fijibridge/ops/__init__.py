"""The operations; an engine is ``native`` (NumPy, SciPy, numba, scikit-image) or ``fiji`` (ImageJ itself)."""

from __future__ import annotations

from ..operation import operations
from ._align import align, apply_shifts, estimate_shifts
from ._decurtain import decurtain
from ._smooth import smooth
from ._threshold import AutoMethod, Method, automatic_threshold, threshold
from ._watershed import watershed

__all__ = [
    "AutoMethod",
    "Method",
    "align",
    "apply_shifts",
    "automatic_threshold",
    "decurtain",
    "estimate_shifts",
    "operations",
    "smooth",
    "threshold",
    "watershed",
]
