"""Take over what was painted and chosen in ilastik."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineMissingError, ReadError
from .features import FeatureSet, Kind

_ILASTIK: dict[str, Kind] = {
    "GaussianSmoothing": "gaussian",
    "LaplacianOfGaussian": "laplacian",
    "GaussianGradientMagnitude": "gradient_magnitude",
    "DifferenceOfGaussians": "difference_of_gaussians",
    "StructureTensorEigenvalues": "structure_tensor",
    "HessianOfGaussianEigenvalues": "hessian",
}
_SLICE = re.compile(r"(\d+):(\d+)")


class IlastikProject(NamedTuple):
    """What a Pixel Classification project of ilastik holds for us.

    Attributes
    ----------
    labels : painted slices, ``{z: (y, x) uint8 array}``, as `train` takes them.
    features : the chosen filters.
    names : the names of the label values.
    shape : (z, y, x) of the image that was painted on.
    """

    labels: dict[int, NDArray[np.uint8]]
    features: FeatureSet
    names: dict[int, str]
    shape: tuple[int, int, int]


def read_ilastik(path: str | os.PathLike[str], *, image: int = 0) -> IlastikProject:
    """Read labels and chosen features from an ilastik Pixel Classification project.

    Parameters
    ----------
    path : the project, an ``.ilp`` file.
    image : which of the project's images, counted from 0.

    Raises
    ------
    ReadError : the file is no such project, has no such image, or mixes features in 2-D and 3-D.
    EngineMissingError : h5py, which reads the file, is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise EngineMissingError("reading ilastik projects needs h5py; install it with: pip install h5py") from error
    try:
        with h5py.File(path, "r") as project:
            shape, axes = _image_axes(project, image)
            labels = _labels(project[f"PixelClassification/LabelSets/labels{image:03d}"], shape, axes)
            names = [_text(name) for name in project["PixelClassification/LabelNames"][()]]
            return IlastikProject(
                labels,
                _features(project["FeatureSelections"]),
                dict(enumerate(names, start=1)),
                tuple(shape.get(axis, 1) for axis in "zyx"),  # type: ignore[arg-type]
            )
    except (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise ReadError(
            f"{Path(path)} is no ilastik Pixel Classification project with image {image} ({error})"
        ) from error


def _image_axes(project: Any, image: int) -> tuple[dict[str, int], list[str]]:
    """Give the image's size along each of its axes, and their names in order."""
    info = project[f"Input Data/infos/lane{image:04d}/Raw Data"]
    axes = [axis["key"] for axis in json.loads(_text(info["axistags"][()]))["axes"]]
    return dict(zip(axes, (int(n) for n in info["shape"][()]), strict=True)), axes


def _labels(blocks: Any, shape: dict[str, int], axes: list[str]) -> dict[int, NDArray[np.uint8]]:
    found: dict[int, NDArray[np.uint8]] = {}
    for block in blocks.values():
        kept = _kept_axes(axes, shape, block.ndim)
        starts = [int(start) for start, _ in _SLICE.findall(_text(block.attrs["blockSlice"]))]
        first = dict(zip(kept, starts, strict=True))
        values = np.asarray(block[()], np.uint8)
        values = values.transpose([kept.index(axis) for axis in sorted(kept, key="tczyx".index)])
        values = values.reshape(-1, *values.shape[-2:])
        y, x = first["y"], first["x"]
        for offset, painted in enumerate(values):
            z = first.get("z", 0) + offset
            whole = found.setdefault(z, np.zeros((shape["y"], shape["x"]), np.uint8))
            whole[y : y + painted.shape[0], x : x + painted.shape[1]] |= painted
    return {z: found[z] for z in sorted(found) if found[z].any()}


def _kept_axes(axes: list[str], shape: dict[str, int], count: int) -> list[str]:
    """Say which axes a block of labels has: ilastik leaves out time and z where they have one step."""
    kept = list(axes)
    for axis in "tzc":
        if len(kept) > count and axis in kept and shape[axis] == 1:
            kept.remove(axis)
    if len(kept) != count or any(shape[axis] != 1 for axis in kept if axis not in "zyx"):
        raise ValueError(f"labels with axes {''.join(axes)} in {count} dimensions cannot be placed in a volume")
    return kept


def _features(group: Any) -> FeatureSet:
    scales = [float(scale) for scale in group["Scales"][()]]
    kinds = [_ILASTIK[_text(name)] for name in group["FeatureIds"][()]]
    chosen = np.asarray(group["SelectionMatrix"][()], bool)
    flat = np.asarray(group["ComputeIn2d"][()], bool) if "ComputeIn2d" in group else np.zeros(len(scales), bool)
    used = flat[chosen.any(axis=0)]
    if used.any() and not used.all():
        raise ValueError("features of some scales are in 2-D and of others in 3-D")
    names = [
        f"{kind}({scale:g})"
        for kind, row in zip(kinds, chosen, strict=True)
        for scale, on in zip(scales, row, strict=True)
        if on
    ]
    return FeatureSet(tuple(names), flat=bool(used.any()))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
