"""`python -m fijibridge.service`: the service as macros start it, with nobody at a terminal."""

from __future__ import annotations

import logging
import sys

from ..errors import FijibridgeError
from ._allowed import allowed_folders
from ._server import serve
from ._state import state_folder

#: Minutes without a request or a job.
IDLE_MINUTES = 60.0


def main() -> int:
    """Run until idle; a second one leaves at once."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    try:
        serve(state_folder(), folders=allowed_folders(()), idle_s=60 * IDLE_MINUTES)
    except FijibridgeError as error:
        logging.getLogger(__name__).error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
