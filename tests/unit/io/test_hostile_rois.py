"""Archives of ImageJ regions that are none: one sentence, in no memory, and nothing written anywhere."""

from __future__ import annotations

import contextlib
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fijibridge.errors import FijibridgeError, ReadError
from fijibridge.study.users import read_labels
from fijibridge.volume import make_volume

VOLUME = make_volume(np.zeros((3, 20, 20), np.uint8))


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    """300 kB become 300 MB."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.roi", b"Iout" + bytes(300_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ReadError, match=r"bomb\.zip unpacks to 300 MB"):
            read_labels(tmp_path / "bomb.zip", VOLUME)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    """Regions are read from the archive itself; nothing is unpacked onto the disk."""
    inner = tmp_path / "inner"
    inner.mkdir()
    with zipfile.ZipFile(inner / "v.zip", "w") as archive:
        archive.writestr("../../out.roi", b"Iout" + bytes(100))
    with pytest.raises(FijibridgeError):
        read_labels(inner / "v.zip", VOLUME)
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "v.zip"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_damaged_archive_is_an_error_of_ours_or_labels(tmp_path: Path, shared_data, data: st.DataObject) -> None:
    """Flipped and cut bytes of one that ImageJ wrote."""
    content = bytearray((shared_data("formats") / "imagej_roizip" / "two_rois.zip").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "v.zip").write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(FijibridgeError):
        assert read_labels(tmp_path / "v.zip", VOLUME).shape == VOLUME.shape
