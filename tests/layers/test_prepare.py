"""Claims about `fijibridge prepare`: what it leaves, what it says, how it goes on, and its exit codes."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import fijibridge as fb
from fijibridge.phantom.fibsem import Defects, make_fibsem
from fijibridge.pipeline import load_recipe

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
input = "stack.tif"

[[step]]
operation = "align"

[[step]]
operation = "smooth"
sigma = 0.8
"""


@pytest.fixture(scope="module")
def made():
    """Give a small FIB-SEM stack with drift and curtains."""
    return make_fibsem((16, 96, 96), diameter_um=1.6, defects=Defects(outliers=0, missing=0))


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """Give a folder with the stack and a recipe, and stand in it."""
    fb.write_volume(made.volume, tmp_path / "stack.tif")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_prepare_leaves_the_volume_the_recipe_and_the_report(run, folder):
    """The volume is what the calls give, calibrated, with its whole past."""
    code, out, _ = run("prepare", "recipe.toml", "-o", "out")
    assert code == 0
    assert "report.html" in out
    found = fb.read_volume(folder / "out" / "prepared.tif")
    volume = fb.read_volume(folder / "stack.tif")
    np.testing.assert_array_equal(found.data, fb.smooth(fb.operations()["align"](volume), sigma=0.8).data)
    assert fb.voxel_size(found) == fb.voxel_size(volume)
    names = [step["operation"] for step in found.attrs["history"]]
    assert names == ["make_fibsem", "align", "smooth"]


