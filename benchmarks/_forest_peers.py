"""What others offer for the same work, on the same data: scikit-image, scikit-learn, treelite, VIGRA, fastfilters."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from _forest_data import Case
from numpy.typing import NDArray
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier


def cpu_seconds(work: Callable[[], Any], repeats: int) -> float:
    """Give the least CPU time of so many runs, all threads together."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return float(best)


def optional(name: str) -> ModuleType | None:
    """Import a package that may be absent."""
    try:
        return import_module(name)
    except ImportError:
        return None


def skimage_features(case: Case) -> NDArray[np.float32]:
    """Give scikit-image's (voxel, feature) table; its 3-D features where slices belong together."""
    if case.flat or case.grey.shape[0] == 1:
        slices = [multiscale_basic_features(grey, sigma_max=16) for grey in case.grey]
        return np.stack(slices).reshape(case.grey.size, -1)
    return multiscale_basic_features(case.grey, sigma_max=16).reshape(case.grey.size, -1)


def skimage_labels(case: Case, table: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.uint8]:
    """Train scikit-learn on scikit-image's features of the painted voxels, and label all voxels."""
    chosen = case.labels.ravel() > 0
    model = RandomForestClassifier(100, random_state=seed, n_jobs=-1)
    model.fit(table[chosen], case.labels.ravel()[chosen])
    return model.predict(table).reshape(case.grey.shape)


def evaluators(model: RandomForestClassifier, table: NDArray[np.float32]) -> dict[str, Callable[[], Any]]:
    """Give the ways to run a scikit-learn forest on a table that this machine has, one thread each."""
    model.n_jobs = 1
    found: dict[str, Callable[[], Any]] = {"scikit-learn": partial(model.predict, table)}
    treelite = optional("treelite")
    if treelite is not None:
        copy = treelite.sklearn.import_model(model)
        found["treelite (interpreter)"] = partial(treelite.gtil.predict, copy, table, nthread=1)
        tl2cgen = optional("tl2cgen")
        if tl2cgen is not None:
            found["tl2cgen (compiled C)"] = _compiled(tl2cgen, copy, table)
    return found


def _compiled(tl2cgen: Any, model: Any, table: NDArray[np.float32]) -> Callable[[], Any]:
    library = Path(tempfile.mkdtemp()) / "forest.so"
    tl2cgen.export_lib(model, toolchain="gcc", libpath=str(library), params={"parallel_comp": 8})
    predictor = tl2cgen.Predictor(str(library), nthread=1)
    return partial(predictor.predict, tl2cgen.DMatrix(table))


def fastfilters_flat(image: NDArray[np.float32]) -> Callable[[], Any] | None:
    """Give ilastik's filters at six scales on one image, where fastfilters2 (2-D only) is installed."""
    fastfilters = optional("fastfilters2")
    if fastfilters is None:
        return None
    return lambda: [fastfilters.compute_filters(image, scale) for scale in (0.7, 1.0, 1.6, 3.5, 5.0, 10.0)]


_VIGRA = """
import sys, time, numpy as np, vigra
from vigra import filters as f
grey, table, values = (np.load(sys.argv[1] + name) for name in ("/grey.npy", "/table.npy", "/values.npy"))
def features():
    f.gaussianSmoothing(grey, 0.3, window_size=3.5)
    for s in (0.7, 1.0, 1.6, 3.5, 5.0, 10.0):
        f.gaussianSmoothing(grey, s, window_size=3.0)
        f.laplacianOfGaussian(grey, s, window_size=3.0)
        f.gaussianGradientMagnitude(grey, s, window_size=3.0)
        f.gaussianSmoothing(grey, s, window_size=3.0) - f.gaussianSmoothing(grey, 0.66 * s, window_size=3.0)
        f.structureTensorEigenvalues(grey, s, 0.5 * s, window_size=3.0)
        f.hessianOfGaussianEigenvalues(grey, s, window_size=3.0)
forest = vigra.learning.RandomForest(treeCount=100)
forest.learnRF(table[: len(values)], values[:, None])
for work, count in ((features, grey.size), (lambda: forest.predictProbabilities(table), len(table))):
    seconds = []
    for _ in range(int(sys.argv[2])):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    print(min(seconds) / count)
"""


def vigra_seconds(
    python: str, grey: NDArray[np.uint8], train: Any, table: NDArray[np.float32], repeats: int
) -> tuple[float, float]:
    """Give CPU seconds a voxel of VIGRA's 61 features and of its forest, run by an interpreter that has vigra."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/grey.npy", grey.astype(np.float32))
        np.save(f"{folder}/table.npy", np.concatenate([train[0], table]))
        np.save(f"{folder}/values.npy", train[1].astype(np.uint32))
        run = subprocess.run([python, "-c", _VIGRA, folder, str(repeats)], capture_output=True, text=True, check=True)
    features, forest = (float(line) for line in run.stdout.split())
    return features, forest
