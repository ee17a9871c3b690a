"""Jobs that are one operation of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import ops as _ops  # noqa: F401  importing it fills the table of operations
from ..io import read_volume
from ..operation import operations
from ._tell import Tell
from ._volumes import keep_volume, open_volume


def run_operation(order: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Run an operation on a file into a file."""
    name = order["operation"]
    volume = open_volume(order, tell)
    others = {key: read_volume(path, mmap=True) for key, path in order["inputs"].items() if key != "volume"}
    tell(message=name)
    made = operations()[name](volume, engine=order["engine"], **order["parameters"], **others)
    tell(message="write")
    return keep_volume(order, made, volume, shows="labels" if made.dtype == np.bool_ else "grey")