def test_the_recipe_it_leaves_makes_the_same_bytes(run, folder):
    """With every default in it, it is the record of the run and the way to repeat it."""
    run("prepare", "recipe.toml", "-o", "out")
    document = json.loads((folder / "out" / "recipe.json").read_text(encoding="utf-8"))
    assert document["step"][1] == {"operation": "smooth", "engine": "native", "sigma": 0.8, "truncate": 2.0}
    assert document["run"]["versions"]["fijibridge"] == fb.__version__
    assert document["run"]["command"] == "fijibridge prepare recipe.toml -o out"
    assert [step["seconds"] > 0 for step in document["run"]["steps"]] == [True, True]
    code, _, _ = run("prepare", "out/recipe.json", "-o", "again")
    assert code == 0
    first, second = (folder / name / "prepared.tif" for name in ("out", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_the_report_needs_no_other_file_and_says_what_was_done(run, folder):
    """It is sent by mail: pictures, settings, versions and the command stand on the page itself."""
    run("prepare", "recipe.toml", "-o", "out")
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"<script|@import|url\(", page)
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles == ["Steps", "Before and after", "Shifts", "Grey levels by slice", "Stripes", "Exact settings",
                      "Repeat it"]  # fmt: skip
    assert len(sources) == 4
    assert "fijibridge prepare recipe.toml -o out" in page
    assert page.count("<details>") == 2
    assert "voxels empty at the borders" in page


def test_a_report_leaves_out_what_was_not_made(run, folder):
    """No shifts without an alignment; no grey levels and stripes of a mask."""
    (folder / "recipe.toml").write_text('input = "stack.tif"\n[[step]]\noperation = "threshold"', encoding="utf-8")
    assert run("prepare", "recipe.toml", "-o", "out")[0] == 0
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Steps", "Before and after", "Exact settings", "Repeat it"]


def test_a_report_of_turned_slices_shows_the_turns(run, folder):
    """Turns that grow slowly are the sign of a true twist taken for drift."""
    (folder / "recipe.toml").write_text(
        'input = "stack.tif"\n[[step]]\noperation = "align"\nmodel = "rigid"\n', encoding="utf-8"
    )
    assert run("prepare", "recipe.toml", "-o", "out")[0] == 0
    assert "<h2>Turns</h2>" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_the_transforms_it_leaves_move_another_stack_as_the_step_did(run, folder):
    """What one detector showed of the drift is applied to what the other one took."""
    run("prepare", "recipe.toml", "-o", "out")
    volume = fb.read_volume(folder / "stack.tif")
    shifts = fb.read_shifts(folder / "out" / "transforms-01-align.csv")
    aligned = fb.align(volume).data.astype(int)
    assert np.abs(fb.apply_shifts(volume, shifts).data - aligned).max() <= 1
    assert len(shifts) == 16
    assert len(list((folder / "out").glob("transforms*"))) == 1


def test_the_volume_also_comes_as_ome_zarr_on_request(run, folder):
    """Viewers of large stacks want chunks at several resolutions."""
    _, out, _ = run("prepare", "recipe.toml", "-o", "out", "--zarr", "--json")
    made = json.loads(out)
    assert fb.read_volume(made["zarr"]).identical(fb.read_volume(made["volume"]))


def test_a_dry_run_says_what_would_be_done_and_leaves_nothing(run, folder):
    code, out, _ = run("prepare", "recipe.toml", "-o", "out", "--dry-run")
    assert code == 0
    assert out.count("to do") == 2
    assert not (folder / "out").exists()
    run("prepare", "recipe.toml", "-o", "out")
    _, out, _ = run("prepare", "recipe.toml", "-o", "out", "--dry-run", "--from", "smooth", "--json")
    plan = json.loads(out)["steps"]
    assert [(step["operation"], step["done"]) for step in plan] == [("align", True), ("smooth", False)]
    assert plan[1]["parameters"] == {"sigma": 0.8, "truncate": 2.0}


def test_a_dry_run_of_a_new_stack_reads_headers_only(run, folder, made):
    """Whoever checks a recipe for a thousand slices on a network disk must not wait for their voxels."""
    (folder / "slices").mkdir()
    for z in range(3):
        fb.write_volume(made.volume[z : z + 1], folder / "slices" / f"{z}.tif")
    last = folder / "slices" / "2.tif"
    last.write_bytes(b"no image at all")
    recipe = (folder / "recipe.toml").read_text("utf-8").replace('"stack.tif"', '"slices"')
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    code, out, _ = run("prepare", "recipe.toml", "-o", "out", "--dry-run")
    assert code == 0
    assert "3 x 96 x 96" in out or "3 × 96 × 96" in out


def test_a_dry_run_says_what_each_step_will_need(run, folder):
    """Which memory to ask a cluster for must be known before the job waits in the queue."""
    code, out, _ = run("prepare", "recipe.toml", "-o", "out", "--dry-run", "--memory", "52MB")
    assert code == 0
    assert re.search(r"step 1: align: \d+ blocks? of .* needs 5\d MB", out)
    assert re.search(r"step 2: smooth: \d+ blocks of .* around each; needs 5\d MB", out)
    _, out, _ = run("prepare", "recipe.toml", "-o", "out", "--dry-run", "--memory", "4GB", "--json")
    assert [step["blocks"] for step in json.loads(out)["steps"]] == [None, None]


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_step_too_large_for_the_memory_is_refused_before_the_first(run, folder, options):
    """Not after the hours that the steps before it take; and the one step that changed the grid is reckoned with."""
    last = '[[step]]\noperation = "threshold"\nengine = "fiji"\nmethod = "otsu"\n'
    finer = '[[step]]\noperation = "resample"\nsize = [2.0, 2.0, 2.0]\n'
    (folder / "recipe.toml").write_text(RECIPE + finer + last, encoding="utf-8")
    code, _, said = run("prepare", "recipe.toml", "-o", "out", "--memory", "60MB", *options)
    assert code == 3
    assert "step 4: ImageJ finds a threshold" in said
    assert "use engine='native'" in said
    assert not list(folder.glob("out/steps/*.tif"))


def test_json_tells_other_programs_what_was_done(run, folder):
    """stdout holds one JSON document and nothing else."""
    _, out, _ = run("prepare", "recipe.toml", "-o", "out", "--json")
    said = json.loads(out)
    assert [step["reused"] for step in said["steps"]] == [False, False]
    assert Path(said["volume"]).is_file()
    _, out, _ = run("prepare", "recipe.toml", "-o", "out", "--json", "--from", "2", "--clean")
    said = json.loads(out)
    assert [step["reused"] for step in said["steps"]] == [True, False]
    assert said["freed_bytes"] > 0
    assert [path.name[:9] for path in (folder / "out" / "steps").glob("*.tif")] == ["02-smooth"]


@pytest.mark.parametrize(
    ("text", "options", "code", "said"),
    [
        (RECIPE.replace("sigma", "sigm"), [], 3, "did you mean 'sigma'"),
        (RECIPE.replace("smooth", "smoth"), [], 3, "did you mean 'smooth'"),
        (RECIPE.replace("input", "inptu"), [], 3, "did you mean 'input'"),
        (RECIPE.replace("stack.tif", "none.tif"), [], 3, "none.tif"),
        (RECIPE, ["--from", "7"], 3, "steps 1 to 2"),
        (RECIPE, ["--from", "smoooth"], 3, "did you mean 'smooth'"),
        (RECIPE, ["-o", "stack.tif/out"], 6, "cannot make the folder"),
        (RECIPE.replace("sigma = 0.8", 'engine = "fiji"\ntruncate = 4'), [], 3, "step 2: ImageJ chooses the width"),
    ],
)
def test_bad_input_is_one_sentence_and_an_exit_code(run, folder, text, options, code, said):
    """No traceback, and the sentence names what was wrong, with the nearest right name."""
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    found, out, err = run("prepare", "recipe.toml", "-o", "out", *options)
    assert found == code
    assert said in " ".join(err.split())
    assert "Traceback" not in err + out


def test_the_guide_lists_every_operation_and_default():
    """Made from the table itself; run docs/operations.py after a change to it."""
    script = runpy.run_path(str(ROOT / "docs" / "operations.py"))
    guide = (ROOT / "docs" / "guide" / "prepare.md").read_text(encoding="utf-8")
    assert script["with_operations"](guide) == guide, "the guide is out of date; run: python docs/operations.py"


def test_the_guides_recipe_is_one(tmp_path, made):
    """The first thing that a reader copies must load; the X-ray volume that one names is there."""
    fb.write_volume(made.volume, tmp_path / "xray.tif")
    guide = (ROOT / "docs" / "guide" / "prepare.md").read_text(encoding="utf-8")
    for number, text in enumerate(re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        assert load_recipe(path).steps
