"""Recipes: what they say, what a run leaves, and that a killed run goes on where it stopped."""

from __future__ import annotations

import json
import multiprocessing
import random
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fijibridge as fb
from fijibridge import operation as table_module
from fijibridge import pipeline
from fijibridge.blocks import _keys
from fijibridge.errors import EngineMissingError, FijibridgeError, ParameterError, RecipeError, VolumeError
from fijibridge.operation import Engine, operation, operations
from fijibridge.phantom.fibsem import Defects, make_fibsem
from fijibridge.pipeline import _run, find_step, load_recipe, plan, replay, run_recipe
from fijibridge.volume import Volume, history, record, voxel_size, with_data

ROOT = Path(__file__).resolve().parents[2]
STEPS = """
[[step]]
operation = "smooth"
sigma = 1.5

[[step]]
operation = "smooth"
sigma = 0.8

[[step]]
operation = "threshold"
method = "otsu"
"""


@pytest.fixture(autouse=True)
def one_version_of_the_code(monkeypatch):
    """These claims are about inputs and parameters; what the code's own hash does has a claim of its own."""
    monkeypatch.setattr(_run, "code_key", lambda: "this code")


@pytest.fixture
def folder(tmp_path):
    """Give a folder with a stack and a recipe of two filters and a threshold."""
    grey = np.random.default_rng(0).integers(0, 255, (6, 20, 24), np.uint8)
    fb.write_volume(fb.make_volume(grey, spacing=(50, 10, 10)), tmp_path / "stack.tif")
    (tmp_path / "recipe.toml").write_text('input = "stack.tif"\n' + STEPS, encoding="utf-8")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "other.toml"
    path.write_text(text, encoding="utf-8")
    return path


def done_by(recipe: Path, out: Path, **options: Any) -> tuple[pipeline.Run, list[int]]:
    """Run a recipe; give the run and the numbers of the steps that it did itself."""
    run = run_recipe(load_recipe(recipe), out, **options)
    return run, [step.number for step in run.steps if not step.reused]


def test_a_recipe_gives_what_the_calls_give(folder):
    """A recipe is a way to write calls down, nothing else: same voxels, same grid, same history."""
    volume = fb.read_volume(folder / "stack.tif")
    expected = fb.threshold(fb.smooth(fb.smooth(volume, sigma=1.5), sigma=0.8), method="otsu")
    run, _ = done_by(folder / "recipe.toml", folder / "out")
    np.testing.assert_array_equal(run.after.data, expected.data)
    assert run.after.dtype == bool
    assert fb.same_grid(run.after, expected)
    assert history(run.after) == history(expected)


def test_defaults_are_filled_in_and_read_again(folder):
    """What a run records is a recipe itself, with nothing left to a later version's defaults."""
    recipe = load_recipe(folder / "recipe.toml")
    assert recipe.steps[0].parameters == {"sigma": 1.5, "truncate": 2.0}
    path = folder / "recipe.json"
    path.write_text(json.dumps(recipe.document() | {"run": {}}), encoding="utf-8")
    again = load_recipe(path)
    assert [step.describe() for step in again.steps] == [step.describe() for step in recipe.steps]
    assert again.source.samefile(recipe.source)


