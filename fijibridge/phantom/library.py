"""The phantom library: simulated scans that stand for the data sets of the study, every voxel's truth known.

None of them is the published data: particle sizes, contrast and noise are chosen to give the same kind of difficulty,
in the order NMC-1 (clearest), NEX-V, NMC-2, NEX-U, GRA-1, GRA-2 (hardest) of signal-to-noise ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import ParameterError
from ..volume import Volume, make_volume, record, voxel_size, with_data
from ._flakes import lay_flakes
from .electrode import ACTIVE, BINDER, PORE, add_binder, pack_spheres, simulate_scan
from .fibsem import Defects, FibsemPhantom, make_fibsem


@dataclass(frozen=True)
class Recipe:
    """How a data set of the library is made; grey levels are of 8 bit.

    Attributes
    ----------
    voxel_nm : voxel edge of the scan.
    made_nm : voxel edge of the geometry; other than `voxel_nm` where one geometry is scanned at several sizes.
    particles : ``"spheres"`` or ``"flakes"``.
    diameter_um : median particle diameter.
    active, binder : volume fractions asked for.
    levels : grey levels of pore, active material, carbon-binder.
    blur : standard deviation of the point spread in voxels.
    noise, rings, fringes : as in `simulate_scan`.
    """

    voxel_nm: float
    diameter_um: float
    levels: tuple[float, float, float]
    noise: float
    particles: str = "spheres"
    made_nm: float = 0.0
    active: float = 0.5
    binder: float = 0.14
    blur: float = 1.2
    rings: float = 4.0
    fringes: float = 0.0


#: Angle between the electron beam and the milled face of the FIB-SEM stack.
NEX_TILT_DEG = 52.0
_NMC, _CARBON = (62.0, 152.0, 84.0), (88.0, 128.0, 102.0)
LIBRARY: dict[str, Recipe] = {
    "NMC-1": Recipe(397.0, 9.0, _NMC, 20.0),
    "NMC-2": Recipe(397.0, 7.0, _NMC, 32.0, active=0.42, rings=6.0),
    "GRA-1": Recipe(126.0, 6.0, _CARBON, 18.0, particles="flakes", active=0.58, binder=0.08, fringes=0.12),
    "GRA-2": Recipe(126.0, 4.5, _CARBON, 22.0, particles="flakes", active=0.5, binder=0.1, rings=6.0, fringes=0.2),
    "NEX-V": Recipe(371.0, 6.0, _NMC, 24.0, made_nm=126.0, active=0.45),
    "NEX-U": Recipe(126.0, 6.0, _NMC, 36.0, made_nm=126.0, active=0.45, blur=1.6, fringes=0.15),
}


class Sample(NamedTuple):
    """A data set of the library, all on one grid."""

    #: uint8 grey levels, as a scanner would give them.
    grey: Volume
    #: uint8 labels: 1 = active material, 2 = pore + carbon-binder.
    truth: Volume


def make_sample(name: str, *, size: int = 200, geometry: Volume | None = None, seed: int = 0) -> Sample:
    """Simulate a data set of the library.

    Parameters
    ----------
    name : NMC-1, NMC-2, GRA-1, GRA-2, NEX-V or NEX-U; NEX-V and NEX-U are scans of one geometry.
    size : voxels along each edge of the geometry, at least 32; NEX-V has fewer, larger voxels.
    geometry : phases (0 = pore, 1 = active material, 2 = carbon-binder) of a real electrode to scan instead of a
        simulated one; at most `size` voxels from its middle are taken, and they get the voxel size of the data set.
    seed : of every random choice.

    Returns
    -------
    Sample.

    Raises
    ------
    ParameterError : an unknown name, or a size below 32.
    """
    recipe = _recipe(name)
    if size < 32:
        raise ParameterError(f"a data set needs at least 32 voxels along an edge, got {size}; try 96")
    made_nm = recipe.made_nm or recipe.voxel_nm
    phases, particles = (
        make_geometry(name, size=size, seed=seed) if geometry is None else (_middle(geometry, size, made_nm), None)
    )
    if recipe.made_nm and recipe.voxel_nm > recipe.made_nm:
        phases, particles = _coarser(phases, recipe.voxel_nm), None
    grey = simulate_scan(
        phases, particles=particles, blur=recipe.blur, noise=recipe.noise, rings=recipe.rings, fringes=recipe.fringes,
        levels=recipe.levels, seed=seed + sum(name.encode()),
    )  # fmt: skip
    truth = np.where(np.asarray(phases.data) == ACTIVE, np.uint8(1), np.uint8(2))
    return Sample(grey, with_data(phases, truth))


def make_geometry(name: str, *, size: int = 200, seed: int = 0) -> tuple[Volume, NDArray[np.int32]]:
    """Give the phases of a data set's geometry (0 = pore, 1 = active, 2 = binder) and its particle numbers."""
    recipe = _recipe(name)
    made_nm = recipe.made_nm or recipe.voxel_nm
    shape = (size, size, size)
    # Both scans of one geometry start from one seed; other data sets are samples of their own.
    sample_of = name[: name.index("-")] if recipe.made_nm else name
    rng = np.random.default_rng([seed, *sample_of.encode()])
    radius = recipe.diameter_um * 500 / made_nm
    if recipe.particles == "flakes":
        particles = lay_flakes(shape, radius, recipe.active, rng)
    else:
        particles = pack_spheres(shape, radius, 0.35, recipe.active, rng)
    phases = np.where(particles > 0, np.uint8(ACTIVE), np.uint8(PORE))
    add_binder(phases, recipe.binder, rng)
    parameters = {"name": name, "size": size, "seed": seed}
    step = {"operation": "make_geometry", "engine": "native", "version": "simulated", "parameters": parameters}
    return make_volume(phases, spacing=(made_nm,) * 3, history=(step,)), particles


