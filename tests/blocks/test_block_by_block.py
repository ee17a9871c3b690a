"""Block by block gives the bytes and the history of the whole, whatever the blocks; and a run that stopped goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
from calls import CALLS, cut_small, grainy, in_enough, note_plans, stack_for
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import fijibridge as fb
from fijibridge.blocks import BlockPlan, _job, _task, apply_blocks, plan_blocks, source_of
from fijibridge.blocks._forms import form_of
from fijibridge.errors import EngineMissingError, ParameterError, WriteError
from fijibridge.operation import operations
from fijibridge.ops import AutoMethod
from fijibridge.ops.parts import Place
from fijibridge.volume import Volume, history, same_grid


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_small(monkeypatch)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[BlockPlan]:
    return note_plans(monkeypatch)


def assert_the_same(made: Volume, whole: Volume) -> None:
    """Voxels to the last bit, dtype, grid and history."""
    assert (made.dtype, made.shape) == (whole.dtype, whole.shape)
    np.testing.assert_array_equal(np.asarray(made.data), np.asarray(whole.data))
    assert same_grid(made, whole)
    assert history(made) == history(whole)


class Case(NamedTuple):
    """A volume, and how many times less memory than for one block."""

    shape: tuple[int, int, int]
    dtype: str
    seed: int
    share: int


#: One block, a few, many.
SHARES = (1, 2, 5)


def thin(first: int, least: int) -> list[Case]:
    """Give shapes with an axis as short as the operation takes, one voxel wherever it can be, in small blocks."""
    shapes = [(first, least + 5, least + 7), (4, least, least + 11), (3, least + 9, least)]
    return [Case(shape, dtype, 7, 9) for shape, dtype in zip(shapes, ("uint16", "float32", "uint8"), strict=True)]


def cases(first: int, least: int) -> st.SearchStrategy[Case]:
    """Any shape and any blocks."""
    side = st.integers(least, least + 21)
    shape = st.tuples(st.integers(first, 9), side, side)
    dtype = st.sampled_from(("uint8", "uint16", "float32"))
    return st.builds(Case, shape, dtype, st.integers(0, 99), st.sampled_from(SHARES))


def compared(case: Case, name: str, parameters: dict[str, Any], folder: Path) -> bool:
    """Hold blocks against the whole; False where the operation does not take the volume."""
    volume = stack_for(name, case.shape, case.dtype, case.seed)
    try:
        whole = operations()[name](volume, **parameters)
    except fb.FijibridgeError:
        return False
    memory = plan_blocks(name, case.shape, volume.dtype, memory=10**9, **parameters).bytes // case.share
    made = in_enough(memory, lambda room: apply_blocks(name, volume, folder / "made.zarr", memory=room, **parameters))
    assert_the_same(made, whole)
    return True


@pytest.mark.parametrize(("name", "parameters", "least"), CALLS, ids=lambda value: str(value)[:40])
def test_block_by_block_gives_the_bytes_of_the_whole(
    tmp_path: Path, plans: list[BlockPlan], name: str, parameters: dict[str, Any], least: int
) -> None:
    """Any shape, one-voxel axes among them, any blocks: nobody can tell from the result how it was made.

    What an operation does not take is drawn again, and counted: a test that compares nothing must not pass.
    """
    first, tried = 2 if name in ("align", "shear") else 1, list[BlockPlan]()

    @settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
    @given(case=cases(first, least))
    def holds(case: Case) -> None:
        assume(compared(case, name, parameters, tmp_path))
        tried.append(plans[-1])

    holds()
    assert len(tried) >= 4
    for case in thin(first, least):
        assert compared(case, name, parameters, tmp_path)
        tried.append(plans[-1])
    assert sum(plan.count > 1 for plan in tried) >= 2
    reach = max(tried[-1].reach)
    assert not reach or any(max(plan.block) < reach for plan in tried)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_automatic_threshold_is_that_of_the_whole(dtype: str, plans: list[BlockPlan]) -> None:
    """All methods look at the histogram that the blocks' histograms add up to."""
    volume = grainy((6, 24, 40), dtype, 11)
    z, y, x = (slice(0, size) for size in volume.shape)
    methods = get_args(AutoMethod)
    assert len(methods) == 17
    for method in methods:
        form, values = form_of(fb.threshold, "native"), fb.threshold.validate({"method": method})
        task = _task.Task("threshold", form, volume, values, _task.Workplace(9_000))
        local, _ = task.survey(source_of(volume), _task.Share(None), None)
        made = local.make(volume, Place((z, y, x), (z, y, x)), **local.given)
        np.testing.assert_array_equal(made, fb.threshold(volume, method=method).data)
    assert min(plan.count for plan in plans) >= 8


