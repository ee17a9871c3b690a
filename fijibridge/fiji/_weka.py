"""Trainable Weka Segmentation, where the ImageJ has it."""

from __future__ import annotations

import numpy as np

from ..errors import EngineMissingError
from ..volume import Volume, check_same_grid, history, record, with_data
from ._door import Fiji, current

_COMMAND = "Trainable Weka Segmentation"


def check_weka(fiji: Fiji | None = None) -> None:
    """Raise EngineMissingError where the ImageJ has no Trainable Weka Segmentation."""
    if not (fiji or current()).has(_COMMAND):
        raise EngineMissingError(
            f"this ImageJ has no {_COMMAND}, which comes with Fiji and not with plain ImageJ; set FIJIBRIDGE_IMAGEJ to "
            "the folder of your Fiji, or use the method forest"
        )


def segment_by_weka(volume: Volume, labels: Volume, *, seed: int = 0, fiji: Fiji | None = None) -> Volume:
    """Segment by Trainable Weka Segmentation with its default forest and features.

    Parameters
    ----------
    volume : (z, y, x) grey volume; filtered in 3-D where it has more than one slice.
    labels : (z, y, x) uint8 labels on the same grid, 0 = unlabelled. Each labelled voxel is trained on.
    seed : of the plugin's forest.
    fiji : default the program's own, from the settings.

    Returns
    -------
    uint8 label Volume on the same grid.

    Raises
    ------
    EngineMissingError : the ImageJ lacks it.
    EngineFailedError : it failed, for instance on labels of one class only; its features take much memory and time.

    Source: Arganda-Carreras et al. 2017, Bioinformatics 33, 2424.
    """
    door = fiji or current()
    check_weka(door)
    check_same_grid(volume, labels, names=("the volume", "the labels"))
    result = door._submit({"kind": "weka", "seed": seed}, (volume, labels), {"seed": str(seed)}).result()
    step = {"operation": "weka", "engine": "fiji", "version": f"ImageJ {door.version}", "parameters": {"seed": seed}}
    found = np.asarray(result.image.data).astype(np.uint8) + np.uint8(1)
    return record(with_data(volume, found), step, after=history(volume))
