"""`fijibridge prepare` on two processes: killed itself, and again with a worker killed, it ends with the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy import ndimage

import fijibridge as fb

_RECIPE = """
input = "stack.tif"
[[step]]
operation = "smooth"
sigma = 1.5
[[step]]
operation = "even_out"
[[step]]
operation = "threshold"
"""
#: Ctrl-C does what it does in a terminal, also where the tests were started in the background.
_PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from fijibridge.cli import main
main()
"""


@dataclass
class _Played:
    """What was seen of the two runs of one command, of which the first one was killed."""

    folder: Path
    #: Processes of the first run that lived on.
    left: list[int] = field(default_factory=list)
    #: Blocks that the first run had noted, and when all chunks that it left were written.
    noted: int = 0
    before: dict[str, int] = field(default_factory=dict)
    #: When each chunk of the same step was written, as last seen in the second run.
    after: dict[str, int] = field(default_factory=dict)
    killed: list[int] = field(default_factory=list)
    code: int | None = None
    said: str = ""


@pytest.fixture(scope="module")
def played(tmp_path_factory, workers_below, left_over, chunks_in) -> _Played:
    """Run the command, kill it amid its first step, run it again, and kill a worker amid the second step."""
    folder = tmp_path_factory.mktemp("prepare")
    rng = np.random.default_rng(3)
    grey = ndimage.gaussian_filter(rng.normal(0, 1, (160, 256, 256)), 2.0)
    data = (120 + 500 * grey + rng.normal(0, 5, (160, 1, 1))).clip(1, 255).astype(np.uint8)
    fb.write_volume(fb.make_volume(data, spacing=(9, 9, 9), units="nm"), folder / "stack.tif")
    (folder / "recipe.toml").write_text(_RECIPE, encoding="utf-8")
    play = _Played(folder)

    def die(program: psutil.Process) -> None:
        if _receipts(folder, 1):
            program.kill()

    def look(program: psutil.Process) -> None:
        play.after.update(chunks_in(_chunks(folder, 1)))
        if not play.killed and _receipts(folder, 2):
            worker = workers_below(program)[0]
            play.killed.append(worker.pid)
            worker.kill()

    _watch(play, die)
    play.left = left_over(folder)
    play.noted, play.before = _receipts(folder, 1), chunks_in(_chunks(folder, 1))
    _watch(play, look)
    return play


def test_a_prepare_that_is_killed_leaves_no_worker_behind(played):
    """Workers that nobody waits for would hold memory and cores of a machine that others use."""
    assert not played.left


def test_it_goes_on_at_the_missing_chunks(played):
    """The step that was under way is not begun anew: what was noted as written stays as it is."""
    assert 0 < played.noted < len(played.after)
    assert sum(played.after[name] == when for name, when in played.before.items()) >= played.noted


def test_the_steps_files_have_the_bytes_of_a_run_without_a_scheduler(played):
    """Neither who worked nor who was killed may be told from what is left."""
    assert played.code == 0, played.said
    assert played.killed
    assert "Dashboard: http://127.0.0.1:" in played.said
    fb.run_recipe(fb.load_recipe(played.folder / "recipe.toml"), played.folder / "alone")
    here, there = (sorted(folder.glob("0*.tif")) for folder in (played.folder / "alone", _steps(played.folder)))
    assert [file.name for file in there] == [file.name for file in here]
    assert len(here) == 3
    assert [file.read_bytes() for file in there] == [file.read_bytes() for file in here]
    assert not (_steps(played.folder) / "blocks").exists()


def test_ctrl_c_ends_it_and_its_workers_with_a_word(played, left_over):
    """A terminal sends it to the workers as well, and no one wants their tracebacks."""
    play = _Played(played.folder)
    fresh = ["--from", "1"]

    def interrupt(program: psutil.Process) -> None:
        if not play.killed and _receipts(play.folder, 1):
            play.killed.append(program.pid)
            os.killpg(program.pid, signal.SIGINT)

    _watch(play, interrupt, *fresh)
    assert play.killed
    assert play.code == 130
    assert "Traceback" not in play.said
    assert not left_over(play.folder)


def _watch(play: _Played, look: Callable[[psutil.Process], object], *more: str) -> None:
    """Run the command, and look at what it does until it ends."""
    command = [sys.executable, "-c", _PROGRAM, "prepare", "recipe.toml", "-o", "out", "--memory", "124MB",
               "--scheduler", "processes", "--workers", "2", *more]  # fmt: skip
    marked = {**os.environ, "FIJIBRIDGE_TEST_RUN": str(play.folder)}
    with (play.folder / "said").open("w") as said, subprocess.Popen(
        command, stdout=said, stderr=said, cwd=play.folder, env=marked, start_new_session=True
    ) as process:  # fmt: skip
        program = psutil.Process(process.pid)
        while process.poll() is None:
            look(program)
            time.sleep(0.002)
    play.code, play.said = process.returncode, (play.folder / "said").read_text(encoding="utf-8")


def _steps(folder: Path) -> Path:
    return folder / "out" / "steps"


def _site(folder: Path, step: int) -> Path:
    """Give the folder in which the blocks of a step grow, or a place where nothing is."""
    return next((_steps(folder) / "blocks").glob(f".0{step}-*.blocks"), folder / "none")


def _chunks(folder: Path, step: int) -> Path:
    return _site(folder, step) / "result.zarr" / "0" / "c"


def _receipts(folder: Path, step: int) -> int:
    """Give how many blocks of a step are noted."""
    try:
        return len((_site(folder, step) / "ledger.jsonl").read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return 0
