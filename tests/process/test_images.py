"""What ImageJ knows of an image besides its voxels, into ImageJ and back."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from fijibridge.errors import VolumeError
from fijibridge.volume import check_volume, history, make_volume, origin, record, same_grid, voxel_size

DRESS = """
run("Green");
setMinAndMax(10, 90);
setSlice(2);
run("Set Label...", "label=second");
setSlice(1);
makeRectangle(1, 2, 3, 2);
run("Add Selection...");
makeOval(0, 0, 3, 3);
run("Properties... ", "name=grain");
run("Add Selection...");
makePoint(2, 2);
"""

ASK = """
getMinAndMax(low, high);
getVoxelSize(width, height, depth, unit);
Stack.getUnits(x, y, z, t, value);
toScaled(ox, oy);
getLut(reds, greens, blues);
return "" + low + " " + high + " " + width + " " + height + " " + depth + " " + unit + " " + Overlay.size
    + " " + greens[200] + " " + reds[200] + " " + selectionType() + " " + getTitle();
"""


@pytest.fixture
def ramp():
    """Voxels that all differ, on a grid that is nowhere the default."""
    array = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
    return make_volume(array, spacing=(30.5, 10.25, 9.75), units="nm", origin=(100, -50, 0.1))


def test_imagej_sees_the_voxel_size_and_the_unit(fiji, ramp):
    """ImageJ's order is x, y, z."""
    returned = fiji.run_macro(ASK, ramp).returned
    assert returned.split()[2:6] == ["9.75", "10.25", "30.5", "nm"]


@pytest.mark.parametrize(("units", "name"), [("nm", "nm"), ("um", "µm"), ("voxel", "pixels")])
def test_units_have_their_names_in_imagej(fiji, units, name):
    """A micrometre must not turn into a pixel on the way."""
    volume = make_volume(np.zeros((2, 3, 4), np.uint8), units=units)
    result = fiji.run_macro("getVoxelSize(w, h, d, unit); return unit;", volume)
    assert result.returned == name
    assert voxel_size(result.image).units == units


@pytest.mark.parametrize(
    ("unit", "size", "expected"),
    [
        ("mm", 0.002, (2.0, "um")),
        ("cm", 0.0002, (2.0, "um")),
        ("inch", 0.0001, (2.54, "um")),
        ("micron", 2, (2.0, "um")),
        ("um", 2, (2.0, "um")),
        ("Angstrom", 20, (2.0, "nm")),
        ("furlong", 2, (2.0, "voxel")),
    ],
)
def test_a_unit_that_imagej_was_told_is_converted(fiji, unit, size, expected):
    """Files from microscopes carry all of these."""
    image = fiji.run_macro(
        f'setVoxelSize({size}, {size}, {size}, "{unit}");', make_volume(np.zeros((2, 3, 4), np.uint8))
    ).image
    found = voxel_size(image)
    assert (found.units, pytest.approx(expected[0])) == (expected[1], found.z)


def test_the_place_in_space_is_the_same_in_imagej(fiji, ramp):
    """The first voxel's centre, in ImageJ's own calibrated coordinates."""
    returned = fiji.run_macro(
        "x = 0; y = 0; z = 0; toScaled(x, y, z); return d2s(x, 4) + ' ' + d2s(y, 4) + ' ' + d2s(z, 4);", ramp
    )
    assert returned.returned == "0.1000 -50.0000 100.0000"


def test_a_crop_keeps_its_place(fiji, ramp):
    """ImageJ moves the origin when it crops, so the crop lies where it was cut out."""
    image = fiji.run_macro('makeRectangle(2, 1, 3, 3); run("Crop"); run("Make Substack...", "slices=2-4");', ramp).image
    np.testing.assert_array_equal(image.data, ramp.data[1:4, 1:4, 2:5])
    assert origin(image)[1:] == pytest.approx(origin(ramp[:, 1:4, 2:5])[1:])


