"""The report: one self-contained HTML page from a comparison."""

from __future__ import annotations

from collections.abc import Mapping

from .._report.page import Picture, describe_steps, embed, load_template
from ..volume import describe_grid, history
from . import figures
from .compare import Comparison, Row
from .findings import findings


def render_report(comparison: Comparison, *, command: str, versions: Mapping[str, str]) -> str:
    """Write the report of a comparison.

    Parameters
    ----------
    comparison : what `compare` found.
    command : the command line that repeats the run.
    versions : name and version of everything that had a part in it.

    Returns
    -------
    HTML text that needs no other file and no network.
    """
    template = load_template("fijibridge.study", "report.html.j2", percent=_percent, signed=_signed)
    return template.render(
        comparison=comparison,
        grid=describe_grid(comparison.volume),
        classes=sorted(comparison.classes),
        class_names=comparison.class_names,
        best=_best(comparison),
        findings=findings(comparison),
        pictures=_pictures(comparison),
        settings=[
            (row.title, describe_steps(history(comparison.segmentations[row.key].labels))) for row in comparison.rows
        ],
        command=command,
        versions=versions,
    )


def _pictures(comparison: Comparison) -> list[Picture]:
    label = min(comparison.classes)
    name = comparison.class_names[label]
    against = "the truth" if comparison.truth is not None else f"{comparison.rows[-1].title}, as there is no truth"
    drawn = [
        ("Orthoslices", "The input, raw and after the Gaussian filter (sigma 1.1 voxels, kernel half-width factor 2).",
         figures.orthoslices(comparison)),
        ("Labels", "What the forest learned from. Painted voxels are not scored.", figures.painted(comparison)),
        ("Histogram", "Grey levels of all voxels and of the painted ones, with the threshold and the grey windows that "
         "the watersheds leave without a seed (g = generous seeds, small window; c = conservative, large).",
         figures.histograms(comparison)),
        ("Volume fraction", f"Share of all voxels that each method calls {name}.",
         figures.fractions(comparison, label=label)),
        ("Segmentations", f"Close-up of slice {figures.shown_slice(comparison)}.", figures.gallery(comparison)),
        ("Differences", f"Image subtraction for {name} against {against}: orange where only the segmentation has it "
         "(+1), blue where only the reference has it (-1); beside each name the share of the picture that differs.",
         figures.differences(comparison, label=label)),
        ("Disagreement", "Share of voxels, in %, to which two segmentations give different labels.",
         figures.disagreement_matrix(comparison)),
    ]  # fmt: skip
    return [Picture(title, caption, embed(figure, title)) for title, caption, figure in drawn]


def _best(comparison: Comparison) -> str:
    """Key of the row that overlaps the truth best (by mean IoU over the classes); empty where there is no truth."""
    scored = [row for row in comparison.rows if row.agreement is not None]
    return max(scored, key=_mean_iou).key if scored else ""


def _mean_iou(row: Row) -> float:
    overlaps = [] if row.agreement is None else list(row.agreement.iou.values())
    return sum(overlaps) / max(len(overlaps), 1)


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _signed(value: float) -> str:
    return f"{100 * value:+.2f}"
