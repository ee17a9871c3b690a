"""The command line: parse, call, print. One module for each group of commands; `main` is the program."""

from __future__ import annotations

import sys

from ..errors import FijibridgeError
from . import _compare, _convert, _fiji, _forest, _prepare, _segment, _serve, _study
from ._app import app
from ._terminal import exit_code, show_error

__all__ = ["app", "main"]

_compare.add_to(app)
_forest.add_to(app)
_prepare.add_to(app)
_segment.add_to(app)
_study.add_to(app)
_convert.add_to(app)
_fiji.add_to(app)
_serve.add_to(app)


def main() -> None:
    """Run the command line; an error of ours becomes one sentence and an exit code."""
    try:
        app()
    except FijibridgeError as error:
        show_error(error)
        sys.exit(exit_code(error))
