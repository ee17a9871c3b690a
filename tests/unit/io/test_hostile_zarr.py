"""Zarr folders that lie: any of their texts and chunks may be wrong, and the answer is one sentence in no memory."""

from __future__ import annotations

import contextlib
import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fijibridge.errors import FijibridgeError, ReadError
from fijibridge.io import read_volume, write_volume
from fijibridge.volume import make_volume

SMALL = (np.arange(40 * 20 * 20) % 251).astype(np.uint8).reshape(40, 20, 20)


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A small image in one shard of several chunks."""
    group = zarr.open_group(tmp_path / "v.zarr", mode="w")
    group.create_array("0", data=SMALL, chunks=(10, 10, 10), shards=(20, 20, 20))
    axes = [{"name": name, "type": "space"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1, 1, 1]}]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    return tmp_path / "v.zarr"


def _edit(file: Path, change) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")


def _grid(document: dict, shape: list[int]) -> None:
    document["chunk_grid"]["configuration"]["chunk_shape"] = shape


def _inner(document: dict, shape: list[int]) -> None:
    document["codecs"][0]["configuration"]["chunk_shape"] = shape


def _path(document: dict, path: str) -> None:
    document["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = path


def test_the_folder_reads_before_it_is_spoilt(sharded: Path) -> None:
    """Else the other tests would show nothing."""
    np.testing.assert_array_equal(read_volume(sharded).data, SMALL)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("0/zarr.json", lambda d: _grid(d, [2**60, 2**60, 2**60])),
        ("0/zarr.json", lambda d: (_grid(d, [2**40, 2**10, 2**10]), _inner(d, [1, 1, 1]))),
        ("0/zarr.json", lambda d: (_grid(d, [2**40, 2**10, 2**10]), _inner(d, [2**40, 2**10, 2**10]))),
        ("0/zarr.json", lambda d: _grid(d, [0, 20, 20])),
        ("0/zarr.json", lambda d: _grid(d, [-20, 20, 20])),
        ("0/zarr.json", lambda d: _inner(d, [7, 7, 7])),
        ("0/zarr.json", lambda d: d.update(shape=[2**40, 2**40, 2**40])),
        ("0/zarr.json", lambda d: d.update(shape=[-1, 20, 20])),
        ("0/zarr.json", lambda d: d.update(codecs=[{"name": "no_such_codec"}])),
        ("0/zarr.json", lambda d: d.update(data_type="complex128", fill_value=[0.0, 0.0])),
        ("0/zarr.json", lambda d: d.update(zarr_format=9)),
        ("zarr.json", lambda d: _path(d, "../../etc")),
        ("zarr.json", lambda d: _path(d, "/etc")),
        ("zarr.json", lambda d: _path(d, "")),
        ("zarr.json", lambda d: d["attributes"].update(ome=[1])),
        ("zarr.json", lambda d: d["attributes"]["ome"].update(multiscales=[{}])),
        ("zarr.json", lambda d: d["attributes"]["ome"]["multiscales"][0].update(axes="zyx" * 1000)),
    ],
)
@pytest.mark.parametrize("mmap", [False, True])
def test_a_header_that_lies_is_refused_in_no_memory(sharded: Path, file: str, change, mmap: bool) -> None:
    """Chunks of 2^180 voxels, names outside of the folder, codecs that nobody knows."""
    _edit(sharded / file, change)
    tracemalloc.start()
    try:
        with pytest.raises(ReadError) as caught:
            np.asarray(read_volume(sharded, mmap=mmap).data[0])
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_an_array_outside_of_the_folder_is_not_followed(sharded: Path, tmp_path: Path) -> None:
    """A link may be packed into an archive and point at anything."""
    shutil.move(sharded / "0", tmp_path / "elsewhere")
    (sharded / "0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReadError, match="outside"):
        read_volume(sharded)


@pytest.mark.parametrize("place", [-4, -20, -40, 3])
def test_a_shard_whose_contents_do_not_add_up_is_refused(sharded: Path, place: int) -> None:
    """Its table of contents has a checksum, and so do its chunks have their packing."""
    shard = sharded / "0" / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[place] ^= 0xFF
    shard.write_bytes(content)
    with pytest.raises(ReadError, match=r"v\.zarr"):
        read_volume(sharded)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), version=st.sampled_from(["0.4", "0.5"]))
def test_any_damage_gives_a_volume_or_an_error_of_ours(tmp_path: Path, data: st.DataObject, version) -> None:
    """Whatever bytes are wrong in whatever file."""
    folder = tmp_path / "v.zarr"
    shutil.rmtree(folder, ignore_errors=True)
    write_volume(make_volume(SMALL[:3]), folder, ome_zarr=version)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(FijibridgeError):
        assert read_volume(folder).ndim == 3
