"""`fijibridge prepare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from ._app import AsJson, OutFolder, command_line
from ._by_blocks import MemoryOption, SchedulerOption, Who, WorkersOption, tell_plan, who_works, workplace
from ._terminal import progress_bar

if TYPE_CHECKING:
    from ..pipeline import Planned, Recipe
    from ..prepare import Prepared
    from ..volume import Volume


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command()(prepare)


def prepare(
    recipe: Annotated[Path, typer.Argument(help="Recipe (TOML), or the recipe.json of an earlier run.")],
    out: OutFolder,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the recipe, say which steps are done and which to do, and stop.")
    ] = False,
    from_: Annotated[
        str,
        typer.Option("--from", metavar="STEP", help="Do this step (number or operation) and all behind it anew."),
    ] = "",
    clean: Annotated[
        bool, typer.Option("--clean", help="At the end, remove the outputs of all steps but the last.")
    ] = False,
    zarr: Annotated[
        bool, typer.Option("--zarr", help="Also write prepared.ome.zarr, in chunks and at several resolutions.")
    ] = False,
    memory: MemoryOption = "",
    scheduler: SchedulerOption = "",
    workers: WorkersOption = None,
    as_json: AsJson = False,
) -> None:
    """Take a stack through the steps of a recipe (align, decurtain, resample, ...) and report what they did.

    A run that was stopped, even killed, goes on where it was: finished steps are not done again. With --memory, steps
    that would take more go block by block, with the same voxels; with --scheduler, all that can.
    """
    from ..pipeline import find_step, load_recipe
    from ..prepare import prepare as prepare_stack

    found = load_recipe(recipe)
    start = find_step(found, from_) if from_ else None
    who = who_works(scheduler, workers, memory)
    if dry_run:
        _say_plan(found, out, start, who, as_json)
        return
    with workplace(who), progress_bar("read the input") as tell:
        made = prepare_stack(
            found, out, command=command_line(), start=start, clean=clean, zarr=zarr, progress=tell,
            told=tell_plan, **who._asdict(),
        )  # fmt: skip
    _say_prepared(made, as_json)


def _say_plan(recipe: Recipe, out: Path, start: int | None, who: Who, as_json: bool) -> None:
    from ..pipeline import foresee
    from ..prepare import steps_folder
    from ..volume import describe_grid

    with progress_bar("read the input"):
        volume = recipe.open()
        planned = _planned(recipe, volume, steps_folder(out), start)
        ways = foresee(recipe.steps, volume, **who._asdict())
    if as_json:
        steps = [
            {"number": entry.number, **entry.step.describe(), "done": entry.done, "blocks": words or None}
            for entry, words in zip(planned, ways, strict=True)
        ]
        typer.echo(json.dumps({"input": str(recipe.source), "steps": steps}))
        return
    Console().print(_plan_table(planned, f"{recipe.source.name}: {describe_grid(volume)}, {volume.dtype}"))
    for entry, words in zip(planned, ways, strict=True):
        if words and not entry.done:
            typer.echo(f"step {entry.number}: {words}")


def _planned(recipe: Recipe, volume: Volume, folder: Path, start: int | None) -> tuple[Planned, ...]:
    """Say what is done; voxels are read only where an earlier run left something that they may have been made into."""
    from ..pipeline import Planned, plan

    if any(folder.glob("[0-9]*.json")):
        return plan(recipe, volume, folder, start=start)
    return tuple(Planned(number, step, "", False) for number, step in enumerate(recipe.steps, 1))


def _plan_table(planned: tuple[Planned, ...], title: str) -> Table:
    table = _table(title, ("operation", "engine", "state", "parameters"))
    for entry in planned:
        settings = ", ".join(
            f"{name} = {json.dumps(value)}" for name, value in entry.step.describe()["parameters"].items()
        )
        state = "done" if entry.done else "to do"
        table.add_row(str(entry.number), entry.step.operation.name, entry.step.engine, state, _plain(settings))
    return table


def _say_prepared(made: Prepared, as_json: bool) -> None:
    from ..prepare import step_records

    if as_json:
        files: dict[str, object] = {"volume": str(made.volume), "recipe": str(made.recipe), "report": str(made.report)}
        if made.zarr is not None:
            files["zarr"] = str(made.zarr)
        files["transforms"] = [str(path) for path in made.transforms]
        typer.echo(json.dumps({**files, "steps": step_records(made.run), "freed_bytes": made.freed}))
        return
    table = _table(made.run.recipe.source.name, ("operation", "engine", "voxels after it", "s"))
    for step in made.run.steps:
        shape = "" if step.output is None else " x ".join(str(size) for size in step.output.shape)
        seconds = "" if step.output is None else f"{step.output.seconds:.1f}"
        seconds += " (earlier run)" if step.reused else ""
        table.add_row(str(step.number), step.step.operation.name, step.step.engine, shape, seconds)
    Console().print(table)
    if made.freed:
        typer.echo(f"Removed {made.freed / 1e6:,.0f} MB of earlier steps' outputs")
    typer.echo(f"Volume: {made.volume.resolve()}")
    if made.zarr is not None:
        typer.echo(f"OME-Zarr: {made.zarr.resolve()}")
    for path in made.transforms:
        typer.echo(f"Transforms: {path.resolve()}")
    typer.echo(f"Report: {made.report.resolve()}")


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0))
    for name in ("step", *columns):
        table.add_column(name)
    return table


def _plain(text: str) -> str:
    """Keep brackets in parameters from being read as colours."""
    return text.replace("[", r"\[")
