"""Chunks of a Zarr that unpack to far more than a chunk, or run what they hold: one sentence, in no memory or time."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import zarr

from fijibridge.errors import ReadError
from fijibridge.io import read_volume, stored_voxels, write_volume
from fijibridge.volume import make_volume

SMALL = (np.arange(20**3) % 251).astype(np.uint8).reshape(20, 20, 20)
HUGE = 256 << 20
KINDS = ("zarr 2", "zarr 3", "shards")


def _zeros(packer: Any) -> bytes:
    return b"".join([*(packer.compress(bytes(1 << 22)) for _ in range(HUGE >> 22)), packer.flush()])


def _zstd(*, told: bool) -> bytes:
    """Zeros as runs, 128 kB in four bytes; how many there are is told in front or not."""
    most = 1 << 17
    head = b"\x28\xb5\x2f\xfd" + (b"\xe0" + struct.pack("<Q", HUGE) if told else b"\x00\x58")
    blocks = (struct.pack("<I", most << 3 | 1 << 1 | (at + most == HUGE))[:3] for at in range(0, HUGE, most))
    return head + b"".join(block + b"\0" for block in blocks)


def _blosc() -> bytes:
    made = bytearray(imagecodecs.blosc_encode(bytes(1 << 20)))
    made[4:8] = struct.pack("<I", 2**31 - 17)
    return bytes(made)


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "zstd": ("zstd", lambda: _zstd(told=True)),
    "zstd, size not told": ("zstd", lambda: _zstd(told=False)),
    "gzip": ("gzip", lambda: _zeros(zlib.compressobj(1, wbits=31))),
    "zlib": ("zlib", lambda: _zeros(zlib.compressobj(1))),
    "blosc": ("blosc", _blosc),
    "lz4": ("lz4", lambda: struct.pack("<i", 2**31 - 1) + bytes(100)),
    "bz2": ("bz2", lambda: bz2.compress(bytes(1 << 25))),
    "lzma": ("lzma", lambda: _zeros(lzma.LZMACompressor(preset=0))),
}


def _packers(name: str) -> dict[str, Any]:
    """Describe a codec to Zarr 3; what is not of its own goes by numcodecs' name."""
    if name in ("zstd", "gzip", "blosc"):
        more = {"zstd": {"level": 1, "checksum": False}, "gzip": {"level": 1}}
        blosc = {"cname": "lz4", "clevel": 5, "shuffle": "noshuffle", "typesize": 1, "blocksize": 0}
        return {"name": name, "configuration": more.get(name, blosc)}
    return {"name": f"numcodecs.{name}", "configuration": {}}


def _array(folder: Path, kind: str, codec: str, packed: bytes) -> Path:
    """Write one chunk of 20^3 bytes that holds `packed`, whatever it is."""
    folder.mkdir()
    if kind == "zarr 2":
        about = {
            "zarr_format": 2, "shape": [20] * 3, "chunks": [20] * 3, "dtype": "|u1", "compressor": {"id": codec},
            "fill_value": 0, "order": "C", "filters": None,
        }  # fmt: skip
        (folder / ".zarray").write_text(json.dumps(about), encoding="utf-8")
        (folder / "0.0.0").write_bytes(packed)
        return folder
    codecs: list[dict[str, Any]] = [{"name": "bytes"}, _packers(codec)]
    if kind == "shards":
        index = {"index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}], "index_location": "end"}
        inside = {"chunk_shape": [20] * 3, "codecs": codecs, **index}
        codecs = [{"name": "sharding_indexed", "configuration": inside}]
        packed += struct.pack("<2Q", 0, len(packed))
    about = {
        "zarr_format": 3, "node_type": "array", "shape": [20] * 3, "data_type": "uint8", "fill_value": 0,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [20] * 3}}, "codecs": codecs,
        "chunk_key_encoding": {"name": "default"}, "attributes": {},
    }  # fmt: skip
    (folder / "zarr.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "c" / "0" / "0").mkdir(parents=True)
    (folder / "c" / "0" / "0" / "0").write_bytes(packed)
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("codec", "pack"),
    [
        ("zstd", imagecodecs.zstd_encode),
        ("gzip", lambda data: gzip.compress(data[:999]) + gzip.compress(data[999:])),
        ("zlib", zlib.compress),
        ("blosc", imagecodecs.blosc_encode),
        ("lz4", lambda data: imagecodecs.lz4_encode(data, header=True)),
        ("bz2", bz2.compress),
        ("lzma", lzma.compress),
    ],
)
@pytest.mark.filterwarnings("ignore:Numcodecs codecs")
def test_honest_chunks_of_every_packing_are_read(tmp_path: Path, kind: str, codec: str, pack) -> None:
    """Else the guard would be none."""
    folder = _array(tmp_path / "v.zarr", kind, codec, pack(SMALL.tobytes()))
    np.testing.assert_array_equal(read_volume(folder).data, SMALL)
    np.testing.assert_array_equal(stored_voxels(folder)[3:7], SMALL[3:7])


