"""The one place where operations meet ImageJ; nothing of it is loaded before an engine ``fiji`` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..volume import Volume, with_data

if TYPE_CHECKING:
    from ..fiji import MacroResult


def run(macro: str, *volumes: Volume, **args: Any) -> MacroResult:
    """Run one of the package's macros in the program's ImageJ; a file of that name in the working folder is not it."""
    from ..fiji import current, macros_folder

    return current().run_macro(macros_folder() / macro, *volumes, **args)


def imagej_version() -> str:
    """Give the exact version of the ImageJ that `run` uses, for the history."""
    from ..fiji import current

    return f"ImageJ {current().version}"


def mask(volume: Volume, image: Volume) -> Volume:
    """Make a mask on the volume's grid of ImageJ's 0 and 255."""
    return with_data(volume, np.asarray(image.data) > 0)
