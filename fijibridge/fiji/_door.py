"""`Fiji`: ImageJ on arrays, in worker processes."""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

from ..errors import EngineFailedError, EngineMissingError, ParameterError
from ..settings import Settings, load_settings
from ..volume import Step, Volume, record
from . import _launch
from ._macro_files import read_macro
from ._options import command_options, macro_argument
from ._pool import Job, Pool
from ._process import Reply
from ._volumes import Shipment, pack, unpack


@dataclass(frozen=True)
class MacroResult:
    """What a macro left behind.

    Attributes
    ----------
    images : the open images by title, in the order ImageJ opened them.
    active : title of the active image, or None where none is open.
    table : the results table, one row per result; empty where there is none.
    rois : the ROI manager's entries.
    log : what was logged and printed.
    returned : what the macro returned, or None.
    """

    images: Mapping[str, Volume]
    active: str | None
    table: pd.DataFrame
    rois: tuple[Mapping[str, Any], ...] = ()
    log: str = ""
    returned: str | None = None

    @property
    def image(self) -> Volume:
        """The active image; an error where the macro left none open."""
        if self.active is None:
            raise EngineFailedError("the macro left no image open; do not close the result", log=self.log)
        return self.images[self.active]


@dataclass(frozen=True)
class RunningJob:
    """A job that was submitted."""

    _pool: Pool = field(repr=False)
    _job: Job = field(repr=False)

    def result(self) -> MacroResult:
        """Wait for the outcome; Ctrl-C while waiting cancels the job."""
        result: MacroResult = self.outcome()
        return result

    def outcome(self) -> Any:
        """Wait for whatever the job gives."""
        try:
            return self._job.future.result()
        except BaseException:
            # Ctrl-C above all: nobody waits any more. A job that has ended does not mind.
            self.cancel()
            raise

    def cancel(self) -> None:
        """Take the job back; `result` then raises JobCancelledError."""
        self._pool.cancel(self._job)

    def done(self) -> bool:
        """Tell whether the outcome is there."""
        return self._job.future.done()

    def running(self) -> bool:
        """Tell whether a worker has the job right now."""
        return self.pid() is not None

    def pid(self) -> int | None:
        """Give the process number of the worker that has the job, None where none has."""
        slot = self._job.slot
        return slot.pid() if slot is not None and self._job.sent else None


