"""Running a script in one of the other languages that an ImageJ may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jpype

from . import _faults
from ._java import java

#: What a bare ImageJ needs for a language: the class of a plugin, and the jar that has it.
_PLUGINS = {".py": ("Jython", "Jython.jar"), ".bsh": ("bsh", "BeanShell.jar")}


def run_script(path: str, argument: str, values: dict[str, Any], gateway: Any) -> str | None:
    """Run a script file; give what it returned as a text."""
    try:
        if gateway is not None:
            return _through_scijava(path, values, gateway)
        _check_language(Path(path).suffix)
        returned = java("ij.plugin.Macro_Runner")().runMacroFile(path, argument)
    except jpype.JException as error:
        raise _faults.failure(error) from None
    return None if returned is None else str(returned)


def _through_scijava(path: str, values: dict[str, Any], gateway: Any) -> str | None:
    inputs = java("java.util.HashMap")()
    for name, value in values.items():
        inputs.put(name, value)
    module = gateway.script().run(java("java.io.File")(path), True, inputs).get()
    returned = module.getReturnValue()
    return None if returned is None else str(returned)


def _check_language(suffix: str) -> None:
    """Say what is missing; ImageJ itself would try to download it, and take an unknown language for a macro."""
    if suffix not in _PLUGINS:
        # JavaScript too: the Java that comes along has no parts to run it.
        raise _missing(suffix, "a Fiji (imagej=FOLDER), which has many languages")
    plugin, jar = _PLUGINS[suffix]
    try:
        java("ij.IJ").getClassLoader().loadClass(plugin)
    except jpype.JException:
        raise _missing(suffix, f"a Fiji, or put {jar} into its plugins") from None


def _missing(suffix: str, cure: str) -> _faults.JobFailed:
    return _faults.JobFailed(_faults.Fault(f"this ImageJ has no language for {suffix} scripts: use {cure}", "", 0))
