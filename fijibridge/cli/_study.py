"""`fijibridge study`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ParameterError
from ._app import AsJson, OutFolder, Seed, command_line
from ._by_blocks import SchedulerOption, WorkersOption, who_works, workplace
from ._fiji import ImageJ
from ._terminal import progress_bar


def add_to(app: typer.Typer) -> None:
    """Register the command of this module."""
    app.command()(study)


def study(
    out: OutFolder,
    file: Annotated[Path | None, typer.Argument(help="The study: volumes, users, methods (TOML).")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two small phantoms instead of a file; minutes.")] = False,
    phantoms: Annotated[
        bool, typer.Option("--phantoms", help="All six phantoms at full size instead of a file.")
    ] = False,
    labels: Annotated[bool, typer.Option("--labels", help="Also write every segmentation as a TIFF.")] = False,
    scheduler: SchedulerOption = "",
    workers: WorkersOption = None,
    imagej: ImageJ = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Segment volumes by every method of the study for every user, and report how far users and methods differ.

    A run that was stopped goes on where it was: give the same command again.
    """
    from ..fiji import use
    from ..study.config import paper_study, quick_study, read_study
    from ..study.elsewhere import make_cells
    from ..study.run import run_study
    from ..study.study_report import records, write_study

    if (file is not None) + quick + phantoms != 1:
        raise ParameterError("study takes a file, or --quick, or --phantoms; give one of them")
    if imagej is not None:
        use(imagej)
    phantom_study = quick_study if quick else paper_study
    config = phantom_study(seed=seed) if file is None else read_study(file)
    with progress_bar("start") as tell, workplace(who_works(scheduler, workers)):
        if scheduler:
            make_cells(config, out, scheduler=scheduler, workers=workers, progress=tell)
        result = run_study(config, out, progress=lambda text, share: tell(text, 0.97 * share))
        report = write_study(
            result, out, command=command_line(), labels=labels,
            progress=lambda share: tell("compare users", 0.97 + 0.03 * share),
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"rows": list(records(result)), "report": str(report), "left_out": result.left_out}))
        return
    for sentence in result.left_out:
        typer.echo(f"Not run: {sentence}", err=True)
    typer.echo(f"Report: {report.resolve()}")
