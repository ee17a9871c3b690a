"""What the command line shows: one progress bar with an estimate, one sentence for an error, one table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..errors import (
    EngineFailedError,
    EngineMissingError,
    FijibridgeError,
    SettingsError,
    WriteError,
)

#: Exit codes by kind of error, the nearest parent deciding; 2 is the shell's own "wrong usage".
EXIT_CODES: dict[type[FijibridgeError], int] = {
    EngineFailedError: 5,
    EngineMissingError: 4,
    SettingsError: 4,
    WriteError: 6,
    FijibridgeError: 3,
}


def exit_code(error: FijibridgeError) -> int:
    """Give the exit code of an error: 3 bad input, 4 engine or setting missing, 5 ImageJ failed, 6 cannot write."""
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


def show_error(error: FijibridgeError) -> None:
    """Write an error's sentence to stderr, ImageJ's own words beneath it where there are any."""
    console = Console(stderr=True)
    console.print(f"[bold red]error:[/] {_plain(str(error))}", highlight=False, soft_wrap=True)
    if error.detail:
        console.print(_plain(error.detail.strip()), style="dim", highlight=False, soft_wrap=True)


def _plain(text: str) -> str:
    """Keep brackets in messages from being read as colours."""
    return text.replace("[", r"\[")


@contextmanager
def progress_bar(start: str) -> Iterator[Callable[[str, float], None]]:
    """Show one bar on stderr (stdout stays clean for --json); yields what to call with a text and the share done."""
    console = Console(stderr=True, soft_wrap=False)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=not sys.stderr.isatty()) as bar:
        task = bar.add_task(start, total=1.0)
        yield lambda text, share: bar.update(task, description=text, completed=share)