class Fiji:
    """A pool of headless ImageJ workers.

    Parameters
    ----------
    imagej : ``"embedded"``, the folder of a Fiji.app or ImageJ, or a Maven endpoint.
    workers : worker processes at most; one is started with the first job, further ones when all are busy.
    heap : the most memory that the Java of one worker may take, such as ``"4g"``.
    timeout_s : seconds that one job may run.
    plugins : folder of further plugins.

    What is not given comes from the settings (`load_settings`). Use it in a ``with`` block, or call `close`.

    Raises
    ------
    SettingsError : a value that cannot be used.
    EngineMissingError : this system cannot run workers; what else is missing shows with the first job.
    """

    def __init__(
        self,
        imagej: str | Path | None = None,
        *,
        workers: int | None = None,
        heap: str | None = None,
        timeout_s: float | None = None,
        plugins: str | Path | None = None,
    ) -> None:
        self._open(load_settings(imagej=imagej, workers=workers, heap=heap, timeout_s=timeout_s, plugins=plugins))

    @classmethod
    def from_settings(cls, settings: Settings) -> Fiji:
        """Make a pool from settings that are complete already."""
        made = cls.__new__(cls)
        made._open(settings)
        return made

    def _open(self, settings: Settings) -> None:
        if sys.platform == "win32":
            raise EngineMissingError(
                "ImageJ workers run on Linux and macOS, on Windows only within its Linux (WSL); or use engine='native'"
            )
        self.settings = settings
        self._pool = Pool(lambda: _launch.orders(settings), settings.workers)
        self._known: dict[str, Any] | None = None
        self._finalizer = weakref.finalize(self, self._pool.close)

    def __enter__(self) -> Fiji:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._pool.closed

    def close(self) -> None:
        """End all workers; jobs still under way raise JobCancelledError."""
        self._finalizer()

    def run_macro(self, macro: str | Path, /, *volumes: Volume, **args: Any) -> MacroResult:
        """Run a macro in the ImageJ macro language.

        Parameters
        ----------
        macro : the macro's text, a path to its file, or the file name of one of this package's macros.
        volumes : opened as images before the macro starts, the first one active; titled by their `name`, or
            ``volume1``, ``volume2`` and so on.
        args : what ``getArgument()`` gives in the macro, as ``key=value key2=[value with blanks] flag=true``.

        Returns
        -------
        MacroResult with all images that are open at the end.

        Raises
        ------
        EngineFailedError : ImageJ failed; its subclasses tell of time, memory, a lost worker, a cancelled job.
        VolumeError : a volume that ImageJ cannot hold.
        """
        return self.submit_macro(macro, *volumes, **args).result()

    def submit_macro(self, macro: str | Path, /, *volumes: Volume, **args: Any) -> RunningJob:
        """Start a macro and return at once; see `run_macro`."""
        text, name = read_macro(macro)
        argument = macro_argument(args)
        message = {"kind": "macro", "text": text, "argument": argument}
        return self._submit(message, volumes, {"macro": name, "argument": argument})

    async def arun_macro(self, macro: str | Path, /, *volumes: Volume, **args: Any) -> MacroResult:
        """Run a macro without blocking the event loop; cancelling the task cancels the job. See `run_macro`."""
        job = self.submit_macro(macro, *volumes, **args)
        try:
            result: MacroResult = await asyncio.wrap_future(job._job.future)
        except asyncio.CancelledError:
            job.cancel()
            raise
        return result

    def run(self, command: str, /, *volumes: Volume, **options: Any) -> MacroResult:
        """Run one menu command on the first volume.

        Parameters
        ----------
        command : its name in the menu, such as ``"Gaussian Blur 3D..."``.
        volumes : opened as images, the first one active; see `run_macro`.
        options : the command's options as the macro recorder writes them; True for a bare key.
        """
        written = command_options(options)
        message = {"kind": "command", "command": command, "options": written}
        return self._submit(message, volumes, {"command": command, "options": written}).result()

    def run_script(self, path: str | Path, /, *volumes: Volume, **args: Any) -> MacroResult:
        """Run a script file in a language that the ImageJ has (a Fiji: Python, JavaScript, Groovy and more).

        Parameters
        ----------
        path : the script; a macro (.ijm, .txt) is run as `run_macro` does.
        volumes : opened as images, the first one active; see `run_macro`.
        args : in a Fiji the script's parameters by name, elsewhere what ``getArgument()`` gives.

        Raises
        ------
        EngineFailedError : ImageJ failed, or does not have the language.
        ParameterError : there is no such file.
        """
        file = Path(path).expanduser().absolute()
        if file.suffix in (".ijm", ".txt"):
            return self.run_macro(file, *volumes, **args)
        if not file.is_file():
            raise ParameterError(f"there is no script {file}; give the path of a file")
        argument = macro_argument(args)
        values = {name: value for name, value in args.items() if isinstance(value, bool | int | float | str)}
        message = {"kind": "script", "path": str(file), "argument": argument, "values": values}
        return self._submit(message, volumes, {"script": file.name, "argument": argument}).result()

    def pids(self) -> list[int]:
        """Give the process numbers of the workers that run now."""
        return self._pool.pids()

    def commands(self) -> tuple[str, ...]:
        """Give the names of all menu commands, plugins included."""
        names: tuple[str, ...] = self._facts()["commands"]
        return names

    def has(self, command: str) -> bool:
        """Tell whether there is a menu command of this name (with or without the dots at its end)."""
        names = set(self.commands())
        return command in names or f"{command}..." in names

    @property
    def version(self) -> str:
        """ImageJ's version, such as ``1.54p``."""
        return str(self._facts()["version"])

    def _facts(self) -> dict[str, Any]:
        """Ask a worker, once, what it is and what it can do."""
        if self._known is None:

            def keep(reply: Reply) -> dict[str, Any]:
                return {**reply.message, "commands": tuple(reply.message["commands"])}

            job = Job({"kind": "facts", "images": []}, keep, self.settings.timeout_s)
            self._pool.submit(job)
            self._known = RunningJob(self._pool, job).outcome()
        return self._known

    def _submit(self, message: dict[str, Any], volumes: tuple[Volume, ...], record: dict[str, str]) -> RunningJob:
        shipment = pack(volumes)
        step = {"operation": message["kind"], "engine": "fiji", "parameters": record}
        job = Job(
            {**message, "images": shipment.specs},
            lambda reply: _result(reply, shipment, volumes, step),
            self.settings.timeout_s,
            size=shipment.size,
            fill=shipment.fill if volumes else None,
        )
        self._pool.submit(job)
        return RunningJob(self._pool, job)


def _result(reply: Reply, shipment: Shipment, volumes: tuple[Volume, ...], step: Step) -> MacroResult:
    message = reply.message
    images = unpack(message["images"], reply.voxels, shipment.specs, volumes)
    done = {**step, "version": f"ImageJ {message['version']}"}
    titles = _unique([str(image.name) for image in images])
    return MacroResult(
        images={title: record(image, done).rename(title) for title, image in zip(titles, images, strict=True)},
        active=None if message["active"] is None else titles[message["active"]],
        table=pd.DataFrame(message["table"]),
        rois=tuple(message["rois"]),
        log=message["log"],
        returned=message.get("returned"),
    )


def _unique(titles: list[str]) -> list[str]:
    """Tell images of one title apart as ImageJ's own duplicates are: ``a``, ``a-1``, ``a-2``."""
    unique: list[str] = []
    for title in titles:
        number, name = 0, title
        while name in unique:
            number += 1
            name = f"{title}-{number}"
        unique.append(name)
    return unique


_default: Fiji | None = None
_making = threading.Lock()


def current() -> Fiji:
    """Give the default Fiji of this program, made from the settings when first asked for and ended with the program."""
    global _default  # noqa: PLW0603 - one default per program is the point
    with _making:
        if _default is None or _default.closed:
            _default = Fiji()
        return _default


def use(imagej: str | Path) -> None:
    """Make `current` give this ImageJ from now on; what ran in the one before is ended."""
    global _default
    made = Fiji(imagej)
    with _making:
        before, _default = _default, made
    if before is not None:
        before.close()
