"""Hypothesis strategies for volumes, voxel sizes and labels, for the tests of every room."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fijibridge.volume import Volume, VoxelSize, make_volume

#: Lengths from a tenth of a nanometre to a millimetre, with as many digits as people write.
_LENGTHS = st.integers(1, 10_000_000).map(lambda n: n / 10_000)
_SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 8))


def voxel_sizes() -> st.SearchStrategy[VoxelSize]:
    """Any voxel size, cubic or not."""
    return st.builds(VoxelSize, _LENGTHS, _LENGTHS, _LENGTHS, st.sampled_from(("nm", "um", "voxel")))


@st.composite
def volumes(
    draw: st.DrawFn,
    dtypes: tuple[str, ...] = ("uint8", "uint16", "float32"),
    shapes: st.SearchStrategy[tuple[int, ...]] = _SHAPES,
) -> Volume:
    """Small volumes of any of the dtypes, any voxel size and any origin, one-voxel axes among them."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    finite = {"allow_nan": False, "allow_infinity": False, "min_value": -1000, "max_value": 1000, "width": 32}
    elements = st.floats(**finite) if dtype.kind == "f" else None
    data = draw(npst.arrays(dtype, draw(shapes), elements=elements))
    size = draw(voxel_sizes())
    # Whole voxels away from zero, since a far origin would eat the digits of the spacing.
    origin = tuple(step * draw(st.integers(-100, 100)) for step in size[:3])
    return make_volume(data, spacing=size[:3], units=size.units, origin=origin)


def labels(classes: int = 2) -> st.SearchStrategy[Volume]:
    """Label volumes: 0 = unlabelled, 1 = active material, 2 = pore + carbon-binder, ..."""
    return npst.arrays(np.uint8, _SHAPES, elements=st.integers(0, classes)).map(make_volume)
