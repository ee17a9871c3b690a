"""The processes that work on blocks: a dask cluster on this machine, one that runs already, or jobs of SLURM."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ..errors import EngineMissingError, ParameterError, SettingsError
from ..forest import cores

_log = logging.getLogger(__name__)
#: How many workers may be lost over one block before it is taken for the block's fault.
LOSSES = 2
#: Seconds that a cluster which should be running may take to answer, and to have a worker.
_ANSWER_S, _WORKER_S = 10, 30
_LOCAL = "127.0.0.1"
#: Worked out with as many threads as a worker has cores: Numba, and what NumPy and SciPy call.
_THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: Dask has workers give freed memory back to the system at once. Each part would get fresh pages then, which costs a
#: forest as much again as its work; these are the limits that the C library comes to by itself.
_MALLOC = {"MALLOC_TRIM_THRESHOLD_": 64 << 20, "MALLOC_MMAP_THRESHOLD_": 32 << 20}
_NANNY = "distributed.nanny.pre-spawn-environ"


@dataclass(frozen=True)
class Crew:
    """Those who work on blocks.

    Attributes
    ----------
    client : the client of the dask cluster, or None where this process does it all.
    count : blocks that are worked on at a time.
    threads : threads of each worker, None for as many as it has cores.
    link : address of the dashboard, or None.
    """

    client: Any = None
    count: int = 1
    threads: int | None = None
    link: str | None = None


_OPEN: ContextVar[tuple[str, Crew] | None] = ContextVar("crew", default=None)


@contextlib.contextmanager
def crew(
    scheduler: str | None, workers: int | None = None, *, told: Callable[[str], None] | None = None
) -> Iterator[Crew]:
    """Start those who work on blocks, or find them, and let them go at the end.

    Within the block, a further `crew` with the same scheduler is the same one.

    Parameters
    ----------
    scheduler : None = this process; ``"processes"`` = workers on this machine; ``"tcp://HOST:PORT"`` (or ``tls://``)
        = a dask cluster that runs; ``"slurm"`` = jobs as the section ``jobqueue.slurm`` of dask's configuration says.
    workers : how many, >= 1; None = one for each core, or all of a running cluster; slurm must be told.
    told : called with the address of the dashboard.

    Raises
    ------
    ParameterError : another scheduler, or fewer workers than 1.
    EngineMissingError : dask.distributed is not installed, or no SLURM is here.
    SettingsError : there is no cluster at this address, or it has no worker; dask's configuration lacks something.
    """
    _check(scheduler, workers)
    held = _OPEN.get()
    if scheduler is None or (held is not None and held[0] == scheduler):
        yield Crew() if scheduler is None or held is None else held[1]
        return
    with contextlib.ExitStack() as stack:
        made = _open(stack, scheduler, workers)
        if made.link:
            _log.info("dashboard of the workers: %s", made.link)
            if told is not None:
                told(made.link)
        token = _OPEN.set((scheduler, made))
        stack.callback(_OPEN.reset, token)
        yield made


def expected_workers(scheduler: str | None, workers: int | None) -> int:
    """Give how many would work, where nobody is hired yet; of a cluster that is not asked, at least one."""
    held = _OPEN.get()
    if held is not None and held[0] == scheduler:
        return held[1].count
    return workers or (cores() if scheduler == "processes" else 1)


def _check(scheduler: str | None, workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise ParameterError(f"at least 1 worker is needed, got {workers}")
    if scheduler is None and workers not in (None, 1):
        raise ParameterError(f"{workers} workers need a scheduler; add for instance --scheduler processes")
    if scheduler not in (None, "processes", "slurm") and not str(scheduler).startswith(("tcp://", "tls://")):
        raise ParameterError(f"there is no scheduler {scheduler!r}; use processes, slurm or tcp://HOST:PORT")


def _open(stack: contextlib.ExitStack, scheduler: str, workers: int | None) -> Crew:
    distributed = _library("distributed")
    if scheduler == "processes":
        return _on_this_machine(stack, distributed, workers)
    if scheduler == "slurm":
        return _on_slurm(stack, distributed, workers)
    return _running(stack, distributed, scheduler, workers)


def _on_this_machine(stack: contextlib.ExitStack, distributed: Any, workers: int | None) -> Crew:
    count = workers or cores()
    threads = max(cores() // count, 1)
    dask = importlib.import_module("dask")
    surroundings = {**_MALLOC, **dict.fromkeys(_THREADS, threads)}
    stack.enter_context(dask.config.set({_NANNY: surroundings, "distributed.scheduler.allowed-failures": LOSSES}))
    cluster = distributed.LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        # The plan bounds the memory. Dask would count the pages of mapped files too, and end workers for them.
        memory_limit=0,
        host=_LOCAL,
        dashboard_address=f"{_LOCAL}:0",
        # Others on this machine could otherwise have the workers run what they like.
        security=True,
        silence_logs=logging.CRITICAL,
    )
    stack.enter_context(cluster)
    client = _client(stack, distributed, cluster)
    _quieten(client)
    return Crew(client, count, threads, _link(cluster))


def _quieten(client: Any) -> None:
    from ._engines import Quiet  # it needs dask.distributed

    client.register_plugin(Quiet())


def _running(stack: contextlib.ExitStack, distributed: Any, address: str, workers: int | None) -> Crew:
    try:
        client = _client(stack, distributed, address)
        client.wait_for_workers(1, timeout=_WORKER_S)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise SettingsError(
            f"no dask cluster with a worker answers at {address} ({str(error).strip() or type(error).__name__}); "
            f"start 'dask scheduler' and 'dask worker {address}', or use --scheduler processes"
        ) from error
    # The cluster goes on, and its engines end with the work.
    stack.callback(_end_engines, client)
    found = len(client.scheduler_info(n_workers=-1)["workers"])
    return Crew(client, min(workers or found, found), None, client.dashboard_link)


def _end_engines(client: Any) -> None:
    from ._engines import NAME

    with contextlib.suppress(OSError):  # whoever is gone has no engine
        client.unregister_worker_plugin(NAME)


def _on_slurm(stack: contextlib.ExitStack, distributed: Any, workers: int | None) -> Crew:
    if workers is None:
        raise ParameterError("slurm must be told how many jobs to ask for; add --workers N")
    if shutil.which("sbatch") is None:
        raise EngineMissingError(
            "there is no SLURM here (no command sbatch); run this on a login node of the cluster, "
            "or use --scheduler processes"
        )
    cluster = stack.enter_context(slurm_cluster())
    # Not `scale`: jobs that reach their wall time are to be followed by new ones.
    cluster.adapt(minimum_jobs=workers, maximum_jobs=workers)
    client = _client(stack, distributed, cluster)
    client.wait_for_workers(1)  # for as long as the queue takes
    return Crew(client, workers, None, _link(cluster))


def slurm_cluster() -> Any:
    """Give a SLURMCluster whose jobs are one worker each, as dask's configuration says (``jobqueue.slurm``).

    Raises
    ------
    EngineMissingError : dask-jobqueue is not installed.
    SettingsError : the configuration does not say how many cores and how much memory a job gets.
    """
    jobqueue, dask = _library("dask_jobqueue"), importlib.import_module("dask")
    given = {name: dask.config.get(f"jobqueue.slurm.{name}", None) for name in ("cores", "memory")}
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise SettingsError(
            f"dask's configuration does not say the {' and '.join(missing)} of a SLURM job; write it into "
            "~/.config/dask/jobqueue.yaml (jobqueue: slurm: {cores: 8, memory: 32GB, walltime: '04:00:00'})"
        )
    # What stands in the surroundings goes before what dask's configuration says of them.
    surroundings = {**_MALLOC, **dict.fromkeys(_THREADS, given["cores"])}
    exports = [f"export {name}={value}" for name, value in surroundings.items()]
    before = [*dask.config.get("jobqueue.slurm.job-script-prologue", ()), *exports]
    with dask.config.set({"distributed.scheduler.allowed-failures": LOSSES}):
        return jobqueue.SLURMCluster(processes=1, job_script_prologue=before, worker_extra_args=["--nthreads", "1"])


def _client(stack: contextlib.ExitStack, distributed: Any, where: Any) -> Any:
    from ._engines import NAME, Engines  # it needs dask.distributed

    client = stack.enter_context(distributed.Client(where, timeout=_ANSWER_S, set_as_default=False))
    client.register_plugin(Engines(_settings()), name=NAME)
    return client


def _settings() -> Mapping[str, str]:
    """Give what was set for ImageJ here; each worker works on one block at a time, and has one ImageJ for it."""
    here = {name: value for name, value in os.environ.items() if name.startswith("FIJIBRIDGE_")}
    return {**here, "FIJIBRIDGE_WORKERS": "1"}


def _library(name: str) -> Any:
    try:
        with _interrupt_kept():
            return importlib.import_module(name)
    except ImportError as error:
        raise EngineMissingError(
            f"a scheduler needs {name.replace('_', '-')}, which is not installed; "
            "pip install 'fijibridge[cluster]', or leave out --scheduler to work in one process"
        ) from error


@contextlib.contextmanager
def _interrupt_kept() -> Iterator[None]:
    """Leave Ctrl-C as it was: dask-jobqueue, when it is imported, makes the program end by it without a word."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _link(cluster: Any) -> str | None:
    link = cluster.dashboard_link
    return str(link) if link else None
