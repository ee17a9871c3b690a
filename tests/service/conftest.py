"""A small stack with labels, and one service for each file of tests."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from service_process import running

import fijibridge as fb


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A small electrode with labels, and a volume that takes the forest long."""
    folder = tmp_path_factory.mktemp("stacks of a user")
    electrode = fb.make_electrode((12, 64, 72), voxel_nm=500)
    labels = np.where(electrode.truth.data == 1, 1, 2).astype(np.uint8)
    labels[[0, 1, 2, 4, 5, 6, 8, 9, 10, 11]] = 0
    fb.write_volume(electrode.grey, folder / "grey.tif")
    fb.write_volume(fb.with_data(electrode.grey, labels), folder / "labels.tif")
    fb.write_volume(fb.with_data(electrode.grey, electrode.truth.data.astype(np.uint8)), folder / "truth.tif")
    large = np.tile(electrode.grey.data, (4, 2, 3))
    fb.write_volume(fb.make_volume(large, spacing=(500, 500, 500)), folder / "large.tif")
    return folder


@pytest.fixture(scope="module")
def service(data):
    """One service for all tests of a file, in a folder that it finds open to everybody."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        state = Path(folder) / "state"
        state.mkdir()
        state.chmod(0o777)
        with running(state, data) as found:
            yield found
