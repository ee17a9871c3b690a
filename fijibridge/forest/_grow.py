"""The one place where scikit-learn grows trees, on features as bytes."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from ._blocks import cores
from ._encode import Coder, fit_coder
from ._smooth import Floats

ClassWeight = Literal["balanced"] | None


class Grown(NamedTuple):
    """A forest of scikit-learn and how its features became bytes."""

    coder: Coder
    model: RandomForestClassifier

    def predict(self, table: Floats) -> NDArray[np.uint8]:
        """Label a (voxel, column) table."""
        labels: NDArray[np.uint8] = self.model.predict(self.coder.encode(table).astype(np.float32))
        return labels


def grow(
    table: Floats,
    values: NDArray[np.uint8],
    *,
    trees: int,
    min_leaf: int,
    seed: int,
    max_depth: int | None = None,
    class_weight: ClassWeight = "balanced",
    out_of_bag: bool = False,
    threads: int | None = None,
) -> Grown:
    """Grow a forest on a (voxel, column) table and the class of each voxel; parameters are those of `train`."""
    coder = fit_coder(table, values)
    model = RandomForestClassifier(
        trees,
        min_samples_leaf=min_leaf,
        max_depth=max_depth,
        class_weight=class_weight,
        oob_score=out_of_bag,
        random_state=seed,
        n_jobs=cores() if threads is None else threads,
    )
    return Grown(coder, model.fit(coder.encode(table).astype(np.float32), values))
