"""A recipe: an input and the operations to take it through, read from TOML (or from the JSON that a run leaves)."""

from __future__ import annotations

import contextlib
import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from .. import ops as _ops  # noqa: F401  importing it fills the table of operations
from ..errors import EngineMissingError, FijibridgeError, ParameterError, RecipeError
from ..io import read_volume
from ..operation import Engine, Operation, jsonable, operations
from ..volume import Step, Units, Volume

#: ``run`` is what a finished run adds to its recipe.json: what it found, not what to do.
_TOP = ("input", "spacing", "units", "step", "run")
_EXAMPLE = '[[step]] and beneath it operation = "smooth"'


@dataclass(frozen=True)
class RecipeStep:
    """One operation with its engine and all its parameters (defaults filled in)."""

    operation: Operation[Any]
    engine: Engine
    parameters: Mapping[str, Any]
    #: Files that parameters which are volumes were read from.
    files: Mapping[str, str] = field(default_factory=dict)

    def run(self, volume: Volume) -> Volume:
        """Run the step."""
        return self.operation(volume, engine=self.engine, **self.parameters)

    def describe(self) -> dict[str, Any]:
        """Give the step in JSON terms; a parameter that is a volume is named by its hash."""
        parameters = {name: jsonable(value) for name, value in self.parameters.items()}
        return {"operation": self.operation.name, "engine": self.engine, "parameters": parameters}

    def entry(self) -> dict[str, Any]:
        """Give the step as it stands in a recipe; a parameter that is a volume is named by its file."""
        parameters = {name: jsonable(value) for name, value in self.parameters.items()} | dict(self.files)
        return {"operation": self.operation.name, "engine": self.engine, **parameters}


