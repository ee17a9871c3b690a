"""Where the service keeps its files, and how its clients find it.

Only the standard library and platformdirs: this is on the way of every ImageJ macro.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ServiceError

#: Windows lets nobody replace a file while somebody reads it; the reader is done in a moment.
_REPLACE_TRIES = 20


@dataclass(frozen=True)
class Address:
    """Where a running service is, and the token that it asks for."""

    port: int
    token: str
    pid: int

    @property
    def page(self) -> str:
        """The page's address; the token stands in the fragment, which browsers send to nobody."""
        return f"http://127.0.0.1:{self.port}/#token={self.token}"


@dataclass(frozen=True)
class StateFolder:
    """The service's own folder, one for each user."""

    root: Path

    @property
    def inbox(self) -> Path:
        """Where clients put files that the service may always read."""
        return self.root / "inbox"

    @property
    def jobs(self) -> Path:
        """Where each job has a folder."""
        return self.root / "jobs"

    @property
    def database(self) -> Path:
        """The list of jobs."""
        return self.root / "jobs.sqlite"

    @property
    def log(self) -> Path:
        """What the service says, with nobody at a terminal."""
        return self.root / "service.log"

    @property
    def _address(self) -> Path:
        return self.root / "service.json"

    @property
    def _lock(self) -> Path:
        return self.root / "service.lock"

    def make(self) -> StateFolder:
        """Make the folders, closed to other users."""
        try:
            for folder in (self.root, self.inbox, self.jobs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
            self._lock.open("ab").close()
        except OSError as error:
            raise ServiceError(
                f"the service cannot use its folder {self.root}: {error.strerror or error}; set FIJIBRIDGE_STATE to "
                "a folder of your own"
            ) from error
        return self

    def write_address(self, address: Address) -> None:
        """Say where the service is, to this user alone."""
        text = json.dumps({"port": address.port, "token": address.token, "pid": address.pid})
        try:
            replace_text(self._address, text)
        except OSError as error:
            raise ServiceError(
                f"the service cannot write {self._address}: {error.strerror or error}; make room on the disk"
            ) from error

    def remove_address(self) -> None:
        """Say that the service is nowhere."""
        self._address.unlink(missing_ok=True)

    def read_address(self) -> Address | None:
        """Give the address that a running service wrote; None where none runs, whatever an old file says."""
        if not self.is_locked():
            return None
        try:
            found = json.loads(self._address.read_text(encoding="utf-8"))
            return Address(int(found["port"]), str(found["token"]), int(found["pid"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ServiceError(f"{self._address} cannot be read ({error}); stop the service and remove it") from error

    def is_locked(self) -> bool:
        """Tell whether a service holds this folder: the system lets go of the lock however the service ended."""
        if not self._lock.exists():
            return False
        with self._lock.open("ab") as file:
            if not _try_lock(file.fileno()):
                return True
            _unlock(file.fileno())
            return False

    @contextlib.contextmanager
    def hold(self) -> Iterator[bool]:
        """Hold this folder for one service; yields whether it was free."""
        with self._lock.open("ab") as file:
            # A client that looks whether the lock is held holds it itself for a moment.
            held = _try_lock(file.fileno())
            for _ in range(25):
                if held:
                    break
                time.sleep(0.02)
                held = _try_lock(file.fileno())
            yield held
            if held:
                _unlock(file.fileno())


def state_folder() -> StateFolder:
    """Give this user's folder of the service: ``FIJIBRIDGE_STATE``, or ``service`` in the user's state folder."""
    named = os.environ.get("FIJIBRIDGE_STATE")
    if named:
        return StateFolder(Path(named).expanduser().absolute())
    import platformdirs  # takes 5 ms that a test or a script with its own folder need not wait

    return StateFolder(Path(platformdirs.user_state_dir("fijibridge", appauthor=False)) / "service")


def replace_text(path: Path, text: str) -> None:
    """Replace a small text file in one step, readable by this user alone; readers see the old or the new one whole."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    for last in (*[False] * _REPLACE_TRIES, True):
        try:
            part.replace(path)
        except PermissionError:
            if last:
                raise
            time.sleep(0.01)
        else:
            return


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)
