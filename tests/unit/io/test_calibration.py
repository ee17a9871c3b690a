"""Voxel sizes as other programs write them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile

from fijibridge.errors import ParameterError, ReadError
from fijibridge.io import read_volume
from fijibridge.volume import VoxelSize, origin, voxel_size

#: tifffile takes three or four slices for RGB unless told otherwise.
save = partial(tifffile.imwrite, photometric="minisblack")

STACK = np.zeros((3, 4, 5), np.uint8)


def _imagej(path: Path, data: np.ndarray = STACK, resolution: tuple = ((4, 1), (2, 1)), **description: object) -> Path:
    save(path, data, imagej=True, resolution=resolution, metadata={"axes": "ZYX", **description})
    return path


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("nm", VoxelSize(3, 0.5, 0.25, "nm")),
        ("micron", VoxelSize(3, 0.5, 0.25, "um")),
        ("um", VoxelSize(3, 0.5, 0.25, "um")),
        ("\\u00B5m", VoxelSize(3, 0.5, 0.25, "um")),
        ("mm", VoxelSize(3000, 500, 250, "um")),
        ("cm", VoxelSize(30000, 5000, 2500, "um")),
        ("inch", VoxelSize(76200, 12700, 6350, "um")),
        ("A", VoxelSize(0.3, 0.05, 0.025, "nm")),
        ("pixel", VoxelSize(3, 0.5, 0.25, "voxel")),
        ("furlong", VoxelSize(1, 1, 1, "voxel")),
        ("null", VoxelSize(1, 1, 1, "voxel")),
    ],
)
def test_imagej_units_are_understood(tmp_path: Path, unit: str, expected: VoxelSize) -> None:
    """Every spelling that ImageJ writes; lengths other than nm become um; what no one knows is uncalibrated."""
    volume = read_volume(_imagej(tmp_path / "v.tif", unit=unit, spacing=3))
    assert voxel_size(volume).units == expected.units
    np.testing.assert_allclose(voxel_size(volume)[:3], expected[:3], rtol=1e-12)


def test_imagej_leaves_out_a_depth_of_one(tmp_path: Path) -> None:
    """ImageJ itself shows depth 1 for such a stack."""
    assert voxel_size(read_volume(_imagej(tmp_path / "v.tif", unit="um"))).z == 1


def test_imagej_may_have_another_unit_for_each_axis(tmp_path: Path) -> None:
    """ImageJ lets the user set yunit and zunit; all come out in one."""
    volume = read_volume(_imagej(tmp_path / "v.tif", unit="micron", zunit="nm", spacing=250))
    np.testing.assert_allclose(voxel_size(volume)[:3], (0.25, 0.5, 0.25), rtol=1e-12)


def test_imagej_counts_its_origin_in_voxels_backwards(tmp_path: Path) -> None:
    """ImageJ: position = (index - origin) * size, so voxel 0 lies at -origin * size."""
    volume = read_volume(_imagej(tmp_path / "v.tif", unit="nm", spacing=3, xorigin=10, zorigin=-2))
    assert origin(volume) == (6, 0, -2.5)


def test_ome_sizes_are_read_with_their_units(tmp_path: Path) -> None:
    """Each axis of OME has a unit of its own, and um where it has none."""
    sizes = {"PhysicalSizeX": 20, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.02, "PhysicalSizeZ": 0.05}
    save(tmp_path / "v.ome.tif", STACK, ome=True, metadata={"axes": "ZYX", **sizes})
    size = voxel_size(read_volume(tmp_path / "v.ome.tif"))
    assert size.units == "um"
    np.testing.assert_allclose(size[:3], (0.05, 0.02, 0.02), rtol=1e-12)


@pytest.mark.parametrize(("per", "unit", "um"), [(25400, "inch", 1.0), (20000, "centimeter", 0.5), (200, "cm", 50.0)])
def test_plain_tiff_tags_give_y_and_x(tmp_path: Path, per: float, unit: str, um: float) -> None:
    """Resolution tags count pixels per inch or cm; the z size of a lone slice is taken from y."""
    tag = {"inch": "INCH"}.get(unit, "CENTIMETER")
    save(tmp_path / "v.tif", STACK[0], resolution=(per, per), resolutionunit=tag, metadata=None)
    size = voxel_size(read_volume(tmp_path / "v.tif"))
    assert size.units == "um"
    np.testing.assert_allclose(size[:3], (um, um, um), rtol=1e-9)


@pytest.mark.parametrize(("per", "unit"), [(72, 2), (300, 2), (28.35, 3), (118.11, 3), (1, 1)])
def test_a_print_setting_is_no_calibration(tmp_path: Path, per: float, unit: int) -> None:
    """72 dots per inch is the default of drawing programs; a voxel of 353 um would be taken for measured."""
    save(tmp_path / "v.tif", STACK, resolution=(per, per), resolutionunit=unit, metadata=None)
    assert voxel_size(read_volume(tmp_path / "v.tif")) == (1, 1, 1, "voxel")


def test_an_unknown_distance_between_slices_is_asked_for(tmp_path: Path) -> None:
    """Plain TIFF has no place for it; a guess would bend every 3-D measure. The message gives the call to write."""
    save(tmp_path / "v.tif", STACK, resolution=(20000, 20000), resolutionunit=3, metadata=None)
    with pytest.raises(ReadError, match=r"3 slices of 0\.5 x 0\.5 um pixels .* --voxel-size z,0\.5,0\.5"):
        read_volume(tmp_path / "v.tif")
    volume = read_volume(tmp_path / "v.tif", spacing=(2, 0.5, 0.5), units="um")
    assert voxel_size(volume) == (2, 0.5, 0.5, "um")


def test_a_given_voxel_size_wins(tmp_path: Path) -> None:
    """People know better than files."""
    path = _imagej(tmp_path / "v.tif", unit="um", spacing=3)
    assert voxel_size(read_volume(path, spacing=(256, 55, 55), units="nm")) == (256, 55, 55, "nm")


@pytest.mark.parametrize(
    "given",
    [
        {"spacing": (1, 1, 1)},
        {"units": "nm"},
        {"spacing": (1, 0, 1), "units": "nm"},
        {"spacing": (1, 1), "units": "nm"},
    ],
)
def test_half_a_voxel_size_is_refused(tmp_path: Path, given: dict) -> None:
    """A spacing without its unit is a guess, and a size of zero none at all."""
    with pytest.raises(ParameterError, match="spacing"):
        read_volume(_imagej(tmp_path / "v.tif"), **given)


def test_a_spoilt_history_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """ImageJ users edit the Info text; the voxels are still good."""
    path = _imagej(tmp_path / "v.tif", unit="nm", spacing=3, Info='fijibridge={"history": "gone"}')
    assert read_volume(path).attrs["history"] == ()
    assert "left out" in caplog.text


def test_the_real_sandstone_slice_has_its_voxel_size(shared_data) -> None:
    """Versa slices saved by ImageJ 1.52e: 0.448139 pixels per micron."""
    path = shared_data("sandstone_versa_xct") / "dev" / "Sandstone_Versa0100.tif"
    size = voxel_size(read_volume(path))
    assert size.units == "um"
    assert size[:3] == pytest.approx((2.23145, 2.23145, 2.23145), rel=1e-5)
