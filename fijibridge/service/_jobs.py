"""Jobs, and the list of them on disk."""

from __future__ import annotations

import json
import secrets
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import ServiceError

State = Literal["queued", "running", "done", "failed", "cancelled"]
STOPPED = "the service was stopped while this job ran; start it again"
#: Earlier runs of an operation that its speed is taken from.
_RUNS = 5


@dataclass(frozen=True)
class Job:
    """One job; times are seconds since 1970, `progress` a share from 0 to 1, `estimate_s` seconds still to go."""

    operation: str
    engine: str = "native"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    spacing: tuple[float, float, float] | None = None
    units: str | None = None
    output: str | None = None
    lease: str | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "queued"
    progress: float = 0.0
    message: str = ""
    estimate_s: float | None = None
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    error: str | None = None
    result: Mapping[str, Any] | None = None

    @property
    def over(self) -> bool:
        """Whether the job has ended, well or not."""
        return self.state in ("done", "failed", "cancelled")

    def as_dict(self) -> dict[str, Any]:
        """Give the job in JSON terms."""
        return asdict(self)


_NAMES = [entry.name for entry in fields(Job)]
#: Held as JSON text.
_NESTED = ("parameters", "inputs", "spacing", "result")
_TABLE = f"""
CREATE TABLE IF NOT EXISTS jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, {", ".join(_NAMES)});
CREATE UNIQUE INDEX IF NOT EXISTS jobs_id ON jobs (id);
CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state);
"""


class JobStore:
    """The list of jobs; what `add` and `update` were told is on disk when they return."""

    def __init__(self, path: Path) -> None:
        self._guard = threading.Lock()
        try:
            self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._base.row_factory = sqlite3.Row
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.executescript(_TABLE)
        except sqlite3.Error as error:
            raise ServiceError(
                f"the list of jobs {path} cannot be used ({error}); move it away to begin anew"
            ) from error

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            self._base.close()

    def add(self, job: Job) -> None:
        """Add a job at the end."""
        marks = ", ".join("?" * len(_NAMES))
        self._do(f"INSERT INTO jobs ({', '.join(_NAMES)}) VALUES ({marks})", _row(job))  # noqa: S608  names are ours

    def update(self, job: Job) -> None:
        """Replace what is known of a job."""
        marks = ", ".join(f"{name} = ?" for name in _NAMES)
        self._do(f"UPDATE jobs SET {marks} WHERE id = ?", (*_row(job), job.id))  # noqa: S608

    def get(self, number: str) -> Job:
        """Give one job.

        Raises
        ------
        ServiceError : there is none of this id.
        """
        found = self._find("WHERE id = ?", (number,))
        if not found:
            raise ServiceError(f"there is no job {number[:40]!r}; GET /api/jobs lists them", status=404)
        return found[0]

    def newest(self, most: int = 1000) -> list[Job]:
        """Give the jobs, newest first."""
        return self._find("ORDER BY number DESC LIMIT ?", (most,))

    def in_state(self, *states: State) -> list[Job]:
        """Give the jobs in these states, oldest first."""
        return self._find(f"WHERE state IN ({', '.join('?' * len(states))}) ORDER BY number", states)

    def next_queued(self) -> Job | None:
        """Give the job that waits longest."""
        found = self._find("WHERE state = 'queued' ORDER BY number LIMIT 1", ())
        return found[0] if found else None

    def counts(self) -> dict[str, int]:
        """Count the jobs by state."""
        found = {"queued": 0, "running": 0, "done": 0, "failed": 0, "cancelled": 0}
        rows = self._do("SELECT state, COUNT(*) FROM jobs GROUP BY state", ())
        return found | {row[0]: row[1] for row in rows}

    def seconds_per_voxel(self, operation: str, engine: str) -> float | None:
        """Give the speed of an operation's last runs, None where it never ran."""
        past = self._find(
            "WHERE operation = ? AND engine = ? AND state = 'done' ORDER BY number DESC LIMIT ?",
            (operation, engine, _RUNS),
        )
        speeds = [
            (job.ended - job.started) / job.result["voxels_in"]
            for job in past
            if job.ended and job.started and job.result and job.result.get("voxels_in")
        ]
        return statistics.median(speeds) if speeds else None

    def recover(self) -> list[Job]:
        """Mark jobs that ran when the last service ended as failed, and give them; queued ones stay queued."""
        lost = [
            replace(job, state="failed", ended=time.time(), error=STOPPED, estimate_s=None)
            for job in self.in_state("running")
        ]
        for job in lost:
            self.update(job)
        return lost

    def forget(self, job: Job) -> None:
        """Take a job off the list."""
        self._do("DELETE FROM jobs WHERE id = ?", (job.id,))

    def _find(self, where: str, values: Iterable[Any]) -> list[Job]:
        return [_job(row) for row in self._do(f"SELECT * FROM jobs {where}", values)]  # noqa: S608

    def _do(self, statement: str, values: Iterable[Any]) -> list[sqlite3.Row]:
        try:
            with self._guard:
                return self._base.execute(statement, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise ServiceError(f"the list of jobs cannot be written or read: {error}", status=500) from error


def _row(job: Job) -> tuple[Any, ...]:
    values = job.as_dict()
    return tuple(json.dumps(values[name]) if name in _NESTED else values[name] for name in _NAMES)


def _job(row: sqlite3.Row) -> Job:
    values = {name: json.loads(row[name]) if name in _NESTED else row[name] for name in _NAMES}
    return Job(**values)
