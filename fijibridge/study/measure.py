"""All numbers of one segmentation, in plain JSON terms."""

from __future__ import annotations

from typing import Any

from ..assess import Surface, agreement, connectivity, particle_sizes, specific_surface, tortuosity_factor
from ..assess import volume_fractions as fractions_of
from ..errors import FijibridgeError
from ..volume import Volume
from .cells import plain
from .config import MeasureConfig


def measure(labels: Volume, truth: Volume | None, surface: Surface | None, wanted: MeasureConfig) -> dict[str, Any]:
    """Measure one segmentation: fractions always, overlap with a truth where there is one, the rest as wanted.

    A measure that has no answer here (no particle inside, no path through) is None.
    """
    numbers: dict[str, Any] = {
        "fractions": {str(value): share for value, share in fractions_of(labels, classes=(1, 2)).items()}
    }
    if truth is not None:
        score = agreement(labels, truth, classes=(1, 2))
        numbers |= {"dice": plain(score.dice[1]), "iou": plain(score.iou[1]), "accuracy": score.accuracy}
    if surface is not None:
        error = surface.error_of(labels)
        numbers |= {"boundary_mean": plain(error.mean), "boundary_95": plain(error.percentile_95)}
    if wanted.surface:
        numbers["specific_surface"] = plain(specific_surface(labels))
    if wanted.connectivity:
        numbers["connected"] = connectivity(labels, label=2).through
    if wanted.particles:
        numbers["particle_d50"] = _or_none(lambda: particle_sizes(labels).d50)
    if wanted.tortuosity:
        numbers["tortuosity"] = _or_none(lambda: tortuosity_factor(labels, label=2))
    return numbers


def _or_none(value: Any) -> float | None:
    try:
        return plain(value())
    except FijibridgeError:
        return None
