"""The folder in which the commands of the menu work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fijibridge.service import macro_call

STUDY = """
name = "small"
inputs = ["raw"]
methods = ["otsu", "S1", "gWS"]
[[dataset]]
name = "NMC-1"
phantom = "NMC-1"
size = 32
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Path]:
    """Give a folder with a study that the service may use; the service that macros start ends with the module."""
    folder = tmp_path_factory.mktemp("menu é #")
    (folder / "my study #1.toml").write_text(STUDY, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIJIBRIDGE_STATE", str(folder / "state"))
        patch.setenv("FIJIBRIDGE_FOLDERS", str(folder))
        yield folder
        macro_call.main(["stop"])
