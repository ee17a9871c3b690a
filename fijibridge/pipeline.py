"""A recipe: operations in a row, written in TOML, run one after the other, resumable at any moment.

Each step's output is a file named by the hash of everything that made it: the input's voxels, the operations so far
with their engines and parameters, and the code. A step whose file is there is done; a step that changed gets another
name and is done anew. Since files appear whole or not at all, a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from . import ops as _ops  # noqa: F401  importing it fills the table of operations
from .errors import RecipeError, WriteError
from .io import read_volume, write_volume
from .operation import Engine, Operation, jsonable, operations
from .volume import Step, Units, Volume, origin, voxel_size, with_data

#: Is told what runs now and the share of the whole done.
Report = Callable[[str, float], None]
#: Ends of the names of outputs: grey levels or labels, and masks.
_GREY, _MASK = ".tif", ".mask.tif"
_TOP = ("input", "spacing", "units", "step")


@dataclass(frozen=True)
class RecipeStep:
    """One operation with its engine and all its parameters (defaults filled in)."""

    operation: Operation[Any]
    engine: Engine
    parameters: Mapping[str, Any]

    def run(self, volume: Volume) -> Volume:
        """Run the step."""
        return self.operation(volume, engine=self.engine, **self.parameters)

    def describe(self) -> dict[str, Any]:
        """Give the step in JSON terms."""
        parameters = {name: jsonable(value) for name, value in self.parameters.items()}
        return {"operation": self.operation.name, "engine": self.engine, "parameters": parameters}


@dataclass(frozen=True)
class Recipe:
    """An input and the steps to take; `spacing` (z, y, x) and `units` stand in for a size that the file lacks."""

    source: Path
    steps: tuple[RecipeStep, ...]
    spacing: tuple[float, float, float] | None = None
    units: Units | None = None


@dataclass(frozen=True)
class Planned:
    """A step of a run: where its output lies and whether it is there already."""

    number: int
    step: RecipeStep
    #: Name of the output in the run's folder, without its ending.
    name: str
    done: bool


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : TOML file with ``input`` (relative to the recipe's folder), ``spacing`` and ``units`` where the file lacks
        them, and one ``[[step]]`` for each operation: ``operation``, ``engine``, and the operation's parameters.

    Raises
    ------
    RecipeError : no such file, no TOML, an unknown key (the nearest right one is named) or operation.
    ParameterError : a parameter that the operation does not have or cannot take.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not valid TOML: {error}") from error
    for key in document:
        _known(key, _TOP, f"{path} has no use for the key")
    if not isinstance(document.get("input"), str):
        raise RecipeError(f'{path} names no input; begin it with input = "stack.tif"')
    steps = tuple(_step(entry, number) for number, entry in enumerate(_step_entries(document, path), 1))
    return Recipe(path.parent / document["input"], steps, *_given_size(document, path))


def replay(volume: Volume, history: Sequence[Step]) -> Volume:
    """Run the steps of a history again, on the volume that they began with.

    Raises
    ------
    RecipeError : a step that is no operation of the table (such as the simulation of a phantom).
    """
    for number, step in enumerate(history, 1):
        entry = {"operation": step["operation"], "engine": step["engine"], **step["parameters"]}
        volume = _step(entry, number).run(volume)
    return volume


def plan(recipe: Recipe, volume: Volume, folder: Path, *, start: int | None = None) -> tuple[Planned, ...]:
    """Say which steps are done and which are to do; from step `start` (counted from 1) on, all are to do.

    Raises
    ------
    RecipeError : `start` is no step of the recipe.
    """
    if start is not None and not 1 <= start <= len(recipe.steps):
        raise RecipeError(f"the recipe has steps 1 to {len(recipe.steps)}, got --from {start}")
    key = _volume_key(volume)
    planned = []
    for number, step in enumerate(recipe.steps, 1):
        key = _hash(key, _code_key(), json.dumps(step.describe(), sort_keys=True))
        name = f"{number:02d}-{step.operation.name}-{key[:16]}"
        planned.append(Planned(number, step, name, _is_there(folder, name) and (start is None or number < start)))
    return tuple(planned)


def run_recipe(recipe: Recipe, folder: Path, *, start: int | None = None, progress: Report | None = None) -> Volume:
    """Run a recipe; finished steps of an earlier run are taken from `folder`.

    Parameters
    ----------
    recipe : what to do.
    folder : gets one TIFF for each step, named by its hash; older ones stay.
    start : do this step (counted from 1) and all behind it anew.
    progress : is told what runs now and the share of the whole done.

    Returns
    -------
    Volume that the last step made, mapped from its file.

    Raises
    ------
    ReadError, RecipeError, WriteError, and what the operations raise; finished steps stay.
    """
    tell = progress or (lambda _text, _share: None)
    tell("read the input", 0.0)
    volume = read_volume(recipe.source, spacing=recipe.spacing, units=recipe.units, mmap=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot make the folder {folder}: {error.strerror}; choose another with -o") from error
    planned = plan(recipe, volume, folder, start=start)
    finished = [entry for entry in planned if entry.done]
    if finished:
        volume = _read_step(folder, finished[-1])
    for entry in planned[finished[-1].number if finished else 0 :]:
        tell(f"{entry.number}. {entry.step.operation.name} [{entry.step.engine}]", (entry.number - 1) / len(planned))
        # What the next step gets is what a resumed run would read: the same bytes, whatever happens in between.
        _write_step(entry.step.run(volume), folder, entry.name)
        volume = _read_step(folder, entry)
    tell("done", 1.0)
    return volume


def _write_step(volume: Volume, folder: Path, name: str) -> None:
    write_volume(volume, folder / (name + (_MASK if volume.dtype.kind == "b" else _GREY)))


def _read_step(folder: Path, entry: Planned) -> Volume:
    """Read a step's output; TIFF stores a mask as 0 and 255, its file name says that it is one."""
    if (folder / (entry.name + _MASK)).is_file():
        volume = read_volume(folder / (entry.name + _MASK), mmap=True)
        return with_data(volume, np.asarray(volume.data) > 0)
    return read_volume(folder / (entry.name + _GREY), mmap=True)


