"""Formats of other programs: files are compared with what another reader says of them, and hostile ones refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import zlib
from pathlib import Path

import h5py
import mrcfile
import nrrd
import numpy as np
import olefile
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import volumes

from fijibridge.errors import FijibridgeError, ReadError, WriteError
from fijibridge.io import convert_volume, read_volume, write_volume
from fijibridge.volume import Volume, make_volume, origin, voxel_size

SMALL = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(volume=volumes())
def test_mrc_keeps_values_and_voxel_size(tmp_path: Path, volume: Volume) -> None:
    """MRC has no uint8: values stay, in uint16; sizes are 32-bit numbers in angstrom."""
    write_volume(volume, tmp_path / "v.mrc")
    back = read_volume(tmp_path / "v.mrc", mmap=True)
    np.testing.assert_array_equal(back.data, volume.data)
    if voxel_size(volume).units != "voxel":
        np.testing.assert_allclose(voxel_size(back).to("nm")[:3], voxel_size(volume).to("nm")[:3], rtol=1e-6)


def test_other_programs_read_what_we_write(tmp_path: Path) -> None:
    """The formats' own packages are the judges."""
    volume = make_volume(SMALL, spacing=(30, 20, 10), units="nm")
    for name in ("v.nrrd", "v.h5", "v.mrc"):
        write_volume(volume, tmp_path / name)
    data, header = nrrd.read(str(tmp_path / "v.nrrd"), index_order="C")
    np.testing.assert_array_equal(data, SMALL)
    assert list(header["spacings"]) == [10, 20, 30]
    with h5py.File(tmp_path / "v.h5") as file:
        np.testing.assert_array_equal(file["data"][()], SMALL)
        np.testing.assert_allclose(file["data"].attrs["element_size_um"], (0.03, 0.02, 0.01))
    assert mrcfile.validate(tmp_path / "v.mrc", print_file=io.StringIO())
    with mrcfile.open(tmp_path / "v.mrc") as file:
        np.testing.assert_array_equal(file.data, SMALL)
        np.testing.assert_allclose([file.voxel_size[axis] for axis in "zyx"], (300, 200, 100), rtol=1e-6)


def test_xradia_images_are_read_with_their_pixel_size(shared_data) -> None:
    """Projections do not say how far apart they are, which is asked for and not guessed."""
    folder = shared_data("formats") / "xradia_txrm"
    volume = read_volume(folder / "test_chip00.xrm")
    with olefile.OleFileIO(folder / "test_chip00.xrm") as ole:
        expected = np.frombuffer(ole.openstream("ImageData1/Image1").read(), "<u2").reshape(512, 512)
    np.testing.assert_array_equal(volume.data[0], expected)
    assert voxel_size(volume).x == pytest.approx(0.0779, rel=1e-3)
    assert voxel_size(volume).units == "um"
    with pytest.raises(ReadError, match="how far apart"):
        read_volume(folder / "txrm_test_chip_tomo.txrm")
    assert read_volume(folder / "txrm_test_chip_tomo.txrm", spacing=(1, 1, 1), units="um").shape == (7, 256, 256)


def test_ilastik_and_bigdataviewer_hdf5_are_read(shared_data) -> None:
    """One has five axes, the other one data set for each time point and view."""
    folder = shared_data("formats")
    with h5py.File(folder / "ilastik" / "2d_cells_apoptotic_1channel.h5") as file:
        expected = file["data"][0, :, :, :, 0]
    np.testing.assert_array_equal(read_volume(folder / "ilastik" / "2d_cells_apoptotic_1channel.h5").data, expected)
    assert read_volume(folder / "labkit" / "export.h5").shape == (2, 2, 2)
    assert read_volume(folder / "labkit" / "export.h5" / "t00001/s00/0/cells").shape == (2, 2, 2)


def _amira(
    encoding: str, body: bytes, shape=SMALL.shape, *, kind: str = "byte", box: str = "0 30 -20 20 5 15"
) -> bytes:
    z, y, x = shape
    mark = f"@1({encoding},{len(body)})" if encoding else "@1"
    head = (
        f"# AmiraMesh BINARY-LITTLE-ENDIAN 2.1\n\ndefine Lattice {x} {y} {z}\nParameters {{\n"
        f'  Units {{ Coordinates "nm" }}\n  BoundingBox {box},\n  CoordType "uniform"\n}}\n'
        f"Lattice {{ {kind} Data }} {mark}\n# Data section follows\n@1\n"
    )
    return head.encode() + body + b"\n"