@pytest.mark.parametrize("kind", ["tif", "zarr", "map", "array", "layers"])
def test_every_kind_of_source_gives_the_same(tmp_path: Path, kind: str) -> None:
    """Files are mapped or unpacked; their names are enough to open them again."""
    volume = grainy((7, 20, 33), "uint16", 1)
    file = tmp_path / ("source.zarr" if kind in ("zarr", "layers") else "source.tif")
    fb.write_volume(volume, file)
    source: Any = file
    if kind == "map":
        source = fb.read_volume(file, mmap=True)[2:]
    elif kind == "array":
        source = volume
    elif kind == "layers":
        source = apply_blocks("crop", file, tmp_path / "cropped.zarr", box=(0, 7, 0, 20, 1, 33))
    whole = fb.smooth(fb.make_volume(source) if kind == "" else fb.read_volume(file)[2:] if kind == "map" else
                      volume if kind == "array" else fb.crop(fb.read_volume(file), box=(0, 7, 0, 20, 1, 33))
                      if kind == "layers" else fb.read_volume(file))  # fmt: skip
    assert_the_same(apply_blocks("smooth", source, tmp_path / "out.zarr", memory=200_000), whole)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give the numbers of the blocks that are made."""
    numbers: list[int] = []
    before = _job.Make.__call__

    def counted(self: _job.Make, item: _job.Item) -> Any:
        numbers.append(item.number)
        return before(self, item)

    monkeypatch.setattr(_job.Make, "__call__", counted)
    return numbers


def stop_after(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    """Let a run end, as by Ctrl-C, when so many blocks are made."""

    def run_some(work: Any, items: Any, *, done: Any, **_: Any) -> None:
        for n, item in enumerate(items):
            if isinstance(work, _job.Make) and n == blocks:
                raise KeyboardInterrupt
            done(work(item))

    monkeypatch.setattr(_task, "run_all", run_some)


@pytest.mark.parametrize(
    ("name", "memory", "parameters"), [("smooth", 60_000, {}), ("fill_pores", 40_000, {"phase": 1})]
)
def test_a_stopped_run_goes_on_at_the_missing_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: list[int], name: str, memory: int, parameters: dict[str, Any]
) -> None:
    """What is written and intact is not made again; a chunk that changed on the disk and half a line are."""
    volume, out = stack_for(name, (9, 16, 32), "uint8", 3), tmp_path / "out.zarr"
    room = {"memory": memory, "key": "same", **parameters}
    with monkeypatch.context() as patched:
        stop_after(patched, 4)
        with pytest.raises(KeyboardInterrupt):
            apply_blocks(name, volume, out, **room)
    assert done == [0, 1, 2, 3]
    assert not out.exists()
    (begun,) = tmp_path.glob(".out.zarr.*.blocks")
    with (begun / "ledger.jsonl").open("a") as ledger:
        ledger.write('{"block": 5, "sha')
    chunk = sorted(file for file in (begun / "result.zarr" / "0" / "c").rglob("*") if file.is_file())[0]
    chunk.write_bytes(chunk.read_bytes()[:-3])
    done.clear()
    result = apply_blocks(name, volume, out, **room)
    assert_the_same(result, operations()[name](volume, **parameters))
    again = [number for number in done if number < 4]
    assert len(again) == 1
    assert set(done) >= {4, 5}
    assert list(tmp_path.iterdir()) == [out]


def test_other_parameters_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun with one sigma is no part of a result with another."""
    volume, out = grainy((9, 16, 32), "uint8", 3), tmp_path / "out.zarr"
    with monkeypatch.context() as patched:
        stop_after(patched, 2)
        with pytest.raises(KeyboardInterrupt):
            apply_blocks("smooth", volume, out, memory=60_000, sigma=1.0)
    assert_the_same(apply_blocks("smooth", volume, out, memory=60_000, sigma=0.7), fb.smooth(volume, sigma=0.7))


