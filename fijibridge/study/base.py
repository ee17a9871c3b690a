"""The base truth of a volume: what a better instrument says of the same material, prepared by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import LabelsError
from ..io import make_folder, read_volume, write_text, write_volume
from ..phantom.fibsem import Defects
from ..phantom.library import NEX_TILT_DEG, make_nex_fibsem
from ..pipeline import load_recipe, run_recipe
from ..volume import Volume, describe_grid, with_data
from .cells import key_of
from .config import DatasetConfig

#: From a tilted stack of slices to labels on the grid of the X-ray images. Half of 126 nm on the way: fine enough for
#: what 55 nm pixels show, and two voxels become one at the end.
RECIPE = f"""\
input = "stack.tif"

[[step]]
operation = "align"

[[step]]
operation = "shear"
angle_deg = {NEX_TILT_DEG}
shift = false               # the microscope followed the face

[[step]]
operation = "crop"

[[step]]
operation = "even_out"

[[step]]
operation = "decurtain"

[[step]]
operation = "smooth"
sigma = 1.5

[[step]]
operation = "resample"
size = [63.0, 63.0, 63.0]

[[step]]
operation = "threshold"

[[step]]
operation = "fill_pores"

[[step]]
operation = "resample"
size = [126.0, 126.0, 126.0]
"""
#: Whoever makes a base truth leaves spoilt slices out, and no operation mends one; all other defects are there.
_DEFECTS = Defects(outliers=0.0)


class Base(NamedTuple):
    """A base truth, on a grid of its own."""

    #: 1 = active material, 2 = pore + carbon-binder, 0 = not known.
    labels: Volume
    #: Volume fraction of active material where it is known.
    fraction: float
    #: Where it comes from.
    words: str


def find_base(dataset: DatasetConfig, folder: Path, *, seed: int) -> Base | None:
    """Read or simulate the base truth of a data set; None where it has none.

    Parameters
    ----------
    dataset : its `base` is a file of labels, or ``"simulate"``: then the NEX geometry is imaged as a FIB-SEM stack that
        goes through `RECIPE`.
    folder : keeps the simulated stack, the recipe and its steps, under ``fibsem``.
    seed : of the simulation.

    Raises
    ------
    ReadError, WriteError : files that cannot be read or written.
    LabelsError : a base truth that knows no voxel.
    """
    if dataset.base is None:
        return None
    if isinstance(dataset.base, Path):
        labels = read_volume(dataset.base)
        return _base(_two_classes(labels), f"labels of {dataset.base.name}, {describe_grid(labels)}")
    prepared = _simulated(folder / "fibsem", dataset.size, seed)
    return _base(_two_classes(prepared), f"simulated FIB-SEM stack, prepared by recipe, {describe_grid(prepared)}")


def _simulated(folder: Path, size: int, seed: int) -> Volume:
    """Image the NEX geometry as a FIB-SEM stack and prepare it; what an earlier run finished is taken from `folder`."""
    home = make_folder(folder / key_of({"size": size, "seed": seed, "recipe": RECIPE}))
    if not (home / "stack.tif").is_file():
        write_volume(make_nex_fibsem(size=size, defects=_DEFECTS, seed=seed).volume, home / "stack.tif")
    write_text(home / "recipe.toml", RECIPE)
    return run_recipe(load_recipe(home / "recipe.toml"), home / "steps").after


def _two_classes(labels: Volume) -> Volume:
    data = np.asarray(labels.data)
    return with_data(labels, np.where(data, np.uint8(1), np.uint8(2))) if data.dtype == np.bool_ else labels


def _base(labels: Volume, words: str) -> Base:
    known = int(np.count_nonzero(labels.data))
    if not known:
        raise LabelsError("the base truth holds no label; number it 1 = active material, 2 = pore + carbon-binder")
    return Base(labels, int(np.count_nonzero(np.asarray(labels.data) == 1)) / known, words)
