"""The jobs a worker can do: run a macro, one command, a script; list the commands."""

from __future__ import annotations

import time
from typing import Any

import jpype

from . import _faults, _output, _roi_manager
from ._images import open_image, plan_images, roi_out, ship_images
from ._java import java
from ._java_source import STATE
from ._rooms import Rooms
from ._tables import read_table


class JobFailed(Exception):
    """ImageJ failed; carries the fault."""

    def __init__(self, fault: _faults.Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def do(job: dict[str, Any], rooms: Rooms) -> dict[str, Any]:
    """Do one job and collect what it left behind."""
    clock = [time.perf_counter()]
    with rooms.view() as memory:
        opened = [open_image(spec, memory) for spec in job["images"]]
    inputs = java(STATE).inputs
    inputs.clear()
    inputs.addAll(opened)
    if opened:
        java("ij.macro.Interpreter").activateImage(opened[0])
        java("ij.WindowManager").setTempCurrentImage(opened[0])
    java("ij.IJ").getErrorMessage()
    clock.append(time.perf_counter())
    returned = _KINDS[job["kind"]](job)
    _check_streams()
    clock.append(time.perf_counter())
    answer = _collect(returned, rooms)
    clock.append(time.perf_counter())
    seconds = {name: clock[n + 1] - clock[n] for n, name in enumerate(("in", "run", "out"))}
    return {**answer, "seconds": seconds}


def _run_macro(job: dict[str, Any]) -> str | None:
    interpreter = _seeded(java("ij.macro.Interpreter")())
    try:
        returned = interpreter.run(job["text"], job["argument"])
    except jpype.JException as error:
        _sort_out(job, interpreter, error)
        return None
    message = interpreter.getErrorMessage()
    if message is not None:
        raise _failed(None, str(message), _line(interpreter))
    if returned is not None and str(returned) == "[aborted]":
        raise _failed(None, "the macro was aborted", _line(interpreter))
    return None if returned is None else str(returned)


def _seeded(interpreter: Any) -> Any:
    """Make the macro's `random()` start alike each time; a macro that wants otherwise seeds it itself."""
    classes = [java("java.lang.Class").forName(f"ij.macro.{name}") for name in ("Interpreter", "Functions", "Program")]
    maker = classes[1].getDeclaredConstructor(jpype.JArray(java("java.lang.Class"))([classes[0], classes[2]]))
    maker.setAccessible(True)
    functions = maker.newInstance(jpype.JArray(jpype.JObject)([interpreter, None]))
    for type_, field, owner, value in (
        (classes[1], "ran", functions, java("java.util.Random")(0)),
        (classes[0], "func", interpreter, functions),
    ):
        found = type_.getDeclaredField(field)
        found.setAccessible(True)
        found.set(owner, value)
    return interpreter


def _sort_out(job: dict[str, Any], interpreter: Any, error: Any) -> None:
    """Sort out an exception from a macro: a bare exit is none; anything else is a failure."""
    line = _line(interpreter)
    message = interpreter.getErrorMessage()
    lines = job["text"].splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    if message is None and _faults.clean_exit(text, _output.read(2)):
        return
    raise _failed(error, str(message or ""), line) from None


def _line(interpreter: Any) -> int:
    # Wording its message moves the interpreter on; so the line in the message is the right one.
    told = _faults.line_told(_output.read(2))
    if told:
        return told
    try:
        return int(interpreter.getLineNumber())
    except jpype.JException:
        return 0


def _run_command(job: dict[str, Any]) -> None:
    try:
        java("ij.IJ").run(job["command"], job["options"])
    except jpype.JException as error:
        raise _failed(error, "", 0) from None


def _check_streams() -> None:
    fault = _faults.from_error_dialog() or _faults.from_output(_output.read(1), _output.read(2))
    if fault:
        raise JobFailed(fault)


def _failed(error: Any, message: str, line: int) -> JobFailed:
    return JobFailed(_faults.from_exception(error, message, line, _output.read(1), _output.read(2)))


def _collect(returned: str | None, rooms: Rooms) -> dict[str, Any]:
    windows = java("ij.WindowManager")
    images = [windows.getImage(int(number)) for number in windows.getIDList() or ()]
    active = windows.getCurrentImage()
    specs, size = plan_images(images)
    if size:
        rooms.make_room(size)
        with rooms.view() as memory:
            ship_images(images, specs, memory)
    return {
        "event": "done",
        "version": str(java("ij.IJ").getVersion()),
        "returned": returned,
        "log": _output.as_log(_output.read(1)),
        "images": specs,
        "bytes": size,
        "active": next((n for n, image in enumerate(images) if active is not None and image.equals(active)), None),
        "table": read_table(java("ij.measure.ResultsTable").getResultsTable()),
        "rois": [roi_out(roi) for roi in _roi_manager.rois()],
    }


_KINDS = {"macro": _run_macro, "command": _run_command}
