"""The folders that the service is given where nobody names any."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def allowed_folders(named: Sequence[Path]) -> list[Path]:
    """Give the folders that were named, else those of ``FIJIBRIDGE_FOLDERS``, else the user's home.

    Hidden folders below them (keys, start-up files) are never used; see `Places`.
    """
    if named:
        return list(named)
    listed = os.environ.get("FIJIBRIDGE_FOLDERS", "")
    return [Path(part) for part in listed.split(os.pathsep) if part] or [Path.home()]
