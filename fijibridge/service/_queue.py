"""The queue: which job runs when on which worker, what is known of it meanwhile, and how it ends."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import FijibridgeError, ServiceError
from ._jobs import Job, JobStore, State
from ._lease import lapsed
from ._places import Places
from ._state import StateFolder, replace_text
from ._workers import Worker

_log = logging.getLogger(__name__)
#: Seconds between two looks at leases and progress.
_BEAT_S = 0.25
#: Seconds that workers are given to end, and seconds between two tries to write where that fails.
_CLOSE_S, _PAUSE_S = 5.0, 1.0
#: A job whose progress is guessed from earlier runs is not called nearly done for ever: it stops here.
_GUESS_MOST = 0.95
#: Of a job that is over while the list of jobs cannot be written.
_NO_ROOM = "over; waits until the list of jobs can be written, make room on the disk"


@dataclass
class _Running:
    """A job on its worker; `told` and `message` are what the worker said last."""

    job: Job
    worker: Worker
    told: float | None = None
    message: str = ""
    #: Seconds in all, by the speed of earlier runs.
    guess_s: float | None = None
    cancelled: str = ""
    #: Its work has ended, well or not; what is left is to write that down.
    is_over: bool = False
    began: float = field(default_factory=time.monotonic)

    def now(self) -> Job:
        """Give the job with its progress of this moment."""
        past = time.monotonic() - self.began
        if self.told is not None:
            left = past / self.told * (1 - self.told) if self.told > 0.02 else None
            return replace(self.job, progress=self.told, message=self.message, estimate_s=left)
        if self.guess_s is None:
            return replace(self.job, message=self.message)
        share = min(past / self.guess_s, _GUESS_MOST)
        return replace(self.job, progress=share, message=self.message, estimate_s=max(self.guess_s - past, 0.0))


class JobQueue:
    """Runs jobs in the order they came, `workers` at once.

    Parameters
    ----------
    state : the service's folder.
    places : where jobs may read and write.
    workers : how many jobs run at once.
    """

    def __init__(self, state: StateFolder, places: Places, workers: int) -> None:
        self.store = JobStore(state.database)
        self._state = state
        self._places = places
        self._changed = threading.Condition()
        self._running: dict[str, _Running] = {}
        self._closing = False
        self._workers = [Worker(state.log, "_operate") for _ in range(workers)]
        for job in self.store.recover():
            self._write(job)
        self._threads = [threading.Thread(target=self._work, args=(worker,), daemon=True) for worker in self._workers]
        self._threads.append(threading.Thread(target=self._watch, daemon=True))

    def start(self) -> None:
        """Begin with what is queued; one worker loads its libraries at once, so that the first job need not wait."""
        for thread in self._threads:
            thread.start()
        self._workers[0].start()

    def close(self) -> None:
        """End all workers; what they were at is marked as failed."""
        with self._changed:
            self._closing = True
            for running in self._running.values():
                running.cancelled = "closing"
            self._changed.notify_all()
        end = time.monotonic() + _CLOSE_S
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < end:
            for worker in self._workers:
                worker.kill()
            time.sleep(0.05)
        self.store.close()

    def add(self, job: Job) -> Job:
        """Queue a job; it is on disk when this returns."""
        with _our_words("make a folder for the job"):
            self.folder(job).mkdir(mode=0o700)
        try:
            self.store.add(job)
        except ServiceError:
            self.folder(job).rmdir()
            raise
        self._write(job)
        with self._changed:
            self._changed.notify()
        return job

    def get(self, number: str) -> Job:
        """Give a job as it is now."""
        running = self._running.get(number)
        return running.now() if running is not None else self.store.get(number)

    def newest(self) -> list[Job]:
        """Give all jobs as they are now, newest first."""
        running = {number: found.now() for number, found in list(self._running.items())}
        return [running.get(job.id, job) for job in self.store.newest()]

    def cancel(self, number: str, why: str = "") -> Job:
        """End a job at once, queued or running; one that is over stays as it is."""
        with self._changed:
            job, running = self.store.get(number), self._running.get(number)
            if running is not None:
                running.cancelled = why or "cancelled"
                # More than once: the job may not have reached its worker yet.
                while self._running.get(number) is running and not running.is_over:
                    running.worker.kill()
                    self._changed.wait(_BEAT_S)
            elif job.state == "queued":
                job = self._end(job, "cancelled", error=why or None)
        return self.store.get(number)

    def folder(self, job: Job) -> Path:
        """Give the job's own folder."""
        return self._state.jobs / job.id

    def busy(self) -> bool:
        """Tell whether any job is queued or running."""
        return bool(self._running) or self.store.next_queued() is not None

    def pids(self) -> list[int]:
        """Give the process numbers of the workers."""
        return [pid for worker in self._workers if (pid := worker.pid()) is not None]

    def _work(self, worker: Worker) -> None:
        while not self._closing:
            try:
                running = self._take(worker)
                if running is not None:
                    self._run(running)
            except ServiceError as error:
                # The list of jobs cannot be written: a full disk, mostly, on which room may be made.
                _log.error("%s", error)
                time.sleep(_PAUSE_S)

    def _take(self, worker: Worker) -> _Running | None:
        """Wait for the next job and mark it as running; None when the service ends."""
        with self._changed:
            while not self._closing:
                job = self.store.next_queued()
                if job is not None:
                    job = replace(job, state="running", started=time.time())
                    self.store.update(job)
                    self._running[job.id] = found = _Running(job, worker)
                    self._write(job)
                    return found
                self._changed.wait()
        return None

    def _run(self, running: _Running) -> None:
        job = running.job
        state: State = "failed"
        error, result = None, None
        try:
            result = running.worker.run(self._order(job), lambda news: self._hear(running, news))
            state = "done"
        except FijibridgeError as failure:
            error = " ".join(str(failure).split())
        with self._changed:
            if running.cancelled == "closing":
                state, error = "failed", "the service was stopped while this job ran; start it again"
            elif running.cancelled:
                state, error = "cancelled", None if running.cancelled == "cancelled" else running.cancelled
            if state != "done":
                _clear_parts(job, self.folder(job))
            try:
                self._settle(running, state, error=error, result=result if state == "done" else None)
            finally:
                del self._running[job.id]
                self._changed.notify_all()

    def _settle(self, running: _Running, state: State, *, error: str | None, result: Mapping[str, Any] | None) -> None:
        """Write how a job ended; while the list cannot be written, wait for room: what the job made is there."""
        running.is_over = True
        while True:
            try:
                self._end(running.now(), state, error=error, result=result)
                return
            except ServiceError as fault:
                if self._closing:
                    raise
                if running.message != _NO_ROOM:
                    _log.error("%s", fault)
                running.message = _NO_ROOM
                self._changed.wait(_PAUSE_S)

    def _order(self, job: Job) -> dict[str, Any]:
        folder = self.folder(job)
        places = {
            "folders": [str(each) for each in self._places.folders],
            "own": [str(each) for each in self._places.own],
        }
        return {"kind": "job", **job.as_dict(), **places, "folder": str(folder), "log": str(folder / "log.txt")}

    def _hear(self, running: _Running, news: Mapping[str, Any]) -> None:
        if "voxels" in news:
            speed = self.store.seconds_per_voxel(running.job.operation, running.job.engine)
            running.guess_s = None if speed is None else max(speed * news["voxels"], 0.1)
        running.told = news.get("progress", running.told)
        running.message = news.get("message", running.message)

    def _end(self, job: Job, state: State, *, error: str | None, result: Mapping[str, Any] | None = None) -> Job:
        share = 1.0 if state == "done" else job.progress
        job = replace(
            job, state=state, progress=share, estimate_s=None, ended=time.time(), error=error, result=result, message=""
        )
        self.store.update(job)
        self._write(job)
        return job

    def _write(self, job: Job) -> None:
        """Leave the state where an ImageJ macro can read it without asking anybody."""
        folder = self.folder(job)
        with contextlib.suppress(OSError):  # the list holds the truth; the files are for those who poll
            replace_text(folder / "progress.json", json.dumps(job.as_dict()))
            replace_text(folder / "progress.txt", f"{job.state} {job.progress:.4f} {job.error or job.message}".rstrip())

    def _watch(self) -> None:
        """Write progress, and cancel jobs whose client has gone."""
        written: dict[str, Job] = {}
        while not self._closing:
            time.sleep(_BEAT_S)
            now = {number: found.now() for number, found in list(self._running.items())}
            for number, job in now.items():
                if job != written.get(number) and number in self._running:
                    self._write_running(number)
            written = now
            try:
                self._end_lapsed([*now.values(), *self.store.in_state("queued")])
            except ServiceError as error:
                _log.error("%s", error)
                time.sleep(_PAUSE_S)

    def _end_lapsed(self, jobs: list[Job]) -> None:
        for job in jobs:
            if job.lease and lapsed(Path(job.lease), job.created):
                self.cancel(job.id, "the program that asked for the job has gone")

    def _write_running(self, number: str) -> None:
        with self._changed:
            running = self._running.get(number)
            if running is not None:
                self._write(running.now())

    def forget(self, number: str) -> None:
        """Remove a job that is over, with its folder."""
        job = self.store.get(number)
        if not job.over:
            raise ServiceError("the job is not over; cancel it first", status=409)
        self.store.forget(job)
        shutil.rmtree(self.folder(job), ignore_errors=True)


def _clear_parts(job: Job, folder: Path) -> None:
    """Remove what a killed worker had half written."""
    places = [folder] if job.output is None else [folder, Path(job.output).parent]
    name = "*" if job.output is None else Path(job.output).name
    for place in places:
        for part in place.glob(f".{name}.*.part"):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _our_words(what: str) -> Any:
    try:
        yield
    except OSError as error:
        raise ServiceError(f"the service cannot {what}: {error.strerror or error}; make room", status=500) from error
