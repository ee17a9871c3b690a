"""Speed, memory and quality of the forest beside its peers, measured in one run.

    python benchmarks/forest.py --data ../shared/data --json out/forest.json
    python benchmarks/forest.py --quick

Speeds are voxels per CPU second (all threads together; the least of three runs). `--quick` takes small volumes and one
run, a minute in all; `--large` adds a memory-mapped volume of 1024^3 (several minutes); `--vigra PYTHON` names an
interpreter that has vigra. Peers that are not installed are left out, and so are data sets that are not there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from _forest_data import Case, blobs, cathode, sandstone, superalloy
from _forest_peers import cpu_seconds, evaluators, fastfilters_flat, skimage_features, skimage_labels, vigra_seconds
from _rows import Row, versions, write_rows
from sklearn.ensemble import RandomForestClassifier

from fijibridge.choices import TREES
from fijibridge.forest import FeatureSet, Forest, Trainer, compute_features, save_forest, train
from fijibridge.forest._encode import LANES
from fijibridge.forest._evaluate import label_bricks
from fijibridge.forest._trees import pack
from fijibridge.volume import Volume, make_volume

_MEASURED = ("numpy", "numba", "scikit-learn", "scikit-image", "treelite", "tl2cgen", "fastfilters2")
#: The default forest, and that of 100 trees, which the goals were set for.
_FORESTS: dict[str, dict[str, int]] = {
    f"default forest ({TREES} full-grown trees)": {},
    "100 full-grown trees": {"trees": 100},
}


def volumes(case: Case) -> tuple[Volume, Volume]:
    return make_volume(case.grey, units="voxel"), make_volume(case.labels, units="voxel")


def fit(case: Case, **settings: int) -> Forest:
    features = FeatureSet(FeatureSet.default().names, flat=case.flat)
    return train(*volumes(case), features=features, **settings)


def speed(cases: list[Case], repeats: int) -> Iterator[Row]:
    """The whole way from grey values to labels."""
    for case in cases:
        volume, _ = volumes(case)
        for name, settings in _FORESTS.items():
            forest = fit(case, **settings)
            forest.predict(volume, z=0)
            seconds = cpu_seconds(partial(forest.predict, volume, threads=1), repeats)
            yield Row(f"fijibridge, {name}", case.name, "speed", case.grey.size / seconds / 1e6, "Mvoxel/s per core")
            accuracy = float((forest.predict(volume).data == case.truth)[case.truth > 0].mean())
            yield Row(f"fijibridge, {name}", case.name, "accuracy", 100 * accuracy, "%")


def scaling(case: Case, repeats: int) -> Iterator[Row]:
    """How much faster two threads are by the clock."""
    volume, _ = volumes(case)
    forest = fit(case)
    walls = []
    for threads in (1, 2):
        best = np.inf
        for _ in range(repeats):
            start = time.perf_counter()
            forest.predict(volume, threads=threads)
            best = min(best, time.perf_counter() - start)
        walls.append(best)
    yield Row("fijibridge, default forest", case.name, "1 thread / 2 threads", walls[0] / walls[1], "x")


def peers(case: Case, repeats: int, vigra: str | None) -> Iterator[Row]:
    """The same volume by scikit-image + scikit-learn, and by VIGRA."""
    count = case.grey.size
    table = skimage_features(case)
    features = cpu_seconds(lambda: skimage_features(case), repeats)
    chosen = case.labels.ravel() > 0
    model = RandomForestClassifier(100, random_state=0, n_jobs=1).fit(table[chosen], case.labels.ravel()[chosen])
    trees = cpu_seconds(lambda: model.predict(table), repeats)
    name = "scikit-image + scikit-learn, 100 trees"
    yield Row(f"{name}: {table.shape[1]} features", case.name, "speed", count / features / 1e6, "Mvoxel/s per core")
    yield Row(f"{name}: trees", case.name, "speed", count / trees / 1e6, "Mvoxel/s per core")
    yield Row(f"{name}: together", case.name, "speed", count / (features + trees) / 1e6, "Mvoxel/s per core")
    if vigra is not None:
        ours = compute_features(volumes(case)[0], FeatureSet.default()).data.reshape(61, -1).T
        train_on = (ours[chosen], case.labels.ravel()[chosen])
        features, trees = vigra_seconds(vigra, case.grey, train_on, ours[::5], repeats)
        yield Row("VIGRA: 61 features", case.name, "speed", 1e-6 / features, "Mvoxel/s per core")
        yield Row("VIGRA: 100 trees", case.name, "speed", 1e-6 / trees, "Mvoxel/s per core")
        yield Row("VIGRA: together", case.name, "speed", 1e-6 / (features + trees), "Mvoxel/s per core")


def flat_filters(edge: int, repeats: int) -> Iterator[Row]:
    """Features alone on one image, against ilastik's filters (whose package is 2-D)."""
    image = np.random.default_rng(0).integers(0, 256, (1, edge, edge), np.uint8)
    ours = cpu_seconds(lambda: compute_features(make_volume(image), FeatureSet.default(), threads=1), repeats)
    yield Row("fijibridge: 49 features in 2-D", f"{edge}^2", "speed", image.size / ours / 1e6, "Mvoxel/s per core")
    work = fastfilters_flat(image[0].astype(np.float32))
    if work is not None:
        theirs = cpu_seconds(work, repeats)
        yield Row(
            "fastfilters2: 48 features in 2-D", f"{edge}^2", "speed", image.size / theirs / 1e6, "Mvoxel/s per core"
        )


