"""Which blocks of a result are written: one line for each, with the hash of its voxels."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ops.parts import Box

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receipt:
    """A block that is done: its number and the hash of the voxels that are in the file."""

    block: int
    sha256: str


class Ledger:
    """A file of receipts that grows by a line at a time; a line that a killed program left half is passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def receipts(self) -> dict[int, Receipt]:
        """Give the receipts by block; of several for one block, the last."""
        if not self._path.exists():
            return {}
        found: dict[int, Receipt] = {}
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                receipt = Receipt(**json.loads(line))
            except (ValueError, TypeError):
                _log.warning("a line of %s is no receipt and is passed over", self._path)
                continue
            found[receipt.block] = receipt
        return found

    def clear(self) -> None:
        """Forget all."""
        self._path.unlink(missing_ok=True)

    def add(self, receipt: Receipt) -> None:
        """Write one down."""
        # A line that was left half must not swallow this one: an empty line is passed over as well.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(asdict(receipt))}\n")


def hash_of(voxels: NDArray[Any]) -> str:
    """Hash the voxels of a block."""
    return hashlib.sha256(np.ascontiguousarray(voxels).data).hexdigest()


def holds(array: Any, box: Box, receipt: Receipt) -> bool:
    """Tell whether what lies in a file is what the receipt says; a chunk that cannot be unpacked is not."""
    try:
        return hash_of(np.asarray(array[box])) == receipt.sha256
    except (OSError, ValueError, RuntimeError) as error:  # as the codecs of Zarr say that bytes are not theirs
        _log.warning("block %d has to be done anew: %s", receipt.block, error)
        return False