def test_an_unchanged_grid_keeps_the_very_coordinates(fiji, ramp):
    """xarray adds two volumes whose coordinates differ by rounding to nothing."""
    image = fiji.run_macro('run("Invert", "stack");', ramp).image
    assert same_grid(image, ramp)
    assert (image + ramp).shape == ramp.shape


def test_colours_range_labels_overlay_and_selection_go_both_ways(fiji, ramp):
    """Two passes through ImageJ must not lose what the first one made."""
    first = fiji.run_macro(DRESS, ramp).image
    known = first.attrs["imagej"]
    assert known["ranges"] == [[10.0, 90.0]]
    assert known["labels"][1] == "second"
    assert [entry["type"] for entry in known["overlay"]] == ["Rectangle", "Oval"]
    assert known["overlay"][1]["name"] == "grain"
    second = fiji.run_macro(ASK, first)
    assert second.returned.split()[:2] == ["10", "90"]
    assert second.returned.split()[6:] == ["2", "200", "0", "10", "volume1"]
    assert second.image.attrs["imagej"] == known


def test_what_imagej_knows_survives_json_and_a_crop(fiji, ramp):
    """It has to fit into a file beside the voxels; labels that no longer match are left out."""
    import json

    first = fiji.run_macro(DRESS, ramp).image
    assert json.loads(json.dumps(first.attrs["imagej"])) == first.attrs["imagej"]
    again = fiji.run_macro("", first[1:3]).image
    assert "labels" not in again.attrs["imagej"]
    assert len(again.attrs["imagej"]["overlay"]) == 2


def test_rgb_comes_back_as_three_channels_and_goes_in_again(fiji, ramp):
    """Red, green, blue by name; ImageJ sees an RGB image again, not three."""
    result = fiji.run_macro('run("Green"); setMinAndMax(0, 255); run("RGB Color");', ramp)
    image = result.image
    assert image.dims == ("c", "z", "y", "x")
    assert list(image.c.values) == ["red", "green", "blue"]
    np.testing.assert_array_equal(image.sel(c="green").data, ramp.data)
    assert image.sel(c="red").data.max() == 0
    check_volume(image.sel(c="green").drop_vars("c"))
    again = fiji.run_macro('return "" + bitDepth() + " " + nSlices;', image)
    assert again.returned == "24 4"
    np.testing.assert_array_equal(again.image.data, image.data)


@pytest.mark.parametrize(
    "dims", [("c", "z", "y", "x"), ("t", "z", "y", "x"), ("t", "c", "z", "y", "x"), ("z", "y", "x", "c")]
)
def test_channels_and_frames_are_extra_dims(fiji, dims):
    """In any order; they come back in ours."""
    sizes = {"t": 2, "c": 3, "z": 4, "y": 5, "x": 6}
    shape = [sizes[dim] for dim in dims]
    plain = make_volume(np.zeros((4, 5, 6), np.uint16), spacing=(3, 2, 1))
    stack = xr.DataArray(
        np.arange(np.prod(shape), dtype=np.uint16).reshape(shape), dims=dims, coords=dict(plain.coords)
    )
    result = fiji.run_macro('getDimensions(w, h, c, z, t); return "" + c + " " + z + " " + t;', stack)
    assert result.returned == f"{sizes['c'] if 'c' in dims else 1} 4 {sizes['t'] if 't' in dims else 1}"
    assert result.image.dims == tuple(dim for dim in ("t", "c", "z", "y", "x") if dim in dims)
    np.testing.assert_array_equal(result.image.transpose(*dims).data, stack.data)


def test_masks_are_0_and_255_in_imagej_and_bool_again_afterwards(fiji):
    """True is white and the foreground of ImageJ's binary commands."""
    ring = np.zeros((1, 9, 9), bool)
    ring[0, 2:7, 2:7] = True
    ring[0, 4, 4] = False
    result = fiji.run_macro(
        'run("Fill Holes", "stack"); return "" + getPixel(4, 4) + " " + getPixel(0, 0);', make_volume(ring)
    )
    assert result.returned == "255 0"
    assert result.image.dtype == bool
    assert result.image.data.sum() == 25


