"""A cluster of four processes on this machine: workers killed amid the work, and the same bytes all the same."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

import fijibridge as fb
from fijibridge.blocks import apply_blocks, crew, predict_blocks
from fijibridge.blocks._schedule import run_all
from fijibridge.errors import ParameterError, VolumeError, WorkerDiedError
from fijibridge.study.config import check_study
from fijibridge.study.elsewhere import make_cells
from fijibridge.study.run import run_study
from fijibridge.volume import history

pytestmark = pytest.mark.filterwarnings("ignore")
_SHAPE = (40, 96, 300)


@pytest.fixture(scope="module")
def cluster():
    """One for all tests of this file: it takes seconds to start."""
    with crew("processes", 4) as people:
        yield people


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    """Noise that is smooth enough to have two phases, in a file that is mapped."""
    rng = np.random.default_rng(3)
    grey = rng.normal(120, 12, _SHAPE) + 60 * (np.indices(_SHAPE).sum(axis=0) // 25 % 2)
    path = tmp_path_factory.mktemp("cluster") / "stack.tif"
    fb.write_volume(fb.make_volume(grey.clip(0, 255).astype(np.uint8), spacing=(9, 9, 9), units="nm"), path)
    return path


@dataclass(frozen=True)
class Square:
    """Work that kills its own process the first time, for some items."""

    folder: Path
    killing: tuple[int, ...] = ()

    def __call__(self, item: int) -> tuple[int, int]:
        mark = self.folder / str(item)
        if item in self.killing and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item, item**2


def test_every_item_is_done_though_workers_are_killed(cluster, tmp_path):
    """Machines fail during a run of days; the others and their followers must do what is left, each item told once."""
    got = []
    run_all(Square(tmp_path, (2, 9)), range(20), scheduler="processes", done=got.append)
    assert sorted(got) == [(n, n**2) for n in range(20)]


class Deadly:
    """Work that no worker outlives."""

    def __call__(self, item: int) -> int:
        if item == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return item


def test_an_item_that_kills_every_worker_ends_the_run_with_a_sentence(cluster):
    """A block too large for the machine would otherwise take down one worker after the other for ever."""
    with pytest.raises(WorkerDiedError, match=r"lost its worker 3 times.*run it again"):
        run_all(Deadly(), range(3), scheduler="processes", done=lambda _: None)


def _fail(item: int) -> int:
    if item == 3:
        raise VolumeError("item 3 holds NaN")
    return item


def test_an_error_of_ours_arrives_as_it_is_and_ends_the_run(cluster):
    """The sentence was written for the user; where it arose does not matter."""
    got = []
    with pytest.raises(VolumeError, match="item 3 holds NaN"):
        run_all(_fail, range(2000), scheduler="processes", done=got.append)
    assert len(got) < 1999


@pytest.fixture
def kill_once(workers_below):
    """Kill a worker of this test's cluster whenever another mark is passed."""

    def kill(killed: list[int], share: float, marks: list[float]) -> None:
        if marks and share >= marks[0]:
            marks.pop(0)
            worker = workers_below(psutil.Process())[0]
            killed.append(worker.pid)
            worker.kill()

    return kill


def test_smoothing_gives_the_same_bytes_though_workers_are_killed(cluster, volume, tmp_path, kill_once):
    """The promise of the scheduler: what it gives is what one process gives for the whole volume."""
    killed, marks = [], [0.1, 0.4]
    made = apply_blocks(
        "smooth", volume, tmp_path / "smooth.zarr", scheduler="processes", workers=4, memory=4 * 60_000_000,
        progress=lambda share: kill_once(killed, share, marks), sigma=1.5,
    )  # fmt: skip
    whole = fb.smooth(fb.read_volume(volume), sigma=1.5)
    assert len(killed) == 2
    assert made.data[:].tobytes() == whole.data.tobytes()
    assert history(made) == history(whole)


def test_a_forest_gives_the_same_bytes_on_four_processes(cluster, volume, tmp_path, kill_once):
    """Each worker labels boxes of its own from what surrounds them; no seam may show."""
    grey = fb.read_volume(volume)
    painted = np.where(grey.data > 165, 1, np.where(grey.data < 135, 2, 0)).astype(np.uint8)
    painted[np.arange(_SHAPE[0]) != 20] = 0
    forest = fb.train(grey, fb.make_volume(painted, spacing=(9, 9, 9), units="nm"), trees=4)
    killed, marks = [], [0.05]
    made = predict_blocks(
        forest, volume, tmp_path / "labels.zarr", scheduler="processes", workers=4, memory=4 * 190_000_000,
        progress=lambda share: kill_once(killed, share, marks),
    )  # fmt: skip
    whole = forest.predict(grey)
    assert killed
    assert np.asarray(made.data).tobytes() == whole.data.tobytes()
    assert history(made) == history(whole)
    assert fb.voxel_size(made) == fb.voxel_size(whole)


def test_workers_without_a_scheduler_are_refused(volume, tmp_path):
    """Passed over, the run would take as many times longer."""
    with pytest.raises(ParameterError, match="--scheduler processes"):
        apply_blocks("smooth", volume, tmp_path / "x.zarr", workers=4)


def test_the_cells_of_a_study_are_made_by_the_workers(cluster, tmp_path):
    """The program that reports then makes none of them itself, and tells the same numbers as one that made all."""
    tiny = check_study({"dataset": [{"name": "one", "phantom": "NMC-1", "size": 32}], "methods": ["S1", "otsu"]})
    make_cells(tiny, tmp_path / "there", scheduler="processes")
    made = sorted((tmp_path / "there" / "cells").iterdir())
    there, here = run_study(tiny, tmp_path / "there"), run_study(tiny, tmp_path / "here")
    assert made == sorted((tmp_path / "there" / "cells").iterdir())
    assert len(there.cells) == len(here.cells) == 2 * (3 + 1)
    assert [(cell.key, cell.numbers["fractions"]) for cell in there.cells] == [
        (cell.key, cell.numbers["fractions"]) for cell in here.cells
    ]
