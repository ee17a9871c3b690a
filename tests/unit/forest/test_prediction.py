"""Predicting: right, the same however it is cut, and refusing what does not fit."""

from __future__ import annotations

import threading
from pathlib import Path

import dask.array
import numpy as np
import pytest
from forest_phantoms import two_phases
from sklearn.ensemble import RandomForestClassifier

from fijibridge.errors import ModelError, ParameterError, VolumeError
from fijibridge.forest import FeatureSet, _blocks, _pyramid, compute_features, train
from fijibridge.volume import history, make_volume, voxel_size, with_data


def test_a_forest_finds_two_noisy_phases(painted, forest):
    """A few painted slices are enough where a threshold would be wrong in a quarter of all voxels."""
    found = forest.predict(painted.volume)
    assert (found.data == painted.truth).mean() > 0.95
    assert found.dtype == np.uint8
    assert voxel_size(found) == voxel_size(painted.volume)
    assert history(found)[-1]["operation"] == "predict"


def test_labels_are_those_of_scikit_learn_on_the_same_features(painted):
    """The whole way: features, bytes, trees; a voxel that differs would be a bug in one of them."""
    forest = train(painted.volume, painted.labels, trees=40, min_leaf=3, seed=5)
    chosen = painted.labels.data > 0
    table = forest.coder.encode(compute_features(painted.volume, forest).data.reshape(61, -1).T).astype(np.float32)
    model = RandomForestClassifier(40, min_samples_leaf=3, class_weight="balanced", random_state=5, n_jobs=1)
    model.fit(table[chosen.ravel()], painted.labels.data[chosen])
    exact = model.predict_proba(table).T.reshape(2, *chosen.shape)
    assert np.array_equal(forest.probabilities(painted.volume).data, exact.astype(np.float32))
    assert np.array_equal(forest.predict(painted.volume).data, model.predict(table).reshape(chosen.shape))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(
    ("block", "tile"), [((16, 24, 40), (8, 8, 16)), ((40, 17, 33), (40, 5, 7)), ((18, 13, 20), (7, 9, 11))]
)
def test_any_cut_and_any_number_of_threads_give_the_same_bytes(painted, forest, monkeypatch, threads, block, tile):
    """A result that depends on the machine's load cannot be repeated."""
    volume = painted.volume[10:34, 5:30, 8:40]
    whole = forest.predict(volume)
    monkeypatch.setattr(_blocks, "_BLOCK", block)
    monkeypatch.setattr(_pyramid, "_TILE", tile)
    monkeypatch.setattr(_pyramid, "_THIN_TILE", tile)
    monkeypatch.setattr(_pyramid, "_FLAT_TILE", tile)
    assert np.array_equal(forest.predict(volume, threads=threads).data, whole.data)


@pytest.mark.parametrize("z", [0, 1, 20, 43])
def test_a_single_slice_is_that_of_the_whole(painted, forest, z):
    """What is shown while painting must be what comes out in the end."""
    shown = forest.predict(painted.volume, z=z)
    assert np.array_equal(shown.data[0], forest.predict(painted.volume).data[z])
    assert shown.coords["z"].values == painted.volume.coords["z"].values[z]
    doubt = forest.uncertainty(painted.volume, z=z).data[0]
    assert np.array_equal(doubt, forest.uncertainty(painted.volume).data[z])


def test_probabilities_add_up_and_uncertainty_is_theirs(painted, forest):
    """Labels are the likeliest class, and doubt is greatest where the two are equally likely."""
    shares = forest.probabilities(painted.volume)
    assert shares.dims == ("class", "z", "y", "x")
    assert shares.coords["class"].values.tolist() == [1, 2]
    assert np.allclose(shares.data.sum(axis=0), 1)
    assert np.array_equal(shares.data.argmax(axis=0) + 1, forest.predict(painted.volume).data)
    lead = np.abs(shares.data[0] - shares.data[1])
    assert np.allclose(forest.uncertainty(painted.volume).data, 1 - lead, atol=1e-6)


def test_a_single_image_is_filtered_in_2d():
    """A micrograph is a volume of one slice."""
    image = two_phases((1, 120, 110))
    forest = train(image.volume, image.labels)
    assert forest.dimensions == 2
    assert (forest.predict(image.volume).data == image.truth).mean() > 0.9


def test_a_stack_can_be_filtered_slice_by_slice():
    """With slices far apart (every 50th), neighbours in z say nothing: each slice alone gives the same labels."""
    stack = two_phases((5, 80, 90))
    forest = train(stack.volume, stack.labels, features=FeatureSet(FeatureSet.default().names, flat=True))
    whole = forest.predict(stack.volume)
    assert np.array_equal(forest.predict(stack.volume[2:3]).data[0], whole.data[2])


