"""Labels of a trained forest, block by block, on this process or on a cluster."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..forest import Forest, load_forest, save_forest
from ..operation import BlockForm
from ..ops.parts import Box, Local, Place, Reach, blank
from ..volume import Volume
from ._building import building
from ._crew import crew
from ._keys import code_key, file_key, text_key
from ._making import finish, make
from ._plan import Shape
from ._source import PathLike, source_of
from ._task import Progress, Share, Task, Told, Workplace

_MODEL = "model.fbforest"
#: Bytes for each voxel of the part that the forest walks over at a time, that part at most, and for tiles and trees.
_VOXEL, _WALKED, _TILES = 14, 128 * 256 * 256, 96 * 2**20


def predict_blocks(
    forest: Forest,
    source: Volume | PathLike,
    out: PathLike,
    *,
    memory: int | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    key: str | None = None,
    coarser: bool = True,
    progress: Progress | None = None,
    told: Told | None = None,
) -> Volume:
    """Label every voxel with a trained forest, block by block, into an OME-Zarr folder.

    The labels and the history are those of `Forest.predict`. A run that was stopped, even killed, goes on with the
    blocks that are missing when it is run again with the same forest on the same input.

    Parameters
    ----------
    forest : a trained forest.
    source : (z, y, x) grey volume, or its file (best: one that can be mapped, or OME-Zarr).
    out : OME-Zarr folder (``.zarr``); an older one is replaced when the new one is whole.
    memory : bytes that blocks may take, of all workers together; None = half of what is free.
    scheduler : None = in this process; ``"processes"``, ``"tcp://HOST:PORT"`` of a running dask cluster, or
        ``"slurm"``.
    workers : blocks that are worked on at a time, with a scheduler.
    key : names the input, where it is known by a hash already; None = files by their times and sizes, else the voxels.
    coarser : also make the coarser levels that viewers show first.
    progress : called with the share done, 0..1.
    told : called with the plan in words, the blocks and the memory that they need, before any is read.

    Returns
    -------
    uint8 Volume of labels on the same grid, its voxels on disk.

    Raises
    ------
    ModelError : the forest was trained on other voxels.
    VolumeError : the volume holds NaN.
    ParameterError : even the smallest block needs more memory; or no such scheduler.
    WriteError : `out` cannot be written.
    """
    path, voxels, share = Path(out), source_of(source), Share(progress)
    volume = voxels.open()
    forest.check(volume)
    depth, height, width = volume.shape
    shape = (depth, height, width)
    form = BlockForm(_no_survey, _anywhere, _working)
    with crew(scheduler, workers) as people, building(path, _key(forest, key or voxels.identity())) as site:
        task = Task("predict", form, volume, {}, Workplace(memory, scheduler, people.count))
        there = voxels if scheduler is None else voxels.portable(site.folder)
        model = str((site.folder / _MODEL).resolve())
        save_forest(forest, model)
        needs = _Needs(model, shape, _reach(forest))
        given = {"model": model, "threads": people.threads, "shape": shape}
        local = Local(blank(volume, np.uint8), _label, given, needs)
        if told is not None:
            told(task.plan(local.result, needs).describe())
        make(task, local, site.begun(), there, site, share=share)
        finish(task, site, forest.predicted(volume, local.result.data), path, share, coarser=coarser)
    return source_of(path).open()


@dataclass(frozen=True)
class _Seen:
    """A volume of which one part is in memory."""

    shape: Shape
    box: Box
    data: NDArray[Any]

    def __getitem__(self, box: Box) -> NDArray[Any]:
        z, y, x = (
            slice(wanted.start - part.start, wanted.stop - part.start)
            for wanted, part in zip(box, self.box, strict=True)
        )
        if min(z.start, y.start, x.start) < 0:
            raise IndexError(f"{box} is not within {self.box}")
        return self.data[z, y, x]


def _label(part: Volume, place: Place, *, model: str, threads: int | None, shape: Shape) -> NDArray[np.uint8]:
    return _forest(model).label_part(_Seen(shape, place.outer, part.data), place.inner, threads=threads)


@dataclass(frozen=True)
class _Needs:
    """What the labels of a box depend on: more or less `by` voxels around it, as coarser scales end where they do."""

    model: str
    shape: Shape
    by: Reach

    def __call__(self, box: Box) -> Box:
        return _forest(self.model).needs(box, self.shape)


def _reach(forest: Forest) -> Reach:
    """Give what is read around a box far from all borders."""
    start, end, far = 1024, 1024 + 256, (4096,) * 3
    z, y, x = (max(start - wide.start, wide.stop - end) for wide in forest.needs((slice(start, end),) * 3, far))
    return z, y, x


@functools.lru_cache(maxsize=1)
def _forest(model: str) -> Forest:
    """Read the forest once in each process; its folder is named by what is in it."""
    return load_forest(model)


def _key(forest: Forest, voxels: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        save_forest(forest, Path(folder) / _MODEL)
        return text_key(voxels, "predict", file_key(Path(folder) / _MODEL), code_key())


def _no_survey(_volume: Volume) -> Any:
    raise ParameterError("a forest looks at nothing beforehand")


def _anywhere(_volume: Volume) -> str:
    return "zyx"


def _working(shape: tuple[int, ...]) -> int:
    return 4 * prod(shape) + _VOXEL * min(prod(shape), _WALKED) + _TILES
