"""`Fiji`: ImageJ on arrays, in worker processes."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

from ..errors import EngineFailedError, ParameterError
from ..settings import Settings, load_settings
from ..volume import Step, Volume, record
from . import _launch
from ._options import command_options, macro_argument
from ._pool import Job, Pool
from ._process import Reply
from ._volumes import Shipment, pack, unpack

_MACROS = (Path(__file__).resolve().parents[1] / "macros", Path(__file__).resolve().parents[2] / "macros")


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
        try:
            result: MacroResult = self._job.future.result()
        except KeyboardInterrupt:
            self.cancel()
            raise
        return result

    def cancel(self) -> None:
        """Take the job back; `result` then raises JobCancelledError."""
        self._pool.cancel(self._job)

    def done(self) -> bool:
        """Tell whether the outcome is there."""
        return self._job.future.done()


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
        self.settings: Settings = load_settings(
            imagej=imagej, workers=workers, heap=heap, timeout_s=timeout_s, plugins=plugins
        )
        settings = self.settings
        self._pool = Pool(lambda: _launch.orders(settings), settings.workers)
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


def read_macro(macro: str | Path) -> tuple[str, str]:
    """Give the text of a macro and a name for it; see `Fiji.run_macro` for what `macro` may be."""
    if isinstance(macro, str) and ("\n" in macro or not macro.endswith((".ijm", ".txt"))):
        return macro, macro
    path = Path(macro)
    places = [folder / path for folder in _MACROS] if len(path.parts) == 1 else []
    for place in (path, *places):
        if place.is_file():
            return place.read_text(encoding="utf-8"), path.name
    raise ParameterError(
        f"there is no macro file {macro}; give a path, the text itself, or one of the package's macros"
    )


def _result(reply: Reply, shipment: Shipment, volumes: tuple[Volume, ...], step: Step) -> MacroResult:
    message = reply.message
    images = unpack(message["images"], reply.voxels, shipment.specs, volumes)
    done = {**step, "version": f"ImageJ {message['version']}"}
    named = {str(image.name): record(image, done) for image in images}
    active = None if message["active"] is None else str(images[message["active"]].name)
    return MacroResult(
        images=named,
        active=active,
        table=pd.DataFrame(message["table"]),
        rois=tuple(message["rois"]),
        log=message["log"],
        returned=message["returned"],
    )


_default: Fiji | None = None
_making = threading.Lock()


def current() -> Fiji:
    """Give the default Fiji of this program, made from the settings when first asked for and ended with the program."""
    global _default  # noqa: PLW0603 - one default per program is the point
    with _making:
        if _default is None or _default.closed:
            _default = Fiji()
        return _default
