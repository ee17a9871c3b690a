"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import WriteError


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its name when the block ends well, and goes away when it does not.

    Raises
    ------
    WriteError : the folder is not there or takes no file, the disk is full, or `path` is a folder.
    """
    if path.is_dir():
        raise WriteError(f"cannot write {path}: it is a folder; give the name of a file")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with _told_as_ours(path):
        with _gone_unless_renamed(part), part.open("xb+") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
            handle.close()  # Windows renames no open file
            part.replace(path)
        _sync_folder(path.parent)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Make a temporary folder beside `path` that takes its name when the block ends well; an older folder goes then.

    Raises
    ------
    WriteError : the folder above is not there or takes nothing, or the disk is full.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with _told_as_ours(path):
            part.mkdir()
            yield part
        put_folder(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def put_folder(part: Path, path: Path) -> None:
    """Give a folder that is whole its name; an older one of that name goes then.

    Raises
    ------
    WriteError : the system does not let it.
    """
    old = path.with_name(f".{path.name}.{secrets.token_hex(4)}.old")
    try:
        with _told_as_ours(path):
            for file in part.rglob("*"):
                _sync(file)
            if path.exists():
                # A folder that holds something cannot be replaced in one step: for an instant neither is there.
                path.rename(old)
            part.rename(path)
            _sync_folder(path.parent)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _told_as_ours(path: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be written into one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise WriteError(f"cannot write {path}: the folder {path.parent} is not there; make it first") from error
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def _gone_unless_renamed(part: Path) -> Iterator[None]:
    try:
        yield
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename last through a power cut; Windows cannot open a folder and does so by itself."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync(file: Path) -> None:
    if file.is_file():
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())


def make_folder(folder: Path) -> Path:
    """Make a folder with all above it, where it is missing, and give it.

    Raises
    ------
    WriteError : it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"cannot make the folder {folder}: {error.strerror or error}; choose another with -o"
        ) from error
    return folder


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8, line ends as given), whole or not at all; see `atomic`."""
    with atomic(path) as handle:
        handle.write(text.encode())
