"""`fijibridge serve`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ServiceError
from ..service._allowed import allowed_folders
from ..service._launch import find
from ..service._state import Address, state_folder


def add_to(app: typer.Typer) -> None:
    """Register the command of this module."""
    app.command()(serve)


def serve(
    port: Annotated[int, typer.Option(help="Port of 127.0.0.1; any that is free if left out.")] = 0,
    folder: Annotated[
        list[Path] | None,
        typer.Option(help="Folder below which files may be read and written; your home if left out. Repeatable."),
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option(metavar="MINUTES", help="End after so long without request or job; never if left out."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in your browser.")] = True,
) -> None:
    """Run the local service: jobs for ImageJ macros and Python, and a page to watch them.

    It listens on this machine alone and asks for a token that only you can read. Ctrl-C ends it.
    """
    from ..service._server import serve as serve_jobs

    state = state_folder()

    def say(address: Address) -> None:
        typer.echo(f"fijibridge is at {address.page}")
        if browser:
            webbrowser.open(address.page)

    limit = None if idle is None else 60 * idle
    if serve_jobs(state, port=port, folders=allowed_folders(folder or ()), idle_s=limit, ready=say):
        return
    found = find(state)
    if found is None:
        raise ServiceError("a service holds the folder but does not answer; wait a moment, or end its process")
    typer.echo(f"fijibridge runs already: {found.page}")
