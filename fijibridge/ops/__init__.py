"""The operations, each on two engines: ``native`` (NumPy, SciPy, scikit-image) and ``fiji`` (ImageJ itself)."""

from __future__ import annotations

from ..operation import operations
from ._smooth import smooth
from ._threshold import AutoMethod, Method, automatic_threshold, threshold
from ._watershed import watershed

__all__ = ["AutoMethod", "Method", "automatic_threshold", "operations", "smooth", "threshold", "watershed"]