@dataclass(frozen=True)
class Recipe:
    """An input and the steps to take; `spacing` (z, y, x) and `units` stand in for a size that the file lacks."""

    source: Path
    steps: tuple[RecipeStep, ...]
    spacing: tuple[float, float, float] | None = None
    units: Units | None = None

    def open(self) -> Volume:
        """Read the input, mapped from its file where that allows it."""
        return read_volume(self.source, spacing=self.spacing, units=self.units, mmap=True)

    def document(self) -> dict[str, Any]:
        """Give the recipe in JSON terms with every default; `load_recipe` reads it again."""
        size = {} if self.spacing is None else {"spacing": list(self.spacing), "units": self.units}
        return {"input": str(self.source.resolve()), **size, "step": [step.entry() for step in self.steps]}


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : TOML file with ``input`` (relative to the recipe's folder), ``spacing`` and ``units`` where the file lacks
        them, and one ``[[step]]`` for each operation: ``operation``, ``engine``, and the operation's parameters.
        Parameters that are volumes are names of files, relative as well. The ``recipe.json`` of a run will do too.

    Raises
    ------
    RecipeError : no such file, no TOML, an unknown key, operation or engine (the nearest right one is named).
    ParameterError : a parameter that the operation does not have or cannot take.
    EngineMissingError : the operation does not have this engine.
    """
    path = Path(path)
    document = _document(path)
    for key in document:
        check_known(key, _TOP, f"{path} has no use for the key")
    if not isinstance(document.get("input"), str):
        raise RecipeError(f'{path} names no input; begin it with input = "stack.tif"')
    steps = tuple(_step(entry, number, path.parent) for number, entry in enumerate(_entries(document, path), 1))
    return Recipe(path.parent / document["input"], steps, *_given_size(document, path))


def replay(volume: Volume, history: Sequence[Step], *, volumes: Sequence[Volume] = ()) -> Volume:
    """Run the steps of a history again, on the volume that they began with.

    Parameters
    ----------
    volume : what the first step began with.
    history : steps, as `fijibridge.volume.history` gives them.
    volumes : those that went into steps as parameters; a history names them by their voxels' hash.

    Returns
    -------
    The volume that the last step made.

    Raises
    ------
    RecipeError : a step that is no operation of the table (such as the simulation of a phantom), or that needs a volume
        which is not among `volumes`.
    """
    known = {jsonable(other)["sha256"]: other for other in volumes}
    for number, step in enumerate(history, 1):
        if step.get("operation") == "acquire":
            continue  # what the microscope did cannot be done again; `volume` has been through it
        parameters = {name: _recall(value, known, number, name) for name, value in step.get("parameters", {}).items()}
        entry = {"operation": step.get("operation"), "engine": step.get("engine", "native"), **parameters}
        volume = _step(entry, number, Path()).run(volume)
    return volume


def find_step(recipe: Recipe, wanted: str) -> int:
    """Give the number of the step that `wanted` names, by number (from 1) or by operation.

    Raises
    ------
    RecipeError : no such step, or several.
    """
    if wanted.isdecimal():
        if not 1 <= int(wanted) <= len(recipe.steps):
            raise RecipeError(f"the recipe has steps 1 to {len(recipe.steps)} and no step {wanted}; give one of them")
        return int(wanted)
    names = [step.operation.name for step in recipe.steps]
    check_known(wanted, tuple(names), "the recipe has no step")
    if names.count(wanted) > 1:
        numbers = " and ".join(str(number) for number, name in enumerate(names, 1) if name == wanted)
        raise RecipeError(f"steps {numbers} of the recipe are all {wanted!r}; name the step by its number")
    return names.index(wanted) + 1


@contextlib.contextmanager
def in_step(number: int) -> Iterator[None]:
    """Have errors within say which step they are of; kind, detail and exit code stay."""
    try:
        yield
    except FijibridgeError as error:
        error.args = (f"step {number}: {error}", *error.args[1:])
        raise


def check_known(name: object, known: tuple[str, ...], what: str) -> None:
    """Raise RecipeError if `name` is not `known`, naming the nearest that is."""
    if name in known:
        return
    near = difflib.get_close_matches(str(name), known, n=1)
    raise RecipeError(
        f"{what} {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}")
    )


def _document(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror or error}; check the name") from error
    except (ValueError, RecursionError) as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise RecipeError(f"{path} is not valid {kind}: {error}; mend it there") from error
    if not isinstance(document, dict):
        raise RecipeError(f"{path} holds no recipe but a {type(document).__name__}; give the recipe.json of a run")
    return document


def _entries(document: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    entries = document.get("step", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise RecipeError(f"{path} has no steps; write {_EXAMPLE}")
    return entries


def _step(entry: Mapping[str, Any], number: int, folder: Path) -> RecipeStep:
    given = dict(entry)
    name = given.pop("operation", None)
    if not isinstance(name, str):
        raise RecipeError(f'step {number} names no operation; write operation = "smooth"')
    table = operations()
    check_known(name, tuple(table), f"step {number}: there is no operation")
    found = table[name]
    engine = given.pop("engine", "native")
    check_known(engine, get_args(Engine), f"step {number}, {name}: there is no engine")
    if engine not in found.engines:
        raise EngineMissingError(
            f"step {number}: {name} has no engine {engine!r}; use engine = {' or '.join(map(repr, found.engines))}"
        )
    files = {
        key: str((folder / given[key]).resolve()) for key in found.volume_parameters if isinstance(given.get(key), str)
    }
    given |= {key: read_volume(file, mmap=True) for key, file in files.items()}
    try:
        return RecipeStep(found, engine, found.validate(given), files)
    except ParameterError as error:
        raise ParameterError(f"step {number}: {error}") from error


def _recall(value: Any, known: Mapping[str, Volume], number: int, name: str) -> Any:
    """Give a parameter of a history as the operation takes it."""
    if not (isinstance(value, Mapping) and {"volume", "sha256"} <= set(value)):
        return value
    if value["sha256"] not in known:
        shape = " x ".join(str(size) for size in value["volume"])
        raise RecipeError(
            f"step {number} took a volume of {shape} voxels (sha256 {value['sha256'][:12]}...) as {name}; "
            "give it to replay among volumes="
        )
    return known[value["sha256"]]


def _given_size(document: Mapping[str, Any], path: Path) -> tuple[tuple[float, float, float] | None, Units | None]:
    spacing, units = document.get("spacing"), document.get("units")
    if spacing is None and units is None:
        return None, None
    numbers = isinstance(spacing, list) and all(type(step) in (int, float) for step in spacing)
    if not numbers or not isinstance(spacing, list) or len(spacing) != 3:
        raise RecipeError(f"spacing in {path} needs three numbers, got {spacing}; write spacing = [256, 55, 55]")
    if units not in ("nm", "um"):
        raise RecipeError(f'units in {path} must be "nm" or "um", got {units!r}; they belong to spacing')
    z, y, x = (float(step) for step in spacing)
    return (z, y, x), units
