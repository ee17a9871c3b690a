"""Run a recipe, one step after the other; what an earlier run finished is not done again.

Each step's output is named by the hash of everything that made it: the input's voxels, the operations so far with
their engines, engine versions and parameters, and the code. A step whose file is there is done; a step that changed
gets another name and is done anew, with all behind it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..blocks import code_key, text_key, volume_key
from ..errors import VolumeError
from ..io import make_folder
from ..io.spill import spilling
from ..ops import telling
from ..volume import Volume
from ._foresee import foresee
from ._recipe import Recipe, RecipeStep, in_step
from ._store import StepFile, Store
from ._way import Way

#: Is told what runs now and the share of the whole done.
Report: TypeAlias = Callable[[str, float], None]
#: Dtypes that a step's file can hold.
_STORED = ("bool", "uint8", "uint16", "float32")
#: Share of a step's time that is given to writing its output, for the progress bar.
_WRITING = 0.1


@dataclass(frozen=True)
class Planned:
    """A step of a run: the name of its output, and whether an earlier run has done it."""

    number: int
    step: RecipeStep
    #: Name of the output in the run's folder, without its ending.
    name: str
    done: bool


@dataclass(frozen=True)
class Finished:
    """A step that is done; `output` is None where its file was cleaned away and nothing more is known of it."""

    number: int
    step: RecipeStep
    name: str
    #: Whether an earlier run did it.
    reused: bool
    output: StepFile | None


@dataclass(frozen=True)
class Run:
    """What a run of a recipe went through: the input, every step, and the volume that the last one made."""

    recipe: Recipe
    before: Volume
    after: Volume
    steps: tuple[Finished, ...]


def plan(recipe: Recipe, volume: Volume, folder: Path, *, start: int | None = None) -> tuple[Planned, ...]:
    """Say which steps are done and which are to do.

    Parameters
    ----------
    recipe : what to do.
    volume : the recipe's input, ``recipe.open()``.
    folder : where an earlier run left its outputs, if one did.
    start : from this step (counted from 1) on, all are to do.
    """
    names = _names(recipe, volume)
    last = _last_done(Store(folder), names[: len(names) if start is None else start - 1])
    return tuple(
        Planned(number, step, name, number <= last)
        for number, (step, name) in enumerate(zip(recipe.steps, names, strict=True), 1)
    )


def run_recipe(
    recipe: Recipe,
    folder: str | Path,
    *,
    start: int | None = None,
    memory: int | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: Report | None = None,
    told: Callable[[str], None] | None = None,
) -> Run:
    """Run a recipe; finished steps of an earlier run are taken from `folder`.

    Killed at any moment, it goes on at the step where it stopped when it is run again, and ends with the same voxels.
    Several runs may share a folder.

    Parameters
    ----------
    recipe : what to do.
    folder : gets one TIFF for each step, named by its hash; older ones stay. Made where it is missing.
    start : do this step (counted from 1) and all behind it anew.
    memory : bytes to keep within: steps that would take more with the whole volume go block by block, with the same
        voxels; None = as much as there is.
    scheduler, workers : who works on blocks (see `fijibridge.blocks.apply_blocks`); all steps that can go by blocks do
        so then.
    progress : is told what runs now and the share of the whole done.
    told : called before the first step for each step that will go block by block, with its blocks and their memory.

    Returns
    -------
    Run; its volumes are mapped from their files.

    Raises
    ------
    ReadError, VolumeError, WriteError : the input cannot be read or has a dtype that TIFF does not hold, or `folder`
        cannot be written.
    ParameterError : with a memory, a step can neither keep within it nor go block by block; before any step is run.
    FijibridgeError : what the operations raise, with the step named; finished steps stay.
    """
    tell = progress or (lambda _text, _share: None)
    folder = Path(folder)
    tell("read the input", 0.0)
    with spilling(folder):
        before = recipe.open()
        _check_dtype(before)
        way = Way(folder, memory, scheduler, workers, told)
        return _run_on(recipe, way.read(before), way, start, tell)


def _run_on(recipe: Recipe, before: Volume, way: Way, start: int | None, tell: Report) -> Run:
    folder = make_folder(way.folder)
    store = Store(folder)
    store.sweep()
    planned = plan(recipe, before, folder, start=start)
    volume, finished = _resume(planned, store, before, way)
    _foresee(planned[len(finished) :], volume, way)
    for entry in planned[len(finished) :]:
        made = _do(entry, volume, store, way, _part(tell, entry, len(planned)))
        finished.append(Finished(entry.number, entry.step, entry.name, False, made))
        # What the next step gets is what a resumed run would read: the same bytes, whatever happens in between.
        volume = store.read(made, mapped=way.bounded)
    tell("done", 1.0)
    return Run(recipe, before, volume, tuple(finished))


def _foresee(to_do: Sequence[Planned], volume: Volume, way: Way) -> None:
    """Refuse what cannot run before anything does, and say what the others will need."""
    if not (way.bounded and to_do):
        return
    said = foresee([entry.step for entry in to_do], volume, first=to_do[0].number, memory=way.memory,
                   scheduler=way.scheduler, workers=way.workers)  # fmt: skip
    for entry, words in zip(to_do, said, strict=True):
        if words and way.told is not None:
            way.told(f"step {entry.number}: {words}")


def _names(recipe: Recipe, volume: Volume) -> list[str]:
    key, names = volume_key(volume), []
    for number, step in enumerate(recipe.steps, 1):
        engine = step.operation.engine_version(step.engine)
        key = text_key(key, code_key(), engine, json.dumps(step.describe(), sort_keys=True))
        names.append(f"{number:02d}-{step.operation.name}-{key[:20]}")
    return names


def _last_done(store: Store, names: list[str]) -> int:
    """Give the number of the last step whose output is there and whole; those before it are not needed any more."""
    for number in range(len(names), 0, -1):
        if store.find(names[number - 1]) is not None:
            return number
    return 0


def _resume(planned: tuple[Planned, ...], store: Store, before: Volume, way: Way) -> tuple[Volume, list[Finished]]:
    """Give the volume to go on with and the steps that led to it."""
    finished = [
        Finished(entry.number, entry.step, entry.name, True, store.note(entry.name)) for entry in planned if entry.done
    ]
    last = finished[-1].output if finished else None
    return (before if last is None else store.read(last, mapped=way.bounded)), finished


def _do(entry: Planned, volume: Volume, store: Store, way: Way, tell: Callable[[float], None]) -> StepFile:
    tell(0.0)
    began = time.perf_counter()
    with in_step(entry.number), telling(lambda share: tell((1 - _WRITING) * share)):
        made = way.run(entry.step, entry.name, volume, progress=lambda share: tell((1 - _WRITING) * share))
    written = store.write(
        entry.name, made, time.perf_counter() - began, lambda share: tell(1 - _WRITING + _WRITING * share)
    )
    way.forget(entry.name)
    return written


def _part(tell: Report, entry: Planned, count: int) -> Callable[[float], None]:
    """Turn the share of one step into a share of the whole."""
    text = f"{entry.number}/{count} {entry.step.operation.name} ({entry.step.engine})"
    return lambda share: tell(text, (entry.number - 1 + share) / count)


def _check_dtype(volume: Volume) -> None:
    """Say at the start, not after an hour of aligning, that the first step's output could not be written."""
    if str(volume.dtype) not in _STORED:
        raise VolumeError(
            f"the input holds {volume.dtype} and the outputs of steps hold uint8, uint16 or float32; "
            "convert it first (in ImageJ: Image > Type)"
        )
