"""TIFF files that we write, in ImageJ, and files that ImageJ writes, here.

Compared: every voxel, pixel width, height and depth, unit and origin, for the dtypes and units that both know.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fijibridge.fiji import current
from fijibridge.io import read_volume, write_volume
from fijibridge.volume import Units, history, make_volume, origin, voxel_size

_SHOW = """
open(call("ij.Macro.getValue", getArgument(), "path", ""));
getVoxelSize(width, height, depth, unit);
return "" + width + " " + height + " " + depth + " " + unit + " " + nSlices + " " + bitDepth();
"""


def _array(dtype: str) -> np.ndarray:
    return (np.arange(3 * 5 * 7) * 601 % 250).reshape(3, 5, 7).astype(dtype)


@pytest.mark.parametrize(("units", "named"), [("nm", "nm"), ("um", "microns"), ("voxel", "pixels")])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("depth", [3, 1])
def test_imagej_shows_the_voxel_size_that_we_wrote(
    tmp_path: Path, units: Units, named: str, dtype: str, depth: int
) -> None:
    """To the last digit that ImageJ prints; a scale bar in Fiji is then right."""
    path = tmp_path / "v.tif"
    volume = make_volume(_array(dtype)[:depth], spacing=(256.5, 0.397, 55.03), units=units)
    write_volume(volume, path)
    done = current().run_macro(_SHOW, path=str(path))
    width, height, deep, unit, slices, bits = str(done.returned).split()
    assert (float(width), float(height), float(deep)) == pytest.approx((55.03, 0.397, 256.5), rel=1e-4)
    assert (unit, int(slices), int(bits)) == (named, depth, 8 * volume.dtype.itemsize)
    np.testing.assert_array_equal(done.image.data, volume.data)
    assert voxel_size(done.image)[:3] == pytest.approx((256.5, 0.397, 55.03), rel=1e-12)


def test_imagej_shows_the_origin_and_the_history(tmp_path: Path) -> None:
    """ImageJ measures positions from the origin, and Image > Show Info lists how the stack was made."""
    path = tmp_path / "v.tif"
    steps = ({"operation": "smooth", "parameters": {"sigma": 1.1}},)
    write_volume(make_volume(_array("uint8"), spacing=(2, 3, 4), origin=(-10, 6, 8), units="nm", history=steps), path)
    done = current().run_macro(f'open("{path}"); x = 0; y = 0; toScaled(x, y); return "" + x + " " + y + getInfo();')
    text = str(done.returned)
    assert text.startswith("8 6")
    assert '"operation": "smooth"' in text
    assert origin(done.image) == pytest.approx((-10, 6, 8))


@pytest.mark.parametrize("unit", ["nm", "micron", "um", "pixel", "mm"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_we_read_the_voxel_size_that_imagej_saved(tmp_path: Path, unit: str, dtype: str) -> None:
    """ImageJ writes um as an escaped micro sign, and fractions of a millionth."""
    path = tmp_path / "v.tif"
    text = f'setVoxelSize(0.25, 0.5, 3, "{unit}"); saveAs("Tiff", "{path}");'
    current().run_macro(text, make_volume(_array(dtype)))
    volume = read_volume(path)
    factor = 1000 if unit == "mm" else 1
    assert voxel_size(volume).units == {"nm": "nm", "pixel": "voxel"}.get(unit, "um")
    assert voxel_size(volume)[:3] == pytest.approx((3 * factor, 0.5 * factor, 0.25 * factor), rel=1e-6)
    assert volume.dtype == dtype
    np.testing.assert_array_equal(volume.data, _array(dtype))


def test_a_stack_that_went_through_imagej_keeps_its_history(tmp_path: Path) -> None:
    """ImageJ carries the Info text of a file along when it saves it anew."""
    ours, theirs = tmp_path / "ours.tif", tmp_path / "theirs.tif"
    steps = ({"operation": "crop", "parameters": {"z": [0, 3]}},)
    write_volume(make_volume(_array("uint16"), history=steps), ours)
    current().run_macro(f'open("{ours}"); saveAs("Tiff", "{theirs}");')
    assert history(read_volume(theirs)) == steps


def test_a_folder_that_imagej_writes_reads_in_order(tmp_path: Path) -> None:
    """Image Sequence... as slice1 ... slice12, without leading zeros; ImageJ's way to export a stack."""
    data = (np.arange(12 * 4 * 5) % 255).reshape(12, 4, 5).astype(np.uint8)
    text = f"""
    for (z = 1; z <= nSlices; z++) {{
        setSlice(z);
        run("Duplicate...", "title=one");
        saveAs("Tiff", "{tmp_path}/slice" + z + ".tif");
        close();
    }}
    """
    current().run_macro(text, make_volume(data, units="voxel"))
    np.testing.assert_array_equal(read_volume(tmp_path).data, data)
