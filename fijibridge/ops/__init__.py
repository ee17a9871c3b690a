"""The operations; an engine is ``native`` (NumPy, SciPy, numba, scikit-image) or ``fiji`` (ImageJ itself)."""

from __future__ import annotations

from ..operation import operations
from . import _align_blocks, _decurtain_blocks, _resample_blocks  # noqa: F401  how these run block by block
from ._align import Shifts, align, apply_shifts, estimate_shifts, read_shifts, write_shifts
from ._crop import crop
from ._decurtain import decurtain, find_curtains
from ._even_out import even_out
from ._fill_pores import fill_pores
from ._register import register
from ._resample import resample
from ._running import telling
from ._shear import shear
from ._smooth import smooth
from ._threshold import AutoMethod, Method, automatic_threshold, threshold
from ._watershed import watershed

__all__ = [
    "AutoMethod",
    "Method",
    "Shifts",
    "align",
    "apply_shifts",
    "automatic_threshold",
    "crop",
    "decurtain",
    "estimate_shifts",
    "even_out",
    "fill_pores",
    "find_curtains",
    "operations",
    "read_shifts",
    "register",
    "resample",
    "shear",
    "smooth",
    "telling",
    "threshold",
    "watershed",
    "write_shifts",
]
