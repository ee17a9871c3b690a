"""The study file: which volumes, users, methods and measures; checked before anything runs."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ParameterError, ReadError
from ..phantom.library import LIBRARY
from .matrix import AUTOMATIC, MOST, PAPER_METHODS, check_method
from .people import PEOPLE, make_person

Input = Literal["raw", "filtered"]
#: What each choice of a real user looks like.
_SHAPES: dict[str, Callable[[tuple[int, ...]], bool]] = {
    "S2": lambda shape: shape == (),
    "gWS": lambda shape: shape == (2,),
    "cWS": lambda shape: shape == (2,),
    "ML2": lambda shape: len(shape) == 2 and shape[1] == 3,
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetConfig(_Part):
    """One volume: a file, or a data set of the phantom library."""

    name: str
    path: Path | None = None
    phantom: str | None = None
    size: Annotated[int, Field(ge=32)] = 200
    #: Phases of a real electrode (0 pore, 1 active, 2 binder) that a phantom is scanned from.
    geometry: Path | None = None
    #: Labels of known truth.
    truth: Path | None = None
    voxel_size: tuple[float, float, float] | None = None
    units: Literal["nm", "um"] = "nm"
    #: Labels of the same material by a better instrument, on any grid; "simulate" images the NEX phantoms by FIB-SEM.
    base: Path | Literal["simulate"] | None = None
    #: Sets that show the same piece of material, compared with each other in the report.
    same_as: str | None = None


class UserConfig(_Part):
    """A real user (a folder of labels, chosen grey levels), or a simulated one."""

    name: str
    labels: Path | None = None
    simulated: str | None = None
    parameters: dict[str, float] = {}
    #: By data set: S2, the windows of gWS and cWS, and for ML2 a list of slice, low and high.
    choices: dict[str, dict[str, float | list[float] | list[list[float]]]] = {}


class MeasureConfig(_Part):
    """Measures beyond fractions and overlap; the slow ones are off unless asked for."""

    surface: bool = True
    boundary: bool = True
    connectivity: bool = False
    particles: bool = False
    tortuosity: bool = False


class StudyConfig(_Part):
    """A whole study."""

    name: str = "study"
    seed: Annotated[int, Field(ge=0)] = 0
    engine: Literal["native", "fiji"] = "native"
    inputs: tuple[Input, ...] = ("raw", "filtered")
    methods: tuple[str, ...] = (*PAPER_METHODS, "otsu")
    #: Voxels of the smallest piece that is kept; 1 keeps all.
    smallest_piece: Annotated[int, Field(ge=1)] = 1
    #: Voxels of each class that a forest learns from at most.
    training_voxels: Annotated[int, Field(ge=100)] = MOST
    dataset: tuple[DatasetConfig, ...]
    user: tuple[UserConfig, ...] = tuple(UserConfig(name=name, simulated=name) for name in PEOPLE)
    measures: MeasureConfig = MeasureConfig()


def read_study(path: Path) -> StudyConfig:
    """Read and check a study file; relative paths in it start at its folder.

    Raises
    ------
    ReadError : the file is not there or is not TOML.
    ParameterError : a key that there is not (the nearest right one is named), or a value that will not do.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReadError(f"cannot read the study {path}: {error.strerror}; name a file that is there") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReadError(f"{path} is not TOML: {error}; see the guide for an example") from error
    return check_study(document, base=path.parent)


def check_study(document: Mapping[str, Any], *, base: Path = Path()) -> StudyConfig:
    """Check a study given as a mapping; see `read_study`."""
    try:
        config = StudyConfig.model_validate(document)
    except ValidationError as error:
        raise ParameterError(_sentence(error)) from error
    _check_names(config)
    return _at(config, base)


def quick_study(*, seed: int = 0) -> StudyConfig:
    """Give the study of two small phantoms that ends in three minutes; its forests learn from fewer voxels."""
    sets = tuple(DatasetConfig(name=name, phantom=name, size=96) for name in ("NMC-1", "NMC-2"))
    return StudyConfig(name="quick study", seed=seed, training_voxels=2_000, dataset=sets)


