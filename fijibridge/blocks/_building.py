"""The folder in which a result grows, beside its place: chunks, receipts, and how it is cut up."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil

from ..errors import WriteError
from ..io import check_zarr_place, is_zarr, put_folder, write_text
from ._ledger import Ledger
from ._plan import BlockPlan, Shape


class Building:
    """A result that is being made; what an earlier run left of the same result is taken over.

    Attributes
    ----------
    voxels : the OME-Zarr that is filled.
    ledger : receipts of the blocks that are in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.voxels, self.ledger = folder, folder / "result.zarr", Ledger(folder / "ledger.jsonl")
        self._cut = folder / "blocks.json"

    def begun(self) -> tuple[Shape, Shape] | None:
        """Give block and chunk of what was begun here, or None."""
        try:
            found = json.loads(self._cut.read_text(encoding="utf-8"))
            block, chunk = (tuple(int(size) for size in found[name]) for name in ("block", "chunk"))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return ((block[0], block[1], block[2]), (chunk[0], chunk[1], chunk[2])) if is_zarr(self.voxels) else None

    def begin(self, plan: BlockPlan) -> None:
        """Note how the result is cut up; its empty voxels are there by then."""
        write_text(self._cut, json.dumps(asdict(plan)))

    def clear(self) -> None:
        """Take away what was begun here."""
        self.ledger.clear()
        self._cut.unlink(missing_ok=True)
        if self.voxels.exists():
            shutil.rmtree(self.voxels)

    def finish(self, path: Path) -> None:
        """Move the voxels to their place and take the rest away."""
        put_folder(self.voxels, path)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def building(path: Path, key: str) -> Iterator[Building]:
    """Give the folder for a result; it stays where a run stops, for the next one.

    Raises
    ------
    WriteError : `path` is something else than a Zarr folder, or nothing can be written beside it.
    """
    check_zarr_place(path)
    folder = path.with_name(f".{path.name}.{key[:16]}.blocks")
    if _taken(folder):
        # Two runs of the same at the same time: each in its own folder, and the later one replaces equal voxels.
        folder = folder.with_name(f"{folder.name}-{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _own(folder)
        made = Building(folder)
        try:
            yield made
        finally:
            if made.begun() is None:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror or error}; what is done stays in {folder.name} for the next run"
        ) from error


def _own(folder: Path) -> None:
    write_text(folder / "owner", f"{platform.node()} {os.getpid()}")


def _taken(folder: Path) -> bool:
    try:
        host, pid = (folder / "owner").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return False
    return host == platform.node() and int(pid) != os.getpid() and psutil.pid_exists(int(pid))