@pytest.mark.parametrize("encoding", ["", "HxZip", "HxByteRLE"])
def test_amira_is_read_in_each_encoding(tmp_path: Path, encoding: str) -> None:
    """A bounding box runs from the first voxel's centre to the last one's: 0 to 30 nm are four voxels of 10 nm."""
    plain = SMALL.tobytes()
    literal = bytes([0x80 | 20]) + plain[:20] + b"".join(bytes([1, value]) for value in plain[20:])
    body = {"": plain, "HxZip": zlib.compress(plain), "HxByteRLE": literal}[encoding]
    (tmp_path / "v.am").write_bytes(_amira(encoding, body))
    volume = read_volume(tmp_path / "v.am")
    np.testing.assert_array_equal(volume.data, SMALL)
    assert voxel_size(volume) == (10, 20, 10, "nm")
    assert origin(volume) == (5, -20, 0)


def test_axis_tags_decide_the_order_in_hdf5(tmp_path: Path) -> None:
    """ilastik may write x first."""
    with h5py.File(tmp_path / "v.h5", "w") as file:
        data = file.create_dataset("exported_data", data=np.transpose(SMALL)[..., None])
        data.attrs["axistags"] = '{"axes": [{"key": "x"}, {"key": "y"}, {"key": "z"}, {"key": "c"}]}'
        file.create_dataset("table", data=np.zeros(3))
    np.testing.assert_array_equal(read_volume(tmp_path / "v.h5").data, SMALL)


def test_of_several_volumes_in_hdf5_one_is_named(tmp_path: Path) -> None:
    """Guessing would segment the labels."""
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_dataset("volumes/raw", data=SMALL)
        file.create_dataset("volumes/labels", data=SMALL * 0)
    with pytest.raises(ReadError, match="name one"):
        read_volume(tmp_path / "v.h5")
    with pytest.raises(ReadError, match="no data set"):
        read_volume(tmp_path / "v.h5" / "volumes/rwa")
    np.testing.assert_array_equal(read_volume(tmp_path / "v.h5" / "volumes/raw").data, SMALL)


def _mhd(name: str = "v.raw", **fields: object) -> str:
    lines = {
        "ObjectType": "Image",
        "NDims": 3,
        "DimSize": "4 3 2",
        "ElementType": "MET_USHORT",
        "ElementSpacing": "10 20 30",
        "BinaryDataByteOrderMSB": "True",
        **fields,
        "ElementDataFile": name,
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


@pytest.mark.parametrize("mmap", [False, True])
def test_raw_voxels_are_read_by_the_header_beside_them(tmp_path: Path, mmap: bool) -> None:
    """Big-endian, sizes without a unit: the voxel size is not guessed."""
    (tmp_path / "v.raw").write_bytes(SMALL.astype(">u2").tobytes())
    with pytest.raises(ReadError, match=r"v\.mhd"):
        read_volume(tmp_path / "v.raw")
    (tmp_path / "v.mhd").write_text(_mhd())
    for name in ("v.raw", "v.mhd"):
        volume = read_volume(tmp_path / name, mmap=mmap)
        np.testing.assert_array_equal(volume.data, SMALL)
        assert volume.dtype == np.uint16
        assert voxel_size(volume).units == "voxel"


def test_a_header_names_no_file_outside_its_folder(tmp_path: Path) -> None:
    """A downloaded header must not read the user's other files."""
    (tmp_path / "secret.raw").write_bytes(bytes(48))
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "v.mhd").write_text(_mhd("../secret.raw"))
    (inner / "link.raw").symlink_to(tmp_path / "secret.raw")
    (inner / "w.mhd").write_text(_mhd("link.raw"))
    (inner / "v.nhdr").write_text(
        "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nendian: little\nencoding: raw\ndata file: ../secret.raw\n"
    )
    for name in ("v.mhd", "w.mhd", "v.nhdr"):
        with pytest.raises(ReadError, match="outside of its folder"):
            read_volume(inner / name)


def _nrrd_head(sizes: str, encoding: str = "raw") -> bytes:
    return f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: {sizes}\nencoding: {encoding}\n\n".encode()


