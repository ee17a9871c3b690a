"""Walk a volume: large blocks that share what surrounds them, cut into tiles that threads take in turn."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import ParameterError
from ._extract import Extractor
from ._pyramid import Box, Coarse, Run

Progress = Callable[[float], None] | None
#: Bounds the memory: a block's coarser features take some 11 bytes a voxel.
_BLOCK = (128, 256, 256)
#: For regions of few slices: about as many voxels.
_THIN_BLOCK = (16, 720, 720)
_LARGEST_FREED = 31 << 20


def blocks(box: Box) -> Iterator[Box]:
    """Cut a region into blocks."""
    return box.cut(_THIN_BLOCK if box.shape[0] <= _THIN_BLOCK[0] else _BLOCK)


def walk(
    extractor: Extractor,
    box: Box,
    work: Callable[[Box, list[Coarse]], None],
    *,
    threads: int | None,
    progress: Progress,
    release: Callable[[], None],
) -> None:
    """Do `work` on every tile of a region; `release` is called whenever much has been read or written."""
    _keep_freed_memory()
    total, done = _volume(box), 0
    with runner(threads) as run:
        for block in blocks(box):
            coarse = extractor.surroundings(block, run, release)
            run(_bound(work, tile, coarse) for tile in block.tiles())
            release()
            done += _volume(block)
            if progress is not None:
                progress(done / total)


@contextmanager
def runner(threads: int | None) -> Iterator[Run]:
    """Give a function that does pieces of work on so many threads (None: one for each core)."""
    count = cores() if threads is None else threads
    if count < 1:
        raise ParameterError(f"threads must be at least 1, got {count}; leave it out for one thread a core")
    if count == 1:
        yield _one_by_one
        return
    pool = ThreadPoolExecutor(count)
    try:
        yield lambda jobs: _drain(pool.map(_call, jobs))
    finally:
        pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Give the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def release_pages(array: Any) -> None:
    """Let go of the pages of a memory-mapped array that were read or written so far; the file keeps them.

    A map in mode "c" is left alone: what was written to it is in no file and would be lost.
    """
    shared = False
    while array is not None and not isinstance(array, mmap.mmap):
        shared = shared or (isinstance(array, np.memmap) and array.mode != "c")
        array = getattr(array, "base", None)
    if shared and array is not None and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)


def _keep_freed_memory() -> None:
    """Have the C library keep what a tile frees for the next one.

    glibc gives freed memory back to the system above a limit: twice the largest piece (to 32 MiB) that was ever mapped
    and freed. Every tile would then get fresh pages, which small volumes feel. Nothing is touched here, so it costs
    nothing; other libraries take no notice.
    """
    np.empty(_LARGEST_FREED, np.uint8)


def _volume(box: Box) -> int:
    z, y, x = box.shape
    return z * y * x


def _bound(work: Callable[[Box, list[Coarse]], None], tile: Box, coarse: list[Coarse]) -> Callable[[], None]:
    return lambda: work(tile, coarse)


def _call(job: Callable[[], None]) -> None:
    job()


def _one_by_one(jobs: Iterable[Callable[[], None]]) -> None:
    for job in jobs:
        job()


def _drain(results: Iterator[None]) -> None:
    for _ in results:
        pass
