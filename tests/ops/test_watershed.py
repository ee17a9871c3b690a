"""Claims about the watershed, on both engines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from fijibridge.errors import ParameterError
from fijibridge.ops import watershed
from fijibridge.volume import history, make_volume, same_grid

ENGINES = ["native", "fiji"]


def balls(noise: float, dtype: type = np.uint8):
    """Two bright balls on dark ground, slightly blurred: edges whose place is known."""
    z, y, x = np.ogrid[:24, :60, :80]
    truth = ((z - 12) ** 2 + (y - 30) ** 2 + (x - 22) ** 2 < 144) | (
        (z - 10) ** 2 + (y - 30) ** 2 + (x - 55) ** 2 < 196
    )
    grey = ndimage.gaussian_filter(np.where(truth, 180.0, 60.0), 1.0)
    grey += np.random.default_rng(0).normal(0, noise, grey.shape)
    scale = 200 if dtype == np.uint16 else 1
    return make_volume((grey * scale).clip(0).astype(dtype), spacing=(2, 1, 1)), truth, scale


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_watershed_finds_the_edge_of_blurred_balls(engine, dtype):
    """The steepest grey edge lies where the ball ends, whatever the window and the scale of the grey levels."""
    volume, truth, scale = balls(noise=4, dtype=dtype)
    found = watershed(volume, low=90 * scale, high=150 * scale, engine=engine)
    assert found.dtype == bool
    assert (found.data != truth).mean() < 0.012


@pytest.mark.parametrize("engine", ENGINES)
def test_wider_window_leaves_more_to_the_flooding_and_still_finds_the_edge(engine):
    """Conservative seeds must not leak through a closed edge."""
    volume, truth, _ = balls(noise=2)
    found = watershed(volume, low=62, high=178, engine=engine)
    assert (found.data != truth).mean() < 0.03


@pytest.mark.parametrize("engine", ENGINES)
def test_slices_that_hold_one_phase_only_are_that_phase(engine):
    """A slice without bright seeds has no bright phase; flooding must not invent one."""
    volume, _, _ = balls(noise=0)
    volume.data[0], volume.data[-1] = 60, 180
    found = watershed(volume, low=90, high=150, engine=engine).data
    assert not found[0].any()
    assert found[-1].all()


@pytest.mark.parametrize("engine", ENGINES)
def test_seeds_that_touch_do_not_leak(engine):
    """A noisy image has bright seeds right beside dark ones; each still floods its own side."""
    volume, truth, _ = balls(noise=25)
    found = watershed(volume, low=110, high=130, engine=engine).data
    assert (found != truth).mean() < 0.1


def test_seeds_keep_their_side():
    """Native seeds are final: the user's two thresholds are hard limits."""
    volume, _, _ = balls(noise=25)
    found = watershed(volume, low=90, high=150).data
    assert found[volume.data > 150].all()
    assert not found[volume.data < 90].any()


@pytest.mark.parametrize("engine", ENGINES)
def test_input_stays_and_result_lies_on_its_grid_with_its_history(engine):
    """What every operation owes."""
    volume, _, _ = balls(noise=4)
    before = volume.copy(deep=True)
    found = watershed(volume, low=90, high=150, engine=engine)
    assert volume.identical(before)
    assert same_grid(found, volume)
    (step,) = history(found)
    assert (step["operation"], step["engine"]) == ("watershed", engine)
    assert step["parameters"] == {"low": 90.0, "high": 150.0, "flood": "auto"}


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"low": 150, "high": 90}, "low < high"),
        ({"low": 0, "high": 90}, "below low=0"),
        ({"low": 90, "high": 400}, "above high=400"),
    ],
)
def test_window_without_seeds_is_an_error(window, words):
    """Each says which side has no seed and where the grey levels lie."""
    volume, _, _ = balls(noise=0)
    with pytest.raises(ParameterError, match=words):
        watershed(volume, **window)


def test_masks_are_refused():
    """A mask has no gradient worth flooding."""
    with pytest.raises(ParameterError, match="got a mask"):
        watershed(make_volume(np.eye(4, dtype=bool)[None]), low=0.2, high=0.8)