def _lying_files() -> dict[str, bytes]:
    huge = "100000 100000 100000"
    bomb = gzip.compress(bytes(50_000_000))
    mrc = bytearray(1024)
    struct.pack_into("<4i", mrc, 0, 30000, 30000, 30000, 2)
    struct.pack_into("<3i", mrc, 64, 1, 2, 3)
    mrc[208:216] = b"MAP \x44\x44\x00\x00"
    return {
        "huge.nrrd": _nrrd_head(huge) + bytes(100),
        "huge_gz.nrrd": _nrrd_head(huge, "gzip") + gzip.compress(bytes(100)),
        "bomb.nrrd": _nrrd_head("10 10 10", "gzip") + bomb,
        "short.nrrd": _nrrd_head("100 10 10", "gzip") + gzip.compress(bytes(100)),
        "huge.am": _amira("", bytes(10), (10**5, 10**5, 10**5)),
        "huge_rle.am": _amira("HxByteRLE", bytes(10), (10**5, 10**5, 10**5)),
        "bomb.am": _amira("HxZip", zlib.compress(bytes(50_000_000)), (1, 10, 10)),
        "huge.mrc": bytes(mrc),
        "huge.mha": _mhd("LOCAL", DimSize="100000 100000 100000").encode() + bytes(10),
        "text.nrrd": b"hello",
        "text.mrc": b"hello",
        "text.am": b"hello",
        "text.txm": b"hello",
        "text.h5": b"hello",
        "text.mhd": b"hello",
        "minus.mhd": _mhd(DimSize="4 -3 2").encode(),
        "empty.nrrd": b"",
    }


@pytest.mark.parametrize("name", sorted(_lying_files()))
def test_a_file_that_promises_what_it_does_not_hold_is_refused(tmp_path: Path, name: str) -> None:
    """Before memory is taken: some of these ask for petabytes. (bomb.am ends at the promised size.)"""
    (tmp_path / name).write_bytes(_lying_files()[name])
    if name == "bomb.am":
        assert read_volume(tmp_path / name).shape == (1, 10, 10)
        return
    with pytest.raises(ReadError) as caught:
        read_volume(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_hdf5_of_nothing_but_promises_is_refused(tmp_path: Path) -> None:
    """Chunks that were never written need no room in the file."""
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_dataset("data", (10**4, 10**4, 10**4), np.uint8, chunks=(64, 64, 64))
    with pytest.raises(ReadError, match="promises"):
        read_volume(tmp_path / "v.h5")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), kind=st.sampled_from(["nrrd", "h5", "mrc", "am", "mha"]))
def test_a_damaged_file_is_an_error_of_ours_or_a_volume(tmp_path: Path, data: st.DataObject, kind: str) -> None:
    """Flipped, cut and overwritten bytes: never another exception."""
    path = tmp_path / f"v.{kind}"
    if kind == "am":
        whole = _amira("HxZip", zlib.compress(SMALL.tobytes()))
    elif kind == "mha":
        whole = _mhd("LOCAL").encode() + SMALL.astype(">u2").tobytes()
    else:
        write_volume(make_volume(SMALL), path)
        whole = path.read_bytes()
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    for _ in range(data.draw(st.integers(0, 4)) if broken else 0):
        # Headers are where it hurts.
        broken[data.draw(st.integers(0, min(len(broken), 2000) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(broken))
    with contextlib.suppress(FijibridgeError):
        assert read_volume(path).ndim == 3


@pytest.mark.parametrize("target", ["v.tif", "v.ome.tif", "v.nrrd", "v.h5", "v.mrc"])
def test_converting_keeps_voxels_and_size(tmp_path: Path, target: str) -> None:
    """From a mapped file to every format that is written."""
    volume = make_volume(SMALL.astype(np.uint16) * 300, spacing=(30, 20, 10), units="nm")
    write_volume(volume, tmp_path / "from.nrrd")
    done: list[float] = []
    back = convert_volume(tmp_path / "from.nrrd", tmp_path / target, progress=done.append)
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_allclose(voxel_size(back)[:3], (30, 20, 10), rtol=1e-6)
    assert done == sorted(done)
    assert done[-1] == 1


def test_a_format_that_cannot_hold_the_dtype_says_so_and_writes_nothing(tmp_path: Path) -> None:
    """Rounding to 16 bit behind the user's back would be worse."""
    with pytest.raises(WriteError, match="astype"):
        write_volume(make_volume(SMALL.astype(np.int64)), tmp_path / "v.mrc")
    assert list(tmp_path.iterdir()) == []
