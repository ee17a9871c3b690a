"""Slices of a TIFF file that have to be decoded: compressed, tiled, or scattered over the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import ReadError
from ._lazy import OnDisk


class TiffPages(OnDisk):
    """Slices that lie in pages, `per_page` in each (one, but in volumetric TIFF)."""

    kind = "TIFF"

    def __init__(self, path: Path, shape: Sequence[int], dtype: np.dtype[Any], *, per_page: int = 1) -> None:
        super().__init__(path, shape, dtype)
        self._per_page = per_page

    def open(self) -> Any:
        """Open the file; it is closed when nobody reads it any more."""
        return tifffile.TiffFile(self.path, _multifile=False)

    def take(self, opened: Any, key: tuple[slice, ...]) -> Any:
        """Decode slices."""
        pages = opened.series[0].pages
        made = [self._slice(pages, z) for z in range(*key[0].indices(self.shape[0]))]
        return np.stack(made)[(slice(None), *key[1:])]

    def _slice(self, pages: Any, z: int) -> NDArray[Any]:
        page = pages[z // self._per_page]
        image = page.asarray()
        if page.keyframe.samplesperpixel > 1:
            image = grey_of_rgb(self.path, np.moveaxis(image, page.keyframe.axes.index("S"), -1))
        grey: NDArray[Any] = image.reshape(self._per_page, *self.shape[1:])[z % self._per_page]
        return grey


def grey_of_rgb(path: Path, colours: NDArray[Any]) -> NDArray[Any]:
    """Give the one channel of RGB whose three are equal: a grey image that some program saved in colour.

    Raises
    ------
    ReadError : the channels are not equal, or not three.
    """
    red = colours[..., 0]
    if colours.shape[-1] == 3 and all(np.array_equal(red, colours[..., other]) for other in (1, 2)):
        return np.ascontiguousarray(red)
    raise ReadError(
        f"{path} is in colour or has several channels ({colours.shape[-1]} samples per pixel) and a volume is grey; "
        "convert it, in ImageJ by Image > Type > 8-bit, or pick one channel and save that"
    )
