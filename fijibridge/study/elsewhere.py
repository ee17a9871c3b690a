"""The cells of a study made by several processes or machines: each input of each volume is a job of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..blocks import run_all
from .config import StudyConfig
from .run import run_study

Report = Callable[[str, float], None]


class Part(NamedTuple):
    """One input (raw or filtered) of one data set; its features serve all methods and users, so it is not cut up."""

    dataset: int
    kind: str


def make_cells(
    config: StudyConfig, folder: Path, *, scheduler: str | None, workers: int | None = None,
    progress: Report | None = None,
) -> None:  # fmt: skip
    """Have the missing cells of a study made; `run_study` with the same folder then finds all of them.

    Parameters
    ----------
    config, folder : as for `run_study`; all workers must see the folder, and the study's files, under the same path.
    scheduler, workers : as in `fijibridge.blocks.crew`.
    progress : is told what has ended and the share of the whole done.

    Raises
    ------
    WorkerDiedError : a part lost its worker several times.
    FijibridgeError : what `run_study` and `crew` raise.
    """
    parts = [Part(number, kind) for number in range(len(config.dataset)) for kind in config.inputs]
    ended = 0

    def note(part: Part) -> None:
        nonlocal ended
        ended += 1
        if progress is not None:
            progress(f"{config.dataset[part.dataset].name}: {part.kind}", ended / len(parts))

    run_all(_Cells(config, folder.resolve()), parts, scheduler=scheduler, workers=workers, done=note)


@dataclass(frozen=True)
class _Cells:
    config: StudyConfig
    folder: Path

    def __call__(self, part: Part) -> Part:
        # A base truth changes no cell; who reports makes it, once.
        dataset = self.config.dataset[part.dataset].model_copy(update={"base": None})
        run_study(self.config.model_copy(update={"dataset": (dataset,), "inputs": (part.kind,)}), self.folder)
        return part
