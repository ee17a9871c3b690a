"""Features as bytes: 256 even steps over the range that the labelled voxels span, laid out for the evaluator."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._numba import kernel, row_kernel
from ._smooth import Floats, Ints, Triple

Bytes = NDArray[np.uint8]
#: Voxels that go through a tree together, and the two shapes (z, y, x) that they may have.
LANES = 256
SOLID: Triple = (4, 8, 8)
FLAT: Triple = (1, 16, 16)
_HALF, _ZERO, _TOP = np.float32(0.5), np.float32(0), np.float32(255)


class Coder(NamedTuple):
    """Turns a feature into a byte: ``round((feature - low) * gain)``, cut off at 0 and 255.

    Attributes
    ----------
    low : (column,) value of byte 0.
    gain : (column,) steps for one unit.
    """

    low: Floats
    gain: Floats

    def encode(self, table: Floats) -> Bytes:
        """Encode a (voxel, column) table."""
        steps = (table - self.low) * self.gain + _HALF
        codes: Bytes = np.minimum(np.maximum(steps, _ZERO), _TOP).astype(np.uint8)
        return codes

    def taking(self, columns: Ints) -> Coder:
        """Give the coder of some columns alone."""
        return Coder(self.low[columns], self.gain[columns])


def fit_coder(table: Floats, classes: NDArray[np.uint8]) -> Coder:
    """Span the bytes from the lowest to the highest half percent of any class, so that a rare class keeps its steps."""
    ends = [np.percentile(table[classes == value], (0.5, 99.5), axis=0) for value in np.unique(classes)]
    low = np.min([end[0] for end in ends], axis=0)
    high = np.max([end[1] for end in ends], axis=0)
    span = np.where(high > low, high - low, 1.0)
    return Coder(low.astype(np.float32), (255 / span).astype(np.float32))


def brick_counts(shape: Triple, brick: Triple) -> Triple:
    """Give the number of bricks along each axis of a block."""
    z, y, x = (-(-n // b) for n, b in zip(shape, brick, strict=True))
    return (z, y, x)


def encode_bricks(
    values: Floats, targets: Ints, coder: Coder, start: int, brick: Triple, out: Bytes, height: int
) -> None:
    """Write (feature, z, y, x) planes, the first of them plane `start` of a block, into (brick, column, lane)."""
    across = -(-values.shape[3] // brick[2])
    counts = (-(-height // brick[1]), across)
    row = np.zeros(across * brick[2], np.uint8)
    _encode_bricks(values, targets, coder, start, brick, counts, row, row.view(np.uint64), out.view(np.uint64))


@kernel
def _encode_bricks(
    values: Floats,
    targets: Ints,
    coder: Coder,
    start: int,
    brick: Triple,
    counts: tuple[int, int],
    row: Bytes,
    row_words: NDArray[np.uint64],
    out: NDArray[np.uint64],
) -> None:
    """Encode a row at a time; the part of it that lies in a brick is one or two words of 8 voxels."""
    words = brick[2] // 8
    for k in range(values.shape[0]):
        column = targets[k]
        for z in range(values.shape[1]):
            at_z, in_z = (start + z) // brick[0], (start + z) % brick[0]
            for y in range(values.shape[2]):
                first = (at_z * counts[0] + y // brick[1]) * counts[1]
                at = (in_z * brick[1] + y % brick[1]) * words
                _encode(values[k, z, y], coder.low[column], coder.gain[column], row)
                for x in range(counts[1]):
                    for word in range(words):
                        out[first + x, column, at + word] = row_words[x * words + word]


@row_kernel
def _encode(values: Floats, low: np.float32, gain: np.float32, out: Bytes) -> None:
    for i in range(values.size):
        steps = (values[i] - low) * gain + _HALF
        steps = steps if steps > _ZERO else _ZERO
        steps = steps if steps < _TOP else _TOP
        out[i] = np.uint8(steps)


def lanes_to_block(lanes: NDArray[Any], shape: Triple, brick: Triple) -> NDArray[Any]:
    """Give the (z, y, x) block that (brick, lane) values belong to."""
    counts = brick_counts(shape, brick)
    whole = lanes.reshape(*counts, *brick).transpose(0, 3, 1, 4, 2, 5)
    z, y, x = (count * size for count, size in zip(counts, brick, strict=True))
    return whole.reshape(z, y, x)[: shape[0], : shape[1], : shape[2]]