def test_a_size_in_the_recipe_stands_in_for_the_files(folder):
    text = 'input = "stack.tif"\nspacing = [256, 55, 55]\nunits = "nm"\n' + STEPS
    run, _ = done_by(write(folder, text), folder / "out")
    assert voxel_size(run.after) == (256, 55, 55, "nm")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ('inptu = "a.tif"', RecipeError, "no use for the key 'inptu'; did you mean 'input'"),
        ("[[step]]", RecipeError, "names no input"),
        ('input = "stack.tif"', RecipeError, "has no steps"),
        ('input = "stack.tif"\nstep = 3', RecipeError, "has no steps"),
        ('input = "stack.tif"\n[[step]]\nsigma = 1', RecipeError, "step 1 names no operation"),
        ('input = "stack.tif"\n[[step]]\noperation = "smoth"', RecipeError, "step 1.*'smoth'; did you mean 'smooth'"),
        ('input = "stack.tif"\n[[step]]\noperation = "smooth"\nengine = "fji"', RecipeError, "mean 'fiji'"),
        ('input = "stack.tif"\n[[step]]\noperation = "smooth"\nsigm = 1', ParameterError, "step 1: .*mean 'sigma'"),
        ('input = "stack.tif"\n[[step]]\noperation = "smooth"\nsigma = -1', ParameterError, "step 1: .*sigma = -1"),
        ('input = "stack.tif"\n[[step]]\noperation = "watershed"\nlow = 1', ParameterError, "step 1: .*high"),
        ('input = "stack.tif"\nspacing = [1, 2]\nunits = "nm"' + STEPS, RecipeError, "spacing .*three numbers"),
        ('input = "stack.tif"\nspacing = [1, 2, 3]' + STEPS, RecipeError, '"nm" or "um", got None'),
        ("input = ", RecipeError, "not valid TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name_before_anything_runs(folder, text, kind, words):
    """A typo must not cost a night."""
    with pytest.raises(kind, match=words):
        load_recipe(write(folder, text))


def test_a_missing_recipe_or_a_list_is_no_recipe(folder):
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        load_recipe(folder / "none.toml")
    (folder / "list.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(RecipeError, match="holds no recipe"):
        load_recipe(folder / "list.json")


def test_what_is_finished_is_not_done_again(folder):
    """The second run reads the last output and does nothing."""
    first, did = done_by(folder / "recipe.toml", folder / "out")
    assert did == [1, 2, 3]
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    second, did = done_by(folder / "recipe.toml", folder / "out")
    assert did == []
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "out").iterdir()} == before
    assert second.after.identical(first.after)


def test_a_stale_step_is_redone_with_all_behind_it_and_nothing_before(folder):
    """A changed parameter shows by itself; changed back, the older output is still there."""
    done_by(folder / "recipe.toml", folder / "out")
    changed = write(folder, 'input = "stack.tif"\n' + STEPS.replace("0.8", "0.9"))
    assert done_by(changed, folder / "out")[1] == [2, 3]
    assert done_by(folder / "recipe.toml", folder / "out")[1] == []


def test_another_input_or_other_code_makes_every_step_stale(folder, monkeypatch):
    """A result never outlives what made it."""
    done_by(folder / "recipe.toml", folder / "out")
    monkeypatch.setattr(_run, "code_key", lambda: "other code")
    assert done_by(folder / "recipe.toml", folder / "out")[1] == [1, 2, 3]
    volume = fb.read_volume(folder / "stack.tif")
    fb.write_volume(record(volume, {"operation": "scan"}), folder / "stack.tif")
    run, did = done_by(folder / "recipe.toml", folder / "out")
    assert did == [1, 2, 3]
    assert history(run.after)[0] == {"operation": "scan"}


def test_another_version_of_the_engine_makes_a_step_stale(folder, monkeypatch):
    """Whoever updates ImageJ wants its steps done by the new one."""
    done_by(folder / "recipe.toml", folder / "out")
    versions = {"smooth": "1", "threshold": "2"}
    monkeypatch.setattr(table_module.Operation, "engine_version", lambda self, engine: versions[self.name])
    assert done_by(folder / "recipe.toml", folder / "out")[1] == [1, 2, 3]
    versions["threshold"] = "3"
    assert done_by(folder / "recipe.toml", folder / "out")[1] == [3]


@pytest.mark.parametrize("harm", ["cut", "changed", "gone", "note"])
def test_a_damaged_output_is_done_again(folder, harm):
    """Saved over in ImageJ, cut by a full disk, deleted: none may go into the result."""
    first, _ = done_by(folder / "recipe.toml", folder / "out")
    path = folder / "out" / first.steps[-1].output.file
    whole = path.read_bytes()
    if harm == "cut":
        path.write_bytes(whole[:-100])
    elif harm == "changed":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 255]))
    elif harm == "gone":
        path.unlink()
    else:
        (folder / "out" / f"{first.steps[-1].name}.json").write_text("{", encoding="utf-8")
    assert done_by(folder / "recipe.toml", folder / "out")[1] == [3]
    assert path.read_bytes() == whole


