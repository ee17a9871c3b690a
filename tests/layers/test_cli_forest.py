"""Claims about `fijibridge train` and `fijibridge predict`."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fijibridge as fb
from fijibridge.phantom import make_electrode
from fijibridge.study.annotators import paint_labels


@pytest.fixture(scope="module")
def model(stack, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "cathode.fbforest"
    labels = fb.read_volume(stack / "labels.tif")
    fb.save_forest(fb.train(fb.read_volume(stack / "grey.tif"), labels), path)
    return path


def test_trained_file_gives_the_labels_that_the_library_gives(run, stack, tmp_path):
    """The command line adds nothing to `train` and `predict` but files."""
    model, out = tmp_path / "m.fbforest", tmp_path / "labels.tif"
    assert run("train", stack / "grey.tif", "--labels", stack / "labels.tif", "-o", model)[0] == 0
    assert run("predict", stack / "grey.tif", "--model", model, "-o", out)[0] == 0
    grey, labels = fb.read_volume(stack / "grey.tif"), fb.read_volume(stack / "labels.tif")
    direct = fb.train(grey, labels).predict(grey)
    found = fb.read_volume(out)
    assert np.array_equal(found.data, direct.data)
    assert fb.same_grid(found, grey)


def test_one_slice_is_that_slice_of_the_whole(run, stack, model, tmp_path):
    """A preview must show what the whole run will give."""
    for name, extra in (("whole.tif", []), ("one.tif", ["--slice", 7])):
        assert run("predict", stack / "grey.tif", "--model", model, "-o", tmp_path / name, *extra)[0] == 0
    whole, one = (fb.read_volume(tmp_path / name).data for name in ("whole.tif", "one.tif"))
    assert np.array_equal(one[0], whole[7])


def test_probabilities_sum_to_one_and_lead_to_the_labels(run, stack, model, tmp_path):
    """One volume for each class, named by its label."""
    out = tmp_path / "labels.tif"
    code, said, _ = run("predict", stack / "grey.tif", "--model", model, "-o", out, "--probabilities", "--json")
    assert code == 0
    files = json.loads(said)["files"]
    assert [name.rsplit("/", 1)[-1] for name in files] == [
        "labels.tif",
        "labels-probability-1.tif",
        "labels-probability-2.tif",
    ]
    first, second = (fb.read_volume(name).data for name in files[1:])
    assert first + second == pytest.approx(1, abs=1e-6)
    clear = np.abs(first - second) > 1e-6  # labels are decided in double precision, the files hold single
    assert np.array_equal((fb.read_volume(out).data == 1)[clear], (first > second)[clear])
    assert clear.mean() > 0.99


def test_validation_reports_an_accuracy(run, tmp_path):
    """Trained and tested on separate blocks: what a user may quote."""
    electrode = make_electrode((24, 96, 96))
    fb.write_volume(electrode.grey, tmp_path / "grey.tif")
    fb.write_volume(paint_labels(electrode.truth, slices=[6, 18], coverage=0.1), tmp_path / "labels.tif")
    words = ["train", tmp_path / "grey.tif", "--labels", tmp_path / "labels.tif", "-o", tmp_path / "m.fbforest"]
    code, said, _ = run(*words, "--validate", "--json")
    assert code == 0
    assert 0.8 < json.loads(said)["accuracy"] <= 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["predict", "{grey}", "--model", "{grey}", "-o", "out.tif"], 3, "grey.tif"),
        (["predict", "{grey}", "--model", "none.fbforest", "-o", "out.tif"], 3, "none.fbforest"),
        (["predict", "{grey}", "--model", "{model}", "-o", "no/such/out.tif"], 6, "cannot write"),
        (["predict", "{grey}", "--model", "{model}", "-o", "out.tif", "--slice", "99"], 3, "slices 0 to 23"),
        (["predict", "{other}", "--model", "{model}", "-o", "out.tif"], 3, "resample"),
        (["train", "{grey}", "--labels", "{other}", "-o", "m.fbforest"], 3, "another grid"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(run, stack, model, tmp_path, monkeypatch, words, code, said):
    """A wrong model, place, slice or voxel size leaves no half-written file."""
    monkeypatch.chdir(tmp_path)
    other = fb.make_volume(np.random.default_rng(0).integers(0, 9, (24, 48, 56)).astype(np.uint8), spacing=(80, 80, 80))
    fb.write_volume(other, tmp_path / "other.tif")
    files = {"grey": stack / "grey.tif", "model": model, "other": "other.tif"}
    found, out, err = run(*[word.format(**files) for word in words])
    assert found == code
    assert said in err
    assert "Traceback" not in err + out
    assert {path.name for path in tmp_path.iterdir()} == {"other.tif"}