def test_a_mask_that_became_something_else_stays_what_imagej_made_of_it(fiji):
    """No guess at what 8-bit grey values would mean as a mask."""
    mask = make_volume(np.eye(4, dtype=bool)[None])
    image = fiji.run_macro('run("Gaussian Blur...", "sigma=1 stack");', mask).image
    assert image.dtype == np.uint8


def test_the_history_goes_on(fiji, ramp):
    """What was done stands with the voxels: the macro, its arguments, the exact ImageJ."""
    recorded = record(ramp, {"operation": "earlier"})
    image = fiji.run_macro('run("Invert", "stack");', recorded, method="x").image
    earlier, last = history(image)
    assert earlier == {"operation": "earlier"}
    assert last["version"] == "ImageJ 1.54p"
    assert last["parameters"]["argument"] == "method=x"


def test_rois_of_the_manager_come_back(fiji, ramp):
    """With name, kind and place; headless ImageJ has no ROI manager of its own."""
    rois = fiji.run_macro(
        'makeRectangle(1, 2, 3, 2); roiManager("add"); roiManager("select", 0); roiManager("rename", "grain");', ramp
    ).rois
    assert len(rois) == 1
    assert (rois[0]["name"], rois[0]["type"]) == ("grain", "Rectangle")
    assert rois[0]["bounds"] == [1.0, 2.0, 3.0, 2.0]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 3, 4)), r"astype\('float32'\)"),
        (np.zeros((2, 3, 4), np.int16), r"astype\('uint16'\)"),
        (np.zeros((2, 3, 4), np.int64), r"astype\('float32'\)"),
    ],
)
def test_other_types_are_refused_with_the_astype_to_write(fiji, array, words):
    """A silent conversion would change values."""
    with pytest.raises(VolumeError, match=words):
        fiji.run_macro("", make_volume(array))


def test_volumes_of_one_name_are_refused(fiji, ramp):
    """A macro could not tell them apart."""
    with pytest.raises(VolumeError, match="two volumes are named"):
        fiji.run_macro("", ramp.rename("a"), ramp.rename("a"))


def test_odd_arrays_go_in_right(fiji):
    """Views with strides, memory maps and lazy arrays are all arrays to the caller."""
    import dask.array

    base = np.arange(6 * 8 * 10, dtype=np.uint16).reshape(6, 8, 10)
    for array in (base[::2, ::-1, 1::3], base.transpose(2, 1, 0), np.asfortranarray(base), base.astype(">u2")):
        np.testing.assert_array_equal(fiji.run_macro("", make_volume(array)).image.data, array)
    lazy = make_volume(dask.array.from_array(base, chunks=(2, 8, 5)))
    np.testing.assert_array_equal(fiji.run_macro("", lazy).image.data, base)


def test_a_result_can_be_kept_changed_and_sent_again(fiji, ramp):
    """It lies in shared memory, which must not be used again while somebody looks at it."""
    large = make_volume(np.resize(ramp.data, (40, 256, 256)))
    kept = [fiji.run_macro(f'run("Add...", "value={n} stack");', large).image for n in range(5)]
    for n, image in enumerate(kept):
        np.testing.assert_array_equal(image.data, large.data + n)
    kept[0].data[...] = 7
    assert (fiji.run_macro("", kept[0]).image.data == 7).all()


def test_images_of_one_title_all_come_back(fiji):
    """ImageJ allows it; a lost image would be a lost result."""
    text = 'for (i = 1; i < 4; i++) { newImage("same", "8-bit black", 4, 3, 1); setPixel(0, 0, i); }'
    result = fiji.run_macro(text)
    assert [int(image.data[0, 0, 0]) for image in result.images.values()] == [1, 2, 3]
    assert list(result.images) == ["same", "same-1", "same-2"]
    assert result.image.data[0, 0, 0] == 3
