"""How a step runs: on the whole volume, or block by block where the memory is short or others work on it."""

from __future__ import annotations

import ctypes
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from ..blocks import Source, apply_blocks, goes_by_blocks, source_of
from ..errors import ParameterError
from ..io import is_zarr, make_folder
from ..volume import Volume
from ._recipe import RecipeStep

#: Part of the memory that the slices which lie in the same chunks may take, when a volume is read slice by slice.
_LAYER = 8


@dataclass(frozen=True)
class Way:
    """The memory to keep within, and who works on blocks; blocks grow in a folder of their own below `folder`."""

    folder: Path
    memory: int | None = None
    scheduler: str | None = None
    workers: int | None = None
    #: Is told how each step will go, before the first.
    told: Callable[[str], None] | None = None

    @property
    def bounded(self) -> bool:
        """Tell whether volumes must stay on disk."""
        return self.memory is not None or self.scheduler is not None

    def read(self, volume: Volume) -> Volume:
        """Give the input, no part of which stays in memory where that is short."""
        return self.opened(source_of(volume)) if self.bounded else volume

    def opened(self, source: Source) -> Volume:
        """Open what is on disk; who goes through it slice by slice holds no more slices at a time than fit."""
        if self.memory is None:
            return source.open()
        plane = prod(source.grid.shape[1:]) * source.grid.dtype.itemsize
        return replace(source, depth=max(1, min(source.depth, self.memory // _LAYER // plane))).open()

    def run(self, step: RecipeStep, name: str, volume: Volume, *, progress: Callable[[float], None]) -> Volume:
        """Run a step; `name` is that of its output, which says what went into it."""
        if not self.by_blocks(step, volume):
            return step.run(volume)
        out = make_folder(self._blocks) / f"{name}.zarr"
        if is_zarr(out):  # an earlier run was stopped between the last block and the step's own file
            return self.opened(source_of(out))
        made = apply_blocks(
            step.operation, volume, out, engine=step.engine, memory=self.memory, scheduler=self.scheduler,
            workers=self.workers, key=name, coarser=False, progress=progress, **step.parameters,
        )  # fmt: skip
        return self.opened(source_of(made))

    def forget(self, name: str) -> None:
        """Take the blocks of a step away, when its own file is there, and the memory that they left."""
        shutil.rmtree(self._blocks / f"{name}.zarr", ignore_errors=True)
        if self._blocks.is_dir() and not any(self._blocks.iterdir()):
            self._blocks.rmdir()
        if self.memory is not None:
            _give_back()

    def by_blocks(self, step: RecipeStep, volume: Volume) -> bool:
        """Tell whether a step goes block by block; no voxel is read."""
        if not self.bounded:
            return False
        # With others to work on it, every step goes by blocks that can.
        memory = 0 if self.memory is None or self.scheduler is not None else self.memory
        try:
            return goes_by_blocks(step.operation, volume, step.parameters, engine=step.engine, memory=memory)
        except ParameterError:
            if self.memory is None:
                return False
            return goes_by_blocks(step.operation, volume, step.parameters, engine=step.engine, memory=self.memory)

    @property
    def _blocks(self) -> Path:
        return self.folder / "blocks"


def _give_back() -> None:
    """Give freed memory to the system: the C library keeps it for later, and what each step leaves adds up."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
        if trim is not None:
            trim(0)
