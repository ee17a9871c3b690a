"""The command line: parse, call, print."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from . import __version__
from ._terminal import exit_code, progress_bar, show_error
from .errors import FijibridgeError, ParameterError
from .io import read_volume
from .study.compare import Comparison
from .study.compare import compare as compare_methods
from .study.demo import make_demo, write_demo
from .study.output import records, write_comparison
from .volume import Units, Volume, voxel_size, with_data

app = typer.Typer(
    name="fijibridge",
    help="Segment FIB-SEM and X-ray CT stacks with Fiji/ImageJ and with a random forest, and compare the results.",
    epilog="Exit codes: 0 done, 2 wrong usage, 3 bad input, 4 an engine or setting is missing, 5 ImageJ failed, "
    "6 cannot write.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results; made where it is missing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the rows as JSON on stdout, for other programs.")]
Seed = Annotated[int, typer.Option(help="Of every random choice: the same seed gives the same bytes.")]
VoxelSizeOption = Annotated[
    str, typer.Option("--voxel-size", metavar="Z,Y,X", help="Voxel size, where the file does not say it.")
]
UnitsOption = Annotated[Units, typer.Option("--units", help="Unit of --voxel-size: nm or um.")]


def main() -> None:
    """Run the command line; an error of ours becomes one sentence and an exit code."""
    try:
        app()
    except FijibridgeError as error:
        show_error(error)
        sys.exit(exit_code(error))


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"fijibridge {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Out = Path("fijibridge-demo"),
    size: Annotated[int, typer.Option(help="Voxels along each edge of the simulated cathode.")] = 144,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Simulate an X-ray CT scan of a cathode, segment it in ImageJ and by forest, and write a report.

    Needs nothing but this package: the first run fetches ImageJ (about 3 MB) and keeps it.
    """
    with progress_bar("simulate a cathode") as tell:
        made = make_demo(size, seed=seed)
        write_demo(made, out)
        result = compare_methods(
            made.volume, made.labels, truth=made.truth, dataset="simulated cathode", seed=seed, progress=tell
        )
    _finish(result, out, as_json)


@app.command()
def compare(
    stack: Annotated[Path, typer.Argument(help="TIFF stack, OME-TIFF or folder of slices.")],
    labels: Annotated[
        Path, typer.Option(help="Painted labels: 1 = active material, 2 = pore + binder, 0 = unlabelled.")
    ],
    out: Out,
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
    volume = _read_stack(stack, voxel_size_, units)
    painted = _read_labels(labels, volume)
    known = _read_labels(truth, volume) if truth else None
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


def _read_stack(path: Path, spacing: str, units: Units) -> Volume:
    if not spacing:
        return read_volume(path)
    parts = spacing.replace("x", ",").split(",")
    try:
        z, y, x = (float(part) for part in parts)
    except ValueError:
        raise ParameterError(
            f"--voxel-size needs three numbers Z,Y,X, got {spacing!r}; write for instance 256,55,55"
        ) from None
    return read_volume(path, spacing=(z, y, x), units=units)


def _read_labels(path: Path, volume: Volume) -> Volume:
    """Read labels; a label file that carries no voxel size but has the stack's shape lies on the stack's grid."""
    labels = read_volume(path)
    if voxel_size(labels).units == "voxel" and labels.shape == volume.shape:
        return with_data(volume, labels.data)
    return labels


def _finish(result: Comparison, out: Path, as_json: bool) -> None:
    report = write_comparison(result, out, command=_command())
    if as_json:
        typer.echo(json.dumps({"rows": list(records(result)), "report": str(report)}))
        return
    Console().print(_table(result))
    typer.echo(f"Report: {report.resolve()}")


def _command() -> str:
    """The command line that was given, with the program's name instead of its path."""
    return shlex.join(["fijibridge", *sys.argv[1:]])


def _table(result: Comparison) -> Table:
    first = min(result.classes)
    table = Table(
        title=f"{result.dataset}: {' x '.join(str(n) for n in result.volume.shape)} voxels",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    columns = ["method", "engine", "input", f"label {first} %"]
    if result.truth is not None:
        columns += ["error pp", "Dice", "IoU", "accuracy %"]
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
