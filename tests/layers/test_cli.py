"""Claims about the command line: what it writes, what it says, and its exit codes."""

from __future__ import annotations

import csv
import json
import re
import sys

import numpy as np
import pytest

import fijibridge as fb
from fijibridge import cli
from fijibridge.cli._inputs import read_labels


@pytest.fixture(scope="module")
def compared(stack, tmp_path_factory):
    """One comparison with truth, run once for all claims about its output."""
    out = tmp_path_factory.mktemp("results")
    words = ["compare", stack / "grey.tif", "--labels", stack / "labels.tif", "--truth", stack / "truth.tif", "-o", out]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fijibridge", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    assert not stopped.value.code
    return out


def test_compare_gives_a_row_for_each_method_raw_and_filtered(compared):
    """Threshold and watershed in ImageJ, watershed and forest natively: six methods on two inputs."""
    rows = json.loads((compared / "results.json").read_text(encoding="utf-8"))["rows"]
    found = {(row["method"], row["engine"], row["filtered"]) for row in rows}
    methods = [
        ("otsu", "fiji"),
        ("gWS", "fiji"),
        ("cWS", "fiji"),
        ("gWS", "native"),
        ("cWS", "native"),
        ("forest", "native"),
    ]
    assert found == {(*method, filtered) for method in methods for filtered in (False, True)}
    assert all(sum(row["fractions"].values()) == pytest.approx(1) for row in rows)


def test_scores_are_those_of_the_label_volumes_written(compared, stack):
    """The numbers of the report must be of the very volumes that lie beside it."""
    labels, truth = (fb.read_volume(stack / f"{name}.tif").data for name in ("labels", "truth"))
    scored = labels == 0
    for row in json.loads((compared / "results.json").read_text(encoding="utf-8"))["rows"]:
        found = fb.read_volume(compared / row["labels"])
        hit = (found.data == 1) & (truth == 1) & scored
        either = ((found.data == 1) | (truth == 1)) & scored
        assert row["iou"] == pytest.approx(hit.sum() / either.sum())
        assert row["accuracy"] == pytest.approx((found.data == truth)[scored].mean())
        assert row["fractions"]["1"] == pytest.approx((found.data == 1).mean())
        assert fb.voxel_size(found) == fb.VoxelSize(500, 500, 500, "nm")


def test_every_method_beats_chance_by_far(compared):
    """A clear cathode: anything below this is broken, not just worse."""
    rows = json.loads((compared / "results.json").read_text(encoding="utf-8"))["rows"]
    assert min(row["accuracy"] for row in rows) > 0.8


def test_table_holds_the_same_numbers_as_the_json(compared):
    """The spreadsheet and the JSON are two forms of one result."""
    rows = json.loads((compared / "results.json").read_text(encoding="utf-8"))["rows"]
    with (compared / "results.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    for line, row in zip(table, rows, strict=True):
        assert (line["method"], float(line["iou"])) == (row["method"], pytest.approx(row["iou"]))
        assert float(line["fraction_1"]) == pytest.approx(row["fractions"]["1"])


def test_report_needs_no_other_file_and_no_network(compared):
    """It is sent by mail and opened years later."""
    page = (compared / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert len(sources) >= 6
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"<script|@import|url\(", page)


def test_report_says_what_was_run_and_how_to_repeat_it(compared, stack):
    """Settings, versions and the command stand on the page."""
    page = (compared / "report.html").read_text(encoding="utf-8")
    assert "fijibridge compare" in page
    assert "ImageJ" in page
    assert "1.54p" in page
    assert page.count("<details>") == 12


def test_compare_without_truth_claims_no_scores(run, stack, tmp_path):
    """Without a truth, agreement with it must not appear as zero."""
    code, out, _ = run("compare", stack / "grey.tif", "--labels", stack / "labels.tif", "-o", tmp_path, "--json")
    assert code == 0
    rows = json.loads(out)["rows"]
    assert {row["dice"] for row in rows} == {None}


def test_labels_without_a_voxel_size_lie_on_the_stack(run, stack, tmp_path):
    """Label painters often drop the calibration; equal shape is enough for them, and only for them."""
    bare = fb.make_volume(fb.read_volume(stack / "labels.tif").data, units="voxel")
    fb.write_volume(bare, tmp_path / "bare.tif")
    volume = fb.read_volume(stack / "grey.tif")
    assert fb.same_grid(read_labels(tmp_path / "bare.tif", volume), volume)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["compare", "missing.tif", "--labels", "x.tif", "-o", "out"], 3, "missing.tif"),
        (["compare", "{grey}", "--labels", "{small}", "-o", "out"], 3, "same grid"),
        (["compare", "{grey}", "--labels", "{empty}", "-o", "out"], 3, "at least two"),
        (["compare", "{grey}", "--labels", "{labels}", "--voxel-size", "1,2", "-o", "out"], 3, "three numbers"),
        (["compare", "{grey}", "--labels", "{labels}", "-o", "{grey}/out"], 6, "cannot make the folder"),
        (["demo", "--size", "8", "-o", "out"], 3, "at least 32"),
        (["compare", "{grey}"], 2, "--labels"),
    ],
)
def test_bad_input_is_one_sentence_and_an_exit_code(run, stack, tmp_path, monkeypatch, words, code, said):
    """No traceback, and the sentence names what was wrong."""
    monkeypatch.chdir(tmp_path)
    volume = fb.read_volume(stack / "grey.tif")
    fb.write_volume(fb.make_volume(np.ones((2, 2, 2), np.uint8)), tmp_path / "small.tif")
    fb.write_volume(fb.with_data(volume, np.zeros(volume.shape, np.uint8)), tmp_path / "empty.tif")
    files = {"grey": stack / "grey.tif", "labels": stack / "labels.tif", "small": "small.tif", "empty": "empty.tif"}
    found, out, err = run(*[word.format(**files) for word in words])
    assert found == code
    assert said in err
    assert "Traceback" not in err + out


def test_help_teaches_every_command(run):
    """`--help` lists the commands with a sentence each, and the exit codes."""
    code, out, _ = run("--help")
    assert code == 0
    assert all(name in out for name in ("demo", "compare", "Exit codes"))
