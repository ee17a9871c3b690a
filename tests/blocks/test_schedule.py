"""Who works on blocks: in this process, and what is told to somebody who asks for a crew that cannot be had."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys

import dask
import dask.array
import numpy as np
import pytest

import fijibridge as fb
from fijibridge.blocks import source_of
from fijibridge.blocks._crew import _library, crew, slurm_cluster
from fijibridge.blocks._schedule import attempt, run_all
from fijibridge.errors import EngineMissingError, ParameterError, SettingsError, WorkerDiedError

_BEFORE = signal.getsignal(signal.SIGINT)
#: Its defaults must be there before a test sets and takes away others.
_library("dask_jobqueue")
_AFTER = signal.getsignal(signal.SIGINT)


def test_ctrl_c_stays_what_it_was():
    """dask-jobqueue takes it when imported: a notebook's Ctrl-C would end the notebook."""
    assert _AFTER is _BEFORE


def test_without_a_scheduler_the_items_are_done_in_their_order():
    """Files are read in their order then."""
    got = []
    run_all(abs, [-3, -1, -2], done=got.append)
    assert got == [3, 1, 2]


@pytest.mark.parametrize(
    ("scheduler", "workers"), [("threads", None), ("http://host", None), ("processes", 0), (None, 4)]
)
def test_a_scheduler_that_there_is_not_is_one_sentence(scheduler, workers):
    """A slip in an option must not end in a traceback of dask, nor be passed over."""
    with pytest.raises(ParameterError, match=r"scheduler|worker"), crew(scheduler, workers):
        pass


def test_an_address_where_nobody_answers_is_one_sentence(monkeypatch):
    """A cluster that was ended meanwhile is the usual case."""
    monkeypatch.setattr("fijibridge.blocks._crew._ANSWER_S", 1)
    with pytest.raises(SettingsError, match=r"no dask cluster .*--scheduler processes"), crew("tcp://127.0.0.1:9"):
        pass


def test_without_the_extra_the_sentence_names_it():
    """dask.distributed is optional: who lacks it must learn its name."""
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from fijibridge.blocks import crew\n"
        "with crew('processes'): pass"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "EngineMissingError" in ended.stderr
    assert "pip install 'fijibridge[cluster]'" in ended.stderr


def test_without_sbatch_the_sentence_says_that_slurm_is_not_here(monkeypatch, tmp_path):
    """Typed on the wrong machine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissingError, match="no command sbatch"), crew("slurm", 2):
        pass


def test_slurm_must_be_told_how_many_jobs():
    """Asking a shared machine for an unknown number of jobs is nobody's wish."""
    with pytest.raises(ParameterError, match="--workers"), crew("slurm"):
        pass


def test_slurm_without_cores_in_the_configuration_says_where_to_write_them():
    """Every SLURM differs, so dask's own configuration says what a job is."""
    with (
        dask.config.set({"jobqueue.slurm.cores": None, "jobqueue.slurm.memory": None}),
        pytest.raises(SettingsError, match=r"cores and memory .*jobqueue.yaml"),
    ):
        slurm_cluster()


def test_the_job_that_slurm_gets_is_one_worker_with_all_cores_of_the_job():
    """One block at a time in each worker, which its engine takes all cores for: the memory is planned so."""
    with dask.config.set(
        {"jobqueue.slurm.cores": 8, "jobqueue.slurm.memory": "32 GB", "jobqueue.slurm.walltime": "04:00:00",
         "jobqueue.slurm.queue": "short", "jobqueue.slurm.job-script-prologue": ["module load python"],
         "jobqueue.slurm.scheduler-options": {"host": "127.0.0.1", "dashboard_address": None}}
    ), slurm_cluster() as cluster:  # fmt: skip
        lines = cluster.job_script().splitlines()
    assert {"#SBATCH -p short", "#SBATCH -n 1", "#SBATCH --cpus-per-task=8", "#SBATCH -t 04:00:00"} <= set(lines)
    assert "#SBATCH --mem=30G" in lines  # 32e9 bytes in GiB, rounded up
    assert lines.index("module load python") < lines.index("export NUMBA_NUM_THREADS=8") < len(lines) - 1
    assert "export MALLOC_TRIM_THRESHOLD_=67108864" in lines
    assert sys.executable in lines[-1]
    assert lines[-1].count("--nthreads") == 2  # dask-jobqueue gives the cores, and the last one counts
    assert lines[-1].endswith("--nthreads 1")
    assert "--nworkers 1" in lines[-1] or "--nworkers" not in lines[-1]


class Dying:
    """Work whose ImageJ dies the first times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, item: int) -> int:
        self.left -= 1
        if self.left >= 0:
            raise WorkerDiedError("killed")
        return item


def test_an_item_is_tried_again_when_only_its_imagej_died():
    """Out of thousands of blocks, one lost JVM must not end the run; one that is lost each time must."""
    from fijibridge import __version__

    assert attempt(Dying(2), 7, __version__) == 7
    with pytest.raises(WorkerDiedError):
        attempt(Dying(3), 7, __version__)


def test_a_worker_of_another_version_refuses():
    """Other code may give other bytes."""
    with pytest.raises(SettingsError, match="same version"):
        attempt(abs, 1, "0.0.0")


def test_a_volume_goes_to_workers_without_voxels_and_without_room_for_them():
    """What is sent with each block must not grow with the volume: it would fill the memory of who sends it."""
    small = fb.make_volume(np.zeros((2, 3, 4), np.uint8), spacing=(5, 1, 2), units="nm", origin=(1, 2, 3))
    there = pickle.loads(pickle.dumps(source_of(small)))
    assert there.grid.identical(source_of(small).grid)
    large = fb.make_volume(dask.array.zeros((400, 1000, 1000), dtype=np.uint8, chunks=(100, 1000, 1000)))
    assert len(pickle.dumps(source_of(large))) < 100_000
