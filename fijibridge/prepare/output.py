"""Run a recipe and leave its results: the volume, the full recipe with what the run found, and the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from .._report.versions import package_versions
from ..io import write_text, write_volume
from ..ops import Shifts, write_shifts
from ..pipeline import Recipe, Run, Store, code_key, run_recipe
from ..volume import describe_grid, history
from .report import render_report

#: Share of a run that the steps take on the progress bar; the rest is writing volume and report.
_STEPS = 0.9


class Prepared(NamedTuple):
    """What a preparation left: the run, and where its files lie; `transforms` of each step that aligned slices."""

    run: Run
    volume: Path
    recipe: Path
    report: Path
    transforms: tuple[Path, ...]
    #: The OME-Zarr folder, where it was asked for.
    zarr: Path | None
    #: Bytes of earlier steps' outputs that were removed.
    freed: int


def steps_folder(out: Path) -> Path:
    """Give the folder of the steps' outputs in the folder of the results."""
    return out / "steps"


def prepare(
    recipe: Recipe,
    out: Path,
    *,
    command: str,
    start: int | None = None,
    clean: bool = False,
    zarr: bool = False,
    memory: int | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: Callable[[str, float], None] | None = None,
    told: Callable[[str], None] | None = None,
) -> Prepared:
    """Run a recipe and write ``prepared.tif``, ``recipe.json``, ``report.html``, and what slices were moved by.

    Parameters
    ----------
    recipe : what to do.
    out : folder for the results, made where it is missing; outputs of the steps go into ``steps`` in it.
    command : the command line that repeats the run, for the report.
    start : do this step (counted from 1) and all behind it anew.
    clean : in the end, remove the outputs of all steps but the last.
    zarr : also write the volume as ``prepared.ome.zarr``, in chunks and at several resolutions.
    memory, scheduler, workers : keep within so many bytes by going block by block, and who works on blocks; see
        `run_recipe`.
    progress : is told what runs now and the share of the whole done.
    told : called before the first step for each step that will go block by block, with what it needs.

    Raises
    ------
    FijibridgeError : see `run_recipe`.
    """
    tell = progress or (lambda _text, _share: None)
    steps = steps_folder(out)
    run = run_recipe(
        recipe, steps, start=start, memory=memory, scheduler=scheduler, workers=workers,
        progress=lambda text, share: tell(text, _STEPS * share), told=told,
    )  # fmt: skip
    chunked = out / "prepared.ome.zarr" if zarr else None
    found = Prepared(run, out / "prepared.tif", out / "recipe.json", out / "report.html", (), chunked, 0)
    write_volume(run.after, found.volume, progress=lambda share: tell("write the volume", _STEPS + 0.03 * share))
    if found.zarr is not None:
        tell("write the OME-Zarr", 0.93)
        write_volume(run.after, found.zarr, progress=lambda share: tell("write the OME-Zarr", 0.93 + 0.02 * share))
    tell("write the report", 0.95)
    versions = package_versions(imagej=_imagej(run))
    text = render_report(run, name=recipe.source.stem, command=command, versions=versions)
    write_text(found.report, text)
    document = recipe.document() | {"run": _account(run) | {"versions": versions, "command": command}}
    write_text(found.recipe, json.dumps(document, indent=2, allow_nan=False))
    transforms = _write_transforms(run, out)
    freed = Store(steps).clean(keep=[run.steps[-1].name]) if clean else 0
    tell("done", 1.0)
    return found._replace(freed=freed, transforms=transforms)


def step_records(run: Run) -> list[dict[str, Any]]:
    """Give each step of a run in plain JSON terms: what was done, by what, into which file, in how many seconds."""
    done = history(run.after)[len(history(run.before)) :]
    return [
        {"number": step.number, **made, "reused": step.reused, **(asdict(step.output) if step.output else {})}
        for step, made in zip(run.steps, map(dict, done), strict=True)
    ]


def _write_transforms(run: Run, out: Path) -> tuple[Path, ...]:
    """Write ``transforms-NUMBER-OPERATION.csv`` for each step that recorded how it moved the slices."""
    done = history(run.after)[len(history(run.before)) :]
    written = []
    for made, step in zip(run.steps, done, strict=False):
        shifts = Shifts.from_step(step)
        if shifts is not None:
            written.append(write_shifts(shifts, out / f"transforms-{made.number:02d}-{made.step.operation.name}.csv"))
    return tuple(written)


def _account(run: Run) -> dict[str, Any]:
    """Say what the run went through: input, steps, result, and the hash of the code that made it."""
    return {
        "before": f"{describe_grid(run.before)}, {run.before.dtype}",
        "after": f"{describe_grid(run.after)}, {run.after.dtype}",
        "earlier": [dict(step) for step in history(run.before)],
        "steps": step_records(run),
        "code": code_key(),
    }


def _imagej(run: Run) -> str:
    """Give the version of the ImageJ that had a part in the run; empty where none had."""
    used = [str(step["version"]) for step in history(run.after) if step.get("engine") == "fiji" and "version" in step]
    return used[-1] if used else ""
