"""Claims about labels from the programs that people paint in."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from fijibridge.errors import LabelsError, ReadError
from fijibridge.study._classnames import class_of
from fijibridge.study.users import find_labels, read_labels
from fijibridge.volume import make_volume

roifile = pytest.importorskip("roifile")
h5py = pytest.importorskip("h5py")


def grey(*shape):
    return make_volume(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("name", "value"),
    [("1", 1), ("class 2", 2), ("Label-1 left", 1), ("02 pore", 2), ("AM", 1), ("NMC grain", 1), ("pores", 2),
     ("Background", 2), ("0012-0100-0200", 0), ("something", 0), ("", 0)],
)  # fmt: skip
def test_class_is_read_off_a_name(name, value):
    """ImageJ's own names are numbers of places, not of classes."""
    assert class_of(name) == value


def rectangle(name, left, top, width, height, *, group=0, position=0):
    roi = roifile.ImagejRoi.frompoints(
        [[left, top], [left + width, top], [left + width, top + height], [left, top + height]], name=name
    )
    roi.group, roi.position = group, position
    return roi


def test_regions_become_labels_of_their_group_or_name_on_their_slice(tmp_path):
    """A rectangle of 4 x 3 pixels holds 12, at ImageJ's place, on slice 2 of three."""
    path = tmp_path / "RoiSet.zip"
    roifile.roiwrite(
        path, [rectangle("a", 5, 2, 4, 3, group=1, position=2), rectangle("2 cbd", 0, 8, 2, 2, position=3)]
    )
    labels = read_labels(path, grey(3, 12, 14)).data
    assert np.array_equal(labels[1, 2:5, 5:9], np.ones((3, 4)))
    assert (labels == 1).sum() == 12
    assert np.array_equal(np.argwhere(labels == 2), [[2, 8, 0], [2, 8, 1], [2, 9, 0], [2, 9, 1]])


def test_region_without_a_class_or_outside_the_stack_is_refused(tmp_path):
    """With the region's name."""
    path = tmp_path / "RoiSet.zip"
    roifile.roiwrite(path, [rectangle("0002-0001-0001", 1, 1, 2, 2, position=2)])
    with pytest.raises(LabelsError, match="0002-0001-0001"):
        read_labels(path, grey(3, 9, 9))
    roifile.roiwrite(path, [rectangle("1", 1, 1, 2, 2, position=7)], mode="w")
    with pytest.raises(LabelsError, match="slice 7"):
        read_labels(path, grey(3, 9, 9))


def test_region_written_by_imagej_covers_its_area(shared_data):
    """A rectangle and an ellipse of real files, against the area of their outline."""
    folder = shared_data("formats") / "imagej_roi"
    from fijibridge.study._rois import _mask

    for name in ("rectangle", "oval", "polygon", "freehand"):
        roi = roifile.roiread(folder / f"{name}.roi")
        x, y = roi.coordinates().T
        area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
        assert _mask(roi, (600, 600)).sum() == pytest.approx(area, rel=0.03), name


def test_label_images_are_taken_as_they_are(tmp_path):
    """And another stack's labels are refused."""
    painted = np.zeros((3, 5, 6), np.uint8)
    painted[1, 2, 3], painted[2] = 1, 2
    tifffile.imwrite(tmp_path / "a.tif", painted, photometric="minisblack")
    assert np.array_equal(read_labels(tmp_path / "a.tif", grey(3, 5, 6)).data, painted)
    with pytest.raises(LabelsError, match="this very stack"):
        read_labels(tmp_path / "a.tif", grey(3, 5, 7))


def test_labkit_lists_become_labels(tmp_path):
    """x, y, z in the file; foreground is class 1, background 2."""
    document = {
        "interval": {"min": [0, 0, 0], "max": [6, 5, 3], "n": 3},
        "labels": {"background": [[0, 0, 0]], "foreground": [[6, 2, 1], [5, 2, 1]]},
    }
    (tmp_path / "a.labeling").write_text(json.dumps(document))
    labels = read_labels(tmp_path / "a.labeling", grey(3, 5, 7)).data
    assert np.argwhere(labels == 1).tolist() == [[1, 2, 5], [1, 2, 6]]
    assert labels[0, 0, 0] == 2


def test_labels_that_labkit_wrote_open(shared_data):
    """The leaf that comes with Labkit, 507 x 446."""
    labels = read_labels(shared_data("formats") / "labkit" / "leaf.tif.labeling", grey(1, 446, 507)).data
    assert labels[0, 106, 415] == 2
    assert set(np.unique(labels)) == {0, 1, 2}


def test_labels_that_ilastik_wrote_open(shared_data):
    """As many voxels of each class as the project's blocks hold, where they say."""
    path = shared_data("formats") / "ilastik" / "pixel_class_2d_cells_apoptotic.ilp"
    labels = read_labels(path, grey(1, 1024, 1344)).data
    with h5py.File(path) as project:
        blocks = [np.asarray(block) for block in project["PixelClassification/LabelSets/labels000"].values()]
    for value in (1, 2):
        assert (labels == value).sum() == sum((block == value).sum() for block in blocks)


@pytest.mark.parametrize("name", ["a.zip", "a.roi", "a.ilp", "a.labeling", "a.txt"])
def test_broken_and_strange_files_are_one_sentence(tmp_path, name):
    """Whatever is in them."""
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(ReadError, match=name):
        read_labels(tmp_path / name, grey(1, 5, 5))


def test_empty_labels_are_refused(tmp_path):
    """Somebody saved too early."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 5, 6), np.uint8), photometric="minisblack")
    with pytest.raises(LabelsError, match="no label"):
        read_labels(tmp_path / "a.tif", grey(2, 5, 6))


def test_a_users_folder_holds_one_file_for_each_set_or_method(tmp_path):
    """anna/NMC-1.zip for the forest, anna/NMC-1/MLX25.tif for a method."""
    (tmp_path / "NMC-1").mkdir()
    (tmp_path / "NMC-1.zip").touch()
    (tmp_path / "NMC-1" / "MLX25.tif").touch()
    assert find_labels(tmp_path, "NMC-1", "forest") == tmp_path / "NMC-1.zip"
    assert find_labels(tmp_path, "NMC-1", "MLX25") == tmp_path / "NMC-1" / "MLX25.tif"
    assert find_labels(tmp_path, "NMC-1", "MLX10") is None
