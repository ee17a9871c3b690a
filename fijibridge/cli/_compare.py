"""`fijibridge demo` and `fijibridge compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from ._app import AsJson, OutFolder, Seed, Stack, UnitsOption, VoxelSizeOption, command_line
from ._inputs import read_labels, read_stack
from ._terminal import progress_bar

if TYPE_CHECKING:
    from ..study.compare import Comparison


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command()(demo)
    app.command()(compare)


def demo(
    out: OutFolder = Path("fijibridge-demo"),
    size: Annotated[int, typer.Option(help="Voxels along each edge of the simulated cathode.")] = 144,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Simulate an X-ray CT scan of a cathode, segment it in ImageJ and by forest, and write a report.

    Needs nothing but this package: the first run fetches ImageJ (about 3 MB) and keeps it.
    """
    from ..study.compare import compare as compare_methods
    from ..study.demo import make_demo, write_demo

    with progress_bar("simulate a cathode") as tell:
        made = make_demo(size, seed=seed)
        write_demo(made, out)
        result = compare_methods(
            made.volume, made.labels, truth=made.truth, dataset="simulated cathode", seed=seed, progress=tell
        )
    _finish(result, out, as_json)


def compare(
    stack: Stack,
    labels: Annotated[
        Path,
        typer.Option(
            help="Labels (TIFF, ROIs, .ilp, .labeling): 1 = active material, 2 = pore + binder, 0 = unlabelled."
        ),
    ],
    out: OutFolder,
    truth: Annotated[Path | None, typer.Option(help="Labels of known truth, 0 = not known.")] = None,
    dataset: Annotated[str, typer.Option(help="Name for the tables; the stack's own if left out.")] = "",
    user: Annotated[str, typer.Option(help="Who painted the labels.")] = "A",
    slicewise: Annotated[
        bool,
        typer.Option("--slicewise", help="Treat each slice as an image of its own (slices that are not neighbours)."),
    ] = False,
    voxel_size_: VoxelSizeOption = "",
    units: UnitsOption = "nm",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Segment a stack by threshold, watershed and forest, raw and filtered, and write a report that compares them."""
    from ..study.compare import compare as compare_methods

    volume = read_stack(stack, voxel_size_, units)
    painted = read_labels(labels, volume)
    known = read_labels(truth, volume) if truth else None
    with progress_bar("start") as tell:
        result = compare_methods(
            volume,
            painted,
            truth=known,
            dataset=dataset or stack.stem,
            user=user,
            slicewise=slicewise,
            seed=seed,
            progress=tell,
        )
    _finish(result, out, as_json)


def _finish(result: Comparison, out: Path, as_json: bool) -> None:
    from ..study.output import records, write_comparison

    report = write_comparison(result, out, command=command_line())
    if as_json:
        typer.echo(json.dumps({"rows": list(records(result)), "report": str(report)}))
        return
    Console().print(_table(result))
    typer.echo(f"Report: {report.resolve()}")


def _table(result: Comparison) -> Table:
    first = min(result.classes)
    table = Table(
        title=f"{result.dataset}: {' x '.join(str(n) for n in result.volume.shape)} voxels",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    columns = ["method", "engine", "input", f"{first} in %"]
    if result.truth is not None:
        columns += ["error pp", "Dice", "IoU", "acc. %"]
    for index, name in enumerate([*columns, "s"]):
        table.add_column(name, justify="left" if index < 3 else "right", no_wrap=True)
    for row in result.rows:
        cells = [row.method, row.engine_name, row.input]
        cells.append(f"{100 * row.fractions[first]:.2f}")
        if row.agreement is not None and row.fraction_errors is not None:
            score = row.agreement
            cells += [f"{100 * row.fraction_errors[first]:+.2f}", f"{score.dice[first]:.4f}", f"{score.iou[first]:.4f}"]
            cells.append(f"{100 * score.accuracy:.2f}")
        table.add_row(*cells, f"{row.seconds:.1f}")
    return table
