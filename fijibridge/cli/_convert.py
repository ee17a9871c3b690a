"""`fijibridge convert`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..choices import ZarrVersion
from ._app import AsJson, UnitsOption, VoxelSizeOption
from ._inputs import parse_spacing
from ._terminal import progress_bar


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command()(convert)


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="File or folder of slices: TIFF, OME-TIFF, HDF5 (FILE.h5/DATASET), NRRD, MetaImage, MRC, AmiraMesh, "
            "Zeiss .txm, OME-Zarr, raw with a .mhd, .nhdr, .info or .json beside it."
        ),
    ],
    target: Annotated[
        Path, typer.Argument(help="File to write; its ending says the format (.tif, .ome.tif, .zarr, ...).")
    ],
    voxel_size_given: VoxelSizeOption = "",
    units: UnitsOption = "nm",
    channel: Annotated[int | None, typer.Option(help="Which channel of a TIFF in colour, counted from 0.")] = None,
    ome_zarr: Annotated[ZarrVersion, typer.Option(help="Version of an OME-Zarr.")] = "0.5",
    sharded: Annotated[
        bool | None,
        typer.Option(help="Keep 16 chunks of an OME-Zarr 0.5 in one file; by default where there are over 2000."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a stack in another format, and compare what was written with what was read.

    Voxel size and history go with it where the format has a place for them. Volumes may be larger than memory.
    """
    from ..io import convert_volume
    from ..volume import describe_grid, voxel_size

    spacing = parse_spacing(voxel_size_given)
    with progress_bar("convert") as tell:
        written = convert_volume(
            source,
            target,
            spacing=spacing,
            units=units if spacing else None,
            channel=channel,
            ome_zarr=ome_zarr,
            sharded=sharded,
            progress=lambda share: tell("write" if share < 0.5 else "compare", share),
        )
    if as_json:
        size = voxel_size(written)
        told = {"file": str(target), "shape": list(written.shape), "dtype": str(written.dtype)}
        typer.echo(json.dumps({**told, "voxel_size": list(size[:3]), "units": size.units}))
    else:
        typer.echo(f"{target}: {describe_grid(written)}, {written.dtype}; every voxel compared")
