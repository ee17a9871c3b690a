"""`Client`: the local service from scripts and notebooks on the same machine."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import JobCancelledError, ServiceError
from ..io import read_volume, write_volume
from ..volume import Volume
from ._http import ask
from ._launch import ensure
from ._state import Address, StateFolder, state_folder

#: Seconds between two looks at a job.
_POLL_S = 0.1


class Client:
    """The local service of this user, started if it does not run.

    Parameters
    ----------
    state : the service's folder; the user's own if left out.

    Raises
    ------
    ServiceError : the service cannot be started or reached.
    """

    def __init__(self, state: str | Path | None = None) -> None:
        self._state = state_folder() if state is None else StateFolder(Path(state).absolute())
        self._address = ensure(self._state)

    @property
    def page(self) -> str:
        """The address of the page that shows all jobs; keep it to yourself, since it holds the token."""
        return self._address.page

    def status(self) -> dict[str, Any]:
        """Say what the service is at: version, folders, jobs by state, workers."""
        found: dict[str, Any] = ask(self._address, "GET", "/api/status")
        return found

    def operations(self) -> dict[str, dict[str, Any]]:
        """Give everything that a job can do, by name, with its inputs and the JSON schema of its parameters."""
        return {entry["name"]: entry for entry in ask(self._address, "GET", "/api/operations")}

    def jobs(self) -> list[ClientJob]:
        """Give the jobs on the list, newest first."""
        return [ClientJob(self._address, job["id"]) for job in ask(self._address, "GET", "/api/jobs")]

    def submit(
        self,
        operation: str,
        volume: Volume | str | Path | None = None,
        *,
        engine: str = "native",
        output: str | Path | None = None,
        inputs: Mapping[str, Volume | str | Path] | None = None,
        **parameters: Any,
    ) -> ClientJob:
        """Queue a job and return at once.

        Parameters
        ----------
        operation : an operation of the table, or ``train``, ``predict``, ``prepare``, ``compare``, ``study``.
        volume : (z, y, x) volume, or its file; a volume is handed over as a file in the service's own folder.
        engine : ``"native"`` or ``"fiji"``.
        output : file or folder for the result; the job's own folder if left out.
        inputs : further input files by name, such as ``labels``, ``model``, ``recipe``, or volumes for them.
        parameters : of the operation.

        Raises
        ------
        ServiceError : the service refuses the request; the sentence says why.
        """
        named = {**({} if volume is None else {"volume": volume}), **(inputs or {})}
        body = {
            "operation": operation,
            "engine": engine,
            "parameters": parameters,
            "inputs": {name: self._hand_over(each) for name, each in named.items()},
            "output": None if output is None else str(Path(output).absolute()),
        }
        return ClientJob(self._address, ask(self._address, "POST", "/api/jobs", body)["id"])

    def run(
        self,
        operation: str,
        volume: Volume | str | Path | None = None,
        *,
        progress: Callable[[float], None] | None = None,
        **asked: Any,
    ) -> Any:
        """Run a job and wait for its result; see `submit` and `ClientJob.result`. Ctrl-C cancels the job."""
        job = self.submit(operation, volume, **asked)
        try:
            return job.result(progress=progress)
        except KeyboardInterrupt:
            job.cancel()
            raise

    def _hand_over(self, given: Volume | str | Path) -> str:
        if isinstance(given, str | Path):
            return str(Path(given).absolute())
        path = self._state.inbox / f"{secrets.token_hex(8)}.tif"
        write_volume(given, path)
        return str(path)


class ClientJob:
    """A job of the service.

    Attributes
    ----------
    id : its name on the list.
    """

    def __init__(self, address: Address, number: str) -> None:
        self._address = address
        self.id = number

    def __repr__(self) -> str:
        return f"ClientJob({self.id!r})"

    def info(self) -> dict[str, Any]:
        """Give all that is known of the job."""
        found: dict[str, Any] = ask(self._address, "GET", self._path)
        return found

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``done``, ``failed`` or ``cancelled``."""
        return str(self.info()["state"])

    @property
    def progress(self) -> float:
        """Share done, 0 to 1."""
        return float(self.info()["progress"])

    def cancel(self) -> None:
        """End the job at once; one that is over stays as it is."""
        ask(self._address, "DELETE", self._path)

    def result(self, *, timeout_s: float | None = None, progress: Callable[[float], None] | None = None) -> Any:
        """Wait for the job and give what it made.

        Parameters
        ----------
        timeout_s : seconds to wait at most; for ever if left out.
        progress : called with the share done, 0 to 1.

        Returns
        -------
        The Volume, mapped from its file, where the job made one; else what the service says of the result: ``files``,
        ``report``, ``table``.

        Raises
        ------
        JobCancelledError : the job was cancelled.
        ServiceError : the job failed, with its own sentence, or is not over in time.
        """
        info = self._wait(timeout_s, progress)
        if info["state"] == "cancelled":
            raise JobCancelledError(info["error"] or "the job was cancelled")
        if info["state"] == "failed":
            raise ServiceError(info["error"], status=500)
        result = info["result"]
        return read_volume(result["files"][0], mmap=True) if result["kind"] == "volume" else result

    def save(self, path: str | Path) -> None:
        """Copy the main file of the result."""
        result = self.info()["result"]
        if result is None:
            raise ServiceError(f"job {self.id} has no result; wait for result() first")
        shutil.copyfile(result["files"][0], path)

    @property
    def _path(self) -> str:
        return f"/api/jobs/{quote(self.id, safe='')}"

    def _wait(self, timeout_s: float | None, progress: Callable[[float], None] | None) -> dict[str, Any]:
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while (info := self.info())["state"] in ("queued", "running"):
            if progress is not None:
                progress(info["progress"])
            if end is not None and time.monotonic() > end:
                raise ServiceError(
                    f"job {self.id} is not over after {timeout_s} s; ask again, or cancel it", status=504
                )
            time.sleep(_POLL_S)
        if progress is not None:
            progress(info["progress"])
        return info
