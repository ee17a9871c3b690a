"""Run a study: every method on every volume for every user, resumable at any kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..assess import SignalToNoise, Surface, block_bootstrap, sampling_error, signal_to_noise
from ..errors import FijibridgeError
from ..fiji import check_weka
from ..io import read_volume
from ..operation import jsonable
from ..phantom.library import make_sample
from ..volume import Volume, check_same_grid, describe_grid, history, with_data
from .base import Base, find_base
from .cells import Cell, CellStore, fingerprint, key_of
from .config import DatasetConfig, StudyConfig, UserConfig
from .matrix import Bench, is_automatic, learns, segment_automatically, segment_by_person
from .measure import measure
from .methods import Segmentation, smooth_input
from .people import make_person
from .specks import remove_specks
from .users import segment_by_user

#: Is told what runs now and the share of the whole done.
Report = Callable[[str, float], None]
#: User of the automatic thresholds, which need nobody.
NOBODY = "-"


class Dataset(NamedTuple):
    """What the study keeps of a volume: enough for the report, without the features."""

    name: str
    grid: str
    #: Grey volumes by input ("raw", "filtered").
    inputs: dict[str, Volume]
    truth: Volume | None
    #: Of the raw and filtered image, where the truth is known.
    noise: dict[str, SignalToNoise]
    #: Sampling error of the fraction, from the truth or from Otsu's segmentation: by the two-point correlation, and by
    #: a bootstrap of blocks.
    sampling: float
    bootstrap: float
    simulated: bool
    #: What a better instrument says of the same material.
    base: Base | None = None


@dataclass
class Study:
    """A study that was run: its cells in the order of the file, and where their labels lie."""

    config: StudyConfig
    store: CellStore
    datasets: dict[str, Dataset] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    #: What could not be run, in one sentence each.
    left_out: list[str] = field(default_factory=list)

    def labels(self, cell: Cell) -> Volume:
        """Give a cell's labels on its volume's grid."""
        held = self.store.labels(cell.key)
        grid = self.datasets[cell.dataset].inputs[self.config.inputs[0]]
        return with_data(grid, np.zeros(grid.shape, np.uint8) if held is None else held)


class _Job(NamedTuple):
    dataset: DatasetConfig
    filtered: bool
    method: str
    user: UserConfig | None


class _Desk(NamedTuple):
    """What the cells of one volume and input share."""

    study: Study
    bench: Bench
    #: Hash of the volume and of its truth.
    marked: str
    surface: Surface | None
    behind: _Behind


def run_study(config: StudyConfig, folder: Path, *, progress: Report | None = None) -> Study:
    """Run a study, or what is left of it.

    Each segmentation is a cell of its own, kept under ``folder/cells`` by a hash of all that it depends on (voxels,
    parameters, users, code); a run that was stopped at any moment goes on with the cells that are missing.

    Parameters
    ----------
    config : from `read_study`, `quick_study` or `paper_study`.
    folder : where the cells are kept.
    progress : is told what runs now and the share of the whole done.

    Returns
    -------
    Study.

    Raises
    ------
    ReadError, VolumeError : an input cannot be read, or does not fit.
    WriteError : the folder cannot be written.
    EngineMissingError : the study names the method weka, and the ImageJ does not have it.
    """
    if "weka" in config.methods:
        check_weka()
    tell = progress or (lambda _text, _share: None)
    study = Study(config, CellStore(folder / "cells"))
    jobs = list(_jobs(config))
    done = 0
    with _Behind() as behind:
        for dataset in config.dataset:
            tell(f"{dataset.name}: prepare", done / len(jobs))
            loaded = load_dataset(dataset, config)
            study.datasets[dataset.name] = loaded._replace(base=find_base(dataset, folder, seed=config.seed))
            surface = None
            if config.measures.boundary and loaded.truth is not None:
                surface = Surface(loaded.truth)
            for kind in config.inputs:
                bench = Bench(
                    loaded.inputs[kind], loaded.truth,
                    engine=config.engine, seed=config.seed, most=config.training_voxels,
                )  # fmt: skip
                marked = fingerprint(bench.volume) + (fingerprint(loaded.truth) if loaded.truth is not None else "")
                desk = _Desk(study, bench, marked, surface, behind)
                for job in (job for job in jobs if job.dataset == dataset and job.filtered == (kind == "filtered")):
                    tell(f"{dataset.name}: {job.method}, {kind}, {_who(job)}", done / len(jobs))
                    _do(desk, job)
                    done += 1
    tell("done", 1.0)
    return study


def load_dataset(dataset: DatasetConfig, config: StudyConfig) -> Dataset:
    """Read or simulate one volume with its truth, filter it, and measure its noise and sampling error."""
    grey, truth = _read(dataset, config.seed)
    inputs = {"raw": grey}
    if "filtered" in config.inputs:
        inputs["filtered"] = smooth_input(grey, slicewise=False, engine=config.engine)
    inputs = {kind: volume for kind, volume in inputs.items() if kind in config.inputs}
    noise = {kind: signal_to_noise(volume, truth) for kind, volume in inputs.items()} if truth is not None else {}
    known = truth if truth is not None else segment_automatically(Bench(grey), "otsu").labels
    sampling, bootstrap = (sampling_error(known).std, block_bootstrap(known)) if min(grey.shape) >= 4 else (0.0, 0.0)
    simulated = dataset.phantom is not None
    return Dataset(dataset.name, describe_grid(grey), inputs, truth, noise, sampling, bootstrap, simulated)


def _read(dataset: DatasetConfig, seed: int) -> tuple[Volume, Volume | None]:
    if dataset.phantom is not None:
        geometry = None if dataset.geometry is None else read_volume(dataset.geometry)
        sample = make_sample(dataset.phantom, size=dataset.size, geometry=geometry, seed=seed)
        return sample.grey, sample.truth
    given = {} if dataset.voxel_size is None else {"spacing": dataset.voxel_size, "units": dataset.units}
    grey = read_volume(Path(str(dataset.path)), **given)  # type: ignore[arg-type]
    if dataset.truth is None:
        return grey, None
    truth = read_volume(dataset.truth)
    if truth.shape == grey.shape:
        truth = with_data(grey, truth.data)
    check_same_grid(grey, truth, names=(dataset.name, "its truth"))
    return grey, truth


def _jobs(config: StudyConfig) -> Iterator[_Job]:
    for dataset in config.dataset:
        for kind in config.inputs:
            for method in config.methods:
                users: tuple[UserConfig | None, ...] = (None,) if is_automatic(method) else config.user
                for user in users:
                    yield _Job(dataset, kind == "filtered", method, user)


def _who(job: _Job) -> str:
    return "no user" if job.user is None else f"user {job.user.name}"


class _Behind:
    """Measures and keeps one segmentation in a thread while the next one is made; never more than one waits."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def __enter__(self) -> _Behind:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._wait()
        finally:
            self._pool.shutdown()

    def put(self, work: Callable[[], None]) -> None:
        """Start `work` when what was put before has ended, in the order given; an error of that is raised here."""
        self._wait()
        self._last = self._pool.submit(work)

    def _wait(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()


def _do(desk: _Desk, job: _Job) -> None:
    """Take a cell from the store, or make it and keep it."""
    study, config = desk.study, desk.study.config
    key = key_of({
        "volume": desk.marked, "method": job.method, "engine": config.engine, "seed": config.seed,
        "smallest": config.smallest_piece, "measures": config.measures.model_dump(),
        "user": None if job.user is None else _user_parts(job),
        "most": config.training_voxels if learns(job.method) else None,
    })  # fmt: skip
    cell = study.store.find(key)
    if cell is not None:
        desk.behind.put(partial(_list, study, job, cell))
        return
    try:
        start = time.perf_counter()
        found = _segment(job, desk.bench)
        seconds = time.perf_counter() - start
    except FijibridgeError as error:
        study.left_out.append(f"{job.dataset.name}, {job.method}, {_who(job)}: {error}")
        return
    if found is None:
        study.left_out.append(f"{job.dataset.name}, {job.method}, {_who(job)}: no labels or grey levels for it")
        return
    desk.behind.put(partial(_keep, desk, job, key, found, seconds))


def _keep(desk: _Desk, job: _Job, key: str, found: Segmentation, seconds: float) -> None:
    """Measure a segmentation, write its cell and list it."""
    study, config = desk.study, desk.study.config
    if config.smallest_piece > 1:
        found = found._replace(labels=remove_specks(found.labels, smallest=config.smallest_piece))
    numbers = measure(found.labels, desk.bench.truth, desk.surface, config.measures)
    cell = _cell(key, job, config, numbers | _record(found, seconds))
    study.store.write(cell, np.asarray(found.labels.data, np.uint8))
    _list(study, job, cell)


def _list(study: Study, job: _Job, cell: Cell) -> None:
    """List a cell; the same voxels may stand under two names: what it is called is this study's to say."""
    study.cells.append(cell._replace(dataset=job.dataset.name, user=NOBODY if job.user is None else job.user.name))


def _segment(job: _Job, bench: Bench) -> Segmentation | None:
    if job.user is None:
        return segment_automatically(bench, job.method)
    if job.user.simulated is not None:
        return segment_by_person(bench, job.method, make_person(job.user.simulated, dict(job.user.parameters)))
    return segment_by_user(bench, job.method, job.user, job.dataset.name)


def _user_parts(job: _Job) -> dict[str, Any]:
    """Give what a cell depends on of its user: parameters, choices, and the label files with their times."""
    user = job.user
    if user is None:
        return {}
    parts: dict[str, Any] = {"simulated": user.simulated, "parameters": user.parameters}
    parts["choices"] = user.choices.get(job.dataset.name)
    if user.labels is not None and user.labels.is_dir():
        files = sorted(path for path in user.labels.rglob("*") if path.is_file())
        parts["labels"] = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in files]
        parts["dataset"] = job.dataset.name
    return parts


def _record(found: Segmentation, seconds: float) -> dict[str, Any]:
    """Say how a segmentation came about."""
    return {
        "thresholds": [float(value) for value in found.thresholds],
        "windows": [[float(window.low), float(window.high)] for window in found.windows[:12]],
        "settings": jsonable(list(history(found.labels)))[-6:],
        "seconds": round(seconds, 3),
    }


def _cell(key: str, job: _Job, config: StudyConfig, numbers: dict[str, Any]) -> Cell:
    user = NOBODY if job.user is None else job.user.name
    simulated = job.user is not None and job.user.simulated is not None
    engine = _engine_of(job.method, config)
    return Cell(key, job.dataset.name, job.method, engine, user, job.filtered, simulated, numbers)


def _engine_of(method: str, config: StudyConfig) -> str:
    """Say what segments: the study's engine has no part in forests, and Weka is ImageJ's."""
    if method == "weka":
        return "fiji"
    return "native" if learns(method) or method == "given" else config.engine
