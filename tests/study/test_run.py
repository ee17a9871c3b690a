"""Claims about a whole study: it runs, it resumes after any kill with the same bytes, it says what it found."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from browser import look_at, needs_browser

from fijibridge.io import write_volume
from fijibridge.phantom.library import make_sample
from fijibridge.study.cells import CellStore
from fijibridge.study.config import check_study
from fijibridge.study.run import run_study
from fijibridge.study.summary import plus_minus, summarise
from fijibridge.volume import with_data

TINY = {
    "dataset": [{"name": "one", "phantom": "NMC-1", "size": 32}],
    "methods": ["S1", "S2", "gWS", "ML1", "MLX10", "otsu"],
    "inputs": ["raw"],
}


def cli(*arguments, **options):
    return [sys.executable, "-c", "from fijibridge.cli import main; main()", "study", *map(str, arguments)]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quick")
    done = subprocess.run(cli("--quick", "-o", folder, "--json"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_quick_study_gives_every_segmentation_and_the_report(quick):
    """Two volumes, raw and filtered, all thirteen methods of the paper by three users, and Otsu."""
    folder, printed = quick
    results = json.loads((folder / "results.json").read_text())
    assert len(printed["rows"]) == len(results["rows"]) == 2 * 2 * (13 * 3 + 1)
    assert not printed["left_out"]
    assert all(0.2 < row["fractions"]["1"] < 0.8 and row["dice"] > 0.5 for row in results["rows"])
    assert (folder / "results.csv").read_text().count("\n") == len(results["rows"]) + 1


def test_report_says_simulated_shows_the_papers_numbers_and_needs_no_network(quick):
    """Nobody may take a parameter set for a person."""
    text = (quick[0] / "report.html").read_text()
    assert "ours, simulated" in text.lower()
    for number in ("up to 0.13", "below 0.06", "3.5 % / 4.6 % / 7.6 %", "1.5 / 1.6 / 2.6 / 2.7"):
        assert number in text
    assert "does not hold" in text or "holds" in text
    assert 'src="http' not in text
    assert text.count("<img ") >= 12


@needs_browser
@pytest.mark.parametrize("width", [420, 1280])
def test_report_in_a_browser_draws_every_picture_and_nothing_sticks_out(quick, tmp_path, width):
    """Tables of many users and methods are wide: they scroll by themselves, the page does not."""
    seen = look_at(quick[0] / "report.html", tmp_path, width)
    assert re.fullmatch(r"drawn (\d+) of \1, too wide: false", seen)


def test_spread_and_subtraction_are_those_of_the_rows(quick):
    """The tables come from the rows by the paper's formulas, worked here anew."""
    results = json.loads((quick[0] / "results.json").read_text())
    for group in results["groups"]:
        mine = [
            row["fractions"]["1"]
            for row in results["rows"]
            if all(row[key] == group[key] for key in ("dataset", "method", "filtered"))
        ]
        if len(mine) == 3:
            assert group["std"] == pytest.approx(np.std(mine, ddof=1))
            assert group["disagreement"] == pytest.approx(np.mean([pair["share"] for pair in group["pairs"]]))


def test_second_run_makes_nothing_anew(tmp_path):
    """Every cell is found by its key, and a changed parameter makes only its own cells."""
    first = run_study(check_study(TINY), tmp_path)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    run_study(check_study(TINY), tmp_path)
    assert times == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    users = [{"name": name, "simulated": name} for name in "AB"] + [
        {"name": "C", "simulated": "C", "parameters": {"bias": 0.1}}
    ]
    changed = run_study(check_study(TINY | {"user": users}), tmp_path)
    same = {cell.key for cell in first.cells} & {cell.key for cell in changed.cells}
    assert len(same) == 5 * 2 + 1


