"""One job of the service, as `Client` gives it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import JobCancelledError, ServiceError, WriteError
from ..io import read_volume
from ._http import ask
from ._state import Address

#: Seconds between two looks at a job.
_POLL_S = 0.1


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

    @property
    def estimate_s(self) -> float | None:
        """Seconds still to go, None where there is nothing to tell it from."""
        found: float | None = self.info()["estimate_s"]
        return found

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

    def save(self, path: str | Path, *, file: int = 0) -> None:
        """Copy a file of the result, the main one by default.

        Raises
        ------
        ServiceError : the job has no such file.
        WriteError : it cannot be written there.
        """
        files = self._result()["files"]
        if not 0 <= file < len(files):
            raise ServiceError(f"job {self.id} has files 0 to {len(files) - 1}, got {file}", status=404)
        try:
            shutil.copyfile(files[file], path)
        except OSError as error:
            raise WriteError(f"cannot copy {files[file]} to {path}: {error.strerror or error}") from error

    def report(self) -> Path:
        """Give the file of the report; ``prepare``, ``compare`` and ``study`` leave one."""
        found = self._result()
        if "report" not in found:
            raise ServiceError(f"job {self.id} left no report; prepare, compare and study do", status=404)
        return Path(found["report"])

    def table(self) -> list[dict[str, Any]]:
        """Give the rows of the job's table: results of a comparison or study, a forest's features by importance."""
        found: list[dict[str, Any]] = ask(self._address, "GET", f"{self._path}/table")["rows"]
        return found

    def histogram(self) -> dict[str, Any]:
        """Count the grey values of input and result over one set of bins; of labels, each label's voxels."""
        found: dict[str, Any] = ask(self._address, "GET", f"{self._path}/histogram")
        return found

    def forget(self) -> None:
        """Take a job that is over off the list, and remove its folder with what lies in it."""
        ask(self._address, "DELETE", f"{self._path}?forget=true")

    def _result(self) -> dict[str, Any]:
        found: dict[str, Any] | None = self.info()["result"]
        if found is None:
            raise ServiceError(f"job {self.id} has no result; wait for result() first", status=409)
        return found

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
