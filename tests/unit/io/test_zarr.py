"""OME-Zarr: what is written reads back as the same Volume, as the specification has it, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

import fijibridge as fb
from fijibridge.errors import ReadError, WriteError
from fijibridge.volume import Volume, make_volume, origin, voxel_size

PAST = ({"operation": "crop", "engine": "native", "version": "1", "parameters": {}},)


def grey(shape: tuple[int, int, int] = (40, 280, 300), dtype: str = "uint8") -> Volume:
    values = np.random.default_rng(0).integers(0, 250, shape)
    return make_volume(values.astype(dtype), spacing=(256, 55, 55.5), origin=(10, 0, -3.5), history=PAST)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint16", "float32", "float64"])
def test_what_is_written_reads_back_as_the_same_volume(tmp_path: Path, version, dtype) -> None:
    """Voxels, size, place and past, in every dtype, on both versions."""
    volume = grey((5, 20, 30), dtype)
    fb.write_volume(volume, tmp_path / "v.ome.zarr", ome_zarr=version)
    back = fb.read_volume(tmp_path / "v.ome.zarr")
    assert back.identical(volume)
    assert back.dtype == volume.dtype


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
def test_the_metadata_are_those_of_the_specification(tmp_path: Path, version, zarr_format) -> None:
    """Viewers look for axes, units, and scale and translation of each level, and nothing of ours."""
    fb.write_volume(grey(), tmp_path / "v.zarr", ome_zarr=version)
    group = zarr.open_group(tmp_path / "v.zarr", mode="r")
    assert group.metadata.zarr_format == zarr_format
    found = group.attrs["ome"] if version == "0.5" else group.attrs
    (image,) = found["multiscales"]
    assert (found if version == "0.5" else image)["version"] == version
    assert image["axes"] == [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    first, second = image["datasets"]
    assert first["coordinateTransformations"][0] == {"type": "scale", "scale": [256.0, 55.0, 55.5]}
    assert second["coordinateTransformations"] == [
        {"type": "scale", "scale": [256.0, 110.0, 111.0]},
        {"type": "translation", "translation": [10.0, 27.5, -3.5 + 55.5 / 2]},
    ]
    assert group["0"].metadata.to_dict()["chunk_key_encoding" if version == "0.5" else "dimension_separator"]
    assert (tmp_path / "v.zarr" / ("zarr.json" if version == "0.5" else ".zattrs")).is_file()


def test_coarser_levels_are_means_and_of_labels_one_of_their_values(tmp_path: Path) -> None:
    """A mean of label 1 and label 3 is not label 2; flat voxels become cubes first."""
    volume = grey((40, 300, 301))
    fb.write_volume(volume, tmp_path / "grey.zarr")
    level = zarr.open_group(tmp_path / "grey.zarr", mode="r")["1"][:]
    assert level.shape == (40, 150, 151)
    mean = volume.data[:, :, :300].astype(float).reshape(40, 150, 2, 150, 2).mean(axis=(2, 4))
    assert np.abs(level[:, :, :150] - mean).max() <= 0.5
    assert np.abs(level[:, :, 150] - volume.data[:, :, 300].reshape(40, 150, 2).mean(axis=2)).max() <= 0.5
    labels = fb.with_data(volume, (volume.data % 3).astype(np.uint8))
    fb.write_volume(labels, tmp_path / "labels.zarr")
    coarse = zarr.open_group(tmp_path / "labels.zarr", mode="r")["1"][:]
    assert np.array_equal(coarse, labels.data[:, ::2, ::2])


def test_mapped_voxels_stay_in_their_chunks(tmp_path: Path) -> None:
    """A stack larger than memory is read where it is needed only."""
    pytest.importorskip("dask")
    volume = grey()
    fb.write_volume(volume, tmp_path / "v.zarr")
    lazy = fb.read_volume(tmp_path / "v.zarr", mmap=True)
    assert type(lazy.data).__module__.startswith("dask")
    assert np.array_equal(np.asarray(lazy.data[17]), volume.data[17])
    fb.write_volume(lazy, tmp_path / "copy.zarr")
    assert fb.read_volume(tmp_path / "copy.zarr").identical(volume)


def test_an_older_folder_is_replaced_as_a_whole_and_kept_when_writing_fails(tmp_path: Path) -> None:
    """No mixture of two volumes, no leftovers."""
    first, second = grey((40, 50, 60)), grey((3, 10, 12), "uint16")
    path = tmp_path / "v.zarr"
    fb.write_volume(first, path)
    fb.write_volume(second, path)
    assert fb.read_volume(path).identical(second)
    broken = second.copy()
    broken.attrs["history"] = ({"operation": {1, 2}},)
    with pytest.raises(WriteError, match="JSON"):
        fb.write_volume(broken, path)
    assert fb.read_volume(path).identical(second)
    assert [entry.name for entry in tmp_path.iterdir()] == ["v.zarr"]


def test_what_is_no_zarr_is_never_replaced_by_one(tmp_path: Path) -> None:
    """A folder of someone's slices must not vanish over a name."""
    folder = tmp_path / "mine.zarr"
    folder.mkdir()
    (folder / "notes.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(WriteError, match="something else"):
        fb.write_volume(grey((2, 4, 5)), folder)
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "keep"
    with pytest.raises(WriteError, match="not there"):
        fb.write_volume(grey((2, 4, 5)), tmp_path / "no" / "v.zarr")


def test_other_programs_images_are_read_with_their_channel_axis_and_units(tmp_path: Path) -> None:
    """Written as the specification has it: five axes, micrometres, a scale for all levels."""
    group = zarr.open_group(tmp_path / "v.zarr", mode="w", zarr_format=2)
    data = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(1, 1, 2, 3, 4)
    group.create_array("full", data=data)
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
            + [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"],
            "datasets": [
                {
                    "path": "full",
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [1, 1, 0.5, 0.1, 0.1]},
                        {"type": "translation", "translation": [0, 0, 2, 0, 0]},
                    ],
                }
            ],
            "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 2, 1, 1]}],
        }
    ]
    volume = fb.read_volume(tmp_path / "v.zarr")
    assert np.array_equal(volume.data, data[0, 0])
    assert voxel_size(volume)[:3] == pytest.approx((1.0, 0.1, 0.1))
    assert voxel_size(volume).units == "um"
    assert origin(volume) == (4.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "0" / "zarr.json").unlink(), "Zarr"),
        (lambda folder: (folder / "zarr.json").write_text("{", encoding="utf-8"), "Zarr"),
        (lambda folder: _edit(folder, lambda ome: ome.pop("multiscales")), "without an image"),
        (lambda folder: _edit(folder, lambda ome: ome["multiscales"][0]["axes"].reverse()), "must come in this order"),
    ],
)
def test_a_broken_folder_is_one_sentence(tmp_path: Path, change, said) -> None:
    """No traceback of another package."""
    fb.write_volume(grey((3, 10, 12)), tmp_path / "v.zarr")
    change(tmp_path / "v.zarr")
    with pytest.raises(ReadError, match=said):
        fb.read_volume(tmp_path / "v.zarr")


def test_a_header_that_asks_for_more_than_the_memory_is_refused_before_any_is_taken(tmp_path: Path) -> None:
    """Chunks that are not there count as zeros: a folder of 1 kB may promise anything."""
    zarr.create_array(tmp_path / "v.zarr", shape=(10**5, 10**5, 10**4), chunks=(100, 1000, 1000), dtype="uint8")
    with pytest.raises(ReadError, match="does not fit into memory"):
        fb.read_volume(tmp_path / "v.zarr")


def _edit(folder: Path, change) -> None:
    file = folder / "zarr.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document["attributes"]["ome"])
    file.write_text(json.dumps(document), encoding="utf-8")
