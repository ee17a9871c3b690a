"""A volume of any size that is made when it is read; in a file of its own, for workers import it."""

from __future__ import annotations

import functools
from typing import Any

import dask.array as da
import numpy as np
from scipy.ndimage import gaussian_filter

from fijibridge.volume import Volume, make_volume

#: As long as a chunk of the result at least, which could otherwise be packed as no real volume can.
TILE = (64, 256, 256)


@functools.cache
def tile() -> np.ndarray:
    """Two phases of blobs with noise; its faces fit each other."""
    rng = np.random.default_rng(0)
    blobs = gaussian_filter(rng.normal(size=TILE).astype(np.float32), 4, mode="wrap")
    noise = rng.normal(0, 25, TILE).astype(np.float32)
    return (np.where(blobs > 0, np.float32(150), np.float32(90)) + noise).clip(0, 255).astype(np.uint8)


def part(block_info: Any = None) -> np.ndarray:
    """Give one chunk, all of which begin where a tile does."""
    return tile()[tuple(slice(b - a) for a, b in block_info[None]["array-location"])]


def lazy(shape: tuple[int, ...]) -> Volume:
    """Repeat the tile over a volume."""
    chunks = da.core.normalize_chunks(TILE, shape)
    return make_volume(da.map_blocks(part, chunks=chunks, dtype=np.uint8), spacing=(10, 10, 10), units="nm")
