"""Choices and defaults that the command line shows in its help, in a module that costs nothing to import."""

from __future__ import annotations

from typing import Literal

#: ``voxel`` stands for "not calibrated": the file did not say, and we do not guess.
Units = Literal["nm", "um", "voxel"]
Engine = Literal["native", "fiji"]
#: Of an OME-Zarr; 0.4 is Zarr 2, 0.5 is Zarr 3.
ZarrVersion = Literal["0.4", "0.5"]
#: The default forest; docs/decisions/002-forest-features-and-trees.md has the table behind it.
TREES, MIN_LEAF = 60, 1
