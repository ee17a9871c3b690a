"""The program of a worker process: takes orders, one JSON line each, from its standard input, and answers in lines.

It ends with the service however that ended: its input then ends, even amid a job.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from ..errors import FijibridgeError
from ._orders import perform


def main() -> None:
    """Take orders until there are no more."""
    # What libraries print must not get between our lines: they write to the log from here on.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    orders: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    for module in sys.argv[1:]:
        # Loading takes a second or two, best spent before the first order comes.
        import_module(f".{module}", __package__)
    while True:
        order = orders.get()
        _log_to(Path(order["log"]))
        try:
            _say(answers, {"result": perform(order, lambda **news: _say(answers, news))})
        except FijibridgeError as error:
            _say(answers, {"error": str(error), "detail": error.detail})
        except MemoryError:
            _say(answers, {"error": "the job needs more memory than there is; give it a smaller volume", "detail": ""})
        # Anything else is a fault of ours: it ends this process, and the log keeps the trace.


def _listen(orders: queue.SimpleQueue[Mapping[str, Any]]) -> None:
    for line in sys.stdin.buffer:
        orders.put(json.loads(line))
    os._exit(0)


def _say(answers: TextIO, message: Mapping[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _log_to(path: Path) -> None:
    """Let everything that is printed from here on, Java's words too, go to the job's log."""
    sys.stderr.flush()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


if __name__ == "__main__":
    main()
