"""An operation: one signature, one docstring, several engines; and the closed table of all of them.

The command line, recipes, the service and replay are all generated from this table, so an operation is written once::

    @operation(halo=lambda sigma, **_: ceil(2 * sigma))
    def smooth(volume: Volume, *, sigma: Annotated[float, Gt(0)] = 1.1, engine: Engine = "native") -> Volume:
        '''Docstring, once for all engines.'''

    @smooth.engine("native")
    def _native(volume: Volume, *, sigma: float) -> Volume: ...
"""

from __future__ import annotations

import difflib
import functools
import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, TypeAlias, get_args, get_type_hints

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from .choices import Engine as Engine  # noqa: PLC0414  part of an operation: imported from here
from .errors import EngineMissingError, ParameterError
from .volume import Step, Volume, check_volume, hash_voxels, history, origin, record, voxel_size

P = ParamSpec("P")
Halo: TypeAlias = int | Callable[..., int] | None
EngineFunction: TypeAlias = Callable[..., Volume]


#: The axes along which an operation may be divided, such as "zyx", or "z" where it needs whole slices.
Axes: TypeAlias = str


@dataclass(frozen=True)
class BlockForm:
    """How an operation runs on one block after the other where a halo alone does not say it (`fijibridge.ops.parts`).

    Attributes
    ----------
    survey : ``survey(volume, **parameters)``, a generator: it yields `Look` at every block, as often as it needs to,
        and returns the `Local` that makes the result block by block.
    divide : ``divide(volume, **parameters)`` gives the axes along which blocks may be cut, and raises ParameterError
        where no blocks can give what the whole volume gives.
    working : ``working(shape, **parameters)`` gives the bytes that a part of this shape takes beside itself and its
        result.
    """

    survey: Callable[..., Any]
    divide: Callable[..., Axes]
    working: Callable[..., int]


class _EngineEntry(NamedTuple):
    function: EngineFunction
    version: Callable[[], str]


