"""What names a step's output: hashes of the input, of the code, and of files."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from importlib.metadata import requires, version
from pathlib import Path

from ..volume import Volume, hash_voxels, history, origin, voxel_size

#: All rooms that a step's voxels can depend on. Imports point downwards only, so nothing above can change a result:
#: the command line or a report may be edited without anything being done anew.
ROOMS = ("blocks", "choices", "errors", "fiji", "forest", "io", "operation", "ops", "pipeline", "settings", "volume")
#: Packages that draw and print; what else fijibridge requires may compute, and another version may round otherwise.
_NOT_COMPUTING = {"jinja2", "matplotlib", "pandas", "platformdirs", "psutil", "rich", "typer"}
_PACKAGE = Path(__file__).resolve().parents[1]


def volume_key(volume: Volume) -> str:
    """Hash the voxels, the grid and the history."""
    grid = f"{volume.shape} {volume.dtype} {voxel_size(volume)} {origin(volume)}"
    return hash_voxels(volume, before=f"{grid} {json.dumps(history(volume), sort_keys=True)}")


@functools.cache
def code_key() -> str:
    """Hash the sources and macros that a step can depend on, and the versions of the packages that compute."""
    digest = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in _packages()).encode())
    for file in _sources():
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _packages() -> list[str]:
    """Give the packages that a result can depend on: those that fijibridge requires, without extras."""
    required = [line for line in requires("fijibridge") or () if "extra ==" not in line]
    return sorted({re.split(r"[^A-Za-z0-9._-]", line)[0].lower() for line in required} - _NOT_COMPUTING)


def _sources() -> list[Path]:
    sources = [file for room in ROOMS for file in sorted((_PACKAGE / room).rglob("*.py"))]
    sources += [_PACKAGE / f"{room}.py" for room in ROOMS if (_PACKAGE / f"{room}.py").is_file()]
    # In a wheel the macros lie in the package, in a checkout beside it.
    macros = _PACKAGE / "macros"
    return sources + sorted((macros if macros.is_dir() else _PACKAGE.parent / "macros").glob("*.ijm"))


def text_key(*parts: str) -> str:
    """Hash texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def file_key(path: Path) -> str:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
