"""Smoothing against kernels worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fijibridge.errors import ParameterError
from fijibridge.ops import smooth
from fijibridge.volume import make_volume


def _impulse_response(engine: str, sigma: float) -> np.ndarray:
    impulse = np.zeros((31, 31, 31), np.float32)
    impulse[15, 15, 15] = 1
    return np.asarray(smooth(make_volume(impulse), sigma=sigma, engine=engine).data, np.float64)


@pytest.mark.parametrize(("sigma", "truncate", "radius"), [(1.1, 2, 2), (1.1, 4, 4), (2.0, 2, 4), (0.2, 2, 0)])
def test_a_point_becomes_the_gaussian_that_was_asked_for(sigma: float, truncate: float, radius: int) -> None:
    """The paper's filter, sigma 1.1 and factor 2, has five taps along each axis, and nothing beyond."""
    impulse = np.zeros((11, 11, 11), np.float32)
    impulse[5, 5, 5] = 1
    taps = np.exp(-0.5 * (np.arange(-5, 6) / sigma) ** 2) * (np.abs(np.arange(-5, 6)) <= radius)
    taps /= taps.sum()
    expected = taps[:, None, None] * taps[:, None] * taps
    found = smooth(make_volume(impulse), sigma=sigma, truncate=truncate).data
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("sigma", [0.8, 1.1, 3.0])
def test_each_axis_is_smoothed_alike_and_nothing_is_lost(engine: str, sigma: float) -> None:
    """A filter that treats z otherwise than x, or that leaks grey value, bends every measure."""
    response = _impulse_response(engine, sigma)
    assert response.sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(response, response.transpose(1, 0, 2), atol=1e-6)
    np.testing.assert_allclose(response, response.transpose(2, 1, 0), atol=1e-6)
    np.testing.assert_allclose(response, response[::-1], atol=1e-6)


def test_noise_falls_by_what_the_kernel_says(engine: str) -> None:
    """White noise shrinks by the root of the kernel's sum of squares."""
    noise = np.random.default_rng(0).normal(100, 10, (40, 60, 60)).astype(np.float32)
    expected = 10 * np.sqrt((_impulse_response(engine, 1.1) ** 2).sum())
    inner = smooth(make_volume(noise), engine=engine).data[6:-6, 6:-6, 6:-6]
    assert inner.std() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 6, 7), (5, 1, 1)])
def test_an_even_volume_stays_as_it_is(engine: str, dtype: str, shape: tuple[int, ...]) -> None:
    """No darkening towards the faces, on single slices and lines too: beyond its faces a volume goes on as it ends."""
    even = make_volume(np.full(shape, 201, dtype))
    smoothed = smooth(even, engine=engine)
    assert smoothed.dtype == dtype
    np.testing.assert_allclose(smoothed.data, even.data, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32"])
def test_integers_are_rounded_once_with_halves_up(dtype: str) -> None:
    """The same as smoothing the floats and rounding at the end; cutting off would darken by half a grey level."""
    low = -100 if dtype.startswith("i") else 0
    data = np.random.default_rng(1).integers(low, 120, (9, 10, 11)).astype(dtype)
    exact = smooth(make_volume(data.astype(np.float64))).data
    np.testing.assert_array_equal(smooth(make_volume(data)).data, np.floor(exact + 0.5))


def test_a_half_is_rounded_up() -> None:
    """A step of one grey level under a kernel that weighs both sides equally lands on the half."""
    step = np.zeros((1, 1, 64), np.int16)
    step[..., 32:] = 2
    wide = smooth(make_volume(step - 1), sigma=1000, truncate=0.0315)
    exact = smooth(make_volume((step - 1).astype(np.float64)), sigma=1000, truncate=0.0315)
    halves = np.isclose(np.abs(exact.data % 1), 0.5, atol=1e-12)
    np.testing.assert_array_equal(wide.data[halves], np.ceil(exact.data[halves]))


def test_a_mask_is_refused(engine: str) -> None:
    """A smoothed mask would be a grey volume under the name of a mask."""
    with pytest.raises(ParameterError, match="got a mask"):
        smooth(make_volume(np.zeros((2, 3, 4), bool)), engine=engine)


def test_imagej_does_not_take_a_kernel_width() -> None:
    """It chooses its own; taking the parameter and ignoring it would be a lie in the history."""
    with pytest.raises(ParameterError, match="cannot take truncate=3"):
        smooth(make_volume(np.zeros((2, 3, 4), np.uint8)), truncate=3, engine="fiji")


@pytest.mark.parametrize("bad", [{"sigma": 0}, {"sigma": -1}, {"sigma": float("nan")}, {"truncate": 11}])
def test_parameters_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(bad))):
        smooth(make_volume(np.zeros((2, 3, 4), np.uint8)), **bad)
