"""One block's work: read its part, make it, write its chunks, and say what was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io import finest_level
from ..ops import telling
from ..ops.parts import Box, Place
from ._ledger import Receipt, hash_of
from ._source import Source, read_part


@dataclass(frozen=True)
class Item:
    """A block to be worked on."""

    number: int
    place: Place


@dataclass(frozen=True)
class Found:
    """What was measured in a block."""

    place: Place
    value: Any


@dataclass(frozen=True)
class Measure:
    """Work that measures blocks; goes to other processes as a whole."""

    source: Source
    measure: Callable[..., Any]
    given: Mapping[str, Any]

    def __call__(self, item: Item) -> Found:
        with telling(None):
            part = read_part(self.source.open(), item.place.outer)
            return Found(item.place, self.measure(part, item.place, **self.given))


@dataclass(frozen=True)
class Make:
    """Work that makes blocks of the result in `folder`; doing one twice writes the same bytes."""

    source: Source
    folder: Path
    make: Callable[..., NDArray[Any]]
    given: Mapping[str, Any]
    needs: Callable[[Box], Box]

    def __call__(self, item: Item) -> Receipt:
        with telling(None):
            part = read_part(self.source.open(), item.place.outer)
            made = np.asarray(self.make(part, item.place, **self.given))
        target = finest_level(self.folder)
        target[item.place.inner] = made.astype(target.dtype, copy=False)
        return Receipt(item.number, hash_of(made.astype(target.dtype, copy=False)))
