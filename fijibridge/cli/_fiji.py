"""`fijibridge doctor`, `fijibridge macro run` and `fijibridge macro install`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from ..errors import ParameterError
from ..service import macro_call
from ..settings import load_settings
from ._app import AsJson
from ._terminal import progress_bar

if TYPE_CHECKING:
    from ..fiji import MacroResult

ImageJ = Annotated[
    str | None,
    typer.Option("--fiji", metavar="WHICH", help="A Fiji or ImageJ folder, a Maven endpoint, or 'embedded'."),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command()(doctor)
    macro = typer.Typer(help="Run ImageJ macros without a window, or install ours into yours.", no_args_is_help=True)
    macro.command("run")(run_macro)
    macro.command("install")(install)
    macro.command("call", context_settings={"ignore_unknown_options": True})(call)
    app.add_typer(macro, name="macro")


def doctor(imagej: ImageJ = None, as_json: AsJson = False) -> None:
    """Look at everything that ImageJ needs here, and send a stack through it and back.

    Exit code 4 if ImageJ does not work; each line that is not good says what to do.
    """
    from ..fiji.doctor import examine

    with progress_bar("look at Python, Java and ImageJ") as tell:
        report = examine(load_settings(imagej=imagej), progress=lambda share: tell("examine", share))
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        marks = {"good": "[green]good[/]", "missing": "[yellow]missing[/]", "bad": "[bold red]bad[/]"}
        table = Table("state", "what", Column("found", overflow="fold"), box=box.SIMPLE, padding=(0, 1, 0, 0))
        for check in report.checks:
            words = escape(check.found) + (f"\n[italic]{escape(check.advice)}[/]" if check.advice else "")
            table.add_row(marks[check.state], escape(check.name), words)
        Console().print(table)
    if not report.healthy:
        raise typer.Exit(4)


def install(
    folder: Annotated[Path, typer.Argument(help="Folder of your Fiji.app or ImageJ.")],
    as_json: AsJson = False,
) -> None:
    """Copy our macros into a Fiji or ImageJ: Plugins > fijibridge, after its next start."""
    from ..fiji import install_macros

    written = install_macros(folder)
    if as_json:
        typer.echo(json.dumps({"files": [str(path) for path in written]}))
        return
    typer.echo(f"Installed {len(written)} macros into {written[0].parent}; restart ImageJ to see Plugins > fijibridge")


def call(
    words: Annotated[list[str], typer.Argument(metavar="start|wait|cancel|status|preview|model|stop ...")],
) -> None:
    """Ask the local service for a job, as the macros do; it is started if it does not run.

    For example: fijibridge macro call start smooth input:volume=/data/in.tif output=/data/out.tif sigma=1.5
    Answers come as key=value lines; what went wrong as error=sentence.
    """
    macro_call.main(words)


def run_macro(
    macro: Annotated[Path, typer.Argument(help="Macro file (.ijm), or the name of one that comes with fijibridge.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK | KEY=VALUE]...", help="Stacks to open, and options.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File for the image that is active at the end.")
    ] = None,
    imagej: ImageJ = None,
    heap: Annotated[str | None, typer.Option(help="Most memory for Java, such as 4g.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which the macro is stopped.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a macro in a headless ImageJ.

    The stacks are opened first, the first one active; KEY=VALUE pairs are what getArgument() gives in the macro, as
    "key=value key2=[value with blanks]". For example: fijibridge macro run smooth.ijm in.tif -o out.tif sigma=1.5
    """
    from ..fiji import Fiji
    from ..io import read_volume, write_volume

    words = inputs or []
    options = dict(word.split("=", 1) for word in words if _is_option(word))
    with progress_bar("read") as tell:
        volumes = [read_volume(word).rename(Path(word).name) for word in words if not _is_option(word)]
        tell(f"run {macro.name} in ImageJ", 0.2)
        with Fiji(imagej, workers=1, heap=heap, timeout_s=timeout) as fiji:
            result = fiji.run_macro(macro, *volumes, **options)
        if out is not None:
            tell("write", 0.9)
            write_volume(result.image, out)
    _say_result(result, out, as_json)


def _is_option(word: str) -> bool:
    """A word with an equals sign is an option, unless a file of that name is there."""
    if "=" not in word or Path(word).exists():
        return False
    if not word.split("=", 1)[0].isidentifier():
        raise ParameterError(f"{word!r} is neither a file nor KEY=VALUE; a key holds letters, digits and _")
    return True


def _say_result(result: MacroResult, out: Path | None, as_json: bool) -> None:
    if as_json:
        found = {"returned": result.returned, "log": result.log, "images": list(result.images)}
        rows = json.loads(result.table.to_json(orient="records"))
        typer.echo(json.dumps({**found, "out": None if out is None else str(out), "table": rows}))
        return
    if result.log.strip():
        typer.echo(result.log.rstrip())
    if len(result.table):
        typer.echo(result.table.to_string(index=False))
    if result.returned:
        typer.echo(result.returned)
    if out is not None:
        typer.echo(f"Wrote {out}")
