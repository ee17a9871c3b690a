"""Raw voxels are read by what lies beside them, with voxel size and unit; without it one is told what to put there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fijibridge.errors import ReadError
from fijibridge.io import read_volume
from fijibridge.volume import voxel_size

SMALL = (np.arange(2 * 3 * 4, dtype=np.uint16) * 300).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["v.raw", "v.bin", "v.dat"])
@pytest.mark.parametrize("beside", ["v.json", "{name}.json"])
@pytest.mark.parametrize("mmap", [False, True])
def test_a_json_beside_raw_voxels_says_what_they_are(tmp_path: Path, name: str, beside: str, mmap: bool) -> None:
    """Big-endian, behind a header of seven bytes, with one size for each axis."""
    (tmp_path / name).write_bytes(b"header!" + SMALL.astype(">u2").tobytes())
    said = {"shape": [2, 3, 4], "dtype": "uint16", "byte_order": "big", "offset": 7, "voxel_size": [30, 20, 10]}
    (tmp_path / beside.format(name=name)).write_text(json.dumps({**said, "units": "nm"}))
    volume = read_volume(tmp_path / name, mmap=mmap)
    np.testing.assert_array_equal(np.asarray(volume.data), SMALL)
    assert voxel_size(volume) == (30, 20, 10, "nm")
    assert volume.dtype == np.uint16


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_an_info_of_a_synchrotron_is_read(tmp_path: Path, dtype: str) -> None:
    """It names no type: the bytes of the file tell; its voxel size is in micrometres."""
    (tmp_path / "v.vol").write_bytes((SMALL // 100).astype(dtype).tobytes())
    (tmp_path / "v.vol.info").write_text("! VOLUME INFO FILE\nNUM_X = 4\nNUM_Y = 3\nNUM_Z = 2\nvoxelSize = 0.65\n")
    volume = read_volume(tmp_path / "v.vol")
    np.testing.assert_array_equal(volume.data, SMALL // 100)
    assert volume.dtype == dtype
    assert voxel_size(volume) == (0.65, 0.65, 0.65, "um")


def test_a_size_without_a_unit_is_not_guessed(tmp_path: Path) -> None:
    """30 may be nm or um."""
    (tmp_path / "v.raw").write_bytes(SMALL.astype("<u2").tobytes())
    (tmp_path / "v.json").write_text(json.dumps({"shape": [2, 3, 4], "dtype": "uint16", "voxel_size": 30}))
    assert voxel_size(read_volume(tmp_path / "v.raw")).units == "voxel"


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ("", r"put a header beside it: v\.mhd"),
        ('{"shape": [2, 3, 5], "dtype": "uint16"}', "says 60 bytes of voxels and 48 are there"),
        ('{"shape": [1000000, 1000000, 1000000], "dtype": "float64"}', "says 8000000000000000000 bytes"),
        ('{"shape": [2, -3, 4], "dtype": "uint16"}', "2 x -3 x 4"),
        ('{"shape": [2, 3, 4], "dtype": "object"}', "holds object"),
        ('{"shape": [2, 3, 4], "dtype": "uint16", "offset": -8}', "byte -8"),
        ('{"shape": "all"}', "no description"),
        ("[", "no description"),
    ],
)
def test_a_description_that_does_not_fit_is_one_sentence(tmp_path: Path, beside: str, said: str) -> None:
    """The bytes there are decide; nothing is taken on trust."""
    (tmp_path / "v.raw").write_bytes(SMALL.tobytes())
    if beside:
        (tmp_path / "v.json").write_text(beside)
    with pytest.raises(ReadError, match=said) as caught:
        read_volume(tmp_path / "v.raw")
    assert "\n" not in str(caught.value)
