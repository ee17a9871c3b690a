"""fijibridge: Fiji/ImageJ from Python on FIB-SEM and X-ray CT stacks, beside its own random forest.

Everything for users stands here under its short name (``import fijibridge as fb``; ``fb.read_volume``). A name is
loaded when it is first used: importing the package starts nothing, and reading a TIFF does not load the forest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .errors import FijibridgeError as FijibridgeError
    from .fiji import Fiji as Fiji
    from .fiji import MacroResult as MacroResult
    from .forest import Forest as Forest
    from .forest import load_forest as load_forest
    from .forest import save_forest as save_forest
    from .forest import train as train
    from .io import read_volume as read_volume
    from .io import write_volume as write_volume
    from .ops import Shifts as Shifts
    from .ops import align as align
    from .ops import apply_shifts as apply_shifts
    from .ops import automatic_threshold as automatic_threshold
    from .ops import crop as crop
    from .ops import decurtain as decurtain
    from .ops import estimate_shifts as estimate_shifts
    from .ops import even_out as even_out
    from .ops import fill_pores as fill_pores
    from .ops import find_curtains as find_curtains
    from .ops import operations as operations
    from .ops import read_shifts as read_shifts
    from .ops import register as register
    from .ops import resample as resample
    from .ops import shear as shear
    from .ops import smooth as smooth
    from .ops import threshold as threshold
    from .ops import watershed as watershed
    from .ops import write_shifts as write_shifts
    from .phantom import Defects as Defects
    from .phantom import make_electrode as make_electrode
    from .phantom import make_fibsem as make_fibsem
    from .pipeline import load_recipe as load_recipe
    from .pipeline import run_recipe as run_recipe
    from .service.client import Client as Client
    from .study.compare import Comparison as Comparison
    from .study.compare import compare as compare
    from .volume import Volume as Volume
    from .volume import VoxelSize as VoxelSize
    from .volume import make_volume as make_volume
    from .volume import same_grid as same_grid
    from .volume import voxel_size as voxel_size
    from .volume import with_data as with_data

_HOMES = {
    "errors": ("FijibridgeError",),
    "fiji": ("Fiji", "MacroResult"),
    "forest": ("Forest", "load_forest", "save_forest", "train"),
    "io": ("read_volume", "write_volume"),
    "ops": (
        "Shifts",
        "align",
        "apply_shifts",
        "automatic_threshold",
        "crop",
        "decurtain",
        "estimate_shifts",
        "even_out",
        "fill_pores",
        "find_curtains",
        "operations",
        "read_shifts",
        "register",
        "resample",
        "shear",
        "smooth",
        "threshold",
        "watershed",
        "write_shifts",
    ),
    "phantom": ("Defects", "make_electrode", "make_fibsem"),
    "pipeline": ("load_recipe", "run_recipe"),
    "service.client": ("Client",),
    "study.compare": ("Comparison", "compare"),
    "volume": ("Volume", "VoxelSize", "make_volume", "same_grid", "voxel_size", "with_data"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604  the names stand once, in _HOMES


def __getattr__(name: str) -> object:
    """Load a public name from its home when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'fijibridge' has no attribute {name!r}")
    found = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