def test_outputs_of_earlier_steps_are_not_needed(folder):
    """The last output alone is enough to go on from, so that a large stack's first ones may be deleted."""
    first, _ = done_by(folder / "recipe.toml", folder / "out")
    pipeline.Store(folder / "out").clean(keep=[first.steps[1].name])
    assert len(list((folder / "out").glob("*.tif"))) == 1
    assert done_by(folder / "recipe.toml", folder / "out")[1] == [3]


def test_from_does_a_step_and_all_behind_it_anew(folder):
    """By number or by name; what stands before is kept."""
    done_by(folder / "recipe.toml", folder / "out")
    assert done_by(folder / "recipe.toml", folder / "out", start=2)[1] == [2, 3]
    recipe = load_recipe(folder / "recipe.toml")
    assert find_step(recipe, "3") == find_step(recipe, "threshold") == 3
    for wanted, words in [("4", "steps 1 to 3"), ("thresh", "mean 'threshold'"), ("smooth", "steps 1 and 2")]:
        with pytest.raises(RecipeError, match=words):
            find_step(recipe, wanted)


def test_a_plan_says_what_is_done_and_touches_nothing(folder):
    recipe = load_recipe(folder / "recipe.toml")
    planned = plan(recipe, recipe.open(), folder / "out")
    assert [entry.done for entry in planned] == [False, False, False]
    assert not (folder / "out").exists()
    done_by(folder / "recipe.toml", folder / "out")
    assert [entry.done for entry in plan(recipe, recipe.open(), folder / "out", start=3)] == [True, True, False]


def test_a_failing_step_is_named_and_the_ones_before_stay(folder):
    """The error keeps its kind; the user mends the recipe and goes on from there."""
    text = 'input = "stack.tif"\n' + STEPS + '[[step]]\noperation = "smooth"\n'
    with pytest.raises(ParameterError, match="step 4: smooth works on grey values"):
        done_by(write(folder, text), folder / "out")
    assert done_by(folder / "recipe.toml", folder / "out")[1] == []


def test_a_dtype_that_no_output_can_hold_is_refused_at_the_start(folder, monkeypatch):
    """Not after an hour of aligning."""
    stack = fb.make_volume(np.zeros((2, 4, 4), np.int16))
    monkeypatch.setattr(pipeline.Recipe, "open", lambda self: stack)
    with pytest.raises(VolumeError, match="holds int16"):
        done_by(folder / "recipe.toml", folder / "out")


