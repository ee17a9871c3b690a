"""Widgets made of functions: train and segment, prepare by a recipe, compare."""

# No annotations as texts here: magicgui makes its fields of the real types.
import weakref
from pathlib import Path
from typing import Any

import napari
import numpy as np
from magicgui import magic_factory
from napari.layers import Image, Labels
from napari.utils.notifications import show_info

from ..assess import agreement, difference_map, disagreement
from ..forest import Forest, Trainer, save_forest
from ..pipeline import load_recipe
from ..volume import Volume, check_same_grid, with_data
from ._layers import LayerData, to_layer, to_volume
from ._study import DIFFERENCE
from ._work import Tell, in_background

#: The trainer of an image keeps the features of voxels that were painted once.
_trainers: weakref.WeakKeyDictionary[Any, Trainer] = weakref.WeakKeyDictionary()


@magic_factory(
    call_button="Train and segment",
    image={"label": "Image"},
    painted={"label": "Painted labels", "tooltip": "1 = active material, 2 = pore + binder, 0 = not painted"},
    this_slice={"label": "This slice only", "tooltip": "A quick look; untick it for the whole stack"},
    save_to={"mode": "w", "filter": "*.fbforest", "label": "Save forest to", "nullable": True},
)
def segment_widget(
    viewer: napari.Viewer,
    image: Image,
    painted: Labels,
    this_slice: bool = True,
    save_to: Path | None = None,
) -> None:
    """Train a forest on what is painted, and segment the slice in view or the whole stack."""
    volume, labels = to_volume(image), to_volume(painted)
    z = int(viewer.dims.current_step[-3]) if this_slice and volume.shape[0] > 1 else None

    def work(tell: Tell) -> list[LayerData]:
        trainer = _trainer(image, volume)
        check_same_grid(volume, labels, names=(f"the image {image.name!r}", f"the labels {painted.name!r}"))
        forest = trainer.fit(labels, progress=lambda share: tell(share / 2))
        if save_to is not None:
            save_forest(forest, save_to)
        return [_segmented(forest, volume, z, image.name, lambda share: tell(0.5 + share / 2))]

    in_background("Train and segment", work, viewer)


@magic_factory(
    call_button="Run recipe", image={"label": "Image"}, recipe={"filter": "*.toml *.json", "label": "Recipe"}
)
def recipe_widget(viewer: napari.Viewer, image: Image, recipe: Path) -> None:
    """Take the image through the steps of a recipe; every step's outcome becomes a layer."""
    volume = to_volume(image)

    def work(tell: Tell) -> list[LayerData]:
        steps, found, layers = load_recipe(recipe).steps, volume, []
        for number, step in enumerate(steps, 1):
            found = step.run(found)
            layers.append(to_layer(found, f"{image.name} {number} {step.operation.name}"))
            tell(number / len(steps))
        return layers

    in_background("Prepare", work, viewer)


@magic_factory(call_button="Compare", a={"label": "Segmentation"}, b={"label": "Against"}, label={"label": "Label"})
def compare_widget(viewer: napari.Viewer, a: Labels, b: Labels, label: int = 1) -> None:
    """Subtract two segmentations: 1 where only the first has the label, -1 where only the second has it."""
    one, other = to_volume(a), to_volume(b)

    def work(tell: Tell) -> list[LayerData]:
        made = difference_map(one, other, label=label)
        tell(1.0)
        show_info(_words(one, other, label))
        data, attributes, _ = to_layer(made, f"{a.name} minus {b.name}")
        return [(np.asarray(data), {**attributes, "colormap": DIFFERENCE}, "labels")]

    in_background("Compare", work, viewer)


def _trainer(image: Any, volume: Volume) -> Trainer:
    """Give the image's trainer; a new one where its voxels were replaced since."""
    known = _trainers.get(image)
    if known is None or known.volume.data is not volume.data:
        known = _trainers[image] = Trainer(volume)
    return known


def _segmented(forest: Forest, volume: Volume, z: int | None, name: str, tell: Tell) -> LayerData:
    """Label the stack, or one slice in an otherwise empty stack, so that both lie on the image."""
    found = forest.predict(volume, z=z, progress=tell)
    if z is not None:
        whole = np.zeros(volume.shape, np.uint8)
        whole[z] = found.data[0]
        found = with_data(volume, whole)
    return to_layer(found, f"{name} {'preview' if z is not None else 'segmented'}", kind="labels")


def _words(one: Volume, other: Volume, label: int) -> str:
    share = 100 * disagreement(one, other)
    fractions = [100 * float(np.mean(np.asarray(volume.data) == label)) for volume in (one, other)]
    iou = agreement(one, other, classes=[label], where=np.ones(one.shape, bool)).iou[label]
    return (
        f"{share:.2f} % of the voxels differ; label {label} takes {fractions[0]:.2f} % and {fractions[1]:.2f} % "
        f"of the volume, IoU {iou:.4f}"
    )