def make_nex_fibsem(
    *, size: int = 200, tilt_deg: float = NEX_TILT_DEG, defects: Defects | None = None, seed: int = 0
) -> FibsemPhantom:
    """Image the geometry of NEX-V and NEX-U as a FIB-SEM stack of 256 nm slices with pixels of 55 nm.

    Parameters
    ----------
    size : voxels along each edge of the geometry, 126 nm each.
    tilt_deg : angle between the electron beam and the milled face; rows lie 55 nm apart in the image and farther apart
        on the face, which the voxel size does not say: `ops.shear` with `shift=False` puts it right. 90 = face on.
    defects : what goes wrong; None = `Defects()`.
    seed : of every random choice.
    """
    phases, _ = make_geometry("NEX-U", size=size, seed=seed)
    on_face = (256.0, 55.0 / float(np.sin(np.radians(tilt_deg))), 55.0)
    fine = _resampled((np.asarray(phases.data) == ACTIVE).astype(np.float32), voxel_size(phases).z, on_face)
    labels = make_volume(np.where(fine > 0.5, np.uint8(1), np.uint8(2)), spacing=(256.0, 55.0, 55.0))
    return make_fibsem(geometry=labels, defects=defects, seed=seed)


def _recipe(name: str) -> Recipe:
    if name not in LIBRARY:
        raise ParameterError(f"the library holds {', '.join(LIBRARY)}, got {name!r}")
    return LIBRARY[name]


def _middle(geometry: Volume, size: int, voxel_nm: float) -> Volume:
    data = np.asarray(geometry.data)
    starts = [max((count - size) // 2, 0) for count in data.shape]
    cut = data[tuple(slice(start, start + size) for start in starts)]
    step = {"operation": "crop", "engine": "native", "version": "1", "parameters": {"start": starts, "size": size}}
    return record(make_volume(cut, spacing=(voxel_nm,) * 3), step)


def _coarser(phases: Volume, voxel_nm: float) -> Volume:
    """Give each larger voxel the phase that fills most of it."""
    data, old = np.asarray(phases.data), voxel_size(phases).z
    target = (voxel_nm, voxel_nm, voxel_nm)
    shares = [_resampled((data == phase).astype(np.float32), old, target) for phase in (PORE, ACTIVE, BINDER)]
    return make_volume(np.argmax(shares, axis=0).astype(np.uint8), spacing=target)


def _resampled(share: NDArray[np.float32], old: float, new: tuple[float, float, float]) -> NDArray[np.float32]:
    """Sample a share on another grid; larger voxels average over their own extent."""
    width = [max(step / old, 1.0) for step in new]
    smooth = ndimage.gaussian_filter(share, [0.35 * w if w > 1 else 0.0 for w in width])
    counts = [int(count * old / step) for count, step in zip(share.shape, new, strict=True)]
    axes = [(np.arange(count) + 0.5) * step / old - 0.5 for count, step in zip(counts, new, strict=True)]
    places = np.meshgrid(*axes, indexing="ij", sparse=False)
    return np.asarray(ndimage.map_coordinates(smooth, places, order=1, mode="nearest"), np.float32)
