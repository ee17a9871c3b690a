"""Whether an operation must go block by block to keep within a memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ParameterError
from ..operation import Operation
from ..ops.parts import same_box
from ..volume import Volume
from ._forms import form_of
from ._task import Task, Workplace

#: Volumes that an operation on the whole holds at least: input, result and something to work with.
_COPIES = 3


def goes_by_blocks(
    operation: Operation[Any], volume: Volume, parameters: Mapping[str, Any], *, engine: str, memory: int
) -> bool:
    """Tell whether the whole volume as one block would take more than `memory` bytes.

    Raises
    ------
    ParameterError : it would, and this operation has no other way.
    """
    z, y, x = volume.shape
    try:
        task = Task(operation.name, form_of(operation, engine), volume, parameters, Workplace(memory))
        return task.cutting_of(volume, same_box).bytes_of((z, y, x)) > memory
    except ParameterError:
        if _COPIES * volume.size * volume.dtype.itemsize <= memory:
            return False
        raise
