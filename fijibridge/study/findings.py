"""The sentences at the head of the report: what the numbers say, and where the forest loses."""

from __future__ import annotations

from collections.abc import Callable

from .compare import Comparison, Row


def findings(comparison: Comparison) -> list[str]:
    """Say in a few sentences how far the segmentations differ from each other and, where known, from the truth."""
    label = min(comparison.classes)
    name = comparison.class_names[label]
    said = [_spread(comparison, label, name)]
    scored = [row for row in comparison.rows if row.agreement is not None]
    if scored:
        said += [_closest(scored, label), _best_overlap(scored, label, name), _forest_against_rest(scored, label)]
    return [sentence for sentence in said if sentence]


def _spread(comparison: Comparison, label: int, name: str) -> str:
    shares = {row.title: row.fractions[label] for row in comparison.rows}
    low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    return (
        f"The volume fraction of {name} lies between {100 * shares[low]:.1f} % ({low}) and "
        f"{100 * shares[high]:.1f} % ({high}), depending on the method alone."
    )


def _closest(rows: list[Row], label: int) -> str:
    def error(row: Row) -> float:
        return abs((row.fraction_errors or {})[label])

    best, worst = min(rows, key=error), max(rows, key=error)
    return (
        f"Closest to the true fraction comes {best.title} ({100 * error(best):.2f} percentage points off), "
        f"farthest from it {worst.title} ({100 * error(worst):.2f})."
    )


def _best_overlap(rows: list[Row], label: int, name: str) -> str:
    best = max(rows, key=_iou(label))
    return f"The best overlap with the truth has {best.title} (IoU {_iou(label)(best):.3f} for {name})."


def _forest_against_rest(rows: list[Row], label: int) -> str:
    forests = [row for row in rows if row.method == "forest"]
    others = [row for row in rows if row.method != "forest"]
    if not forests or not others:
        return ""
    forest, other = (max(group, key=_iou(label)) for group in (forests, others))
    gap = _iou(label)(forest) - _iou(label)(other)
    if gap > 0:
        return f"The forest overlaps better than the best of the other methods, {other.title}, by {gap:.3f} IoU."
    return (
        f"The forest loses to {other.title} by {-gap:.3f} IoU: on this image the simpler method does as well or better."
    )


def _iou(label: int) -> Callable[[Row], float]:
    return lambda row: 0.0 if row.agreement is None else row.agreement.iou[label]
