"""The paper's numbers beside ours, and which of its findings hold here.

Source of the numbers: Bailey et al. 2023, J. Power Sources 557, 232503. Nothing is fitted to them but the biases of the
simulated people (fijibridge/study/people.py), and those to the first line alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .summary import Group, kind_of, mean_where

#: Data set and input of the paper's voxel disagreements.
_PAPER_SET = "NMC-2"


class Finding(NamedTuple):
    """A finding of the paper and what this study says of it."""

    text: str
    paper: str
    ours: str
    #: None where this study cannot tell.
    holds: bool | None

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "holds", False: "does not hold", None: "cannot be told from these data"}[self.holds]


def findings(groups: Sequence[Group]) -> list[Finding]:
    """Hold this study against the paper's findings, one by one."""
    return [_unsupervised(groups), _supervised(groups), _disagreement(groups), _filter(groups), _distance(groups)]


def _unsupervised(groups: Sequence[Group]) -> Finding:
    stds = [g.std for g in groups if kind_of(g.method) in ("simple", "watershed") and g.std is not None]
    return Finding(
        "Users differ most with simple thresholds and watersheds (standard deviation of the AM fraction)",
        "up to 0.13",
        f"{min(stds):.3f} to {max(stds):.3f}" if stds else "not run",
        None if not stds else 0.07 <= max(stds) <= 0.16,
    )


def _supervised(groups: Sequence[Group]) -> Finding:
    stds = [g.std for g in groups if kind_of(g.method) == "forest" and g.std is not None]
    return Finding(
        "With a trained forest users agree better (standard deviation of the AM fraction)",
        "below 0.06",
        f"{min(stds):.3f} to {max(stds):.3f}" if stds else "not run",
        None if not stds else max(stds) < 0.06,
    )


def _disagreement(groups: Sequence[Group]) -> Finding:
    def mean(kinds: Sequence[str]) -> float | None:
        return mean_where(
            groups,
            lambda g: g.dataset == _PAPER_SET and not g.filtered and (g.method in kinds or kind_of(g.method) in kinds),
            "disagreement",
        )

    ours = [mean(("MLX10",)), mean(("watershed",)), mean(("simple",))]
    known = [value for value in ours if value is not None]
    return Finding(
        "Voxels that two users label differently, NMC-2 raw: least with MLX10, then watershed, then simple thresholds",
        "3.5 % / 4.6 % / 7.6 %",
        " / ".join("-" if value is None else f"{100 * value:.1f} %" for value in ours),
        known == sorted(known) if len(known) == len(ours) else None,
    )


def _filter(groups: Sequence[Group]) -> Finding:
    raw, filtered = (
        mean_where(groups, lambda g, f=f: g.filtered == f and kind_of(g.method) == "simple", "std")  # type: ignore[misc]
        for f in (False, True)
    )
    known = raw is not None and filtered is not None
    return Finding(
        "Filtering brings users closer together with simple thresholds (mean standard deviation, raw / filtered)",
        "said without one number",
        f"{raw:.3f} / {filtered:.3f}" if raw is not None and filtered is not None else "not run on both",
        (filtered or 0) < (raw or 0) if known else None,
    )


def _distance(groups: Sequence[Group]) -> Finding:
    to_base = any(g.base_distance is not None for g in groups)

    def mean(kind: str) -> float | None:
        return mean_where(
            groups, lambda g: kind in (g.method, kind_of(g.method)), "base_distance" if to_base else "distance"
        )

    ours = [mean("MLX25"), mean("MLX10"), mean("simple"), mean("watershed")]
    forests, others = [v for v in ours[:2] if v is not None], [v for v in ours[2:] if v is not None]
    return Finding(
        f"Distance of the AM fraction to the {'base' if to_base else 'exact'} truth, in points: MLX25 and MLX10 nearer "
        "than simple and watershed",
        "1.5 / 1.6 / 2.6 / 2.7 (to FIB-SEM)",
        " / ".join("-" if value is None else f"{100 * value:.1f}" for value in ours),
        max(forests) < min(others) if forests and others else None,
    )
