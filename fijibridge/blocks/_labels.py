"""Labels of masks, block by block: what `study.methods.labels_from_masks` makes of one mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ops.parts import Local, Place, blank
from ..volume import Volume, history, record


def labelled(local: Local, classes: tuple[int, int]) -> Local:
    """Say that the result is the label values of dark and bright in place of a mask."""
    given = {"make": local.make, "given": local.given, "classes": classes}
    return replace(local, result=blank(local.result, np.uint8), make=_classes_of, given=given)


def record_classes(result: Volume, classes: tuple[int, int]) -> Volume:
    """Write the step from mask to labels behind the history."""
    step = {"operation": "label", "engine": "native", "version": "1", "parameters": {"classes": list(classes)}}
    return record(result, step, after=history(result))


def _classes_of(
    part: Volume,
    place: Place,
    *,
    make: Callable[..., NDArray[Any]],
    given: Mapping[str, Any],
    classes: tuple[int, int],
) -> NDArray[np.uint8]:
    return np.asarray(classes, np.uint8)[np.asarray(make(part, place, **given)).astype(np.intp)]
