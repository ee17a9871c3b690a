"""What readers of other formats share: optional packages, one error for broken files, names that stay inside."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..errors import EngineMissingError, FijibridgeError, ReadError


def package(name: str, path: Path) -> Any:
    """Import the package that reads or writes a format.

    Raises
    ------
    EngineMissingError : it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise EngineMissingError(
            f"{path.name} needs the package {name}, which is not installed: pip install 'fijibridge[formats]'"
        ) from error


@contextlib.contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a package raises over a broken file into one ReadError with its own words."""
    try:
        yield
    except FijibridgeError:
        raise
    except FileNotFoundError as error:
        raise ReadError(f"there is no file {error.filename or path}; check the name") from error
    except MemoryError as error:
        raise ReadError(f"{path} does not fit into memory; read it with mmap=True or crop it first") from error
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise ReadError(f"{path} is no {kind} file, or a broken one ({said}); save it anew") from error


def broken(path: Path, what: str) -> NoReturn:
    """Say that a file is broken."""
    raise ReadError(f"{path} is truncated or broken: {what}; copy it again or save it anew")


def checked_shape(path: Path, shape: Sequence[int]) -> tuple[int, int, int]:
    """Give a shape of three axes; axes of length 1 are put in front or left out.

    Raises
    ------
    ReadError : another number of axes, or an axis without voxels.
    """
    sizes = [int(size) for size in shape]
    if not sizes or min(sizes) < 1:
        broken(path, f"it promises an image of {' x '.join(map(str, sizes)) or 'no'} voxels")
    longer = [size for size in sizes if size > 1]
    kept = sizes if len(sizes) == 3 else [1] * (3 - len(longer)) + longer
    if len(kept) != 3:
        raise ReadError(
            f"{path} holds an image of {' x '.join(map(str, sizes))}, and a volume has three axes (z, y, x); "
            "save one channel and one time point to a file of its own"
        )
    return kept[0], kept[1], kept[2]


def beside(header: Path, name: str) -> Path:
    """Find the data file that a header names: in the header's own folder or below it, nowhere else.

    Raises
    ------
    ReadError : it lies elsewhere, or is not there.
    """
    folder = header.parent.resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise ReadError(f"{header} names the data file {name}, which lies outside of its folder; move it there")
    if not path.is_file():
        raise ReadError(f"{header} names the data file {name}, which is not there; copy it beside {header.name}")
    return path
