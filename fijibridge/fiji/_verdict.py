"""From what happened to a worker to the error the user sees: one sentence, and ImageJ's own words beside it."""

from __future__ import annotations

import re
import signal
from typing import Any, NamedTuple

from ..errors import (
    EngineFailedError,
    EngineMemoryError,
    EngineMissingError,
    EngineTimeoutError,
    JobCancelledError,
    WorkerDiedError,
)

_OUT_OF_MEMORY = re.compile(r"OutOfMemoryError|[Oo]ut of memory|not enough (free )?memory")
#: The head of the report that Java prints when it crashes.
_CRASH = re.compile(r"^#\s+(SIG[A-Z]+|EXCEPTION_[A-Z_]+|Internal Error)", re.MULTILINE)
_TERMINATED = "Terminating due to java.lang.OutOfMemoryError"


class Lost(NamedTuple):
    """A worker that is no more: exit status, what it printed, the macro line it was last seen in, what it was to be."""

    status: int
    out: str
    err: str
    line: int
    timeout_s: float
    heap: str
    imagej: str


def failed(message: dict[str, Any]) -> EngineFailedError:
    """Word a failure that ImageJ itself told of."""
    kind = EngineMemoryError if _OUT_OF_MEMORY.search(message["reason"]) else EngineFailedError
    line = message["line"]
    where = f" in line {line} of the macro" if line else ""
    reason = " ".join(message["reason"].split())
    text = f"ImageJ failed{where}: {reason}; see .detail for ImageJ's own words and .log for its log"
    return kind(text, detail=message["detail"], log=message["log"], line=line)


def timed_out(lost: Lost) -> EngineTimeoutError:
    """Word a job that ran past its limit."""
    text = f"the job ran longer than {lost.timeout_s:g} s{_where(lost)} and was ended; give it more with timeout_s"
    return EngineTimeoutError(text, detail=lost.err, log=lost.out, line=lost.line)


def died(lost: Lost) -> EngineFailedError:
    """Word the end of a worker amid a job."""
    if _TERMINATED in lost.out + lost.err:
        text = f"ImageJ needed more memory than its heap of {lost.heap}{_where(lost)}; give it more with heap"
        return EngineMemoryError(text, detail=lost.err, log=lost.out, line=lost.line)
    crash = _CRASH.search(lost.err + lost.out)
    how = f"Java crashed with {crash[1]}" if crash else _status(lost.status)
    text = f"the worker process ended amid the job ({how}){_where(lost)}; the next job gets a new one"
    return WorkerDiedError(text, detail=lost.err, log=lost.out, line=lost.line)


def not_started(lost: Lost) -> EngineMissingError:
    """Word a worker that never became ready."""
    said = [line.strip() for line in (lost.out + "\n" + lost.err).splitlines() if line.strip()]
    reason = said[-1] if said else _status(lost.status)
    text = f"{lost.imagej} did not start ({reason}); see .detail, try `fijibridge doctor`, or use engine='native'"
    return EngineMissingError(text, detail=lost.out + lost.err)


def cancelled() -> JobCancelledError:
    """Word a job that was taken back before it ran."""
    return JobCancelledError("the job was cancelled before it ran")


def cancelled_running(lost: Lost) -> JobCancelledError:
    """Word a job that was taken back while it ran."""
    text = f"the job was cancelled while it ran{_where(lost)}"
    return JobCancelledError(text, detail=lost.err, log=lost.out, line=lost.line)


def _where(lost: Lost) -> str:
    return f" in line {lost.line} of the macro" if lost.line else ""


def _status(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