def _is_there(folder: Path, name: str) -> bool:
    return any((folder / (name + end)).is_file() for end in (_GREY, _MASK))


def _step_entries(document: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    entries = document.get("step", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise RecipeError(f'{path} has no steps; write [[step]] and beneath it operation = "smooth"')
    return entries


def _step(entry: Mapping[str, Any], number: int) -> RecipeStep:
    given = dict(entry)
    name = given.pop("operation", None)
    if not isinstance(name, str):
        raise RecipeError(f'step {number} names no operation; write operation = "smooth"')
    table = operations()
    _known(name, tuple(table), f"step {number}: there is no operation")
    engine = given.pop("engine", "native")
    _known(engine, get_args(Engine), f"step {number}, {name}: there is no engine")
    return RecipeStep(table[name], engine, table[name].validate(given))


def _known(name: str, known: tuple[str, ...], what: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(str(name), known, n=1)
    raise RecipeError(
        f"{what} {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}")
    )


def _given_size(document: Mapping[str, Any], path: Path) -> tuple[tuple[float, float, float] | None, Units | None]:
    spacing, units = document.get("spacing"), document.get("units")
    if spacing is None and units is None:
        return None, None
    if not (isinstance(spacing, list) and len(spacing) == 3 and all(isinstance(step, int | float) for step in spacing)):
        raise RecipeError(f"spacing in {path} needs three numbers, got {spacing}; write spacing = [256, 55, 55]")
    if units not in ("nm", "um"):
        raise RecipeError(f'units in {path} must be "nm" or "um", got {units!r}')
    z, y, x = (float(step) for step in spacing)
    return (z, y, x), units


def _volume_key(volume: Volume) -> str:
    """Hash the voxels slice by slice (the stack may be larger than memory) and the grid."""
    digest = hashlib.sha256(f"{volume.shape} {volume.dtype} {voxel_size(volume)} {origin(volume)}".encode())
    for z in range(volume.shape[0]):
        digest.update(np.ascontiguousarray(volume.data[z]).data)
    return digest.hexdigest()


@functools.cache
def _code_key() -> str:
    """Hash every source file and macro of the package: a result never outlives the code that made it."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for root, pattern in ((package, "**/*.py"), (package, "macros/*.ijm"), (package.parent / "macros", "*.ijm")):
        for file in sorted(root.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