#: Reads each folder by each way ; prints what was said of each, and by how much memory grew at most.
_READ = """
import resource, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, psutil
from fijibridge.errors import ReadError
from fijibridge.io import read_volume, stored_voxels
read_volume(sys.argv[1])  # what is imported late is there now
before = psutil.Process().memory_info().rss
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for name in sys.argv[2:]:
    for read in (read_volume, lambda name: np.asarray(read_volume(name, mmap=True).data),
                 lambda name: stored_voxels(name)[:]):
        try:
            read(name)
            print("READ", name)
        except ReadError as error:
            print("refused", error)
        except ValueError as error:
            print("refused", name, error)  # of stored_voxels, whose reader tells the user
# Not ru_maxrss, which begins at what the parent had.
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
print("grew", peak - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
def test_a_chunk_that_unpacks_to_far_more_is_refused_in_no_memory(tmp_path: Path) -> None:
    """In 8 packings, of Zarr 2, Zarr 3 and within shards, whichever way it is read: a quarter to 2 GB of nothing."""
    write_volume(make_volume(SMALL), tmp_path / "good.zarr")
    folders = []
    for name, (codec, pack) in BOMBS.items():
        packed = pack()
        folders += [str(_array(tmp_path / f"{name} {kind}.zarr", kind, codec, packed)) for kind in KINDS]
    run = [sys.executable, "-c", _READ, str(tmp_path / "good.zarr"), *folders]
    *lines, grew = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 3 * len(folders)
    for line, folder in zip(lines[::3], folders, strict=True):
        assert line.startswith("refused")
        assert folder in line
        assert "unpacks to more" in line, line
    assert all(line.startswith("refused") for line in lines)
    assert int(grew.split()[1]) < 48e6


def test_a_chunk_that_would_run_what_it_holds_is_refused(tmp_path: Path) -> None:
    """numcodecs unpickles what says that it is a pickle; of what else it does, only what has a bound is let do it."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "it ran"),)

    folder = _array(tmp_path / "v.zarr", "zarr 2", "pickle", pickle.dumps(Evil()))
    with pytest.raises(ReadError, match="pickle"):
        read_volume(folder)
    about = json.loads((folder / ".zarray").read_text(encoding="utf-8"))
    for more, said in (
        ({"compressor": None, "filters": [{"id": "pickle"}]}, "pickle"),
        ({"compressor": None, "filters": [{"id": "base64"}]}, "packed with base64"),
        (
            {"compressor": None, "filters": [{"id": "delta", "dtype": "|u1", "astype": "|S99999999"}]},
            "packed with delta",
        ),
    ):
        (folder / ".zarray").write_text(json.dumps({**about, **more}), encoding="utf-8")
        with pytest.raises(ReadError, match=said):
            stored_voxels(folder)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, version) -> None:
    """Paths of levels, links for a level, links for a chunk; a pipe, which nobody writes to, for one."""
    write_volume(make_volume(SMALL + 1), tmp_path / "secret.zarr", ome_zarr=version)
    for path in ("../secret.zarr/0", str(tmp_path / "secret.zarr/0"), "0/../../secret.zarr/0", "."):
        folder = _copy(tmp_path, version)
        file = folder / ("zarr.json" if version == "0.5" else ".zattrs")
        file.write_text(file.read_text(encoding="utf-8").replace('"path": "0"', f'"path": "{path}"'), encoding="utf-8")
        with pytest.raises(ReadError, match="outside" if path != "." else "no array|Zarr"):
            read_volume(folder)
    folder = _copy(tmp_path, version)
    shutil.rmtree(folder / "0")
    (folder / "0").symlink_to(tmp_path / "secret.zarr" / "0")
    with pytest.raises(ReadError, match="outside"):
        read_volume(folder)
    folder = _copy(tmp_path, version)
    chunk = next(file for file in (folder / "0").rglob("*") if file.name == "0" and file.is_file())
    chunk.unlink()
    chunk.symlink_to(tmp_path / "secret.zarr" / chunk.relative_to(folder))
    with pytest.raises(ReadError, match="outside"):
        read_volume(folder)
    chunk.unlink()
    os.mkfifo(chunk)
    with pytest.raises(ReadError, match="is no file"):
        read_volume(folder)


def _copy(tmp_path: Path, version) -> Path:
    shutil.rmtree(tmp_path / "v.zarr", ignore_errors=True)
    write_volume(make_volume(SMALL), tmp_path / "v.zarr", ome_zarr=version)
    return tmp_path / "v.zarr"


def test_a_chunk_file_of_a_terabyte_of_nothing_is_refused(tmp_path: Path) -> None:
    """A sparse file takes no room on the disk, and a read of it all of the memory."""
    folder = _array(tmp_path / "v.zarr", "zarr 3", "zstd", b"")
    with (folder / "c" / "0" / "0" / "0").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ReadError, match="1099511627776 bytes"):
        read_volume(folder)


def test_as_many_chunks_as_voxels_are_refused(tmp_path: Path) -> None:
    """A gigabyte in chunks of a byte would take days and, as a list of its parts, all of the memory."""
    zarr.create_array(tmp_path / "v.zarr", shape=(1000, 1000, 1000), chunks=(1, 1, 1), dtype="uint8")
    for mmap in (False, True):
        with pytest.raises(ReadError, match="1000000000 chunks of 1 bytes"):
            read_volume(tmp_path / "v.zarr", mmap=mmap)


def test_a_zarr_in_a_zip_is_said_to_be_no_file_of_ours(tmp_path: Path) -> None:
    """Names within an archive lead nowhere, since none is unpacked."""
    write_volume(make_volume(SMALL), tmp_path / "v.zarr")
    shutil.make_archive(str(tmp_path / "v.zarr"), "zip", tmp_path / "v.zarr")
    for name in ("v.zarr.zip", "packed.zarr"):
        if name == "packed.zarr":
            (tmp_path / "v.zarr.zip").rename(tmp_path / name)
        with pytest.raises(ReadError, match=r"archive.*unpack it"):
            read_volume(tmp_path / name)
