"""Before hours of work: which steps go block by block, with how much memory, and whether each can run at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..blocks import expected_workers, plan_on
from ..ops.parts import blank
from ..volume import Volume
from ._recipe import RecipeStep, in_step
from ._way import Way


def foresee(
    steps: Sequence[RecipeStep],
    volume: Volume,
    *,
    first: int = 1,
    memory: int | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
) -> tuple[str, ...]:
    """Say how each step will go, without reading a voxel.

    Parameters
    ----------
    steps : what is to be done to `volume`, one after the other.
    first : number of the first of them, for the words.
    memory, scheduler, workers : see `run_recipe`.

    Returns
    -------
    For each step a sentence with its blocks and the memory that they need; empty for a step on the whole volume, and
    for those behind a step whose grid only the voxels tell (`crop` without a box).

    Raises
    ------
    FijibridgeError : what a step would raise for its volume is too large, with the step named.
    """
    way, said = Way(Path(), memory, scheduler, workers), list[str]()
    grid: Volume | None = blank(volume, volume.dtype)
    for number, step in enumerate(steps, first):
        with in_step(number):
            said.append("" if grid is None else _words(way, step, grid))
            grid = None if grid is None else step.operation.grid_after(grid, step.parameters)
    return tuple(said)


def _words(way: Way, step: RecipeStep, grid: Volume) -> str:
    if not way.by_blocks(step, grid):
        return ""
    workers = expected_workers(way.scheduler, way.workers)
    plan = plan_on(grid, step.operation, step.parameters, engine=step.engine, memory=way.memory, workers=workers)
    return plan.describe()
