"""`fijibridge train` and `fijibridge predict`."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..choices import MIN_LEAF, TREES
from ..errors import WriteError
from ._app import AsJson, Seed, Stack, UnitsOption, VoxelSizeOption
from ._by_blocks import MemoryOption, SchedulerOption, WorkersOption, check_by_blocks, tell_plan, who_works, workplace
from ._inputs import read_labels, read_stack
from ._terminal import progress_bar

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from ..forest import FeatureSet, Forest
    from ..volume import Volume


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command()(train)
    app.command()(predict)


def train(
    stack: Stack,
    labels: Annotated[
        Path, typer.Option(help="Labels: TIFF, ImageJ ROIs (.roi, .zip), ilastik (.ilp), Labkit (.labeling).")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Model file to write, such as model.fbforest.")],
    trees: Annotated[int, typer.Option(help="Number of trees.")] = TREES,
    min_leaf: Annotated[int, typer.Option(help="Fewest labelled voxels in a leaf.")] = MIN_LEAF,
    validate: Annotated[
        bool, typer.Option("--validate", help="Also tell the accuracy, trained and tested on separate blocks.")
    ] = False,
    voxel_size: VoxelSizeOption = "",
    units: UnitsOption = "nm",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train a random forest on the labelled voxels of a stack and save it.

    An ilastik project brings its labels and its choice of features.
    """
    from ..forest import Trainer, cross_validate, save_forest

    volume = read_stack(stack, voxel_size, units, mmap=True)
    painted, features = _labels_and_features(labels, volume)
    with progress_bar("train") as tell:
        trainer = Trainer(volume, features=features)
        forest = trainer.fit(
            painted, trees=trees, min_leaf=min_leaf, seed=seed, progress=lambda share: tell("train", share)
        )
        accuracy = None
        if validate:
            accuracy = cross_validate(
                trainer,
                painted,
                trees=trees,
                min_leaf=min_leaf,
                seed=seed,
                progress=lambda share: tell("validate block by block", share),
            ).accuracy
    save_forest(forest, out)
    _say_trained(forest, out, accuracy, as_json)


def _labels_and_features(path: Path, volume: Volume) -> tuple[Volume, FeatureSet | None]:
    if path.suffix.lower() != ".ilp":
        return read_labels(path, volume), None
    from ..forest import read_ilastik

    return read_labels(path, volume), read_ilastik(path).features


def _say_trained(forest: Forest, out: Path, accuracy: float | None, as_json: bool) -> None:
    best = forest.ranking()[:5]
    if as_json:
        found = {"model": str(out), "classes": forest.classes, "accuracy": accuracy, "provenance": forest.provenance}
        typer.echo(json.dumps({**found, "most_important": best}))
        return
    typer.echo(f"Trained on classes {', '.join(map(str, forest.classes))}; saved as {out}")
    if accuracy is not None:
        typer.echo(f"Accuracy on blocks that were left out of training: {100 * accuracy:.2f} %")
    typer.echo("Most telling features: " + ", ".join(f"{name} ({100 * share:.0f} %)" for name, share in best))


def predict(
    stack: Stack,
    model: Annotated[Path, typer.Option(help="A model file that `fijibridge train` wrote.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Labels to write: a file (.tif), or .zarr, which goes block by block.")
    ],
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write each class's probability: NAME-probability-CLASS.tif.")
    ] = False,
    slice_: Annotated[
        int | None, typer.Option("--slice", metavar="N", help="Only slice N, counted from 0; as in the whole volume.")
    ] = None,
    scheduler: SchedulerOption = "",
    workers: WorkersOption = None,
    memory: MemoryOption = "",
    voxel_size: VoxelSizeOption = "",
    units: UnitsOption = "nm",
    as_json: AsJson = False,
) -> None:
    """Label every voxel of a stack with a trained forest.

    Memory stays small whatever the stack's size: it is read, labelled and written in pieces. Into an OME-Zarr folder
    it goes block by block, on several processes or machines too, and a run that was stopped goes on where it was.
    """
    from ..forest import load_forest
    from ..io import is_zarr_name, write_volume

    by_blocks, who = is_zarr_name(out) and slice_ is None, who_works(scheduler, workers, memory)
    check_by_blocks(by_blocks, who)
    volume = read_stack(stack, voxel_size, units, mmap=True)
    forest = load_forest(model)
    shape = volume.shape if slice_ is None else (1, *volume.shape[1:])
    written, voxels = [out], int(np.prod(shape))
    start = time.perf_counter()
    with progress_bar("predict") as tell, workplace(who):
        report = _with_speed(tell, "predict", voxels)
        if by_blocks:
            from ..blocks import predict_blocks

            predict_blocks(
                forest, volume if voxel_size else stack, out, progress=report, told=tell_plan, **who._asdict()
            )
        else:
            with _scratch(out, shape, np.uint8) as room:
                write_volume(forest.predict(volume, z=slice_, out=room, progress=report), out)
    if probabilities:
        written += _write_probabilities(forest, volume, slice_, out)
    _say_predicted(written, voxels, voxels / (time.perf_counter() - start) / 1e6, as_json)


def _say_predicted(written: list[Path], voxels: int, speed: float, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"files": [str(path) for path in written], "mvoxel_per_s": round(speed, 3)}))
        return
    typer.echo(f"{voxels:,} voxels at {speed:.2f} Mvoxel/s; wrote {', '.join(map(str, written))}")


def _write_probabilities(forest: Forest, volume: Volume, z: int | None, out: Path) -> list[Path]:
    """Write one float32 volume for each class beside `out`."""
    from ..io import write_volume
    from ..volume import with_data

    shape = volume.shape if z is None else (1, *volume.shape[1:])
    grid = volume if z is None else volume[z : z + 1]
    paths = [out.with_name(f"{out.stem}-probability-{value}.tif") for value in forest.classes]
    with progress_bar("probabilities") as tell, _scratch(out, (len(paths), *shape), np.float32) as room:
        found = forest.probabilities(
            volume, z=z, out=room, progress=_with_speed(tell, "probabilities", int(np.prod(shape)))
        )
        for index, path in enumerate(paths):
            write_volume(with_data(grid, found.data[index]), path)
    return paths


def _with_speed(tell: Callable[[str, float], None], text: str, voxels: int) -> Callable[[float], None]:
    start = time.perf_counter()

    def report(share: float) -> None:
        speed = share * voxels / max(time.perf_counter() - start, 1e-9) / 1e6
        tell(f"{text}, {speed:.1f} Mvoxel/s", share)

    return report


@contextmanager
def _scratch(out: Path, shape: tuple[int, ...], dtype: DTypeLike) -> Iterator[NDArray[Any]]:
    """Give an array that lies in a nameless file beside the output, so that it may be larger than memory."""
    try:
        with tempfile.TemporaryFile(dir=out.parent) as file:
            yield np.memmap(file, dtype, "w+", shape=shape)
    except OSError as error:
        raise WriteError(
            f"cannot write beside {out}: {error.strerror or error}; choose another place with -o"
        ) from error
