"""How every kernel of this room is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

# No fast-math: without it no compiler may regroup a sum, so a voxel gets the same bytes in the middle of a vector, in
# its scalar remainder, in any block and on any processor. No reference counts (_nrt): they are atomic, one for every
# row that a kernel looks at, and cost more than the row; so kernels allocate nothing and get their scratch handed in.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
_njit: Any = numba.njit


def kernel(function: F) -> F:
    """Compile a function to machine code, kept on disk for the next start."""
    compiled: F = _njit(function, cache=True, **_OPTIONS)
    return compiled


def row_kernel(function: F) -> F:
    """Compile a small loop that is laid into each kernel that calls it."""
    compiled: F = _njit(function, forceinline=True, **_OPTIONS)
    return compiled


def view_kernel(function: F) -> F:
    """Lay a function that returns a view of its argument into its caller as it is written."""
    compiled: F = _njit(function, inline="always", **_OPTIONS)
    return compiled