def test_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path):
    """kill -9 at two moments; then the run is finished and compared with one that was left alone."""
    study = tmp_path / "study.toml"
    study.write_text(
        'methods = ["S1", "S2", "gWS", "ML1"]\ninputs = ["raw"]\n'
        '[[dataset]]\nname = "one"\nphantom = "NMC-1"\nsize = 32\n'
    )
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for number in (1, 7):
        process = subprocess.Popen(cli(study, "-o", killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < limit:
            if len(list(killed.glob("cells/*.json"))) >= number:
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.02)
        process.wait()
    for folder in (killed, whole):
        subprocess.run(cli(study, "-o", folder), check=True, capture_output=True)
    kept = sorted(path.name for path in (whole / "cells").iterdir())
    assert kept == sorted(path.name for path in (killed / "cells").iterdir() if not path.name.startswith("."))
    one, two = CellStore(killed / "cells"), CellStore(whole / "cells")
    for key in {name.split(".")[0] for name in kept}:
        assert np.array_equal(one.labels(key), two.labels(key))
        assert one.find(key).numbers["fractions"] == two.find(key).numbers["fractions"]


def test_broken_cell_is_made_anew(tmp_path):
    """A disk that was full must not stop the study for ever."""
    study = check_study(TINY | {"methods": ["S2"]})
    first = run_study(study, tmp_path)
    (tmp_path / "cells" / f"{first.cells[0].key}.json").write_text("{")
    again = run_study(study, tmp_path)
    assert [cell.numbers["fractions"] for cell in again.cells] == [cell.numbers["fractions"] for cell in first.cells]


def test_real_users_bring_labels_and_grey_levels(tmp_path):
    """Anna painted on a TIFF and chose grey levels, Ben only chose; what neither gave is named, not invented."""
    sample = make_sample("NMC-1", size=32)
    write_volume(sample.grey, tmp_path / "stack.tif")
    (tmp_path / "anna" / "one").mkdir(parents=True)
    painted = np.where(np.arange(32)[:, None, None] % 8 == 4, sample.truth.data, 0).astype(np.uint8)
    write_volume(with_data(sample.grey, painted), tmp_path / "anna" / "one" / "MLX25.tif")
    levels = {"one": {"S2": 105.0, "gWS": [95.0, 115.0]}}
    study = check_study(
        {
            "dataset": [{"name": "one", "path": "stack.tif", "voxel_size": [397, 397, 397]}],
            "user": [
                {"name": "anna", "labels": "anna", "choices": levels},
                {"name": "ben", "choices": {"one": {"S2": 100.0, "gWS": [90.0, 120.0]}}},
            ],
            "methods": ["S2", "gWS", "cWS", "MLX25"],
            "inputs": ["raw"],
        },
        base=tmp_path,
    )
    result = run_study(study, tmp_path / "out")
    assert [(cell.method, cell.user) for cell in result.cells] == [
        ("S2", "anna"), ("S2", "ben"), ("gWS", "anna"), ("gWS", "ben"), ("MLX25", "anna")
    ]  # fmt: skip
    assert not any(cell.simulated for cell in result.cells)
    assert len(result.left_out) == 3
    share = float((sample.grey.data > 105).mean())
    assert result.cells[0].numbers["fractions"]["1"] == pytest.approx(share)


def test_ml2_learns_from_each_slices_own_thresholds(tmp_path):
    """Slice 8 is given thresholds that call everything above 30 active; only a forest that hears them loses by it."""
    sample = make_sample("NMC-1", size=32)
    write_volume(sample.grey, tmp_path / "stack.tif")
    rows = [[z, 80.0, 130.0] for z in (2, 8, 13, 18, 23, 29)]
    wrong = [[z, 20.0, 30.0] if z == 8 else row for row in rows for z in row[:1]]
    users = [{"name": name, "choices": {"one": {"ML2": table}}} for name, table in (("anna", rows), ("ben", wrong))]
    study = check_study(
        {"dataset": [{"name": "one", "path": "stack.tif"}], "user": users, "methods": ["ML2"], "inputs": ["raw"]},
        base=tmp_path,
    )
    anna, ben = run_study(study, tmp_path / "out").cells
    truth = float((sample.truth.data == 1).mean())
    assert anna.numbers["fractions"]["1"] == pytest.approx(truth, abs=0.05)
    assert ben.numbers["fractions"]["1"] > anna.numbers["fractions"]["1"]
    assert anna.numbers["windows"] == [[80.0, 130.0]]
    beyond = study.user[0].model_copy(update={"choices": {"one": {"ML2": [[40.0, 80.0, 130.0]]}}})
    left = run_study(study.model_copy(update={"user": (beyond,)}), tmp_path / "out").left_out
    assert "slice 40" in left[0]


def test_finished_segmentation_of_another_program_is_measured_as_it_is(tmp_path):
    """One voxel in a thousand turned: Dice says so; labels with holes are named, not filled."""
    sample = make_sample("NMC-1", size=32)
    write_volume(sample.grey, tmp_path / "stack.tif")
    write_volume(sample.truth, tmp_path / "truth.tif")
    (tmp_path / "anna" / "one").mkdir(parents=True)
    found = np.asarray(sample.truth.data).copy()
    found.ravel()[::1000] = 3 - found.ravel()[::1000]
    write_volume(with_data(sample.grey, found), tmp_path / "anna" / "one" / "given.tif")
    study = check_study(
        {
            "dataset": [{"name": "one", "path": "stack.tif", "truth": "truth.tif"}],
            "user": [{"name": "anna", "labels": "anna"}], "methods": ["given"], "inputs": ["raw"],
        },
        base=tmp_path,
    )  # fmt: skip
    (cell,) = run_study(study, tmp_path / "out").cells
    assert cell.numbers["accuracy"] == pytest.approx(1 - 33 / 32**3)
    found[0, 0, :5] = 0
    write_volume(with_data(sample.grey, found), tmp_path / "anna" / "one" / "given.tif")
    assert "5 voxels without label" in run_study(study, tmp_path / "out").left_out[0]


def test_specks_go_only_where_asked_and_the_step_is_recorded(tmp_path):
    """S2 on raw data is full of specks: with the option their surface is gone, and the settings say why."""
    small = {"dataset": TINY["dataset"], "inputs": ["raw"], "methods": ["otsu"]}
    (kept,) = run_study(check_study(small), tmp_path).cells
    (cleaned,) = run_study(check_study(small | {"smallest_piece": 30}), tmp_path).cells
    assert cleaned.numbers["specific_surface"] < 0.9 * kept.numbers["specific_surface"]
    assert cleaned.numbers["settings"][-1]["operation"] == "remove_specks"
    assert cleaned.numbers["settings"][-1]["parameters"] == {"smallest": 30}
    assert all(step["operation"] != "remove_specks" for step in kept.numbers["settings"])


def test_one_plus_minus_holds_users_methods_and_the_finite_volume(tmp_path):
    """It is never smaller than any of its parts, and the truth of the phantom lies inside."""
    result = run_study(check_study(TINY), tmp_path)
    groups = summarise(result)
    found = plus_minus(result, groups, "one", ["S1", "S2", "gWS", "ML1", "MLX10"])
    assert found.plus_minus > found.standard > max(found.users, found.methods, found.sampling)
    truth = float((result.datasets["one"].truth.data == 1).mean())
    assert abs(found.fraction - truth) < found.plus_minus
