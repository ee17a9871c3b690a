"""Quality on real images, with labels that a person would paint."""

from __future__ import annotations

import numpy as np
import tifffile
from scipy.ndimage import label
from skimage.filters import threshold_multiotsu, threshold_otsu

from fijibridge.forest import train
from fijibridge.volume import make_volume


def _iou(found, truth) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def _outside(solid):
    """The masks count what lies around the core as pore; it is easy to find and would hide how pores fare."""
    parts, _ = label(~solid)
    edges = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    return np.isin(parts, edges[edges > 0])


def test_pores_in_sandstone_are_found_far_better_than_by_a_threshold(shared_data):
    """Six strips painted on one slice of an X-ray scan, scored on another, 100 slices away."""
    folder = shared_data("sandstone_versa_xct") / "dev"

    def load(number: int):
        mask = tifffile.imread(folder / f"Sandstone_Versa{number:04d}_mask.tif")
        return tifffile.imread(folder / f"Sandstone_Versa{number:04d}.tif"), mask[..., 2] == 0

    grey, solid = load(0)
    labels = np.zeros(grey.shape, np.uint8)
    for y in np.linspace(0, grey.shape[0] - 6, 8).astype(int)[1:-1]:
        labels[y : y + 6] = np.where(solid[y : y + 6], 1, 2)
    forest = train(make_volume(grey[None]), {0: labels}, most=5000)
    other, truth = load(100)
    found = forest.predict(make_volume(other[None])).data[0] == 2
    threshold = other <= threshold_otsu(other)
    pores = ~truth & ~_outside(truth)
    assert _iou(threshold & ~_outside(truth), pores) < 0.80
    assert _iou(found & ~_outside(truth), pores) > 0.87
    assert _iou(found, ~truth) > max(0.98, _iou(threshold, ~truth))


def test_a_superalloy_is_segmented_better_than_by_thresholds(shared_data):
    """The scribbles and the truth are those of the image's authors; three classes."""
    folder = shared_data("isb_scribble_truth")
    grey, labels, truth = (tifffile.imread(folder / name) for name in ("0.tif", "0_labels.tif", "0_ground_truth.tif"))
    volume = make_volume(grey[None], units="voxel")
    found = np.mean(
        [(train(volume, {0: labels}, seed=seed).predict(volume).data[0] == truth).mean() for seed in (0, 1)]
    )
    levels = np.digitize(grey, threshold_multiotsu(grey, 3))
    orders = ([85, 170, 255], [85, 255, 170], [170, 85, 255], [170, 255, 85], [255, 85, 170], [255, 170, 85])
    best = max((np.array(order)[levels] == truth).mean() for order in orders)
    assert best < 0.72
    assert found > 0.82