class Operation(Generic[P]):
    """A named operation with its engines; call it like a function.

    Attributes
    ----------
    name : the operation's name, as in recipes and on the command line.
    halo : voxels around a block that a block's result depends on: 0, n, a function of the parameters, or None where
        only the whole volume will do.
    parameters : pydantic model of the parameters (without the volume and the engine), with defaults.
    """

    def __init__(self, signature: Callable[Concatenate[Volume, P], Volume], halo: Halo) -> None:
        functools.update_wrapper(self, signature)
        self.name = signature.__name__
        self.halo = halo
        self._hints = get_type_hints(signature, include_extras=True)
        self._signature = inspect.signature(signature)
        self.parameters = _parameter_model(self.name, self._signature, self._hints)
        self._engines: dict[str, _EngineEntry] = {}
        self._forms: dict[str, BlockForm] = {}
        self._check: Callable[..., None] | None = None
        self._grid: Callable[..., Volume | None] | None = None

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the engines that this operation has."""
        return tuple(self._engines)

    @property
    def volume_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that are volumes; a recipe or the service gives files for them."""
        return tuple(
            name
            for name, info in self.parameters.model_fields.items()
            if xr.DataArray in (info.annotation, *get_args(info.annotation))
        )

    def engine(
        self, name: Engine, *, version: Callable[[], str] | None = None
    ) -> Callable[[EngineFunction], EngineFunction]:
        """Register the function below as an engine; `version` gives the exact version for the history."""

        def register(function: EngineFunction) -> EngineFunction:
            self._check_signature(name, function)
            self._engines[name] = _EngineEntry(function, version or _own_version)
            return function

        return register

    def check(self, function: Callable[..., None]) -> Callable[..., None]:
        """Register the function below as the check of what the types alone cannot say; it gets what an engine gets."""
        self._check = function
        return function

    def grid(self, function: Callable[..., Volume | None]) -> Callable[..., Volume | None]:
        """Register the function below as what tells the result's grid and dtype from those of the volume alone.

        It gets what an engine gets, and gives a volume whose voxels mean nothing, or None where the voxels decide.
        """
        self._grid = function
        return function

    def grid_after(self, volume: Volume, parameters: Mapping[str, Any]) -> Volume | None:
        """Give a volume of the result's grid and dtype without reading voxels; that of `volume` where none is told."""
        return volume if self._grid is None else self._grid(volume, **parameters)

    def blocks(
        self, *engines: Engine, divide: Axes | Callable[..., Axes], working: Callable[..., int]
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register the function below as what surveys a volume for these engines to run block by block."""

        def register(survey: Callable[..., Any]) -> Callable[..., Any]:
            axes = divide if callable(divide) else lambda _volume, **_: divide
            self._forms |= dict.fromkeys(engines, BlockForm(survey, axes, working))
            return survey

        return register

    def block_form(self, engine: str) -> BlockForm | None:
        """Give how the engine runs block by block, or None where nothing but `halo` tells."""
        return self._forms.get(engine)

    def __call__(self, volume: Volume, *args: P.args, **kwargs: P.kwargs) -> Volume:
        if args:
            raise ParameterError(f"{self.name} takes the volume first and everything else by keyword")
        given = dict(kwargs)
        engine = str(given.pop("engine", self._signature.parameters["engine"].default))
        parameters = self.checked(volume, engine, given)
        return self.recorded(self.run_engine(volume, engine, parameters), volume, engine, parameters)

    def checked(self, volume: Volume, engine: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check a volume, an engine and parameters with each other; give the parameters with their defaults."""
        check_volume(volume)
        self._entry(engine)
        parameters = self.validate(given)
        if self._check is not None:
            self._check(volume, **parameters)
        return parameters

    def run_engine(self, volume: Volume, engine: str, parameters: Mapping[str, Any]) -> Volume:
        """Run an engine on what is `checked`; nothing is written into the history yet."""
        return self._entry(engine).function(volume, **parameters)

    def recorded(self, result: Volume, volume: Volume, engine: str, parameters: Mapping[str, Any]) -> Volume:
        """Write the step that made `result` of `volume` behind the history of `volume`."""
        step = self._step(engine, self._entry(engine), parameters) | _within(result, history(volume))
        return record(result, step, after=history(volume))

    def validate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check parameters (any mapping, for instance from a recipe) and fill in the defaults.

        Raises
        ------
        ParameterError : an unknown name (the nearest right one is named), a wrong type or a value out of range.
        """
        for name in given:
            if name not in self.parameters.model_fields:
                raise ParameterError(f"{self.name} has no parameter {name!r}{self._nearest(name)}")
        try:
            model = self.parameters.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise ParameterError(f"{self.name}: {name} = {first['input']!r} will not do: {first['msg']}") from error
        return {name: getattr(model, name) for name in self.parameters.model_fields}

    def check_engine(self, engine: str) -> None:
        """Raise EngineMissingError where the operation does not have this engine."""
        self._entry(engine)

    def engine_version(self, engine: str) -> str:
        """Give the exact version of an engine, as it goes into the history; asking ``fiji`` starts an ImageJ."""
        return self._entry(engine).version()

    def halo_of(self, **parameters: Any) -> int | None:
        """Give the halo in voxels for these parameters (defaults filled in), or None for "whole volume only"."""
        return self.halo(**self.validate(parameters)) if callable(self.halo) else self.halo

    def _entry(self, engine: str) -> _EngineEntry:
        if engine in self._engines:
            return self._engines[engine]
        raise EngineMissingError(
            f"{self.name} has no engine {engine!r}; use engine={' or '.join(repr(name) for name in self._engines)}"
        )

    def _nearest(self, name: str) -> str:
        known = list(self.parameters.model_fields)
        match = difflib.get_close_matches(name, known, n=1)
        if match:
            return f"; did you mean {match[0]!r}?"
        return f"; it has {', '.join(known)}" if known else "; it takes none"

    def _check_signature(self, name: str, function: EngineFunction) -> None:
        wanted = ["volume", *self.parameters.model_fields]
        found = list(inspect.signature(function).parameters)
        if wanted != found:
            raise TypeError(f"engine {name!r} of {self.name} takes {found}, the operation {wanted}")

    def _step(self, engine: str, entry: _EngineEntry, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "operation": self.name,
            "engine": engine,
            "version": entry.version(),
            "parameters": {name: jsonable(value) for name, value in parameters.items()},
        }


def operation(*, halo: Halo) -> Callable[[Callable[Concatenate[Volume, P], Volume]], Operation[P]]:
    """Turn a signature with a docstring into an Operation and enter it into the table."""

    def make(signature: Callable[Concatenate[Volume, P], Volume]) -> Operation[P]:
        made: Operation[P] = Operation(signature, halo)
        _TABLE[made.name] = made
        return made

    return make


_TABLE: dict[str, Operation[Any]] = {}


def operations() -> dict[str, Operation[Any]]:
    """Give the table of all operations by name (complete once `fijibridge.ops` is imported)."""
    return dict(_TABLE)


def parameters_told(docstring: str) -> dict[str, str]:
    """Read a docstring's section *Parameters*; one entry may be of several names, and goes on in indented lines."""
    found = re.search(r"^Parameters\n-+\n(.*?)(?:\n\n|\Z)", inspect.cleandoc(docstring), re.DOTALL | re.MULTILINE)
    told: dict[str, str] = {}
    for entry in re.split(r"\n(?! )", found[1] if found else ""):
        names, _, words = entry.partition(" : ")
        told |= dict.fromkeys(names.split(", "), words)
    return told


def jsonable(value: Any) -> Any:
    """Write a parameter in plain JSON terms; a volume is named by its grid and a hash of its voxels."""
    if isinstance(value, xr.DataArray):
        digest = hash_voxels(value)
        size = voxel_size(value)
        grid = {"spacing": list(size[:3]), "units": size.units, "origin": list(origin(value))}
        return {"volume": list(value.shape), "dtype": str(value.dtype), **grid, "sha256": digest}
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value)


def _within(result: Volume, past: tuple[Step, ...]) -> dict[str, Any]:
    """Give what an engine recorded on its way, such as the shifts that it measured: part of its one step."""
    steps = history(result)
    inner = steps[len(past) :] if steps[: len(past)] == past else ()
    return {"within": [dict(step) for step in inner]} if inner else {}


def _own_version() -> str:
    from . import __version__  # the package imports this module, so the version can only be read once all is loaded

    return f"fijibridge {__version__}"


def _parameter_model(name: str, signature: inspect.Signature, hints: dict[str, Any]) -> type[BaseModel]:
    """Build the pydantic model of all parameters but the volume and the engine."""
    fields: dict[str, Any] = {}
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.name != "engine":
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[parameter.name] = (hints[parameter.name], default)
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=(), allow_inf_nan=False)
    model: type[BaseModel] = create_model(name, __config__=config, **fields)
    return model
