"""`Client`: the local service from scripts and notebooks on the same machine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..io import write_volume
from ..volume import Units, Volume
from ._client_job import ClientJob
from ._client_painting import ClientSession
from ._http import ask
from ._launch import ensure
from ._state import StateFolder, state_folder


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
        spacing: tuple[float, float, float] | None = None,
        spacing_units: Units = "nm",
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
        spacing, spacing_units : voxel size (z, y, x) where the file of `volume` does not say it.
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
            **({} if spacing is None else {"spacing": spacing, "units": spacing_units}),
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

    def paint(
        self,
        volume: Volume | str | Path,
        *,
        spacing: tuple[float, float, float] | None = None,
        spacing_units: Units = "nm",
    ) -> ClientSession:
        """Open a volume to paint on; the service keeps it and what it knows of it, so that previews are fast.

        Parameters
        ----------
        volume : (z, y, x) volume, or its file.
        spacing, spacing_units : voxel size (z, y, x) where the file does not say it.

        Returns
        -------
        ClientSession : gives previews of slices, and the model.

        Raises
        ------
        ServiceError : the service refuses the file.
        """
        size = {} if spacing is None else {"spacing": spacing, "units": spacing_units}
        body = {"volume": self._hand_over(volume), **size}
        opened = ask(self._address, "POST", "/api/sessions", body, timeout_s=600)
        return ClientSession(self._address, opened["id"], self._hand_over)

    def stop(self) -> None:
        """End the service; jobs that run are marked as failed, queued ones are done at its next start."""
        ask(self._address, "POST", "/api/stop")

    def _hand_over(self, given: Volume | str | Path) -> str:
        if isinstance(given, str | Path):
            return str(Path(given).absolute())
        path = self._state.inbox / f"{secrets.token_hex(8)}.tif"
        write_volume(given, path)
        return str(path)
