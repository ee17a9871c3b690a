"""Claims about the base truth: what the FIB-SEM stack says of the geometry that the X-ray images show."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fijibridge.errors import LabelsError, ParameterError
from fijibridge.io import write_volume
from fijibridge.phantom.library import make_sample
from fijibridge.study.base import find_base
from fijibridge.study.config import DatasetConfig, check_study
from fijibridge.study.run import run_study
from fijibridge.study.study_report import write_study
from fijibridge.study.summary import summarise
from fijibridge.volume import make_volume, voxel_size


@pytest.fixture(scope="module")
def nex(tmp_path_factory):
    """A study of NEX-V against the FIB-SEM stack of its geometry, with its report."""
    folder = tmp_path_factory.mktemp("nex")
    study = check_study(
        {
            "dataset": [{"name": "V", "phantom": "NEX-V", "size": 128, "same_as": "NEX", "base": "simulate"}],
            "methods": ["S2", "gWS", "otsu", "li"],
            "inputs": ["raw"],
        }
    )
    result = run_study(study, folder)
    return folder, result, write_study(result, folder, command="study")


def test_the_prepared_stack_tells_the_fraction_of_the_geometry(nex):
    """Aligned, straightened, cleaned, segmented: on 126 nm voxels, a few points off, since a smaller piece is left."""
    base = nex[1].datasets["V"].base
    assert voxel_size(base.labels)[:3] == pytest.approx((126, 126, 126))
    exact = make_sample("NEX-U", size=128).truth
    assert base.fraction == pytest.approx(float((exact.data == 1).mean()), abs=0.05)
    height, width = base.labels.shape[1:]
    assert 0.85 < height / width < 1.15, "the tilted view was not straightened"


def test_distances_are_to_the_base_and_to_the_exact_truth(nex):
    """Mean over users of the absolute difference of fractions, worked here anew."""
    result = nex[1]
    truth = float((result.datasets["V"].truth.data == 1).mean())
    for group in summarise(result):
        for base, found in ((truth, group.distance), (result.datasets["V"].base.fraction, group.base_distance)):
            assert found == pytest.approx(np.mean([abs(value - base) for value in group.fractions.values()]))


def test_report_holds_the_comparison_with_the_base_truth_and_all_parameters(nex):
    """Table, figures, the paper's four numbers beside ours, who the users are, what the forests are."""
    text = nex[2].read_text()
    tables = ("Distance to the base truth", "1.5 / 1.6 / 2.6 / 2.7 (to FIB-SEM)", "Automatic thresholds")
    for words in (*tables, "Base truth and images", "conservative", "trees with leaves", "nearest to the true"):
        assert words in text
    groups = json.loads((nex[0] / "results.json").read_text())["groups"]
    assert all(group["base_distance"] is not None for group in groups)


def test_a_second_run_prepares_nothing_anew(nex):
    """The stack and every step of its recipe are found again."""
    files = {path: path.stat().st_mtime_ns for path in (nex[0] / "fibsem").rglob("*.tif")}
    assert files
    find_base(nex[1].config.dataset[0], nex[0], seed=0)
    assert files == {path: path.stat().st_mtime_ns for path in (nex[0] / "fibsem").rglob("*.tif")}


def test_labels_of_another_instrument_are_a_base_truth(tmp_path):
    """On any grid; voxels that are not known do not count, and labels that know none are refused."""
    data = np.zeros((4, 6, 6), np.uint8)
    data[:2], data[2] = 1, 2
    write_volume(make_volume(data), tmp_path / "fib.tif")
    dataset = DatasetConfig(name="a", phantom="NMC-1", base=tmp_path / "fib.tif")
    assert find_base(dataset, tmp_path, seed=0).fraction == pytest.approx(2 / 3)
    write_volume(make_volume(0 * data), tmp_path / "none.tif")
    with pytest.raises(LabelsError, match="no label"):
        find_base(dataset.model_copy(update={"base": tmp_path / "none.tif"}), tmp_path, seed=0)


def test_only_the_nex_geometry_has_a_simulated_stack():
    """Said before anything runs."""
    with pytest.raises(ParameterError, match="NEX phantoms"):
        check_study({"dataset": [{"name": "a", "phantom": "NMC-1", "base": "simulate"}]})
