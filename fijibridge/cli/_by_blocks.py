"""Options of the commands that go block by block: memory, scheduler, workers; and what they say of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import typer

from ..errors import ParameterError

SchedulerOption = Annotated[
    str,
    typer.Option(
        "--scheduler",
        metavar="WHO",
        help="Who works: processes (on this machine), tcp://HOST:PORT (a dask cluster that runs), slurm; "
        "by default this program itself.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, metavar="N", help="How many of them; of processes, by default one for each core."),
]
MemoryOption = Annotated[
    str,
    typer.Option("--memory", metavar="SIZE", help="What blocks may take, such as 4GB; by default half of the free."),
]


def parse_memory(text: str) -> int | None:
    """Read the option --memory, such as ``4GB`` or ``800MB``; None where it was not given."""
    if not text:
        return None
    from dask.utils import parse_bytes

    try:
        size = int(parse_bytes(text))
    except ValueError:
        size = 0
    if size < 1:
        raise ParameterError(f"--memory needs a size such as 4GB or 800MB, got {text!r}")
    return size


class Who(NamedTuple):
    """Who works on blocks, and the memory for them; the names are those of the functions that are given them."""

    scheduler: str | None
    workers: int | None
    memory: int | None


def who_works(scheduler: str, workers: int | None, memory: str = "") -> Who:
    """Read the options."""
    return Who(scheduler or None, workers, parse_memory(memory))


@contextmanager
def workplace(who: Who) -> Iterator[None]:
    """Hire those who work, for the commands within; the address of their dashboard is told on stderr."""
    from ..blocks import crew

    with crew(who.scheduler, who.workers, told=lambda link: typer.echo(f"Dashboard: {link}", err=True)):
        yield


def tell_plan(words: str) -> None:
    """Say on stderr how work goes through a volume, and the memory that it needs."""
    typer.echo(words, err=True)


def check_by_blocks(by_blocks: bool, who: Who) -> None:
    """Refuse options that would do nothing."""
    given = [f"--{name}" for name, value in who._asdict().items() if value is not None]
    if given and not by_blocks:
        raise ParameterError(
            f"{', '.join(given)} {'is' if len(given) == 1 else 'are'} for work block by block, whose result is an "
            "OME-Zarr folder; name it with -o NAME.zarr (fijibridge convert makes other formats of it)"
        )
