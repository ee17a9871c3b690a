"""Volumes larger than memory: read by parts from every format, and converted within a bound."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import h5py
import nrrd
import numpy as np
import pytest
import tifffile

import fijibridge as fb
from fijibridge.errors import ReadError
from fijibridge.io import convert_volume, read_volume, write_volume
from fijibridge.volume import Volume, make_volume, voxel_size

#: Labels in runs, so that every compression has something to do and none takes long.
GREY = (np.arange(40 * 60 * 70).reshape(40, 60, 70) // 37 % 251).astype(np.uint8)


def volume(data: np.ndarray = GREY) -> Volume:
    return make_volume(data, spacing=(30, 20, 10), units="nm")


def _gzipped_mrc(path: Path) -> None:
    write_volume(volume(), path.with_name("plain.mrc"))
    path.write_bytes(gzip.compress(path.with_name("plain.mrc").read_bytes()))


def _folder(path: Path) -> None:
    path.mkdir()
    for z, plane in enumerate(GREY):
        tifffile.imwrite(path / f"s{z}.tif", plane)


def _metaimage(path: Path) -> None:
    head = "NDims = 3\nDimSize = 70 60 40\nElementType = MET_UCHAR\nCompressedData = True\nElementDataFile = LOCAL\n"
    path.write_bytes(head.encode() + gzip.compress(GREY.tobytes()))


def _big_endian(path: Path) -> None:
    head = "NRRD0004\ntype: ushort\ndimension: 3\nsizes: 70 60 40\nencoding: raw\nendian: big\n\n"
    path.write_bytes(head.encode() + GREY.astype(">u2").tobytes())


PACKED = {
    "chunks.h5": lambda path: write_volume(volume(), path),
    "chunks.zarr": lambda path: write_volume(volume(), path),
    "shards.zarr": lambda path: write_volume(volume(), path, sharded=True),
    "lzw.tif": lambda path: tifffile.imwrite(path, GREY, compression="lzw"),
    "zstd.tif": lambda path: tifffile.imwrite(path, GREY, compression="zstd"),
    "deflate.tif": lambda path: tifffile.imwrite(path, GREY, compression="deflate", predictor=True),
    "tiles.tif": lambda path: tifffile.imwrite(path, GREY, tile=(16, 32)),
    "big_endian.tif": lambda path: tifffile.imwrite(path, GREY.astype(np.uint16), byteorder=">"),
    "big_endian.nrrd": _big_endian,
    "gzip.nrrd": lambda path: nrrd.write(str(path), GREY, index_order="C"),
    "bzip2.nrrd": lambda path: nrrd.write(str(path), GREY, {"encoding": "bzip2"}, index_order="C"),
    "zlib.mha": _metaimage,
    "v.mrc.gz": _gzipped_mrc,
    "folder": _folder,
}


@pytest.mark.parametrize("name", sorted(PACKED))
def test_what_cannot_be_mapped_is_read_by_parts(tmp_path: Path, name: str) -> None:
    """In any order, from another process too: the voxels are those of the whole."""
    PACKED[name](tmp_path / name)
    lazy = read_volume(tmp_path / name, mmap=True)
    assert type(lazy.data).__module__.startswith("dask")
    assert lazy.data.chunks[0][0] < 40 or name.startswith(("gzip", "bzip2", "zlib", "v.mrc"))
    np.testing.assert_array_equal(np.asarray(lazy.data[31]), GREY[31])
    np.testing.assert_array_equal(np.asarray(lazy.data[3:9, 7:50:3, -5:]), GREY[3:9, 7:50:3, -5:])
    again = pickle.loads(pickle.dumps(lazy.data))
    np.testing.assert_array_equal(np.asarray(again), GREY)
    whole = read_volume(tmp_path / name)
    assert isinstance(whole.data, np.ndarray)
    np.testing.assert_array_equal(whole.data, GREY)
    assert whole.dtype == lazy.dtype


def test_a_stream_is_gone_back_in_from_the_nearest_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gzip has no index; places kept on the way make going back cost no more than their distance."""
    from fijibridge.io import _streams

    monkeypatch.setattr(_streams, "_BETWEEN", 20_000)
    monkeypatch.setattr(_streams, "_PIECE", 1_000)
    monkeypatch.setattr(_streams, "_PART", 3 * 60 * 70)
    for name in ("gzip.nrrd", "bzip2.nrrd", "zlib.mha"):
        PACKED[name](tmp_path / name)
        lazy = read_volume(tmp_path / name, mmap=True)
        for z in (39, 5, 22, 23, 0, 38, 17):
            np.testing.assert_array_equal(np.asarray(lazy.data[z]), GREY[z])


def test_a_gzip_of_several_members_is_one_stream(tmp_path: Path) -> None:
    """Programs that pack in parallel write one member after the other."""
    head = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 70 60 40\nencoding: gzip\n\n"
    packed = gzip.compress(GREY[:17].tobytes()) + gzip.compress(GREY[17:].tobytes())
    (tmp_path / "v.nrrd").write_bytes(head.encode() + packed)
    np.testing.assert_array_equal(read_volume(tmp_path / "v.nrrd").data, GREY)


