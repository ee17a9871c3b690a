"""Claims about a study of real people: their folders, as the programs that they painted in write them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fijibridge.errors import EngineMissingError
from fijibridge.fiji import segment_by_weka
from fijibridge.io import write_volume
from fijibridge.phantom.library import make_sample
from fijibridge.study.config import check_study
from fijibridge.study.people import PEOPLE, paint
from fijibridge.study.run import run_study
from fijibridge.study.summary import summarise
from fijibridge.volume import with_data

h5py = pytest.importorskip("h5py")
roifile = pytest.importorskip("roifile")
SIZE = 32


@pytest.fixture(scope="module")
def sample():
    return make_sample("NMC-1", size=SIZE)


@pytest.fixture(scope="module")
def painted(sample):
    """Strokes on three slices, as all four people painted them."""
    rng = np.random.default_rng(0)
    labels = np.zeros(sample.truth.shape, np.uint8)
    for z in (5, 16, 27):
        labels[z] = paint(np.asarray(sample.truth.data[z]), 0.2, PEOPLE["B"], rng)
    return labels


def write_regions(labels, path):
    """A RoiSet of ImageJ: a region one pixel high for each run of pixels, its class in the group."""
    regions = []
    for z, y, x in np.argwhere(labels):
        corners = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]]
        roi = roifile.ImagejRoi.frompoints(corners, name=f"{z}-{y}-{x}")
        roi.group, roi.position = int(labels[z, y, x]), int(z) + 1
        regions.append(roi)
    roifile.roiwrite(path, regions)


def write_labkit(labels, path):
    """Labkit's list of places, x first."""
    places = {name: np.argwhere(labels == value)[:, ::-1].tolist() for name, value in (("AM", 1), ("pore", 2))}
    shape = [size - 1 for size in labels.shape[::-1]]
    path.write_text(json.dumps({"interval": {"min": [0, 0, 0], "max": shape, "n": 3}, "labels": places}))


def write_ilastik(labels, path):
    """The parts of an ilastik project that hold labels, in one block."""
    with h5py.File(path, "w") as project:
        info = project.create_group("Input Data/infos/lane0000/Raw Data")
        info["axistags"] = json.dumps({"axes": [{"key": axis} for axis in "zyxc"]})
        info["shape"] = np.array([*labels.shape, 1])
        block = project.create_dataset("PixelClassification/LabelSets/labels000/block0000", data=labels[..., None])
        block.attrs["blockSlice"] = "[" + ",".join(f"0:{size}" for size in (*labels.shape, 1)) + "]"
        project["PixelClassification/LabelNames"] = [b"AM", b"pore"]
        chosen = project.create_group("FeatureSelections")
        chosen["Scales"], chosen["FeatureIds"] = [1.0], [b"GaussianSmoothing"]
        chosen["SelectionMatrix"] = np.ones((1, 1), bool)


@pytest.fixture(scope="module")
def folders(sample, painted, tmp_path_factory):
    """A study's folder: the stack, and one folder for each of four people."""
    home = tmp_path_factory.mktemp("people")
    write_volume(sample.grey, home / "stack.tif")
    for name in ("anna", "ben", "cem", "dora"):
        (home / name).mkdir()
    write_regions(painted, home / "anna" / "one.zip")
    write_volume(with_data(sample.grey, painted), home / "ben" / "one.tif")
    write_ilastik(painted, home / "cem" / "one.ilp")
    write_labkit(painted, home / "dora" / "one.labeling")
    return home


def study_of(home, names, methods):
    return check_study(
        {
            "dataset": [{"name": "one", "path": "stack.tif", "voxel_size": [397, 397, 397]}],
            "user": [{"name": name, "labels": name} for name in names],
            "methods": methods,
            "inputs": ["raw"],
        },
        base=home,
    )


def test_the_same_paint_from_four_programs_gives_the_same_segmentation(folders, sample, tmp_path):
    """RoiSet.zip, label TIFF, ilastik's and Labkit's file: no voxel differs, and none is lost or moved by a pixel."""
    result = run_study(study_of(folders, ("anna", "ben", "cem", "dora"), ["forest"]), tmp_path)
    assert not result.left_out
    (group,) = summarise(result)
    assert len(group.cells) == 4
    assert group.disagreement == 0
    assert group.std == pytest.approx(0, abs=1e-12)
    assert (result.labels(group.cells[0]).data == sample.truth.data).mean() > 0.9


def test_a_study_with_weka_says_at_once_what_the_imagej_lacks(folders, tmp_path):
    """Plain ImageJ has no Weka; whoever asks for it must not learn so after an hour of other methods."""
    with pytest.raises(EngineMissingError, match="FIJIBRIDGE_IMAGEJ"):
        run_study(study_of(folders, ("ben",), ["otsu", "weka"]), tmp_path)
    assert not (tmp_path / "cells").exists()


def test_weka_in_a_full_fiji_segments_from_the_same_labels(full_fiji, sample, painted):
    """As well as a forest can from so little paint, and with the seed the same twice."""
    if not full_fiji.has("Trainable Weka Segmentation"):
        pytest.skip("the given Fiji has no Trainable Weka Segmentation")
    labels = with_data(sample.grey, painted)
    one, two = (segment_by_weka(sample.grey, labels, seed=3, fiji=full_fiji) for _ in range(2))
    assert (one.data == sample.truth.data).mean() > 0.9
    assert np.array_equal(one.data, two.data)
