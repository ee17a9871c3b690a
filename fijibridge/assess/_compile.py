"""How the loops of this room are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a function to machine code, kept on disk for the next start."""
    return cast(F, njit(function, cache=True, nogil=True))
