"""The report of a preparation: one self-contained HTML page from a run of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .._report.page import Picture, describe_steps, embed, load_template
from ..ops import Shifts
from ..pipeline import Finished, Run
from ..volume import Step, describe_grid, history
from . import figures
from .measure import Spectrum, emptied, kept, shifts_in, stripe_spectrum

#: Smallest side of a slice whose stripes can be told from its structure.
_SMALLEST = 32
#: Below this share of what other directions have, more than stripes was taken.
_HOLLOW = 0.7
_PLANES = (
    "Planes through the middle, at true proportions, each with its own grey window. Drift and jumps show along z (xz "
    "and yz, where there are slices enough): there, aligned slices have smooth edges."
)
_SHIFTS = (
    "By how many voxels each slice was moved (left), and how much of that is new from one slice to the next (right)."
)
_TURNS = "By how many degrees each slice was turned, counter-clockwise, before it was moved."
_GREYS = (
    "Each row is one slice's histogram. Even light gives straight columns; brightness jumps and charging bend and "
    "break them."
)
_STRIPES = (
    "Power at spatial frequencies across vertical stripes, such as milling leaves (solid), beside that of oblique "
    "directions (dotted). Without stripes the two coincide, except where the structure itself has a direction."
)


class Line(NamedTuple):
    """A step in the report's table, in words."""

    number: int
    operation: str
    engine: str
    shape: str
    size: str
    kept: str
    seconds: str


class _Moved(NamedTuple):
    """The slices of a stack as a step moved them."""

    name: str
    shifts: NDArray[np.float64]
    #: Share of the voxels that were left empty.
    emptied: float
    #: Degrees by which each slice was turned, where turns were measured.
    angles: NDArray[np.float64] | None


def render_report(run: Run, *, name: str, command: str, versions: Mapping[str, str]) -> str:
    """Write the report of a run.

    Parameters
    ----------
    run : what `run_recipe` gave.
    name : of the stack, for the heading.
    command : the command line that repeats the run.
    versions : name and version of everything that had a part in it.

    Returns
    -------
    HTML text that needs no other file and no network.
    """
    spectra = _spectra(run)
    moved = _moved(run)
    done = history(run.after)[len(history(run.before)) :]
    template = load_template("fijibridge.prepare", "report.html.j2")
    return template.render(
        name=name,
        before=f"{describe_grid(run.before)}, {run.before.dtype}",
        after=f"{describe_grid(run.after)}, {run.after.dtype}",
        findings=_findings(run, spectra, moved),
        rows=[_line(run, step) for step in run.steps],
        pictures=[Picture(title, text, embed(figure, title)) for title, text, figure in _drawn(run, spectra, moved)],
        settings=[
            (f"{number}. {step.get('operation')}", describe_steps([step])) for number, step in enumerate(done, 1)
        ],
        command=command,
        versions=versions,
    )


def _drawn(run: Run, spectra: tuple[Spectrum, Spectrum] | None, moved: list[_Moved]) -> list[tuple[str, str, Figure]]:
    drawn = [("Before and after", _PLANES, figures.orthoslices(run.before, run.after))]
    if moved:
        drawn.append(("Shifts", _SHIFTS, figures.shifts([(step.name, step.shifts) for step in moved])))
    turned = [(step.name, step.angles) for step in moved if step.angles is not None]
    if turned:
        drawn.append(("Turns", _TURNS, figures.turns(turned)))
    if not _is_mask(run) and min(run.before.shape[0], run.after.shape[0]) > 1:
        drawn.append(("Grey levels by slice", _GREYS, figures.histograms_by_slice(run.before, run.after)))
    if spectra:
        drawn.append(("Stripes", _STRIPES, figures.stripes(*spectra, run.before)))
    return drawn


def _findings(run: Run, spectra: tuple[Spectrum, Spectrum] | None, moved: list[_Moved]) -> list[str]:
    seconds = sum(step.output.seconds for step in run.steps if step.output is not None)
    reused = sum(step.reused for step in run.steps)
    over = f"; {reused} of them taken over from an earlier run" if reused else ""
    said = [f"{_count(len(run.steps), 'step')} in {seconds:.1f} s of computing{over}."]
    for step in moved:
        jump = np.abs(np.diff(step.shifts, axis=0)).max(initial=0)
        said.append(
            f"{step.name} moved slices by up to {np.abs(step.shifts).max():.1f} voxels, from one slice to the "
            f"next by up to {jump:.1f}, which left {100 * step.emptied:.1f} % of the voxels empty at the borders."
        )
    if spectra:
        said.append(_about_stripes(*(spectrum.ratio for spectrum in spectra)))
    share = kept(run.before, run.steps[-1])
    if share is not None and abs(share - 1) > 1e-3:
        said.append(f"{100 * share:.1f} % of the volume is left; the rest was cut off.")
    return said


def _about_stripes(before: float, after: float) -> str:
    said = (
        f"Along the stripes' frequencies the power was {before:.2f} times that of other directions before, and "
        f"{after:.2f} times after (about 1 where there are no vertical stripes)"
    )
    if after < _HOLLOW * min(before, 1):
        return f"{said}: less than other directions have, so structure and noise went with the stripes."
    return f"{said}."


def _spectra(run: Run) -> tuple[Spectrum, Spectrum] | None:
    """Measure the stripes before and after, where both are grey and large enough."""
    smallest = min(*run.before.shape[1:], *run.after.shape[1:])
    if _is_mask(run) or smallest < _SMALLEST:
        return None
    return stripe_spectrum(run.before), stripe_spectrum(run.after)


def _is_mask(run: Run) -> bool:
    return "b" in (run.before.dtype.kind, run.after.dtype.kind)


def _moved(run: Run) -> list[_Moved]:
    """Find the steps that recorded how they moved the slices."""
    found = []
    shape: tuple[int, ...] = run.before.shape
    done: tuple[Step, ...] = history(run.after)[len(history(run.before)) :]
    for step, made in zip(done, run.steps, strict=False):
        table = shifts_in(step)
        if table is not None:
            name = f"Step {made.number} ({made.step.operation.name})"
            found.append(_Moved(name, table, emptied(table, shape), _angles(step)))
        shape = made.output.shape if made.output else shape
    return found


def _angles(step: Step) -> NDArray[np.float64] | None:
    shifts = Shifts.from_step(step)
    return None if shifts is None or shifts.matrices is None else shifts.angles_deg


def _line(run: Run, step: Finished) -> Line:
    made, share = step.output, kept(run.before, step)
    name = step.step.operation.name
    if made is None or share is None:
        return Line(step.number, name, step.step.engine, "", "", "", "")
    shape = " × ".join(str(size) for size in made.shape)
    size = " × ".join(f"{length:.6g}" for length in made.spacing) + f" {made.units}"
    seconds = f"{made.seconds:.1f}" + (" (earlier run)" if step.reused else "")
    return Line(step.number, name, step.step.engine, shape, size, f"{100 * share:.1f}", seconds)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
