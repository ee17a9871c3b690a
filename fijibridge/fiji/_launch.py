"""What a worker is told at its start: which ImageJ, which Java, which files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..settings import Settings
from ._find import Found, embedded_java, identify, java_home, jvm_library
from ._fonts import font_options
from ._jars import find_jars
from ._prepare import Prepared, prepared


def orders(settings: Settings) -> dict[str, Any]:
    """Put together the orders for a worker.

    Raises
    ------
    EngineMissingError, SettingsError : the ImageJ of the settings is not there, or not usable.
    """
    found = identify(settings.imagej)
    ij, patcher, javassist = find_jars(settings.cache)
    ready = prepared(settings.cache, found.jar or ij, patcher, javassist)
    common = {"heap": settings.heap, "folder": str(Path.cwd()), "words": found.words()}
    if found.kind in ("embedded", "bare"):
        classpath = [ready.headless, ready.state, found.jar or ij, patcher]
        return {**common, **_in_own_java(found, settings, [str(path) for path in classpath])}
    return {**common, **_through_pyimagej(found, settings, ready)}


def _in_own_java(found: Found, settings: Settings, classpath: list[str]) -> dict[str, Any]:
    # Without the first option the patcher looks for plugins in the user's home as well.
    extra = os.pathsep.join(str(folder) for folder in [settings.plugins] if folder and found.kind == "bare")
    options = [f"-Dij1.plugin.dirs={extra or os.devnull}", *font_options(settings.cache)]
    folder = found.place if found.kind == "bare" else settings.plugins
    if folder:
        options.append(f"-Dplugins.dir={folder}")
    jvm = jvm_library(embedded_java())
    return {"kind": found.kind, "options": options, "jvm": str(jvm), "classpath": classpath}


def _through_pyimagej(found: Found, settings: Settings, ready: Prepared) -> dict[str, Any]:
    home = java_home(found) or embedded_java()
    jars = sorted(str(path) for path in settings.plugins.rglob("*.jar")) if settings.plugins else []
    return {
        "kind": "imagej2",
        "imagej": found.place,
        "options": [],
        "classpath": [str(ready.state), *jars],
        "java_home": str(home),
    }
