"""Two hundred jobs from eight threads with faults at random: each one is accounted for, with the right outcome."""

from __future__ import annotations

import concurrent.futures
import os
import random
import signal
import time
from collections import Counter

import numpy as np
import pytest

from fijibridge.errors import (
    EngineFailedError,
    EngineTimeoutError,
    JobCancelledError,
    WorkerDiedError,
)
from fijibridge.fiji import Fiji
from fijibridge.volume import make_volume

ENDLESS = "while (true) wait(5);"
#: How often each comes up in two hundred; those that cost a worker come up seldom.
KINDS = {"good": 130, "bad macro": 34, "throws": 20, "exits": 4, "is killed": 4, "is cancelled": 5, "is too slow": 3}


def good(fiji: Fiji, number: int) -> None:
    """An answer that only this job has."""
    volume = make_volume(np.full((3, 64, 64), number % 200, np.uint8))
    result = fiji.run_macro('run("Add...", "value=7 stack"); return getArgument();', volume, number=number)
    assert result.returned == f"number={number}"
    assert (result.image.data == number % 200 + 7).all()


def fails_with(fiji: Fiji, error: type[Exception], text: str) -> None:
    """The macro ends in exactly this error."""
    with pytest.raises(error) as caught:
        fiji.run_macro(text)
    assert type(caught.value) is error


def interfere(fiji: Fiji, kind: str) -> None:
    """A running job is killed or cancelled from outside."""
    job = fiji.submit_macro(ENDLESS)
    while not job.running():
        time.sleep(0.005)
    if kind == "is cancelled":
        job.cancel()
    else:
        os.kill(job.pid() or 0, signal.SIGKILL)
    with pytest.raises(JobCancelledError if kind == "is cancelled" else WorkerDiedError):
        job.result()


def one(fiji: Fiji, number: int, kind: str) -> str:
    """Do one job of the storm; give its kind back."""
    if kind == "good":
        good(fiji, number)
    elif kind in ("is killed", "is cancelled"):
        interfere(fiji, kind)
    else:
        text, error = {
            "bad macro": (f"x = {number};\nundefined(x);", EngineFailedError),
            "throws": ('run("Throw Here");', EngineFailedError),
            "exits": ('run("Exit Java");', WorkerDiedError),
            "is too slow": (ENDLESS, EngineTimeoutError),
        }[kind]
        fails_with(fiji, error, text)
    return kind


def test_every_job_of_a_storm_is_accounted_for(bad_plugins):
    """A lost or swapped answer shows only under load."""
    kinds = [kind for kind, count in KINDS.items() for _ in range(count)]
    random.Random(4).shuffle(kinds)
    with (
        Fiji("embedded", workers=2, heap="128m", timeout_s=6, plugins=bad_plugins) as fiji,
        concurrent.futures.ThreadPoolExecutor(8) as executor,
    ):
        outcomes = list(executor.map(lambda item: one(fiji, *item), enumerate(kinds)))
        assert Counter(outcomes) == KINDS
        assert len(outcomes) == 200
        good(fiji, 1)
        assert len(fiji.pids()) <= 2