def test_progress_goes_up_and_names_the_steps(folder):
    told: list[tuple[str, float]] = []
    done_by(folder / "recipe.toml", folder / "out", progress=lambda text, share: told.append((text, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert "2/3 smooth (native)" in {text for text, _ in told}


def test_the_code_that_makes_outputs_stale_is_all_that_a_step_can_reach():
    """The rooms at and below the pipeline in the contract that the linter checks: none forgotten, none too many."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    below = layers[next(n for n, layer in enumerate(layers) if "fijibridge.pipeline" in layer) :]
    rooms = {name.strip().removeprefix("fijibridge.") for layer in below for name in layer.split("|")}
    assert rooms - {"phantom", "assess", "_report"} == set(_keys.ROOMS)


def test_an_edit_of_a_source_or_a_macro_changes_the_code_key(tmp_path, monkeypatch):
    """Files anywhere in the rooms count, at whatever depth."""
    for name in ("ops/_a.py", "fiji/_worker/b.py", "volume.py", "macros/c.ijm", "cli/d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    monkeypatch.setattr(_keys, "_PACKAGE", tmp_path)
    seen = {_keys.code_key.__wrapped__()}
    for name in ("ops/_a.py", "fiji/_worker/b.py", "volume.py", "macros/c.ijm"):
        (tmp_path / name).write_text("edited", encoding="utf-8")
        seen.add(_keys.code_key.__wrapped__())
    assert len(seen) == 5
    (tmp_path / "cli/d.py").write_text("edited", encoding="utf-8")
    assert _keys.code_key.__wrapped__() in seen


def test_another_version_of_a_package_that_computes_changes_the_code_key(monkeypatch):
    """NumPy and SciPy round in their own ways; what only prints does not count."""
    packages = _keys._packages()
    assert {"numpy", "scipy", "numba"} <= set(packages)
    assert "rich" not in packages
    before = _keys.code_key.__wrapped__()
    monkeypatch.setattr(_keys, "version", lambda name: "0.0")
    assert _keys.code_key.__wrapped__() != before


@pytest.fixture
def masked(monkeypatch):
    """Give the table one operation more, with a volume as a parameter and something to record on the way."""
    monkeypatch.setattr(table_module, "_TABLE", dict(operations()))

    @operation(halo=0)
    def blank(volume: Volume, *, mask: Volume | None = None, engine: Engine = "native") -> Volume:
        """Blank what lies outside a mask."""

    @blank.engine("native")
    def _native(volume: Volume, *, mask: Volume | None) -> Volume:
        kept = np.asarray(volume.data) if mask is None else np.where(np.asarray(mask.data) > 0, volume.data, 0)
        return record(with_data(volume, kept), {"operation": "inner", "parameters": {"blanked": 3}})

    return blank


def test_a_volume_among_the_parameters_is_read_from_its_file(folder, masked):
    """Named relative to the recipe, as the input is; its voxels are part of the key."""
    volume = fb.read_volume(folder / "stack.tif")
    mask = with_data(volume, np.asarray(volume.data) > 100)
    fb.write_volume(mask, folder / "mask.tif")
    recipe = write(folder, 'input = "stack.tif"\n[[step]]\noperation = "blank"\nmask = "mask.tif"')
    run, _ = done_by(recipe, folder / "out")
    np.testing.assert_array_equal(run.after.data, np.where(mask.data, volume.data, 0))
    assert history(run.after)[-1]["within"] == [{"operation": "inner", "parameters": {"blanked": 3}}]
    assert load_recipe(recipe).document()["step"][0]["mask"] == str((folder / "mask.tif").resolve())
    fb.write_volume(with_data(mask, ~mask.data), folder / "mask.tif")
    assert done_by(recipe, folder / "out")[1] == [1]


def test_a_history_replays_to_the_same_voxels(folder, masked):
    """Also from the file, and with a volume among the parameters, which a history knows by its hash."""
    run, _ = done_by(folder / "recipe.toml", folder / "out")
    volume = fb.read_volume(folder / "stack.tif")
    assert replay(volume, history(run.after)).identical(fb.with_data(run.after, np.asarray(run.after.data)))
    blanked = masked(volume, mask=run.after)
    assert replay(volume, history(blanked), volumes=[run.after]).identical(blanked)
    with pytest.raises(RecipeError, match="step 1 took a volume of 6 x 20 x 24 voxels"):
        replay(volume, history(blanked))


def test_what_is_no_operation_cannot_be_replayed(folder):
    """The simulation of a phantom, for one."""
    with pytest.raises(RecipeError, match="no operation 'make_fibsem'"):
        replay(fb.read_volume(folder / "stack.tif"), [{"operation": "make_fibsem"}])


def test_an_engine_that_an_operation_lacks_is_named_at_the_start(folder, masked):
    with pytest.raises(EngineMissingError, match="step 1: blank has no engine 'fiji'; use engine = 'native'"):
        load_recipe(write(folder, 'input = "stack.tif"\n[[step]]\noperation = "blank"\nengine = "fiji"'))


def test_what_dead_runs_left_is_swept_and_what_living_ones_write_is_not(folder):
    """A killed run's unfinished file may be as large as the stack."""
    store = pipeline.Store(folder / "out")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with store._scratch() as mine:
        dead = mine.with_name(re.sub(r"-\d+-", f"-{ended.pid}-", mine.name))
        dead.mkdir()
        (dead / "half.tif").write_bytes(b"half")
        done_by(folder / "recipe.toml", folder / "out")
        assert mine.is_dir()
        assert not dead.exists()


def _run_and_log(recipe: Path, out: Path, log: Path) -> None:
    """Run a recipe in a process of its own; write a line when it begins and for each step begun."""
    _run.code_key = lambda: "this code"
    begun: set[str] = set()

    def tell(text: str, _share: float) -> None:
        if text not in begun:
            begun.add(text)
            with log.open("a", encoding="utf-8") as file:
                file.write(text + "\n")

    try:
        run_recipe(load_recipe(recipe), out, progress=tell)
    except FijibridgeError as error:
        log.write_text(f"error: {error}", encoding="utf-8")
        raise


@pytest.fixture(scope="module")
def processes():
    """Give what starts real processes fast: a server that has loaded everything and forks."""
    if sys.platform == "win32":
        pytest.skip("needs a system that forks")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fijibridge.pipeline", "fijibridge.ops", "pytest"])
    return context


@pytest.fixture
def large(tmp_path):
    """Give a recipe of five filters whose steps take long enough to be killed amid them."""
    grey = np.random.default_rng(1).integers(0, 255, (24, 160, 160), np.uint8)
    fb.write_volume(fb.make_volume(grey), tmp_path / "stack.tif")
    steps = [f'[[step]]\noperation = "smooth"\nsigma = {1 + n / 10}\n' for n in range(5)]
    return write(tmp_path, 'input = "stack.tif"\n' + "".join(steps))


def _begin(processes: Any, recipe: Path, out: Path, log: Path) -> tuple[Any, float]:
    """Start a run and wait until it begins; give the process and the time."""
    process = processes.Process(target=_run_and_log, args=(recipe, out, log))
    process.start()
    while process.is_alive() and not (log.exists() and log.read_text(encoding="utf-8")):
        time.sleep(0.002)
    return process, time.perf_counter()


def _outputs(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.tif")}


def test_killed_at_random_moments_a_run_goes_on_and_ends_with_the_same_bytes(large, tmp_path, processes):
    """kill -9 leaves no half file under a final name, costs the step it hit and nothing more, and leaves no litter."""
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    process, began = _begin(processes, large, calm, tmp_path / "log")
    process.join()
    usual = time.perf_counter() - began
    moments, hits = random.Random(7), 0
    for number in range(60):
        finished = {path.name[:2] for path in killed.glob("*.tif")}
        log = tmp_path / f"log {number}"
        process, _ = _begin(processes, large, killed, log)
        # Longer and longer, so that it comes to its end on a machine of any speed and load.
        process.join(moments.uniform(0, 0.3 * usual * (1 + number / 4)))
        process.kill()
        process.join()
        lines = log.read_text(encoding="utf-8").splitlines()
        assert not {f"0{line[0]}" for line in lines if line[0].isdigit()} & finished
        if process.exitcode == 0:
            break
        hits += 1
        assert _outputs(killed).items() <= _outputs(calm).items()
    assert hits >= 3
    assert _outputs(killed) == _outputs(calm)
    assert not [path for path in killed.iterdir() if path.name.startswith(".")]


def test_two_runs_at_once_in_one_folder_do_no_harm(large, tmp_path, processes):
    """Someone starts it again in another window: both end well, with the same bytes."""
    run_recipe(load_recipe(large), tmp_path / "calm")
    both = tmp_path / "both"
    pair = [processes.Process(target=_run_and_log, args=(large, both, tmp_path / name)) for name in ("log a", "log b")]
    for process in pair:
        process.start()
    for process in pair:
        process.join()
    assert [process.exitcode for process in pair] == [0, 0]
    assert _outputs(both) == _outputs(tmp_path / "calm")
    assert not [path for path in both.iterdir() if path.name.startswith(".")]


def test_long_steps_tell_how_far_they_are(tmp_path):
    """A step of an hour that only shows its name looks as if it hung."""
    volume = make_fibsem((12, 64, 64), diameter_um=1.2, defects=Defects(outliers=0, missing=0)).volume
    fb.write_volume(volume, tmp_path / "stack.tif")
    steps = "".join(f'[[step]]\noperation = "{name}"\n' for name in ("align", "decurtain", "even_out", "smooth"))
    (tmp_path / "recipe.toml").write_text('input = "stack.tif"\n' + steps, encoding="utf-8")
    told: list[tuple[str, float]] = []
    run_recipe(load_recipe(tmp_path / "recipe.toml"), tmp_path / "out", progress=lambda *said: told.append(said))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    for number, name in enumerate(("align", "decurtain", "even_out", "smooth"), 1):
        assert len({share for text, share in told if text.startswith(f"{number}/4 {name}")}) > 12