@pytest.mark.parametrize("scale", [257, 1 / 1000, 1e-6])
def test_grey_values_may_have_any_scale(painted, forest, scale):
    """uint16, attenuation in 1/mm or 1/nm: eigenvalues of tiny numbers must not vanish in float32."""
    grey = painted.volume.data * float(scale)
    volume = with_data(painted.volume, grey.astype(np.uint16 if scale > 1 else np.float32))
    found = train(volume, painted.labels, trees=30, min_leaf=5).predict(volume)
    assert (found.data == forest.predict(painted.volume).data).mean() > 0.99


def test_out_is_filled_and_may_be_a_memory_map(painted, forest, tmp_path: Path):
    """A volume larger than the memory goes from file to file."""
    out = np.memmap(tmp_path / "labels.raw", np.uint8, "w+", shape=painted.volume.shape)
    source = np.memmap(tmp_path / "grey.raw", np.uint8, "w+", shape=painted.volume.shape)
    source[:] = painted.volume.data
    found = forest.predict(with_data(painted.volume, source), out=out)
    assert found.data is out
    assert np.array_equal(out, forest.predict(painted.volume).data)


def test_dask_arrays_are_read_box_by_box(painted, forest):
    """A Volume may hold a dask array; no thread reads it whole."""
    lazy = with_data(painted.volume, dask.array.from_array(painted.volume.data, chunks=(11, 30, 30)))
    assert np.array_equal(forest.predict(lazy).data, forest.predict(painted.volume).data)


def test_the_input_is_left_alone_and_no_thread_stays(painted, forest):
    """Neither the volume nor the program around is changed by predicting."""
    before, threads = painted.volume.data.copy(), threading.active_count()
    forest.predict(painted.volume, threads=3)
    assert np.array_equal(painted.volume.data, before)
    assert threading.active_count() == threads


def test_progress_runs_from_0_to_1(painted, forest, monkeypatch):
    """A progress bar that goes back, or never ends, is worse than none."""
    monkeypatch.setattr(_blocks, "_BLOCK", (20, 30, 30))
    seen = []
    forest.predict(painted.volume, progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) == 12
    assert seen[-1] == 1


def test_a_cancelling_progress_stops_the_work(painted, forest, monkeypatch):
    """The caller stops a long prediction by raising out of the callback."""
    monkeypatch.setattr(_blocks, "_BLOCK", (20, 30, 30))

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        forest.predict(painted.volume, progress=stop, threads=2)


def test_another_voxel_size_is_refused(painted, forest):
    """A forest that learned on 10 nm voxels sees other textures at 12 nm, without any sign of it."""
    other = make_volume(painted.volume.data, spacing=(10, 12, 12))
    with pytest.raises(ModelError, match="10 x 10 x 10 nm"):
        forest.predict(other)
    in_um = make_volume(painted.volume.data, spacing=(0.01, 0.01, 0.01), units="um")
    assert np.array_equal(forest.predict(in_um).data, forest.predict(painted.volume).data)
    uncalibrated = make_volume(painted.volume.data, units="voxel")
    assert np.array_equal(forest.predict(uncalibrated).data, forest.predict(painted.volume).data)


def test_slices_and_volumes_are_not_mixed_up(painted, forest):
    """2-D features of a stack, or 3-D features of a slice, would be features that no tree has seen."""
    with pytest.raises(ModelError, match="single slice"):
        forest.predict(painted.volume[3:4])
    image = two_phases((1, 60, 60))
    with pytest.raises(ModelError, match="flat=True"):
        train(image.volume, image.labels).predict(painted.volume)


@pytest.mark.parametrize(
    "wrong",
    [{"z": 44}, {"z": -1}, {"threads": 0}, {"out": np.zeros((2, 2, 2), np.uint8)}, {"out": np.zeros((44, 50, 54))}],
)
def test_parameters_that_do_not_fit_are_refused(painted, forest, wrong):
    """One sentence instead of an index error from deep within."""
    with pytest.raises(ParameterError):
        forest.predict(painted.volume, **wrong)


def test_nan_in_a_volume_is_refused(painted, forest):
    """Whatever thread meets it."""
    grey = painted.volume.data.astype(np.float32)
    grey[40, 40, 40] = np.inf
    with pytest.raises(VolumeError, match="infinity"):
        forest.predict(with_data(painted.volume, grey), threads=2)


def test_what_was_written_to_a_private_map_is_still_there_after_predicting(painted, forest, tmp_path):
    """Letting go of pages saves memory, but the changes of a copy-on-write map lie in those pages alone."""
    np.asarray(painted.volume.data).tofile(tmp_path / "grey")
    grey = np.memmap(tmp_path / "grey", painted.volume.dtype, "c", shape=painted.volume.shape)
    grey[0] = 17
    forest.predict(with_data(painted.volume, grey))
    assert (grey[0] == 17).all()
