"""A macro on arrays: what goes in, what comes out."""

from __future__ import annotations

import numpy as np
import pytest

from fijibridge.errors import EngineFailedError, EngineTimeoutError, ParameterError, VolumeError
from fijibridge.fiji import Fiji
from fijibridge.volume import make_volume, voxel_size


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "bool"])
def test_voxels_come_back_as_they_went_in(fiji, dtype):
    """A door that changes a voxel by itself makes every comparison of engines worthless."""
    rng = np.random.default_rng(1)
    array = (rng.random((5, 6, 7)) * 200).astype(dtype) if dtype != "bool" else rng.random((5, 6, 7)) > 0.5
    volume = make_volume(array, spacing=(30, 10, 10.5), units="nm", origin=(1, -2, 0.3))
    image = fiji.run_macro("", volume).image
    assert image.dtype == array.dtype
    np.testing.assert_array_equal(image.data, array)
    for dim in "zyx":
        assert image.indexes[dim].equals(volume.indexes[dim])


def test_a_macro_computes_on_the_array_and_leaves_the_input_alone(fiji):
    """The caller's array is never the worker's."""
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    result = fiji.run_macro('run("Invert", "stack");', make_volume(array))
    np.testing.assert_array_equal(result.image.data, 255 - array)
    assert array[0, 0, 1] == 1


def test_arguments_arrive_as_one_options_string(fiji):
    """Macros read it with call("ij.Macro.getValue", ...), which knows brackets."""
    text = """
    arg = getArgument();
    print(arg);
    return call("ij.Macro.getValue", arg, "path", "") + "|" + call("ij.Macro.getValue", arg, "white", "false");
    """
    result = fiji.run_macro(text, method="otsu", sigma=1.5, path="a b", white=True)
    assert result.log.strip() == "method=otsu sigma=1.5 path=[a b] white=true"
    assert result.returned == "a b|true"


def test_several_volumes_go_in_and_out_by_title(fiji):
    """imageCalculator and the like name their images."""
    a = make_volume(np.full((2, 3, 4), 3, np.uint8)).rename("a")
    b = make_volume(np.full((2, 3, 4), 4, np.uint8))
    result = fiji.run_macro('imageCalculator("Add create stack", "a", "volume2"); rename("sum");', a, b)
    assert list(result.images) == ["a", "volume2", "sum"]
    assert result.active == "sum"
    assert (result.image.data == 7).all()


def test_the_results_table_comes_back_as_a_data_frame(fiji):
    """Numbers stay numbers and texts stay texts."""
    table = fiji.run_macro(
        'setResult("A", 0, 3.5); setResult("A", 1, 4); setResult("B", 0, "x"); updateResults();'
    ).table
    assert table["A"].tolist() == [3.5, 4.0]
    assert table["B"][0] == "x"


def test_calibration_that_a_macro_sets_becomes_the_voxel_size(fiji):
    """ImageJ writes micrometres in several ways; a Volume has one."""
    text = 'setVoxelSize(0.5, 0.25, 2, "micron");'
    image = fiji.run_macro(text, make_volume(np.zeros((2, 3, 4), np.uint8))).image
    assert voxel_size(image) == (2, 0.25, 0.5, "um")


def test_an_error_inside_a_macro_carries_the_line_and_the_words(fiji):
    """The user must find the line without a window."""
    with pytest.raises(EngineFailedError, match="Unrecognized command") as caught:
        fiji.run_macro('print("before");\nrun("No Such Command");')
    assert caught.value.line == 2
    assert "before" in caught.value.log


def test_of_several_errors_the_first_is_told(fiji):
    """In a block ImageJ goes on after an error and then misses the block's end, which says nothing to anybody."""
    with pytest.raises(EngineFailedError, match="No Such Command") as caught:
        fiji.run_macro('if (true) {\n  run("No Such Command");\n  x = 3;\n}')
    assert caught.value.line == 2


def test_a_command_that_returns_as_if_all_were_well_still_raises(fiji):
    """Headless, "Calibration Bar..." throws; ImageJ puts the stack trace into its log, and the macro goes on."""
    text = 'newImage("a", "8-bit ramp", 64, 64, 1);\nrun("Calibration Bar...", "location=[Upper Right]");\nprint("on");'
    with pytest.raises(EngineFailedError, match="NullPointerException") as caught:
        fiji.run_macro(text)
    assert caught.value.line == 2
    assert "\n\tat ij.plugin.CalibrationBar" in caught.value.detail


def test_an_endless_macro_ends_at_the_time_limit():
    """One endless macro costs one job."""
    with Fiji("embedded", workers=1, heap="256m", timeout_s=1) as fiji:
        with pytest.raises(EngineTimeoutError) as caught:
            fiji.run_macro("a = 1;\nwhile (true)\n  wait(5);")
        assert caught.value.line in (2, 3)
        assert fiji.run_macro('return "alive";').returned == "alive"


def test_a_dtype_that_imagej_lacks_names_the_astype(fiji):
    """No silent loss of precision."""
    with pytest.raises(VolumeError, match=r"astype\('float32'\)"):
        fiji.run_macro("", make_volume(np.zeros((2, 3, 4))))


def test_a_macro_file_that_is_not_there_is_named(fiji):
    """A typo in a file name is not a macro."""
    with pytest.raises(ParameterError, match=r"nowhere\.ijm"):
        fiji.run_macro("nowhere.ijm")
