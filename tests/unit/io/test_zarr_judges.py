"""The judges of OME-Zarr: its own package reads what is written, its models hold the metadata valid, and vice versa."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

import fijibridge as fb
from fijibridge.volume import Volume, origin, voxel_size

VALUES = np.random.default_rng(0).integers(0, 250, (40, 300, 310)).astype(np.uint8)
FORMS = [("0.4", None), ("0.5", False), ("0.5", True)]


def grey() -> Volume:
    return fb.make_volume(VALUES, spacing=(50, 10, 10.5), units="nm", origin=(5, 0, 0))


@pytest.mark.parametrize(("version", "sharded"), FORMS)
def test_the_ome_zarr_package_reads_voxels_and_sizes(tmp_path: Path, version, sharded) -> None:
    """Every level, its scale and its shift, and the unit of the axes."""
    io = pytest.importorskip("ome_zarr.io", reason="ome-zarr is not installed")
    reader = pytest.importorskip("ome_zarr.reader")
    fb.write_volume(grey(), tmp_path / "v.zarr", ome_zarr=version, sharded=sharded)
    (image,) = reader.Reader(io.parse_url(str(tmp_path / "v.zarr")))()
    np.testing.assert_array_equal(np.asarray(image.data[0]), VALUES)
    assert [level.shape for level in image.data] == [(40, 300, 310), (40, 150, 155)]
    assert [axis["unit"] for axis in image.metadata["axes"]] == ["nanometer"] * 3
    first, second = image.metadata["coordinateTransformations"]
    assert [step["scale"] for step in (first[0], second[0])] == [[50.0, 10.0, 10.5], [50.0, 20.0, 21.0]]
    assert [step["translation"] for step in (first[1], second[1])] == [[5.0, 0.0, 0.0], [5.0, 5.0, 5.25]]


@pytest.mark.parametrize(("version", "sharded"), FORMS)
def test_the_metadata_are_valid(tmp_path: Path, version, sharded) -> None:
    """By the models of the specification."""
    models = pytest.importorskip("ome_zarr_models", reason="ome-zarr-models is not installed")
    fb.write_volume(grey(), tmp_path / "v.zarr", ome_zarr=version, sharded=sharded)
    found = models.open_ome_zarr(zarr.open_group(tmp_path / "v.zarr", mode="r"))
    assert type(found).__name__ == "Image"
    assert type(found).__module__.split(".")[1] == f"v{version.replace('.', '')}"


@pytest.mark.parametrize(("version", "sharded"), FORMS)
def test_napari_opens_it_with_its_sizes(tmp_path: Path, version, sharded) -> None:
    """Through the plugin that people have for OME-Zarr, all levels as one layer."""
    plugin = pytest.importorskip("napari_ome_zarr", reason="napari-ome-zarr is not installed")
    path = str(tmp_path / "v.zarr")
    fb.write_volume(grey(), path, ome_zarr=version, sharded=sharded)
    ((levels, attributes, *_),) = plugin.napari_get_reader(path)(path)
    np.testing.assert_array_equal(np.asarray(levels[0]), VALUES)
    assert list(attributes["scale"]) == [50.0, 10.0, 10.5]
    assert {str(unit) for unit in attributes["units"]} == {"nanometer"}


@pytest.mark.parametrize("kind", ["V04", "V05"])
def test_what_the_ome_zarr_package_writes_is_read(tmp_path: Path, kind) -> None:
    """With its scale, unit and levels."""
    writer = pytest.importorskip("ome_zarr.writer", reason="ome-zarr is not installed")
    formats = pytest.importorskip("ome_zarr.format")
    form = getattr(formats, f"Format{kind}")()
    group = zarr.open_group(tmp_path / "v.zarr", mode="w", zarr_format=form.zarr_format)
    scale = [[{"type": "scale", "scale": [0.5, 0.1, 0.2]}]]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    writer.write_multiscale([VALUES[:4, :20, :30]], group, axes=axes, coordinate_transformations=scale, fmt=form)
    volume = fb.read_volume(tmp_path / "v.zarr")
    np.testing.assert_array_equal(volume.data, VALUES[:4, :20, :30])
    assert voxel_size(volume) == (0.5, 0.1, 0.2, "um")
    assert voxel_size(volume).units == "um"
    assert origin(volume) == (0, 0, 0)
