"""A real service in a process of its own, found and spoken to over its real socket."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from fijibridge.service._launch import find
from fijibridge.service._state import StateFolder


class Running:
    """One service process with its folder, a folder that it may use, and a way to ask it."""

    def __init__(self, state: Path, data: Path, before: Sequence[str] = (), **environment: str) -> None:
        self.before = before
        self.state = StateFolder(state).make()
        self.data = data
        self.environment = {"FIJIBRIDGE_STATE": str(state), "FIJIBRIDGE_FOLDERS": str(data), **environment}
        self.start()

    def start(self) -> None:
        with self.state.log.open("ab") as log:
            command = [*self.before, sys.executable, "-m", "fijibridge.service"]
            self.process = subprocess.Popen(command, env={**os.environ, **self.environment}, stderr=log)
        until(lambda: self.process.poll() is None and find(self.state) is not None)
        self.address = find(self.state)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def ask(self, method, path, body=None, *, headers=None, token=None):
        """Send one request; give status and JSON (or bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=60)
        sent = {"Authorization": f"Bearer {token or self.address.token}", **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, {name: value for name, value in sent.items() if value is not None})
            answer = connection.getresponse()
            self.headers = answer.headers
            found = answer.read()
        finally:
            connection.close()
        is_json = (answer.getheader("content-type") or "").startswith("application/json")
        return answer.status, json.loads(found) if is_json else found

    def submit(self, operation, volume="grey.tif", **more):
        """Queue a job on a file of the data folder; give its id."""
        inputs = {"volume": str(self.data / volume), **more.pop("inputs", {})} if volume else more.pop("inputs", {})
        own = {name: more.pop(name) for name in ("engine", "output", "lease") if name in more}
        status, job = self.ask(
            "POST", "/api/jobs", {"operation": operation, "inputs": inputs, "parameters": more, **own}
        )
        assert status == 201, job
        return job["id"]

    def job(self, number):
        return self.ask("GET", f"/api/jobs/{number}")[1]

    def ended(self, number, seconds=60.0):
        """Wait until a job is over and give it."""
        until(lambda: self.job(number)["state"] not in ("queued", "running"), seconds)
        return self.job(number)

    def running(self, number):
        """Wait until a job runs."""
        until(lambda: self.job(number)["state"] != "queued")
        return self.job(number)


def until(true, seconds=60.0):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@contextmanager
def running(state: Path, data: Path, before: Sequence[str] = (), **environment: str):
    """Start a service, with a command before its own, and end it."""
    service = Running(state, data, before, **environment)
    try:
        yield service
    finally:
        service.stop()