def test_a_plan_says_what_a_run_needs() -> None:
    """Before hours of work: blocks, what lies around them, and the memory, which is kept."""
    plan = plan_blocks("smooth", (400, 300, 300), "uint16", memory=3_000_000, sigma=2.0)
    assert plan.bytes <= 3_000_000
    assert plan.count == len(list(plan.blocks()))
    assert plan.reach == (10, 10, 10)
    assert "blocks of" in plan.describe()
    assert "needs 3 MB" in plan.describe() or "needs 2 MB" in plan.describe()


@pytest.mark.parametrize(
    ("name", "engine", "parameters", "words"),
    [
        ("threshold", "fiji", {"method": "otsu"}, "use engine='native'"),
        ("smooth", "fiji", {"sigma": 9.0}, "sigma of 8.5"),
        ("register", "native", {"reference": grainy((9, 9, 9), "uint8", 0)}, "needs the whole volume"),
        ("even_out", "fiji", {}, "use engine='native'"),
        ("watershed", "fiji", {"low": 60, "high": 140}, "use engine='native'"),
    ],
)
def test_what_has_no_blocks_says_so_and_what_to_do(
    tmp_path: Path, name: str, engine: str, parameters: dict[str, Any], words: str
) -> None:
    """One sentence before anything is read, and nothing left behind."""
    volume = grainy((9, 16, 32), "uint8", 3)
    with pytest.raises(ParameterError, match=words):
        apply_blocks(name, volume, tmp_path / "out.zarr", engine=engine, **parameters)
    assert not list(tmp_path.iterdir())


def test_too_little_memory_is_told_with_what_is_needed(tmp_path: Path) -> None:
    """A slice that must be whole needs what it needs."""
    with pytest.raises(ParameterError, match=r"even_out needs .* MB for 1 x 64 x 64 voxels at a time, and has 0 MB"):
        apply_blocks("even_out", grainy((3, 64, 64), "uint8", 1), tmp_path / "out.zarr", memory=1000)


def test_nothing_but_a_zarr_folder_is_replaced(tmp_path: Path) -> None:
    """A slip in the name of the output must not cost a file."""
    (tmp_path / "notes.zarr").write_text("mine")
    with pytest.raises(WriteError, match="something else than a Zarr folder"):
        apply_blocks("smooth", grainy((3, 8, 8), "uint8", 1), tmp_path / "notes.zarr")
    assert (tmp_path / "notes.zarr").read_text() == "mine"


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineMissingError, match="fill_pores has no engine 'fiji'"):
        apply_blocks("fill_pores", grainy((3, 8, 8), "uint8", 1), tmp_path / "out.zarr", engine="fiji")


def test_pores_are_closed_or_open_across_blocks(tmp_path: Path) -> None:
    """A pore that winds through many blocks is one pore, and a thread to the outside opens all of it."""
    solid = np.ones((13, 30, 60), np.uint8)
    solid[2, 3:27, 3:57] = solid[10, 3:27, 3:57] = 0
    solid[2:11, 12, 30] = 0
    closed = fb.make_volume(solid)
    filled = apply_blocks("fill_pores", closed, tmp_path / "closed.zarr", memory=60_000, phase=1)
    assert np.asarray(filled.data).all()
    solid[10:, 26, 56] = 0
    opened = apply_blocks("fill_pores", closed, tmp_path / "open.zarr", memory=60_000, phase=1)
    np.testing.assert_array_equal(np.asarray(opened.data), solid)


def test_a_recipe_within_a_memory_leaves_the_bytes_of_one_without(tmp_path: Path) -> None:
    """Same names, same files: whoever resumes with another memory finds what was done."""
    fb.write_volume(grainy((9, 30, 40), "uint8", 5), tmp_path / "stack.tif")
    steps = ['operation = "smooth"', 'operation = "threshold"', 'operation = "fill_pores"\nphase = 1']
    text = 'input = "stack.tif"\n' + "".join(f"[[step]]\n{step}\n" for step in steps)
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
    recipe = fb.load_recipe(tmp_path / "recipe.toml")
    fb.run_recipe(recipe, tmp_path / "whole")
    run = fb.run_recipe(recipe, tmp_path / "blocks", memory=60_000)
    whole, blocks = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir() if file.suffix == ".tif"}
        for name in ("whole", "blocks")
    )
    assert whole == blocks
    assert len(blocks) == 3
    assert not (tmp_path / "blocks" / "blocks").exists()
    assert [json.loads(json.dumps(step))["operation"] for step in history(run.after)[-3:]] == [
        "smooth", "threshold", "fill_pores"
    ]  # fmt: skip