def test_damage_found_late_is_still_one_sentence(tmp_path: Path) -> None:
    """A lazy volume opens before its voxels are looked at."""
    tifffile.imwrite(tmp_path / "v.tif", GREY, compression="zlib")
    with tifffile.TiffFile(tmp_path / "v.tif") as tiff:
        place = tiff.pages[20].dataoffsets[0]
    content = bytearray((tmp_path / "v.tif").read_bytes())
    content[place : place + 4] = b"\0\0\0\0"
    (tmp_path / "v.tif").write_bytes(content)
    lazy = read_volume(tmp_path / "v.tif", mmap=True)
    np.testing.assert_array_equal(np.asarray(lazy.data[19]), GREY[19])
    with pytest.raises(ReadError, match=r"v\.tif"):
        np.asarray(lazy.data[20])


def test_a_file_whose_voxels_are_elsewhere_is_refused(tmp_path: Path) -> None:
    """HDF5 may name any other file of the user's as the place of its voxels."""
    (tmp_path / "secret.raw").write_bytes(GREY.tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = GREY
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("data", GREY.shape, np.uint8, external=[(str(tmp_path / "secret.raw"), 0, GREY.size)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(GREY.shape, np.uint8)
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "data", GREY.shape)
        file.create_virtual_dataset("data", layout)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["data"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "data")
    for name in ("external.h5", "virtual.h5", "link.h5/data"):
        with pytest.raises(ReadError, match=r"other file|another file"):
            read_volume(tmp_path / name)


@pytest.mark.parametrize("target", ["v.tif", "v.ome.tif", "v.nrrd", "v.h5", "v.mrc", "v.zarr"])
@pytest.mark.parametrize("source", ["lzw.tif", "gzip.nrrd", "chunks.h5", "shards.zarr", "v.mrc.gz", "folder"])
def test_any_format_is_converted_to_any_other(tmp_path: Path, source: str, target: str) -> None:
    """The voxels come through, and so does the voxel size where the source has one."""
    PACKED[source](tmp_path / source)
    known = source in ("chunks.h5", "shards.zarr", "v.mrc.gz")
    given = {} if known else {"spacing": (30, 20, 10), "units": "nm"}
    back = convert_volume(tmp_path / source, tmp_path / target, **given)
    np.testing.assert_array_equal(np.asarray(back.data), GREY)
    np.testing.assert_allclose(voxel_size(back).to("nm")[:3], (30, 20, 10), rtol=1e-6)


#: Converts a volume along a chain of formats with parts of 8 MB; prints by how many bytes memory grew at most.
_CHAIN = """
import sys, threading, time
import numpy as np, tifffile
from fijibridge.io import _pieces, convert_volume
from fijibridge.io import _lazy, _streams, _hdf5, _zarr_write
import dask.array, h5py, mrcfile, nrrd, zarr
_pieces.MOST = 8 << 20
_streams._PART = _hdf5._MOST_PIECE = 4 << 20
most, going = 0, True
def used():
    text = open("/proc/self/status").read()
    return int(text.split("RssAnon:")[1].split()[0]) * 1024
def watch():
    global most
    while going:
        most = max(most, used()); time.sleep(0.002)
folder = sys.argv[1]
convert_volume(folder + "/small.nrrd", folder + "/small.zarr")
before = used()
watcher = threading.Thread(target=watch); watcher.start()
chain = sys.argv[2:]
for source, target in zip(chain, chain[1:]):
    convert_volume(f"{folder}/{source}", f"{folder}/{target}")
going = False; watcher.join()
print(most - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured on Linux")
def test_a_volume_of_several_times_the_memory_goes_through_every_format(tmp_path: Path) -> None:
    """200 MB in parts of 8 MB: what the process holds at its peak is less than a third of the volume."""
    shape = (192, 1024, 1024)
    planes = (np.full(shape[1:], z, np.uint8) for z in range(shape[0]))
    tifffile.imwrite(tmp_path / "a.tif", planes, shape=shape, dtype=np.uint8, compression="zstd")
    write_volume(make_volume(GREY), tmp_path / "small.nrrd")
    chain = ["a.tif", "b.zarr", "d.h5", "f.ome.tif"]
    run = [sys.executable, "-c", _CHAIN, str(tmp_path), *chain]
    # The C library keeps what each thread freed; one pool for all of them shows what is really held.
    alone = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=alone)
    assert int(said.stdout) < 67e6
    back = fb.read_volume(tmp_path / "f.ome.tif", mmap=True)
    assert [int(back.data[z, 5, 5]) for z in (0, 64, 191)] == [0, 64, 191]


def test_a_gzip_of_voxels_is_converted_in_parts(tmp_path: Path) -> None:
    """It has no index: slices come in the order of the stream, a few parts of 8 MB at a time."""
    shape = (128, 1024, 1024)
    head = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 1024 1024 128\nencoding: gzip\n\n"
    with (tmp_path / "v.nrrd").open("wb") as file:
        file.write(head.encode())
        with gzip.open(file, "wb", compresslevel=1) as packed:
            for z in range(shape[0]):
                packed.write(bytes([z]) * (1 << 20))
    tracemalloc.start()
    try:
        convert_volume(tmp_path / "v.nrrd", tmp_path / "v.tif")
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()
    assert int(read_volume(tmp_path / "v.tif", mmap=True).data[127, 0, 0]) == 127
