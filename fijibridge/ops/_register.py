"""Lay one volume onto another of the same sample, by rotation and translation."""

from __future__ import annotations

import importlib
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..errors import EngineMissingError, ParameterError, VolumeError
from ..operation import Engine, operation
from ..volume import Volume, check_volume, history, make_volume, origin, record, voxel_size
from ._register_fit import Rigid, find_rigid, moved_onto

Turn: TypeAlias = tuple[float, float, float]


@operation(halo=None)
def register(
    volume: Volume,
    *,
    reference: Volume,
    start: Literal["search", "position"] = "search",
    start_deg: Turn = (0.0, 0.0, 0.0),
    search_deg: Annotated[float, Ge(0), Le(60)] = 0.0,
    working_voxels: Annotated[int, Ge(32), Le(512)] = 96,
    interpolation: Literal["linear", "nearest"] = "linear",
    least_agreement: Annotated[float, Gt(0), Le(1)] = 0.2,
    seed: int = 0,
    engine: Engine = "native",
) -> Volume:
    """Register a volume rigidly onto another of the same sample, for instance FIB-SEM onto X-ray CT.

    The voxel sizes may differ, and the reference may show more than the volume. Where the volume lies is first searched
    by correlation over all translations on a coarse grid, then refined from coarse to fine by mutual information, which
    asks only that equal materials have equal grey levels in each volume, not the same in both.

    Parameters
    ----------
    volume : (z, y, x) grey volume with a voxel size in nm or um.
    reference : volume of the same sample, whose grid the result gets; its own voxel size.
    start : ``"search"`` looks everywhere in the reference; ``"position"`` trusts the volumes' origins.
    start_deg : rotation to begin with, as a rotation vector: components about z, y, x in degrees.
    search_deg : also begin from turns by this angle to either side about each axis, in degrees; 0 = only `start_deg`.
        Refining alone reaches some 10 degrees.
    working_voxels : the finest grid that is compared has about this many voxels along the longest side.
    interpolation : ``"linear"`` for grey levels (averaged first where the reference is coarser), ``"nearest"`` for
        labels; masks always take the nearest voxel.
    least_agreement : correlation ratio of the two volumes after registering, 0..1, below which the result is refused.
    seed : of the random samples that mutual information is computed on.

    Returns
    -------
    Volume on the grid of the reference, same dtype; 0 where the volume does not reach. Its history holds the transform:
    `rotation_deg` (rotation vector about z, y, x), `translation_nm` (z, y, x), `centre_nm` (the point it turns about)
    and `agreement`. A point p of the volume lies at R (p - centre) + centre + translation in the reference.

    Raises
    ------
    EngineMissingError : SimpleITK is not installed (``pip install 'fijibridge[register]'``).
    VolumeError : a volume without voxel size, or thinner than 8 voxels.
    ParameterError : the two do not agree anywhere.

    Engines: native - SimpleITK (Mattes mutual information, rigid).  Differences: none, one engine.
    Blocks: none; it needs the whole volume in memory.
    Source: Mattes et al. 2003, IEEE Trans. Med. Imaging 22, 120; correlation ratio: Roche et al. 1998, MICCAI.
    """


@register.check
def _check(volume: Volume, *, reference: Volume, start: str, start_deg: Turn, search_deg: float, working_voxels: int,
           interpolation: str, least_agreement: float, seed: int) -> None:  # fmt: skip
    check_volume(reference)
    for name, each in (("volume", volume), ("reference", reference)):
        if voxel_size(each).units == "voxel":
            raise VolumeError(
                f"registering needs voxel sizes in nm or um and the {name} has none; "
                "give it its size first: make_volume(volume.data, spacing=(z, y, x), units='nm')"
            )
        if min(each.shape) < 8:
            raise VolumeError(f"registering needs 8 voxels or more along each axis, the {name} has {each.shape}")


@register.engine("native")
def _native(volume: Volume, *, reference: Volume, start: Literal["search", "position"], start_deg: Turn,
            search_deg: float, working_voxels: int, interpolation: Literal["linear", "nearest"],
            least_agreement: float, seed: int) -> Volume:  # fmt: skip
    sitk = _simpleitk()
    moving, fixed = _image(sitk, volume), _image(sitk, reference)
    turns = _turns(start_deg, search_deg)
    found = find_rigid(sitk, fixed, moving, turns, search=start == "search", side=working_voxels, seed=seed)
    if found.agreement < least_agreement:
        raise ParameterError(
            f"the volume agrees with the reference nowhere (correlation ratio {found.agreement:.3f}, wanted "
            f"{least_agreement:g}); turn it first by start_deg or search_deg, or check both voxel sizes"
        )
    nearest = interpolation == "nearest" or volume.dtype.kind == "b"
    data = moved_onto(sitk, fixed, _image(sitk, volume, exact=True), found, nearest=nearest)
    size = voxel_size(reference)
    made = make_volume(
        _as_dtype(data, volume.dtype),
        spacing=(size.z, size.y, size.x),
        units=size.units,
        origin=origin(reference),
        history=history(volume),
    )
    return record(made, _step(sitk, found))


def _simpleitk() -> Any:
    try:
        return importlib.import_module("SimpleITK")
    except ImportError as error:
        raise EngineMissingError(
            "register needs the package SimpleITK, which is not installed: pip install 'fijibridge[register]'"
        ) from error


def _image(sitk: Any, volume: Volume, *, exact: bool = False) -> Any:
    """Make an image in nm; `exact` keeps the dtype (labels), else grey levels go as float32."""
    data = np.ascontiguousarray(volume.data)
    if data.dtype.kind == "b":
        data = data.view(np.uint8)
    elif data.dtype == np.float16 or not exact:
        data = data.astype(np.float32)
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        data = np.nan_to_num(data, nan=float(np.nanmedian(data)), posinf=0.0, neginf=0.0)
    image = sitk.GetImageFromArray(data)
    factor = 1000.0 if voxel_size(volume).units == "um" else 1.0
    image.SetSpacing([factor * step for step in voxel_size(volume)[2::-1]])
    image.SetOrigin([factor * start for start in origin(volume)[::-1]])
    return image


def _turns(start: Turn, search: float) -> list[Rotation]:
    """Give the rotations to begin from; a rotation vector about z, y, x has its components reversed in x, y, z."""
    first = Rotation.from_rotvec(start[::-1], degrees=True)
    if search == 0:
        return [first]
    steps = [np.array(step) for step in np.ndindex(3, 3, 3)]
    return [Rotation.from_rotvec((step - 1) * search, degrees=True) * first for step in steps]


def _as_dtype(data: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "iu" and data.dtype.kind == "f":
        limits = np.iinfo(dtype)
        data = np.clip(np.rint(data), limits.min, limits.max)
    return data > 0 if dtype.kind == "b" else data.astype(dtype, copy=False)


def _step(sitk: Any, found: Rigid) -> dict[str, Any]:
    parameters = {
        "rotation_deg": [round(float(angle), 6) for angle in found.rotation.as_rotvec(degrees=True)[::-1]],
        "translation_nm": [round(float(length), 4) for length in found.translation[::-1]],
        "centre_nm": [round(float(length), 4) for length in found.centre[::-1]],
        "agreement": round(found.agreement, 4),
    }
    version = f"SimpleITK {sitk.Version_VersionString()}"
    return {"operation": "rigid_transform", "engine": "native", "version": version, "parameters": parameters}
