"""The classes made ready once for an ImageJ and kept in the cache: the headless ones, and the one that resets state."""

from __future__ import annotations

import hashlib
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from ..errors import EngineMissingError
from . import _verdict
from ._find import embedded_java, jvm_library
from ._process import Died, Late, Worker

_LIMIT_S = 120.0
_HEAP = "512m"
_SOURCES = tuple(Path(__file__).parent / "_worker" / name for name in ("_patch.py", "_mends.py", "_java_source.py"))


class Prepared(NamedTuple):
    """Two jars: the classes of ImageJ that differ when headless, and our own class."""

    headless: Path
    state: Path


def prepared(cache: Path, ij: Path, patcher: Path, javassist: Path) -> Prepared:
    """Give the classes for an ImageJ, made once for each combination of ImageJ, patcher and patches.

    Raises
    ------
    EngineMissingError : they cannot be made, or the cache cannot be written.
    """
    jars = [ij, patcher, javassist]
    digest = hashlib.sha256()
    for path in (*jars, *_SOURCES):
        digest.update(path.read_bytes())
    folder = cache / "headless" / digest.hexdigest()[:24]
    if not folder.is_dir():
        _prepare(folder, jars)
    return Prepared(folder / "headless.jar", folder / "state.jar")


def _prepare(folder: Path, jars: list[Path]) -> None:
    """Make both jars in a scratch folder and move it into place in one step; the first of two at once wins."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix="making-"))
    except OSError as error:
        raise EngineMissingError(
            f"the cache folder {folder.parent} cannot be written ({error.strerror or error}); "
            "set FIJIBRIDGE_CACHE to a folder that can, or use engine='native'"
        ) from error
    try:
        _patch_in_a_worker(scratch, jars)
        scratch.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _patch_in_a_worker(target: Path, jars: list[Path]) -> None:
    worker = Worker(
        {
            "kind": "patch",
            "heap": _HEAP,
            "options": [],
            "classpath": [str(path) for path in jars],
            "jvm": str(jvm_library(embedded_java())),
            "target": str(target),
        }
    )
    never, other_end = socket.socketpair()
    try:
        worker.receive(time.monotonic() + _LIMIT_S, never)
    except (Died, Late) as error:
        status = worker.end()
        raise _verdict.not_started(
            _verdict.Lost(status, *worker.printed(), 0, _LIMIT_S, _HEAP, "the patcher of ImageJ")
        ) from error
    finally:
        worker.close()
        never.close()
        other_end.close()
