"""Who works on the blocks: this process, or a crew of others that may be lost and come back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from itertools import islice
from typing import Any, TypeVar

from ..errors import SettingsError, WorkerDiedError
from ._crew import LOSSES, Crew, crew

Item = TypeVar("Item")
Receipt = TypeVar("Receipt")

#: Times that an item is tried when the ImageJ of a worker dies over it.
_TRIES = 3
_ONE_AT_A_TIME = threading.Lock()


def run_all(
    work: Callable[[Item], Receipt],
    items: Sequence[Item],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    done: Callable[[Receipt], None],
) -> None:
    """Do the work for every item, in this process or on a cluster.

    Workers that are lost are followed by others, which do their items anew: doing an item twice must do no harm. Where
    this ends early, by an error or Ctrl-C, no further item is begun.

    Parameters
    ----------
    work : a function of a module, or an instance of a class of a module, that goes to other processes.
    items : what it is called with, small; begun in this order.
    scheduler, workers : as in `crew`; within one, its workers are taken.
    done : called here with what each item gives; with a scheduler in the order in which they end.

    Raises
    ------
    WorkerDiedError : an item's worker was lost several times.
    SettingsError : the cluster ended, or does not run the same fijibridge.
    FijibridgeError : what `work` raises, and what `crew` raises.
    """
    with crew(scheduler, workers) as hands:
        if hands.client is None:
            for item in items:
                done(work(item))
        else:
            _share_out(hands, work, items, done)


def _share_out(
    hands: Crew, work: Callable[[Item], Receipt], items: Sequence[Item], done: Callable[[Receipt], None]
) -> None:
    """Keep as many items under way as are worked on at a time: each takes far longer than to send the next one."""
    from distributed import as_completed

    waiting = iter(items)

    def submit(item: Item) -> Any:
        return hands.client.submit(attempt, work, item, _version(), pure=False)

    first = [submit(item) for item in islice(waiting, hands.count)]
    under_way = {future.key: future for future in first}
    with _errors_of_ours(), _cancelled_at_the_end(hands, under_way):
        ended: Any = as_completed(first, loop=hands.client.loop)  # type: ignore[no-untyped-call]  # distributed has no type for it
        for future in ended:
            receipt = future.result()
            del under_way[future.key]
            for item in islice(waiting, 1):
                following = submit(item)
                under_way[following.key] = following
                ended.add(following)
            done(receipt)


def attempt(work: Callable[[Item], Receipt], item: Item, version: str) -> Receipt:
    """Do one item in a worker; again where it is only ImageJ that died."""
    if version != _version():
        raise SettingsError(
            f"this worker has fijibridge {_version()} and the program that gives the work {version}; "
            "install the same version on all machines"
        )
    import dask  # slow to import, and needed by workers alone

    # The memory was planned for one block in each worker, however many threads it was started with. What is read
    # through dask is read here: dask would send that on to the whole cluster, and the voxels from worker to worker.
    with _ONE_AT_A_TIME, dask.config.set(scheduler="threads"):
        for tries in range(1, _TRIES + 1):
            try:
                return work(item)
            except WorkerDiedError:
                if tries == _TRIES:
                    raise
    raise AssertionError


def _version() -> str:
    from .. import __version__  # the package imports this module

    return __version__


@contextlib.contextmanager
def _cancelled_at_the_end(hands: Crew, under_way: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError, TimeoutError):  # a cluster that is gone begins nothing any more
            if under_way:
                hands.client.cancel(list(under_way.values()), force=True)


@contextlib.contextmanager
def _errors_of_ours() -> Iterator[None]:
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except KilledWorker as error:
        raise WorkerDiedError(
            f"a block lost its worker {LOSSES + 1} times, the last one at {error.last_worker.address}; what is done is "
            "kept: give it less memory or fewer workers, and run it again"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise SettingsError(
            "the cluster ended before the work did; what is done is kept: start it anew and run this again"
        ) from error
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"a worker of the cluster lacks {error.name or error}; install the same fijibridge on all machines"
        ) from error
