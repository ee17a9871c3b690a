"""Whatever goes wrong inside ImageJ costs one job: a typed error, ImageJ's words, and a fresh worker for the next."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from fijibridge.errors import (
    EngineFailedError,
    EngineMemoryError,
    FijibridgeError,
    JobCancelledError,
    WorkerDiedError,
)
from fijibridge.fiji import Fiji
from fijibridge.volume import make_volume

ENDLESS = 'print("begun");\nwhile (true)\n  wait(5);'


def until(condition, limit_s=20.0):
    """Wait for something that another process does."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def alive(fiji):
    """The pool still works."""
    assert fiji.run_macro('return "alive";').returned == "alive"


@pytest.mark.parametrize(
    ("command", "error", "words"),
    [
        ("Exit Java", WorkerDiedError, "exit status 3"),
        ("Crash Java", WorkerDiedError, "crashed with SIGSEGV"),
        ("Fill Heap", EngineMemoryError, "heap of 128m"),
        ("Throw Here", EngineFailedError, "thrown on purpose"),
        ("Throw Elsewhere", EngineFailedError, "thrown on purpose"),
        ("Say Error", EngineFailedError, "said on purpose"),
        ("Show Dialog", EngineFailedError, "dialog or window"),
    ],
)
@pytest.mark.parametrize("way", ["macro", "command"])
def test_a_failing_command_raises_its_own_error_and_the_next_job_runs(reckless, command, error, words, way):
    """Each is a way in which ImageJ takes a whole Python down, hangs it, or says nothing."""
    with pytest.raises(error, match=words) as caught:
        reckless.run_macro(f'x = 1;\nrun("{command}");\nprint("went on");') if way == "macro" else reckless.run(command)
    assert type(caught.value) is error
    assert "went on" not in caught.value.log or command == "Throw Elsewhere"
    alive(reckless)


def test_an_exception_carries_the_macro_line_and_the_java_stack(reckless):
    """The line is for the user, the stack for whoever wrote the plugin."""
    with pytest.raises(EngineFailedError) as caught:
        reckless.run_macro('x = 1;\nrun("Throw Here");\nprint("went on");')
    assert caught.value.line == 2
    assert "IllegalStateException" in caught.value.detail
    assert "Throw_Here.run" in caught.value.detail
    assert "before" in caught.value.log


def test_a_crash_of_java_keeps_what_was_logged_before_it(reckless):
    """The log leaves the worker as it is written, not when the job ends."""
    with pytest.raises(WorkerDiedError) as caught:
        reckless.run_macro('print("the last words");\nwait(200);\nrun("Crash Java");')
    assert "the last words" in caught.value.log
    assert "SIGSEGV" in caught.value.detail + caught.value.log
    assert caught.value.line in (2, 3)


def test_killing_a_worker_costs_its_job_and_no_other(reckless):
    """The job in the other worker does not notice."""
    doomed = reckless.submit_macro(ENDLESS)
    until(doomed.running)
    other = reckless.submit_macro('wait(1500); return "whole";')
    until(other.running)
    os.kill(doomed.pid(), signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match="SIGKILL") as caught:
        doomed.result()
    assert "begun" in caught.value.log
    assert other.result().returned == "whole"
    alive(reckless)


def test_a_running_job_is_cancelled_within_a_second(reckless):
    """A user who presses stop must not wait for the time limit."""
    job = reckless.submit_macro(ENDLESS)
    until(job.running)
    time.sleep(0.2)
    start = time.monotonic()
    job.cancel()
    with pytest.raises(JobCancelledError):
        job.result()
    assert time.monotonic() - start < 1.0
    alive(reckless)


def test_a_queued_job_is_cancelled_at_once_and_its_worker_lives_on():
    """Nothing is ended for a job that never began."""
    with Fiji("embedded", workers=1, heap="256m", timeout_s=60) as fiji:
        alive(fiji)
        pids = fiji.pids()
        long = fiji.submit_macro("wait(1000);")
        queued = fiji.submit_macro(ENDLESS)
        queued.cancel()
        with pytest.raises(JobCancelledError, match="before it ran"):
            queued.result()
        long.result()
        assert fiji.pids() == pids


def test_cancelling_a_finished_job_changes_nothing(fiji):
    """Cancel is safe to call at any time."""
    job = fiji.submit_macro('return "done";')
    assert job.result().returned == "done"
    job.cancel()
    assert job.result().returned == "done"


def test_a_worker_with_a_thread_left_over_is_replaced(reckless):
    """A thread of an earlier job could write into the images of a later one."""
    with Fiji("embedded", workers=1, heap="128m", plugins=reckless.settings.plugins) as fiji:
        alive(fiji)
        before = fiji.pids()
        fiji.run("Leave Thread")
        alive(fiji)
        assert fiji.pids() != before


def test_a_job_that_needs_more_than_the_heap_says_so():
    """The sentence names the setting to change."""
    with Fiji("embedded", workers=1, heap="64m") as fiji:
        with pytest.raises(EngineMemoryError, match="heap"):
            fiji.run_macro("", make_volume(np.zeros((100, 1000, 1000), np.uint16)))
        alive(fiji)


def test_after_closing_jobs_are_refused_with_a_sentence(bad_plugins):
    """A closed pool does not come back by accident."""
    fiji = Fiji("embedded", workers=1, heap="128m")
    running = fiji.submit_macro(ENDLESS)
    until(running.running)
    queued = fiji.submit_macro(ENDLESS)
    fiji.close()
    fiji.close()
    for job in (running, queued):
        with pytest.raises(JobCancelledError):
            job.result()
    with pytest.raises(FijibridgeError, match="closed"):
        fiji.run_macro("")
