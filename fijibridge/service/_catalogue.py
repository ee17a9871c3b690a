"""What can be asked for: the table of operations and the long jobs, each with its parameters and its input files."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from ..choices import MIN_LEAF, TREES
from ..errors import EngineMissingError, ParameterError, ServiceError
from ..io import WRITABLE
from ..operation import Operation, jsonable
from ..ops import operations
from ..volume import make_volume
from ._descriptions import described


def _told(words: str) -> Any:
    """Describe a parameter, as an operation's docstring does for its own."""
    return Field(description=words)


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TrainParameters(_Parameters):
    """Of `train`."""

    trees: Annotated[int, Ge(1), Le(1000), _told("number of trees")] = TREES
    min_leaf: Annotated[int, Ge(1), _told("fewest voxels in a leaf; 1 grows the trees to the full")] = MIN_LEAF
    seed: Annotated[int, Ge(0), _told("of the forest's random choices")] = 0
    validate_blocks: Annotated[bool, _told("also measure the accuracy on blocks that were left out of training")] = (
        False
    )


class PredictParameters(_Parameters):
    """Of `predict`; `slice` counts from 0, None labels the whole volume."""

    slice: Annotated[int | None, Ge(0), _told("one slice, counted from 0; None labels the whole volume")] = None
    uncertainty: Annotated[bool, _told("also write how unsure the forest is of each voxel")] = False


class PrepareParameters(_Parameters):
    """Of `prepare`; `from_step` is a step's number or operation."""

    from_step: Annotated[str, _told("begin anew at this step, named by its number or operation")] = ""
    clean: Annotated[bool, _told("at the end, remove the outputs of all steps but the last")] = False


class CompareParameters(_Parameters):
    """Of `compare`."""

    dataset: Annotated[str, _told("name in the report; the file's name if left out")] = ""
    user: Annotated[str, _told("whose labels and settings these are")] = "A"
    slicewise: Annotated[bool, _told("treat each slice as an image of its own, for slices that are not neighbours")] = (
        False
    )
    seed: Annotated[int, Ge(0), _told("of the forest's random choices")] = 0


class StudyParameters(_Parameters):
    """Of `study`; without a study file it runs two small phantoms, or all phantoms at full size."""

    phantoms: Annotated[bool, _told("all simulated scans at full size, which takes hours")] = False
    labels: Annotated[bool, _told("also keep every segmentation as a TIFF")] = False
    seed: Annotated[int, Ge(0), _told("of the simulated scans and users")] = 0


class Entry(NamedTuple):
    """Something that can be asked for; `needs` and `takes` are the names of its input files."""

    name: str
    summary: str
    engines: tuple[str, ...]
    parameters: type[BaseModel]
    needs: tuple[str, ...]
    takes: tuple[str, ...] = ()
    operation: Operation[Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the entry in JSON terms."""
        return {
            "name": self.name,
            "summary": self.summary,
            "engines": list(self.engines),
            "inputs": {"required": list(self.needs), "optional": list(self.takes)},
            "parameters": described(self.parameters.model_json_schema(), self.operation),
        }


_NATIVE = ("native",)
_LONG = (
    Entry("train", "Train a random forest on labelled voxels.", _NATIVE, TrainParameters, ("volume", "labels")),
    Entry("predict", "Label a volume with a trained forest.", _NATIVE, PredictParameters, ("volume", "model")),
    Entry("prepare", "Take a stack through the steps of a recipe.", _NATIVE, PrepareParameters, ("recipe",)),
    Entry(
        "compare", "Segment a stack by threshold, watershed and forest and compare them.", _NATIVE, CompareParameters,
        ("volume", "labels"), ("truth",),
    ),
    Entry("study", "Run a study of users and methods.", _NATIVE, StudyParameters, (), ("study",)),
)  # fmt: skip


@functools.cache
def catalogue() -> dict[str, Entry]:
    """Give everything that can be asked for, by name."""
    table = {name: _of_table(found) for name, found in operations().items()}
    return table | {entry.name: entry for entry in _LONG}


def check(name: str, engine: str, parameters: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Check a request and give its parameters with the defaults filled in, in JSON terms.

    Raises
    ------
    ServiceError : there is no such operation, or an input file is missing or not known.
    ParameterError : a parameter will not do.
    EngineMissingError : the operation does not have this engine.
    """
    entry = catalogue().get(name)
    if entry is None:
        raise ServiceError(f"there is no operation {name[:60]!r}; there are {', '.join(catalogue())}", status=404)
    if engine not in entry.engines:
        raise EngineMissingError(f"{name} has no engine {engine[:60]!r}; use {' or '.join(entry.engines)}")
    missing = [key for key in entry.needs if key not in inputs]
    unknown = [key for key in inputs if key not in (*entry.needs, *entry.takes)]
    if missing or unknown:
        wrong = f"lacks the input {missing[0]!r}" if missing else f"takes no input {unknown[0][:60]!r}"
        raise ServiceError(f"{name} {wrong}; it takes {', '.join((*entry.needs, *entry.takes))}")
    if entry.operation is not None:
        return _checked_operation(entry.operation, parameters, inputs)
    return _checked_long(entry, parameters)


def check_output(name: str, output: str | None) -> None:
    """Refuse a file that the job could not write at its end, hours later."""
    volumes = name not in ("train", "prepare", "compare", "study")
    endings = (*WRITABLE, ".zarr")
    if output is not None and volumes and not output.lower().endswith(endings):
        raise ServiceError(f"cannot tell the format of {output[:200]} by its ending; use one of {', '.join(endings)}")


def _checked_operation(
    operation: Operation[Any], parameters: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Let the operation itself check; files that are not read yet are stood for by a volume of one voxel."""
    volumes = operation.volume_parameters
    given = [name for name in parameters if name in volumes]
    if given:
        raise ParameterError(f"{operation.name}: {given[0]} is a volume; give its file among the inputs")
    dummies = {name: make_volume(np.zeros((1, 1, 1), np.uint8)) for name in volumes if name in inputs}
    found = operation.validate({**parameters, **dummies})
    return {name: jsonable(value) for name, value in found.items() if name not in volumes}


def _checked_long(entry: Entry, parameters: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return entry.parameters.model_validate(dict(parameters)).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        known = ", ".join(entry.parameters.model_fields)
        raise ParameterError(f"{entry.name}: {name}: {first['msg']}; its parameters are {known}") from error


def _of_table(operation: Operation[Any]) -> Entry:
    volumes = operation.volume_parameters
    fields: dict[str, Any] = {
        name: (info.annotation, info) for name, info in operation.parameters.model_fields.items() if name not in volumes
    }
    required = [name for name in volumes if operation.parameters.model_fields[name].is_required()]
    return Entry(
        name=operation.name,
        summary=(operation.__doc__ or "").strip().splitlines()[0],
        engines=operation.engines,
        parameters=create_model(operation.name, **fields),
        needs=("volume", *required),
        takes=tuple(name for name in volumes if name not in required),
        operation=operation,
    )
