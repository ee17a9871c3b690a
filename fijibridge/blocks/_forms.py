"""How an operation runs block by block: as it says itself, or by its halo; or why it cannot."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..errors import ParameterError
from ..operation import BlockForm, Operation
from ..ops.parts import Survey, by_engine, some_bytes
from ..volume import Volume

#: Bytes for each voxel of a part: a result beside the part, and on its way to ImageJ and back several copies.
_VOXEL = {"native": 8, "fiji": 24}


def form_of(operation: Operation[Any], engine: str) -> BlockForm:
    """Give how this engine of an operation runs block by block.

    Raises
    ------
    ParameterError : it only runs on whole volumes.
    EngineMissingError : the operation does not have this engine.
    """
    operation.check_engine(engine)
    form = operation.block_form(engine)
    if form is not None:
        return form
    if operation.halo is None:
        ways = [repr(name) for name in operation.engines if operation.block_form(name) is not None]
        instead = f"use engine={' or '.join(ways)}" if ways else "crop the volume to what fits into memory"
        raise ParameterError(
            f"{operation.name} on the engine {engine!r} needs the whole volume in memory and cannot go block by block; "
            f"{instead}, or give it more memory"
        )
    return BlockForm(partial(_by_halo, operation, engine), _anywhere, partial(_working, operation, engine))


def _by_halo(operation: Operation[Any], engine: str, volume: Volume, **parameters: Any) -> Survey:
    yield from ()
    halo = operation.halo_of(**parameters) or 0
    return by_engine(volume, operation.name, engine, parameters, halo=halo, dtype=volume.dtype)


def _anywhere(_volume: Volume, **_parameters: Any) -> str:
    return "zyx"


def _working(operation: Operation[Any], engine: str, shape: tuple[int, ...], **parameters: Any) -> int:
    # A filter of this reach holds so many planes at a time, in up to double precision.
    planes = 2 * (operation.halo_of(**parameters) or 0) + 8
    return some_bytes(shape, voxel=_VOXEL[engine], pixel=8 * planes)
