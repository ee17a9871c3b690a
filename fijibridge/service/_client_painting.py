"""Painting over the service, as `Client.paint` gives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..io import read_volume
from ..volume import Volume
from ._http import ask
from ._requests import PREVIEW_MOST
from ._state import Address

#: Seconds that the first preview of a large volume may take.
_PATIENCE_S = 600.0


class ClientSession:
    """A volume that is painted on.

    Attributes
    ----------
    id : its name at the service.
    trained, labelled : voxels of each class that the last preview trained on, and that were labelled.
    """

    def __init__(self, address: Address, number: str, hand_over: Callable[[Volume | str | Path], str]) -> None:
        self._address = address
        self._hand_over = hand_over
        self.id = number
        self.trained: dict[int, int] = {}
        self.labelled: dict[int, int] = {}

    def preview(
        self,
        labels: Volume | str | Path,
        z: int,
        *,
        trees: int | None = None,
        min_leaf: int | None = None,
        seed: int = 0,
        most: int = PREVIEW_MOST,
    ) -> Volume:
        """Train on the labels as they are now, and label one slice.

        Parameters
        ----------
        labels : labels on the grid of the volume, 0 = unlabelled; or their file: a TIFF, ImageJ's ``RoiSet.zip``.
        z : the slice, from 0.
        trees, min_leaf, seed : of the forest, as for `train`; that function's own where left out.
        most : voxels of a class that are trained on; a preview that trains on all takes longer.

        Returns
        -------
        Volume of one slice with the labels.

        Raises
        ------
        ServiceError : the labels or the slice will not do.
        """
        asked = {"slice": z, "trees": trees, "min_leaf": min_leaf, "seed": seed, "most": most}
        found = self._ask("preview", labels, asked)
        self.trained = {int(label): count for label, count in found["trained"].items()}
        self.labelled = {int(label): count for label, count in found["labelled"].items()}
        return read_volume(found["labels"])

    def model(
        self,
        labels: Volume | str | Path,
        output: str | Path,
        *,
        trees: int | None = None,
        min_leaf: int | None = None,
        seed: int = 0,
    ) -> Path:
        """Train on all labels as they are now and save the forest; parameters and errors are those of `preview`.

        Parameters
        ----------
        output : file of the model, ``.fbforest``.

        Returns
        -------
        Path of the file, for ``predict`` or `load_forest`.
        """
        asked = {"output": str(Path(output).absolute()), "trees": trees, "min_leaf": min_leaf, "seed": seed}
        return Path(self._ask("model", labels, asked)["model"])

    def close(self) -> None:
        """End the session; the service ends it by itself when it is not used for half an hour."""
        ask(self._address, "DELETE", f"/api/sessions/{self.id}")

    def _ask(self, what: str, labels: Volume | str | Path, asked: dict[str, Any]) -> dict[str, Any]:
        body = {"labels": self._hand_over(labels), **asked}
        found: dict[str, Any] = ask(
            self._address, "POST", f"/api/sessions/{self.id}/{what}", body, timeout_s=_PATIENCE_S
        )
        return found
