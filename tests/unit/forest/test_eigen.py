"""Closed-form eigenvalues against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fijibridge.forest._eigen import eigenvalues_2, eigenvalues_3
from fijibridge.forest._numba import kernel

_NUMBERS = st.floats(-1000, 1000, width=32)


@kernel
def _three(tensor, out):
    eigenvalues_3(tensor, out[0], out[1], out[2])


@kernel
def _two(tensor, out):
    eigenvalues_2(tensor, out[0], out[1])


@pytest.mark.parametrize(("size", "run", "order"), [(3, _three, [0, 3, 4, 3, 1, 5, 4, 5, 2]), (2, _two, [0, 2, 2, 1])])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_eigenvalues_are_numpys_to_a_thousandth_of_the_largest(size, run, order, data):
    """Double and zero eigenvalues, where the closed form is at its worst, are what hypothesis likes to try."""
    rows = data.draw(arrays(np.float32, (size * (size + 1) // 2, 9), elements=_NUMBERS))
    out = np.empty((size, 9), np.float32)
    run(rows, out)
    matrices = rows[order].T.reshape(9, size, size).astype(np.float64)
    exact = np.linalg.eigvalsh(matrices)[:, ::-1].T
    assert (np.abs(out - exact) <= 1e-3 * np.abs(exact).max(axis=0) + 1e-8).all()
