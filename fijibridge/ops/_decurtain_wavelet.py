"""The field's standard: damp the streaks' Fourier components in the vertical bands of a wavelet transform."""

from __future__ import annotations

import numpy as np
import pywt  # type: ignore[import-untyped]
from numpy.typing import NDArray
from scipy import fft

from ..errors import ParameterError

Image = NDArray[np.float32]


def check_wavelet(rows: int, columns: int, wavelet: str, level: int) -> None:
    """Refuse a wavelet that does not exist and levels deeper than the slice allows."""
    if wavelet not in pywt.wavelist(kind="discrete"):
        raise ParameterError(f"wavelet {wavelet!r} does not exist; use for instance 'db10', 'coif3' or 'sym8'")
    # The transform mirrors at the borders, so that wavelets may be longer than a band; but a band must hold something.
    deepest = int(np.log2(min(rows, columns))) - 2
    if level > deepest:
        raise ParameterError(
            f"level {level} is deeper than {rows} x {columns} pixels allow with {wavelet}; use {deepest} or less"
        )


def wavelet_fft(image: Image, wavelet: str, level: int, sigma: float) -> Image:
    """Give the slice without its vertical streaks (Muench et al. 2009, Optics Express 17, 8567)."""
    rows, columns = image.shape
    approximation, *bands = pywt.wavedec2(image, wavelet, mode="symmetric", level=level)
    damped = []
    for horizontal, vertical, diagonal in bands:
        frequency = fft.rfftfreq(vertical.shape[0]) * vertical.shape[0]
        notch = -np.expm1(-(frequency**2) / (2 * sigma**2)).astype(np.float32)
        spectrum = fft.rfft(vertical, axis=0) * notch[:, None]
        damped.append((horizontal, fft.irfft(spectrum, vertical.shape[0], axis=0), diagonal))
    clean = pywt.waverec2([approximation, *damped], wavelet, mode="symmetric")
    return np.asarray(clean[:rows, :columns], np.float32)
