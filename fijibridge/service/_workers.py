"""A worker process, from the side of the service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ServiceError, WorkerDiedError

News = Callable[[Mapping[str, Any]], None]


class Worker:
    """One process that does one order after another; it is started when there is one to do, and again when it died.

    Parameters
    ----------
    log : file for its words outside of jobs.
    load : the module of this package that it loads at once.
    """

    def __init__(self, log: Path, load: str) -> None:
        self._log = log
        self._load = load
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def pid(self) -> int | None:
        """Give its process number, None where there is no process."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process, so that it loads what it needs before the first order."""
        self._ready()

    def run(self, order: Mapping[str, Any], news: News) -> dict[str, Any]:
        """Have an order done and give its outcome.

        Raises
        ------
        ServiceError : what the order's own error said.
        WorkerDiedError : the process ended before it was done.
        """
        process = self._ready()
        if process.stdin is None or process.stdout is None:
            raise WorkerDiedError("the worker has no pipes")
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            return self._died(process, order)
        for line in process.stdout:
            message = json.loads(line)
            if "result" in message:
                found: dict[str, Any] = message["result"]
                return found
            if "error" in message:
                raise ServiceError(message["error"], detail=message["detail"])
            news(message)
        return self._died(process, order)

    def kill(self) -> None:
        """End the process at once, amid whatever it does."""
        with self._guard:
            process, self._process = self._process, None
            if process is not None:
                process.kill()
                process.wait()

    def _ready(self) -> subprocess.Popen[bytes]:
        with self._guard:
            if self._process is None or self._process.poll() is not None:
                self._process = _start(self._log, self._load)
            return self._process

    def _died(self, process: subprocess.Popen[bytes], order: Mapping[str, Any]) -> dict[str, Any]:
        code = process.wait()
        words = _last_line(Path(order["log"]))
        if code < 0:
            raise WorkerDiedError(
                f"the worker was ended from outside (signal {-code}) amid the job; start the job again"
            )
        raise WorkerDiedError(
            f"the worker broke off (exit code {code}: {words or 'no words'}); the whole story is in {order['log']}"
        )


def _start(log: Path, load: str) -> subprocess.Popen[bytes]:
    try:
        return _start_process(log, load)
    except OSError as error:
        raise WorkerDiedError(
            f"a worker cannot be started ({error.strerror or error}); make room on the disk or in memory, and start "
            "the job again"
        ) from error


def _start_process(log: Path, load: str) -> subprocess.Popen[bytes]:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "fijibridge.service._worker", load],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=handle,
            start_new_session=True,  # Ctrl-C in the terminal is for the service, which then ends its workers
        )
    finally:
        os.close(handle)


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""
