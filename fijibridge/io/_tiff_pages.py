"""Slices of a TIFF file that have to be decoded: compressed, tiled, or scattered over the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import ParameterError, ReadError
from ._lazy import OnDisk


class TiffPages(OnDisk):
    """Slices that lie in pages, `per_page` in each (one, but in volumetric TIFF)."""

    kind = "TIFF"

    def __init__(
        self, path: Path, shape: Sequence[int], dtype: np.dtype[Any], *, per_page: int = 1, channel: int | None = None
    ) -> None:
        super().__init__(path, shape, dtype)
        self._per_page, self._channel = per_page, channel

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
            image = one_channel(self.path, np.moveaxis(image, page.keyframe.axes.index("S"), -1), self._channel)
        grey: NDArray[Any] = image.reshape(self._per_page, *self.shape[1:])[z % self._per_page]
        return grey


def one_channel(path: Path, colours: NDArray[Any], channel: int | None) -> NDArray[Any]:
    """Give one channel; where none is named, that of RGB whose three are equal: a grey image saved in colour.

    Raises
    ------
    ReadError : none is named, and the channels are not equal, or not three.
    ParameterError : there is no such channel.
    """
    if channel is not None:
        check_channel(path, channel, colours.shape[-1])
        return np.ascontiguousarray(colours[..., channel])
    red = colours[..., 0]
    if colours.shape[-1] == 3 and all(np.array_equal(red, colours[..., other]) for other in (1, 2)):
        return np.ascontiguousarray(red)
    raise ReadError(
        f"{path} is in colour or has several channels ({colours.shape[-1]} samples per pixel) and a volume is grey; "
        "convert it, in ImageJ by Image > Type > 8-bit, or name one: channel=0 in Python, --channel 0 for convert"
    )


def check_channel(path: Path, channel: int, count: int) -> None:
    """Raise ParameterError where a file has no such channel."""
    if not 0 <= channel < count:
        raise ParameterError(
            f"{path} has {count} channel(s), counted from 0, and channel is {channel}; name one of them"
        )
