"""`fijibridge segment`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
import typer

from ..choices import Engine
from ..errors import ParameterError
from ._app import AsJson, Stack, UnitsOption, VoxelSizeOption
from ._by_blocks import MemoryOption, SchedulerOption, WorkersOption, check_by_blocks, tell_plan, who_works, workplace
from ._inputs import read_stack
from ._terminal import progress_bar

if TYPE_CHECKING:
    from ..volume import Volume

#: Labels of dark and of bright voxels.
_CLASSES = (2, 1)
_WATERSHED = "watershed"


def add_to(app: typer.Typer) -> None:
    """Register the command of this module."""
    app.command()(segment)


def segment(
    stack: Stack,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Labels to write: a file (.tif), or .zarr, which goes block by block.")
    ],
    method: Annotated[
        str,
        typer.Option(help="Automatic threshold (otsu, li, triangle, ...), fixed (--value), watershed (--low, --high)."),
    ] = "otsu",
    value: Annotated[float | None, typer.Option(help="Of fixed: voxels above it are bright.")] = None,
    low: Annotated[float | None, typer.Option(help="Of watershed: voxels below it are seeds of the dark.")] = None,
    high: Annotated[float | None, typer.Option(help="Of watershed: voxels above it are seeds of the bright.")] = None,
    flood: Annotated[
        Literal["auto", "stack", "slices"], typer.Option(help="Of watershed: in 3-D or slice by slice.")
    ] = "auto",
    engine: Annotated[Engine, typer.Option(help="native, or fiji: ImageJ itself.")] = "native",
    scheduler: SchedulerOption = "",
    workers: WorkersOption = None,
    memory: MemoryOption = "",
    voxel_size: VoxelSizeOption = "",
    units: UnitsOption = "nm",
    as_json: AsJson = False,
) -> None:
    """Label bright voxels 1 and dark ones 2 by a threshold or a watershed.

    Into an OME-Zarr folder it goes block by block in bounded memory; a run that was stopped goes on where it was.
    """
    from ..io import is_zarr_name, write_volume

    name, parameters = _operation(method, value=value, low=low, high=high, flood=flood)
    by_blocks, who = is_zarr_name(out), who_works(scheduler, workers, memory)
    check_by_blocks(by_blocks, who)
    volume = read_stack(stack, voxel_size, units, mmap=by_blocks)
    with progress_bar(method) as tell, workplace(who):
        if by_blocks:
            from ..blocks import apply_blocks

            labels = apply_blocks(
                name, volume if voxel_size else stack, out, engine=engine, classes=_CLASSES,
                progress=lambda share: tell(method, share), told=tell_plan, **who._asdict(), **parameters,
            )  # fmt: skip
        else:
            from ..ops import operations, telling
            from ..study.methods import labels_from_masks

            with telling(lambda share: tell(method, share)):
                mask = operations()[name](volume, engine=engine, **parameters)
            labels = labels_from_masks([mask], _CLASSES)
            write_volume(labels, out)
        share = _share_of_bright(labels)
    _say(out, share, as_json)


def _operation(method: str, **given: Any) -> tuple[str, dict[str, Any]]:
    """Give the operation of the table and its parameters; the operation itself checks them further."""
    if method == _WATERSHED:
        wanted = {name: given[name] for name in ("low", "high", "flood")}
        if given["value"] is not None or None in wanted.values():
            missing = " and ".join(f"--{name}" for name in ("low", "high") if wanted[name] is None)
            found = f"got no {missing}" if missing else "got --value, which is for the method fixed"
            raise ParameterError(
                f"the method watershed floods from below --low and from above --high, and {found}; "
                "give both alone, for instance --method watershed --low 90 --high 140"
            )
        return "watershed", wanted
    from ..ops import AutoMethod

    if method not in ("fixed", *get_args(AutoMethod)):
        raise ParameterError(f"there is no method {method!r}; use watershed, fixed, {', '.join(get_args(AutoMethod))}")
    if given["low"] is not None or given["high"] is not None or given["flood"] != "auto":
        raise ParameterError(f"--low, --high and --flood are for watershed, got the method {method!r}")
    return "threshold", {"method": method, "value": given["value"]}


def _share_of_bright(labels: Volume) -> float:
    """Count slice by slice: the labels may lie on disk."""
    depth = labels.shape[0]
    bright = sum(int(np.count_nonzero(np.asarray(labels.data[z]) == _CLASSES[1])) for z in range(depth))
    return bright / labels.size


def _say(out: Path, share: float, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(out), "fraction": share, "labels": {"bright": 1, "dark": 2}}))
    else:
        typer.echo(f"{100 * share:.2f} % bright; wrote {out}")