def paper_study(*, seed: int = 0) -> StudyConfig:
    """Give the study of all six phantoms of the library at their full size."""
    nex: dict[str, Any] = {"same_as": "NEX", "base": "simulate"}
    sets = tuple(DatasetConfig(name=name, phantom=name, **(nex if name.startswith("NEX") else {})) for name in LIBRARY)
    return StudyConfig(
        name="the paper's study on phantoms", seed=seed, dataset=sets, methods=(*PAPER_METHODS, *AUTOMATIC)
    )


def _check_names(config: StudyConfig) -> None:
    for method in config.methods:
        check_method(method)
    for kind, names in (("dataset", [d.name for d in config.dataset]), ("user", [u.name for u in config.user])):
        twice = sorted({name for name in names if names.count(name) > 1})
        bad = [name for name in names if not name or "/" in name or name.startswith(".")]
        if twice or bad or not names:
            raise ParameterError(
                f"each {kind} needs a name of its own without '/', got {twice or bad or 'none'}; rename or add it"
            )
    for dataset in config.dataset:
        if (dataset.path is None) == (dataset.phantom is None):
            raise ParameterError(f"dataset {dataset.name} needs either path or phantom; give one of them")
        if dataset.phantom is not None and dataset.phantom not in LIBRARY:
            raise ParameterError(f"dataset {dataset.name}: phantoms are {', '.join(LIBRARY)}, got {dataset.phantom!r}")
        if dataset.base == "simulate" and not (dataset.phantom or "").startswith("NEX"):
            raise ParameterError(
                f"dataset {dataset.name}: base = 'simulate' is for the NEX phantoms; give a label file"
            )
    for user in config.user:
        _check_user(user, [dataset.name for dataset in config.dataset])


def _check_user(user: UserConfig, datasets: Sequence[str]) -> None:
    if user.simulated is not None:
        if user.labels is not None or user.choices:
            raise ParameterError(f"user {user.name} is simulated and cannot also have labels or choices; drop one")
        make_person(user.simulated, dict(user.parameters))
    elif user.labels is None and not user.choices:
        raise ParameterError(f"user {user.name} needs labels, choices, or simulated = one of {', '.join(PEOPLE)}")
    for dataset, chosen in user.choices.items():
        if dataset not in datasets:
            raise ParameterError(f"user {user.name} has choices for {dataset!r}; the data sets are {list(datasets)}")
        for key, value in chosen.items():
            if key not in _SHAPES or not _SHAPES[key](np.shape(value)):
                raise ParameterError(
                    f"user {user.name}: choices are S2 = level, gWS = [low, high], cWS = [low, high], "
                    f"ML2 = [[slice, low, high], ...], got {key} = {value}"
                )


def _at(config: StudyConfig, base: Path) -> StudyConfig:
    """Let relative paths start at the study file's folder."""

    def under(path: Path | None) -> Path | None:
        return None if path is None else base / path

    sets = tuple(
        d.model_copy(
            update={"path": under(d.path), "geometry": under(d.geometry), "truth": under(d.truth)}
            | ({"base": under(d.base)} if isinstance(d.base, Path) else {})
        )
        for d in config.dataset
    )
    users = tuple(u.model_copy(update={"labels": under(u.labels)}) for u in config.user)
    return config.model_copy(update={"dataset": sets, "user": users})


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"the study's {place} = {first['input']!r} will not do: {first['msg']}"
    key = str(first["loc"][-1])
    known = list(_model_at(first["loc"]).model_fields)
    match = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {match[0]!r}?" if match else f"there are {', '.join(known)}"
    return f"the study has no key {place!r}; {hint}"


def _model_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    homes: dict[str, type[BaseModel]] = {"dataset": DatasetConfig, "user": UserConfig, "measures": MeasureConfig}
    return homes.get(str(place[0]), StudyConfig) if len(place) > 1 else StudyConfig
