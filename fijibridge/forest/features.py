"""Which features a forest looks at: a set of named filters at named scales."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from ..errors import ParameterError

Kind = Literal[
    "gaussian",
    "laplacian",
    "gradient_magnitude",
    "difference_of_gaussians",
    "structure_tensor",
    "hessian",
    "minimum",
    "maximum",
    "median",
    "variance",
]
ScaleUnit = Literal["voxel", "nm"]

#: ilastik's scales; 0.3 voxels is the image itself but for a breath, so it goes with the Gaussian alone.
SIGMAS = (0.3, 0.7, 1.0, 1.6, 3.5, 5.0, 10.0)
_KINDS: tuple[Kind, ...] = get_args(Kind)
_SMOOTH: tuple[Kind, ...] = _KINDS[:6]
_EIGENVALUES: tuple[Kind, ...] = ("structure_tensor", "hessian")
_NAME = re.compile(r"^([a-z_]+)\(([0-9.]+)\)(?:\[([0-2])\])?$")


class Column(NamedTuple):
    """One number per voxel: a filter, its scale, and for eigenvalues which one (0 is the largest)."""

    kind: Kind
    sigma: float
    part: int = 0

    @property
    def name(self) -> str:
        """Give the column's name, such as ``gaussian(1.6)`` or ``hessian(1.6)[0]``."""
        part = f"[{self.part}]" if self.kind in _EIGENVALUES else ""
        return f"{self.kind}({self.sigma:g}){part}"


@dataclass(frozen=True)
class FeatureSet:
    """The filters that a forest is trained on.

    Parameters
    ----------
    names : filters such as ``"gaussian(1.6)"`` or ``"hessian(3.5)"`` (all eigenvalues), or one column of a filter,
        ``"hessian(3.5)[0]"`` (the largest eigenvalue); the number is the scale in `unit`. Kinds: gaussian, laplacian,
        gradient_magnitude, difference_of_gaussians, structure_tensor, hessian, minimum, maximum, median, variance.
    unit : ``"voxel"``: scales are in edges of the finest axis (coarser axes get fewer voxels, so that the filter is
        round in nm); ``"nm"``: scales are in nm, whatever the voxel size.
    flat : filter each z slice on its own (2-D); a volume of one slice is always filtered so.

    Raises
    ------
    ParameterError : an unknown kind, a name that cannot be read, a scale that is not positive, or no name at all.
    """

    names: tuple[str, ...]
    unit: ScaleUnit = "voxel"
    flat: bool = False

    def __post_init__(self) -> None:
        if not self.names:
            raise ParameterError("a feature set needs at least one filter, got none; take FeatureSet.default()")
        if self.unit not in get_args(ScaleUnit):
            raise ParameterError(f"the unit of scales is voxel or nm, got {self.unit!r}")
        for name in self.names:
            parse_name(name)

    @classmethod
    def default(cls) -> FeatureSet:
        """Give the default set: ilastik's six kinds at its seven scales, 61 columns in 3-D."""
        return cls.of()

    @classmethod
    def of(
        cls,
        *,
        sigmas: Iterable[float] = SIGMAS,
        kinds: Iterable[Kind] = _SMOOTH,
        unit: ScaleUnit = "voxel",
        flat: bool = False,
    ) -> FeatureSet:
        """Make the set of all `kinds` at all `sigmas`; below 0.7 voxels only the Gaussian makes sense and is taken."""
        names = [
            f"{kind}({sigma:g})"
            for kind in kinds
            for sigma in sigmas
            if kind == "gaussian" or unit == "nm" or sigma >= 0.5
        ]
        return cls(tuple(names), unit=unit, flat=flat)

    def columns(self, *, dimensions: int) -> tuple[Column, ...]:
        """Give every column in 2 or 3 dimensions, each once, in the order of `names`."""
        found: dict[Column, None] = {}
        for name in self.names:
            found.update(dict.fromkeys(_columns(name, dimensions)))
        return tuple(found)


def parse_name(name: str) -> tuple[Kind, float, int | None]:
    """Read ``kind(sigma)`` or ``kind(sigma)[part]``."""
    match = _NAME.match(name)
    kind = next((kind for kind in _KINDS if match and kind == match[1]), None)
    if match is None or kind is None:
        raise ParameterError(
            f"cannot read the feature {name!r}; write kind(scale) with kind one of {', '.join(_KINDS)}"
        )
    try:
        sigma = float(match[2])
    except ValueError:
        sigma = 0.0
    if not sigma > 0:
        raise ParameterError(f"the scale of a feature must be a positive number, got {name!r}")
    if match[3] is not None and kind not in _EIGENVALUES:
        raise ParameterError(f"only structure_tensor and hessian have parts, got {name!r}; leave the bracket out")
    return kind, sigma, None if match[3] is None else int(match[3])


def _columns(name: str, dimensions: int) -> list[Column]:
    kind, sigma, part = parse_name(name)
    parts = range(dimensions) if kind in _EIGENVALUES else range(1)
    return [Column(kind, sigma, number) for number in parts if part is None or part == number]
