"""ilastik projects in, ONNX out."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import tifffile

from fijibridge.errors import EngineMissingError, ReadError, WriteError
from fijibridge.forest import compute_features, export_onnx, read_ilastik, train
from fijibridge.volume import make_volume


def test_an_ilastik_project_trains_a_forest_that_agrees_with_ilastik(shared_data):
    """Real labels and features of a real project, against the probabilities that ilastik itself wrote."""
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    folder = shared_data("formats") / "ilastik"
    project = read_ilastik(folder / "pixel_class_2d_cells_apoptotic.ilp")
    assert project.names == {1: "foreground", 2: "background"}
    assert np.bincount(project.labels[0].ravel())[1:].tolist() == [209, 217]
    assert project.features.flat
    assert len(project.features.columns(dimensions=2)) == 29
    with h5py.File(folder / "2d_cells_apoptotic_1channel.h5") as file:
        image = file["data"][0, :, :, :, 0]
    assert image.shape == project.shape
    volume = make_volume(image, units="voxel")
    mine = train(volume, project.labels, features=project.features, trees=100, min_leaf=1).probabilities(volume)
    theirs = tifffile.imread(folder / "2d_cells_apoptotic_1channel-data_Probabilities.tif")
    assert (theirs.argmax(axis=-1) == mine.data[:, 0].argmax(axis=0)).mean() > 0.99
    assert np.corrcoef(theirs[..., 0].ravel(), mine.data[0, 0].ravel())[0, 1] > 0.97


def test_labels_in_3d_are_put_where_ilastik_had_them(tmp_path):
    """Blocks with offsets along all axes, written the way ilastik writes them, in an image whose axes are x y z."""
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    axes = '{"axes": [{"key": "x"}, {"key": "y"}, {"key": "z"}, {"key": "c"}]}'
    with h5py.File(tmp_path / "p.ilp", "w") as file:
        info = file.create_group("Input Data/infos/lane0000/Raw Data")
        info["axistags"], info["shape"] = axes, [30, 20, 10, 1]
        block = file.create_dataset(
            "PixelClassification/LabelSets/labels000/block0000", data=np.zeros((3, 2, 1, 1), "u1")
        )
        block[2, 1, 0, 0] = 2
        block.attrs["blockSlice"] = "[5:8,7:9,4:5,0:1]"
        file["PixelClassification/LabelNames"] = np.array([b"am", b"cbd"])
        choice = file.create_group("FeatureSelections")
        choice["Scales"], choice["FeatureIds"] = (
            [0.7, 1.6],
            np.array([b"GaussianSmoothing", b"HessianOfGaussianEigenvalues"]),
        )
        choice["SelectionMatrix"] = [[True, False], [False, True]]
    project = read_ilastik(tmp_path / "p.ilp")
    assert project.shape == (10, 20, 30)
    assert list(project.labels) == [4]
    assert np.argwhere(project.labels[4]).tolist() == [[8, 7]]
    assert project.features.names == ("gaussian(0.7)", "hessian(1.6)")
    assert not project.features.flat


def test_a_file_that_is_no_project_is_refused(tmp_path):
    """One sentence, not an HDF5 traceback."""
    pytest.importorskip("h5py", reason="h5py is not installed")
    (tmp_path / "p.ilp").write_bytes(b"not hdf5")
    with pytest.raises(ReadError, match=r"p\.ilp"):
        read_ilastik(tmp_path / "p.ilp")


@pytest.mark.parametrize(
    ("package", "call"), [("h5py", lambda f: read_ilastik("p.ilp")), ("onnx", lambda f: export_onnx(f, "f.onnx"))]
)
def test_a_missing_optional_package_is_named(monkeypatch, forest, package, call):
    """With the command that installs it."""
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineMissingError, match=f"pip install {package}"):
        call(forest)


def test_an_exported_forest_gives_the_same_answers(painted, forest, tmp_path):
    """The runtime that other programs use, on our features: the same probabilities, and labels where none tie."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    export_onnx(forest, tmp_path / "forest.onnx")
    table = compute_features(painted.volume, forest, z=20).data.reshape(61, -1).T.copy()
    label, shares = runtime.InferenceSession(tmp_path / "forest.onnx").run(None, {"features": table})
    mine = forest.probabilities(painted.volume, z=20).data.reshape(2, -1).T
    assert np.abs(shares - mine).max() < 1e-5
    sure = np.abs(mine[:, 0] - mine[:, 1]) > 1e-4
    assert np.array_equal(label[sure], forest.predict(painted.volume, z=20).data.ravel()[sure])


def test_an_export_that_cannot_be_written_is_said_so(forest, tmp_path):
    """As for every file."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    with pytest.raises(WriteError):
        export_onnx(forest, tmp_path / "nowhere" / "forest.onnx")
