"""The program itself and the options that several commands share."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..choices import Units

app = typer.Typer(
    name="fijibridge",
    help="Segment FIB-SEM and X-ray CT stacks with Fiji/ImageJ and with a random forest, and compare the results.",
    epilog="Exit codes: 0 done, 2 wrong usage, 3 bad input, 4 an engine or setting is missing, 5 ImageJ failed, "
    "6 cannot write.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Stack = Annotated[
    Path, typer.Argument(help="Stack (TIFF, OME-TIFF, HDF5, NRRD, MRC, .am, .txm, ...) or folder of TIFF slices.")
]
OutFolder = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results; made where it is missing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout, for other programs.")]
Seed = Annotated[int, typer.Option(help="Of every random choice: the same seed gives the same bytes.")]
VoxelSizeOption = Annotated[
    str, typer.Option("--voxel-size", metavar="Z,Y,X", help="Voxel size, where the file does not say it.")
]
UnitsOption = Annotated[Units, typer.Option("--units", help="Unit of --voxel-size.")]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"fijibridge {__version__}")
        raise typer.Exit


def command_line() -> str:
    """The command line that was given, with the program's name instead of its path."""
    return shlex.join(["fijibridge", *sys.argv[1:]])
