"""What is written comes back: voxels, size, origin and history, through every form that we write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import HealthCheck, given, settings
from strategies import volumes

from fijibridge.errors import WriteError
from fijibridge.io import _write, read_volume, write_volume
from fijibridge.volume import Volume, history, make_volume, origin, same_grid, voxel_size

TIFF = ("v.tif", "v.TIFF", "v.ome.tif", "v.ome.tiff")
FORMS = (*TIFF, "v.nrrd", "v.h5")
STEPS = (
    {"operation": "crop", "parameters": {"z": [1, 2], "note": 'grey < 5 & "µ"'}},
    {"operation": "smooth", "parameters": {"sigma": 1.1}},
)


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(volume=volumes())
def test_every_volume_comes_back_from_every_form(tmp_path: Path, name: str, volume: Volume) -> None:
    """Voxels and dtype exactly, the grid to a thousandth of a voxel, one-voxel axes and odd sizes included."""
    write_volume(volume, tmp_path / name)
    back = read_volume(tmp_path / name)
    assert back.dtype == volume.dtype
    np.testing.assert_array_equal(back.data, volume.data)
    assert same_grid(back, volume)
    np.testing.assert_allclose(voxel_size(back)[:3], voxel_size(volume)[:3], rtol=1e-9)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("mmap", [False, True])
def test_voxel_size_origin_and_history_come_back(tmp_path: Path, name: str, mmap: bool, ramp: np.ndarray) -> None:
    """A reader that loses one of the three makes every later measure wrong or unexplained."""
    volume = make_volume(ramp, spacing=(0.25, 0.397, 0.4), units="um", origin=(1, -2, 0.8), history=STEPS)
    write_volume(volume, tmp_path / name)
    back = read_volume(tmp_path / name, mmap=mmap)
    assert voxel_size(back).units == "um"
    np.testing.assert_allclose(voxel_size(back)[:3], (0.25, 0.397, 0.4), rtol=1e-12)
    np.testing.assert_allclose(origin(back), (1, -2, 0.8), rtol=1e-12)
    assert history(back) == STEPS


@pytest.mark.parametrize("name", TIFF)
def test_a_mask_is_stored_as_0_and_255(tmp_path: Path, name: str) -> None:
    """TIFF viewers show 0 and 1 as black on black; the mask comes back as uint8, as the docstring says."""
    mask = np.random.default_rng(0).random((3, 4, 5)) < 0.5
    write_volume(make_volume(mask), tmp_path / name)
    back = read_volume(tmp_path / name)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back.data, mask * 255)


@pytest.mark.parametrize("name", ["v.tif", "v.ome.tif"])
def test_an_uncalibrated_volume_stays_uncalibrated(tmp_path: Path, name: str, ramp: np.ndarray) -> None:
    """Nobody may find a voxel of 1 um that nobody measured."""
    write_volume(make_volume(ramp, units="voxel"), tmp_path / name)
    assert voxel_size(read_volume(tmp_path / name)) == (1, 1, 1, "voxel")


def test_voxels_that_are_not_contiguous_in_memory_are_written_right(tmp_path: Path, ramp: np.ndarray) -> None:
    """Crops, strides and reversed byte order are views; the file holds what they show."""
    whole = make_volume(ramp.astype(">u2"))
    for name, part in {
        "a.tif": whole[::2, 1:, ::3],
        "b.ome.tif": whole[1:, ::-1, :].isel(y=slice(None, None, -1)),
    }.items():
        write_volume(part, tmp_path / name)
        np.testing.assert_array_equal(read_volume(tmp_path / name).data, part.data)


def test_a_dask_volume_is_written_slice_by_slice(tmp_path: Path, ramp: np.ndarray) -> None:
    """Volumes larger than memory are dask arrays; no more than one slice is asked for at a time."""
    dask = pytest.importorskip("dask.array")
    asked: list[int] = []

    def block(part: np.ndarray) -> np.ndarray:
        asked.append(part.shape[0])
        return part

    lazy = dask.from_array(ramp, chunks=(1, -1, -1)).map_blocks(block, dtype=ramp.dtype, meta=ramp[:0])
    write_volume(make_volume(lazy), tmp_path / "v.tif")
    np.testing.assert_array_equal(read_volume(tmp_path / "v.tif").data, ramp)
    assert asked == [1, 1, 1, 1]


def test_large_files_take_the_forms_that_hold_them(
    tmp_path: Path, ramp: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past 4 GB an OME-TIFF becomes a BigTIFF and an ImageJ stack one header for all slices (limit lowered here)."""
    monkeypatch.setattr(_write, "_CLASSIC", 200)
    for name in ("big.tif", "big.ome.tif"):
        write_volume(make_volume(ramp, spacing=(2, 1, 1)), tmp_path / name)
        back = read_volume(tmp_path / name, mmap=True)
        assert isinstance(back.data, np.memmap)
        np.testing.assert_array_equal(back.data, ramp)
        assert voxel_size(back) == (2, 1, 1, "nm")
    with tifffile.TiffFile(tmp_path / "big.ome.tif") as ome, tifffile.TiffFile(tmp_path / "big.tif") as imagej:
        assert ome.is_bigtiff
        assert not imagej.is_bigtiff
        assert len(imagej.pages) == 1


def test_progress_runs_to_one(tmp_path: Path, ramp: np.ndarray) -> None:
    """A progress bar that stops short of the end looks like a hang."""
    seen: list[float] = []
    write_volume(make_volume(ramp), tmp_path / "v.tif", progress=seen.append)
    assert seen == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(("dtype", "better"), [("int32", "uint16"), ("float64", "float32"), ("int8", "uint16")])
def test_a_dtype_that_imagej_cannot_read_is_refused_with_the_astype_to_write(
    tmp_path: Path, dtype: str, better: str
) -> None:
    """A silent cast would lose values; the message names the cast."""
    with pytest.raises(WriteError, match=rf"not {dtype}.*astype\('{better}'\)"):
        write_volume(make_volume(np.zeros((2, 3, 4), dtype)), tmp_path / "v.tif")
    assert not list(tmp_path.iterdir())


def test_an_unknown_ending_is_refused(tmp_path: Path, ramp: np.ndarray) -> None:
    """Writing TIFF into a .png misleads whoever opens it."""
    with pytest.raises(WriteError, match=r"use one of \.ome\.tif"):
        write_volume(make_volume(ramp), tmp_path / "v.png")


def test_a_history_that_is_no_json_is_refused(tmp_path: Path, ramp: np.ndarray) -> None:
    """A step that cannot be read back cannot be replayed."""
    volume = make_volume(ramp, history=({"operation": "x", "parameters": {"a": ramp}},))
    with pytest.raises(WriteError, match="does not go into JSON"):
        write_volume(volume, tmp_path / "v.tif")


def test_a_voxel_size_that_tiff_cannot_hold_is_refused(tmp_path: Path, ramp: np.ndarray) -> None:
    """TIFF stores 1 / size as two 32-bit integers; a size rounded to zero or infinity would be no size."""
    with pytest.raises(WriteError, match="other units"):
        write_volume(make_volume(ramp, spacing=(1, 1, 1e-12)), tmp_path / "v.tif")


def test_coordinates_decide_not_attributes(tmp_path: Path, ramp: np.ndarray) -> None:
    """Every second voxel of a volume lies twice as far apart, and the file says so."""
    volume: xr.DataArray = make_volume(ramp, spacing=(3, 1, 1), units="nm")[::2]
    write_volume(volume, tmp_path / "v.tif")
    assert voxel_size(read_volume(tmp_path / "v.tif")) == (6, 1, 1, "nm")
