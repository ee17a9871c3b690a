"""The jobs a worker can do: run a macro, a menu command, a script, Weka's segmentation; list the commands."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jpype

from . import _faults, _output, _roi_manager, _weka
from ._images import open_image, plan_images, roi_out, ship_images
from ._java import ImageJ, java
from ._java_source import STATE
from ._macros import run_macro
from ._rooms import Rooms
from ._scripts import run_script
from ._tables import read_table


def do(job: dict[str, Any], rooms: Rooms, started: ImageJ) -> dict[str, Any]:
    """Do one job and collect what it left behind; raise JobFailed where ImageJ failed."""
    clock = [time.perf_counter()]
    _open_all(job, rooms)
    java("ij.IJ").getErrorMessage()
    clock.append(time.perf_counter())
    answer = _KINDS[job["kind"]](job, started)
    _check_streams()
    clock.append(time.perf_counter())
    answer.update(_collect(rooms))
    clock.append(time.perf_counter())
    seconds = {name: clock[n + 1] - clock[n] for n, name in enumerate(("in", "run", "out"))}
    return {"event": "done", "version": started.version, "java": started.java, "seconds": seconds, **answer}


def _open_all(job: dict[str, Any], rooms: Rooms) -> None:
    """Open the volumes that came with the job; the first one is active."""
    with rooms.view() as memory:
        opened = [open_image(spec, memory) for spec in job["images"]]
    inputs = java(STATE).inputs
    inputs.clear()
    inputs.addAll(opened)
    if opened:
        java("ij.macro.Interpreter").activateImage(opened[0])
        java("ij.WindowManager").setTempCurrentImage(opened[0])


def _macro(job: dict[str, Any], _started: ImageJ) -> dict[str, Any]:
    return {"returned": run_macro(job["text"], job["argument"])}


def _command(job: dict[str, Any], _started: ImageJ) -> dict[str, Any]:
    try:
        java("ij.IJ").run(job["command"], job["options"])
    except jpype.JException as error:
        raise _faults.failure(error) from None
    return {}


def _script(job: dict[str, Any], started: ImageJ) -> dict[str, Any]:
    return {"returned": run_script(job["path"], job["argument"], job["values"], started.gateway)}


def _segment(job: dict[str, Any], _started: ImageJ) -> dict[str, Any]:
    _weka.segment(job["seed"])
    return {}


def _facts(_job: dict[str, Any], _started: ImageJ) -> dict[str, Any]:
    menus = java("ij.Menus")
    return {"commands": sorted(str(name) for name in menus.getCommands().keySet())}


_KINDS: dict[str, Callable[[dict[str, Any], ImageJ], dict[str, Any]]] = {
    "macro": _macro,
    "command": _command,
    "script": _script,
    "weka": _segment,
    "facts": _facts,
}


def _check_streams() -> None:
    fault = _faults.from_error_dialog() or _faults.from_output(_output.read(1), _output.read(2))
    if fault:
        raise _faults.JobFailed(fault)


def _collect(rooms: Rooms) -> dict[str, Any]:
    """Describe all that is open, and copy the voxels to where the program can see them."""
    windows = java("ij.WindowManager")
    images = [windows.getImage(int(number)) for number in windows.getIDList() or ()]
    active = windows.getCurrentImage()
    specs, size = plan_images(images)
    if size:
        rooms.make_room(size)
        with rooms.view() as memory:
            ship_images(images, specs, memory)
    return {
        "log": _output.as_log(_output.read(1)),
        "images": specs,
        "bytes": size,
        "active": next((n for n, image in enumerate(images) if active is not None and image.equals(active)), None),
        "table": read_table(java("ij.measure.ResultsTable").getResultsTable()),
        "rois": [roi_out(roi) for roi in _roi_manager.rois()],
    }