def trees_alone(case: Case, repeats: int) -> Iterator[Row]:
    """The very same forests on the very same bytes, without the features."""
    forest = fit(case)
    values = compute_features(volumes(case)[0], forest).data
    chosen = case.labels.ravel() > 0
    for trees in (TREES, 100):
        name = f"{trees} full-grown trees"
        table = forest.coder.encode(values.reshape(len(values), -1).T)
        model = RandomForestClassifier(trees, class_weight="balanced", random_state=0, n_jobs=2)
        model.fit(table[chosen].astype(np.float32), case.labels.ravel()[chosen])
        bricks, packed = _bricks(table, case), pack(model)
        ours = cpu_seconds(partial(label_bricks, packed, bricks), repeats)
        yield Row(
            f"fijibridge, {name}", case.name, "trees alone", bricks.shape[0] * LANES / ours / 1e6, "Mvoxel/s per core"
        )
        some = table[: table.shape[0] // 4].astype(np.float32)
        for peer, work in evaluators(model, some).items():
            seconds = cpu_seconds(work, repeats)
            yield Row(f"{peer}, {name}", case.name, "trees alone", some.shape[0] / seconds / 1e6, "Mvoxel/s per core")


def _bricks(table: np.ndarray, case: Case) -> np.ndarray:
    z, y, x = (n // b for n, b in zip(case.grey.shape, (4, 8, 8), strict=True))
    whole = table.reshape(*case.grey.shape, -1)[: 4 * z, : 8 * y, : 8 * x]
    cut = whole.reshape(z, 4, y, 8, x, 8, -1).transpose(0, 2, 4, 6, 1, 3, 5)
    return np.ascontiguousarray(cut).reshape(z * y * x, -1, LANES)


def sizes(edges: list[int], repeats: int) -> Iterator[Row]:
    """Cost of a voxel in small and large volumes, and the memory it takes, each in a process of its own."""
    forest = fit(blobs(96))
    with tempfile.TemporaryDirectory() as folder:
        save_forest(forest, Path(folder) / "f.fbforest")
        for edge in edges:
            case = blobs(128)
            grey = np.memmap(Path(folder) / "grey", np.uint8, "w+", shape=(edge, edge, edge))
            for z in range(edge):
                grey[z] = np.tile(case.grey[z % 128], (-(-edge // 128),) * 2)[:edge, :edge]
            grey.flush()
            del grey
            # A tenth of a second is not enough to go by: small volumes are done more often.
            found = _in_process(folder, edge, 10 if edge <= 128 else repeats if edge < 512 else 1)
            for value, metric, unit in zip(
                found, ("cost", "peak memory", "peak over start"), ("ns/voxel", "MB", "MB"), strict=True
            ):
                yield Row("fijibridge, memory map to memory map", f"{edge}^3", metric, value, unit)


_CHILD = """
import re, sys, time
from pathlib import Path
import numpy as np
from fijibridge.forest import load_forest
from fijibridge.volume import make_volume
folder, edge = sys.argv[1], int(sys.argv[2])
forest = load_forest(folder + "/f.fbforest")
forest.predict(make_volume(np.zeros((8, 8, 8), np.uint8), units="voxel"))
def peak():
    # Not getrusage: that counts the parent process as well.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
start = peak()
shape = (edge, edge, edge)
grey = np.memmap(folder + "/grey", np.uint8, "r", shape=shape)
out = np.memmap(folder + "/out", np.uint8, "w+", shape=shape)
seconds = []
for _ in range(int(sys.argv[3])):
    begin = time.process_time()
    forest.predict(make_volume(grey, units="voxel"), out=out, threads=2)
    seconds.append(time.process_time() - begin)
print(min(seconds) / grey.size * 1e9, peak(), peak() - start)
"""


def _in_process(folder: str, edge: int, repeats: int) -> tuple[float, float, float]:
    command = [sys.executable, "-c", _CHILD, folder, str(edge), str(repeats)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    cost, peak, more = (float(word) for word in run.stdout.split())
    return cost, peak, more


_START = """
import time
begin = time.perf_counter()
import sys
import numpy as np
from fijibridge.forest import load_forest
from fijibridge.volume import make_volume
load_forest(sys.argv[1]).predict(make_volume(np.zeros((64, 64, 64), np.uint8), units="voxel"))
print(time.perf_counter() - begin)
"""


def start() -> Iterator[Row]:
    """From an empty process to the first predicted block, with kernels compiled before."""
    with tempfile.TemporaryDirectory() as folder:
        save_forest(fit(blobs(96)), Path(folder) / "f.fbforest")
        command = [sys.executable, "-c", _START, f"{folder}/f.fbforest"]
        runs = [float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    yield Row("fijibridge", "64^3", "start of a program to its first block", min(runs), "s")


def retraining(edge: int) -> Iterator[Row]:
    """Another stroke of paint, and the slice on which it was painted."""
    case = blobs(edge)
    volume, labels = volumes(case)
    trainer = Trainer(volume)
    begin = time.perf_counter()
    trainer.fit(labels)
    yield Row("fijibridge, default forest", case.name, "first training", time.perf_counter() - begin, "s")
    more = case.labels.copy()
    more[edge // 3, edge // 4 : edge // 4 + 4, 20:90] = case.truth[edge // 3, edge // 4 : edge // 4 + 4, 20:90]
    begin = time.perf_counter()
    forest = trainer.fit(make_volume(more, units="voxel"))
    yield Row("fijibridge, default forest", case.name, "training after a stroke", time.perf_counter() - begin, "s")
    forest.predict(volume, z=edge // 2)
    begin = time.perf_counter()
    forest.predict(volume, z=edge // 3)
    yield Row("fijibridge, default forest", case.name, "the slice shown", time.perf_counter() - begin, "s")


def quality(cases: list[Case], seeds: int) -> Iterator[Row]:
    """The same labels given to us and to scikit-image + scikit-learn, forests of several seeds each."""
    for case in cases:
        table = skimage_features(case)
        ours = [fit(case, seed=seed).predict(volumes(case)[0]).data for seed in range(seeds)]
        theirs = [skimage_labels(case, table, seed=seed) for seed in range(seeds)]
        for name, found in (("fijibridge, default forest", ours), ("scikit-image + scikit-learn, 100 trees", theirs)):
            scored = case.truth > 0
            shares = [100 * float((labels == case.truth)[scored].mean()) for labels in found]
            overlap = [_iou(labels, case.truth, scored) for labels in found]
            yield Row(name, case.name, f"accuracy, mean of {seeds} seeds", float(np.mean(shares)), "%")
            yield Row(name, case.name, "accuracy, lowest", min(shares), "%")
            yield Row(name, case.name, "accuracy, highest", max(shares), "%")
            yield Row(name, case.name, "IoU of the lowest class, mean", float(np.mean(overlap)), "")


def _iou(labels: np.ndarray, truth: np.ndarray, scored: np.ndarray) -> float:
    value = truth[scored].min()
    mine, theirs = (labels == value)[scored], (truth == value)[scored]
    return float((mine & theirs).sum() / (mine | theirs).sum())


def default_forest(cases: list[Case], seeds: int) -> Iterator[Row]:
    """Accuracy and cost of smaller forests, from which the default was chosen."""
    choices = [(100, 1), (100, 5), (100, 10), (60, 1), (60, 2), (60, 5), (40, 1), (30, 1), (30, 10)]
    for case in cases:
        volume, labels = volumes(case)
        trainer = Trainer(volume, features=FeatureSet(FeatureSet.default().names, flat=case.flat))
        for trees, leaf in choices:
            scores, seconds = [], np.inf
            for seed in range(seeds):
                forest = trainer.fit(labels, trees=trees, min_leaf=leaf, seed=seed)
                begin = time.process_time()
                found = forest.predict(volume).data
                seconds = min(seconds, time.process_time() - begin)
                scores.append(100 * float((found == case.truth)[case.truth > 0].mean()))
            name = f"{trees} trees, leaves of {leaf}"
            yield Row(name, case.name, "accuracy", float(np.mean(scores)), "%")
            yield Row(name, case.name, "accuracy, spread of seeds", float(np.std(scores)), "%")
            yield Row(name, case.name, "speed", case.grey.size / seconds / 1e6, "Mvoxel/s per core")


def measure(options: argparse.Namespace) -> Iterator[Row]:
    repeats = 1 if options.quick else 3
    data = options.data if options.data and options.data.is_dir() else None
    small = blobs(64 if options.quick else 96)
    cases = [small] if options.quick else [small, blobs(200)]
    if data is not None and not options.quick:
        cases.append(cathode(data, 200))
    parts = {
        "speed": lambda: speed(cases, repeats),
        "peers": lambda: peers(small, repeats, options.vigra),
        "trees": lambda: trees_alone(small, repeats),
        "flat": lambda: chain(flat_filters(512, repeats), () if options.quick else flat_filters(1024, repeats)),
        "threads": lambda: scaling(cases[-1], repeats),
        "sizes": lambda: sizes([64, 128] if options.quick else [64, 128, 256] + [512, 1024] * options.large, repeats),
        "start": start,
        "retraining": lambda: retraining(96 if options.quick else 200),
    }
    if data is not None:
        real = [superalloy(data)] if options.quick else [superalloy(data), sandstone(data)]
        parts["quality"] = lambda: quality(real, 1 if options.quick else 5)
        if not options.quick:
            parts["default"] = lambda: default_forest([*real, cathode(data, 128)], seeds=3)
    for name, part in parts.items():
        if not options.only or name in options.only:
            yield from part()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small volumes, one run")
    parser.add_argument("--large", action="store_true", help="also 512^3 and 1024^3")
    parser.add_argument("--only", nargs="+", metavar="PART", help="speed, peers, trees, flat, threads, sizes, ...")
    parser.add_argument("--data", type=Path, help="folder of the real data sets")
    parser.add_argument("--vigra", metavar="PYTHON", help="an interpreter that has vigra")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    rows = []
    for row in measure(options):
        rows.append(row)
        print(f"{row.size:16} {row.name:58} {row.metric:38} {row.value:10.4g} {row.unit}", flush=True)
    write_rows(rows, options.json, versions(*_MEASURED))


if __name__ == "__main__":
    main()
