"""What a dask worker is told at its start and does at its end; needs dask.distributed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from distributed import WorkerPlugin

#: Under which the plugin is known to the cluster.
NAME = "fijibridge-engines"


class Engines(WorkerPlugin):
    """Gives a worker the settings for its ImageJ, and ends that ImageJ with the worker or with the work."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings, self._before = dict(settings), dict[str, str | None]()

    def setup(self, worker: Any) -> None:
        """Take over the settings of the program that gives the work."""
        self._before = {name: os.environ.get(name) for name in self._settings}
        os.environ.update(self._settings)

    def teardown(self, worker: Any) -> None:
        """End ImageJ, if one was started here, and put the settings back."""
        door = sys.modules.get("fijibridge.fiji")
        if door is not None:
            door.current().close()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Quiet(WorkerPlugin):
    """Leaves Ctrl-C to the program: a terminal sends it to workers of the same machine too, who would trace it back."""

    def setup(self, worker: Any) -> None:
        """Pass it over; the program ends its workers itself."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
