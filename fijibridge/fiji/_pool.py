"""A pool of workers: jobs queue up, each worker takes one at a time, and a lost worker is replaced."""

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..errors import EngineFailedError
from . import _verdict
from ._memory import Segment
from ._process import Died, Late, Reply, Woken, Worker

_START_LIMIT_S = 120.0
#: A slot may be amid a download when the pool is closed; it ends by itself afterwards.
_CLOSE_LIMIT_S = 10.0


class Job:
    """One piece of work for a worker, and the future of its outcome.

    Attributes
    ----------
    message : what the worker is told.
    size : bytes of shared memory that the voxels need.
    fill : writes the voxels there.
    finish : turns the worker's answer into what `future` will hold.
    timeout_s : seconds that the job may run once a worker has it.
    """

    def __init__(
        self,
        message: dict[str, Any],
        finish: Callable[[Reply], Any],
        timeout_s: float,
        *,
        size: int = 0,
        fill: Callable[[Segment], None] | None = None,
    ) -> None:
        self.message = message
        self.size = size
        self.fill = fill
        self.finish = finish
        self.timeout_s = timeout_s
        self.future: Future[Any] = Future()
        # From here on only the pool ends it: asyncio would otherwise cancel it by itself, behind the pool's back.
        self.future.set_running_or_notify_cancel()
        self.cancelled = False
        self.slot: _Slot | None = None
        self.sent = False


class Pool:
    """Up to `workers` worker processes, started when there is work for them."""

    def __init__(self, orders: Callable[[], dict[str, Any]], workers: int) -> None:
        self._make_orders = orders
        self._workers = workers
        self._begin()
        _pools.add(self)
        _watch_forks()

    def _begin(self) -> None:
        self._orders: dict[str, Any] | None = None
        self._ordering = threading.Lock()
        self._changed = threading.Condition()
        self._queue: deque[Job] = deque()
        self._slots: list[_Slot] = []
        self._idle = 0
        self.closed = False

    def submit(self, job: Job) -> None:
        """Queue a job; a further worker is started where all others are busy."""
        with self._changed:
            if self.closed:
                raise EngineFailedError("this Fiji is closed; make a new one: with Fiji() as fiji: ...")
            self._queue.append(job)
            if self._idle < len(self._queue) and len(self._slots) < self._workers:
                self._slots.append(_Slot(self))
                self._slots[-1].start()
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Take a job back: out of the queue, or off its worker, which is ended for it; a finished job stays so."""
        with self._changed:
            job.cancelled = True
            queued = job in self._queue
            if queued:
                self._queue.remove(job)
            slot = job.slot
        if queued:
            job.future.set_exception(_verdict.cancelled())
        elif slot is not None:
            slot.wake()

    def close(self) -> None:
        """Cancel all jobs, end all workers; safe to call twice."""
        with self._changed:
            if self.closed:
                return
            self.closed = True
            waiting, self._queue = list(self._queue), deque()
            self._changed.notify_all()
        for job in waiting:
            job.future.set_exception(_verdict.cancelled())
        for slot in self._slots:
            slot.wake()
        for slot in self._slots:
            if slot is not threading.current_thread():
                slot.join(_CLOSE_LIMIT_S)

    def next_job(self, slot: _Slot) -> Job | None:
        """Wait for a job to do; None when the pool is closed."""
        with self._changed:
            self._idle += 1
            while not self._queue and not self.closed:
                self._changed.wait()
            self._idle -= 1
            if self.closed:
                return None
            job = self._queue.popleft()
            job.slot = slot
            return job

    def orders(self) -> dict[str, Any]:
        """Give what a worker is told at its start, worked out once."""
        with self._ordering:
            if self._orders is None:
                self._orders = self._make_orders()
            return self._orders

    def pids(self) -> list[int]:
        """Give the process numbers of the workers that run now."""
        return [pid for slot in self._slots if (pid := slot.pid()) is not None]

    def forget_after_fork(self) -> None:
        """In a forked child: let go of the parent's workers without touching them, and start afresh when used."""
        for slot in self._slots:
            slot.let_go()
        self._begin()


class _Slot(threading.Thread):
    """A thread that owns one worker: takes jobs, gives them to it, replaces it when it is lost."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(name="fijibridge-worker", daemon=True)
        self._pool = pool
        self._woken, self._waker = socket.socketpair()
        self.worker: Worker | None = None

    def run(self) -> None:
        """Work until the pool closes."""
        try:
            while (job := self._pool.next_job(self)) is not None:
                self._settle(job)
        finally:
            self._drop_worker()
            self._woken.close()
            self._waker.close()

    def wake(self) -> None:
        """Make the slot look up from its wait: a job was cancelled, or the pool was closed."""
        try:
            self._waker.send(b"!")
        except OSError:
            return  # the slot has ended by itself

    def pid(self) -> int | None:
        """Give the process number of the worker, None where there is none."""
        worker = self.worker
        return worker.process.pid if worker is not None else None

    def let_go(self) -> None:
        """Close this side of everything, in a forked child."""
        self._woken.close()
        self._waker.close()
        if self.worker is not None:
            self.worker.let_go()

    def _settle(self, job: Job) -> None:
        """Bring a job to its end; whatever happens, its future gets an outcome."""
        try:
            result = job.finish(self._perform(job))
        except BaseException as error:  # it is raised where the caller waits for the outcome
            job.future.set_exception(error)
        else:
            job.future.set_result(result)
        finally:
            job.slot = None

    def _perform(self, job: Job) -> Reply:
        if self._unwanted(job):
            raise _verdict.cancelled()
        worker = self._ready_worker(job)
        if job.fill is not None:
            job.fill(worker.memory(job.size))
        try:
            worker.send(job.message)
            job.sent = True
            reply = self._wait(worker, job, job.timeout_s)
        except Late as error:
            raise self._lost(worker, _verdict.timed_out, job) from error
        except Died as error:
            raise self._lost(worker, _verdict.died, job) from error
        if reply.message["retire"]:
            self._drop_worker()
        if reply.message["event"] == "failed":
            raise _verdict.failed(reply.message)
        return reply

    def _ready_worker(self, job: Job) -> Worker:
        if self.worker is not None and not self.worker.alive():
            self._drop_worker()
        if self.worker is None:
            worker = Worker(self._pool.orders())
            self.worker = worker
            try:
                self._wait(worker, job, _START_LIMIT_S)
            except (Late, Died) as error:
                raise self._lost(worker, _verdict.not_started, job) from error
        return self.worker

    def _wait(self, worker: Worker, job: Job, limit_s: float) -> Reply:
        deadline = time.monotonic() + limit_s
        while True:
            try:
                return worker.receive(deadline, self._woken)
            except Woken:
                self._woken.recv(4096)
                if self._unwanted(job):
                    raise self._lost(worker, _verdict.cancelled_running, job) from None

    def _unwanted(self, job: Job) -> bool:
        return job.cancelled or self._pool.closed

    def _lost(self, worker: Worker, verdict: Callable[[_verdict.Lost], Exception], job: Job) -> Exception:
        """End the worker and say what that means for the job."""
        line = worker.line()
        status = worker.end()
        out, err = worker.printed()
        self._drop_worker()
        orders = self._pool.orders()
        return verdict(_verdict.Lost(status, out, err, line, job.timeout_s, orders["heap"], orders["words"]))

    def _drop_worker(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_watching = threading.Lock()


def _watch_forks() -> None:
    """Ask, once, to be told of forks."""
    if _watching.acquire(blocking=False) and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    for pool in list(_pools):
        pool.forget_after_fork()
