"""What other programs write: compression, tiles, byte order, folders, very large stacks."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile

from fijibridge.errors import ReadError
from fijibridge.io import read_volume
from fijibridge.volume import voxel_size

#: tifffile takes three or four slices for RGB unless told otherwise.
save = partial(tifffile.imwrite, photometric="minisblack")


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd", "packbits"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_compression_reads_the_same(
    tmp_path: Path, ramp: np.ndarray, compression: str | None, dtype: str
) -> None:
    """imagecodecs decodes; a predictor, where there is one, is undone."""
    data = (ramp // 7).astype(dtype)
    predictor = compression in ("lzw", "zlib", "zstd")
    save(tmp_path / "v.tif", data, compression=compression, predictor=predictor)
    back = read_volume(tmp_path / "v.tif")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back.data, data)


@pytest.mark.parametrize("options", [{"tile": (16, 16)}, {"byteorder": ">"}, {"bigtiff": True}, {"rowsperstrip": 2}])
@pytest.mark.parametrize("mmap", [False, True])
def test_every_layout_reads_the_same(tmp_path: Path, ramp: np.ndarray, options: dict, mmap: bool) -> None:
    """Asking for a map of a file that allows none gives the same volume, in native byte order."""
    save(tmp_path / "v.tif", ramp, **options)
    back = read_volume(tmp_path / "v.tif", mmap=mmap)
    assert back.dtype == np.dtype("=u2")
    np.testing.assert_array_equal(back.data, ramp)


def test_a_contiguous_file_is_mapped_when_asked(tmp_path: Path, ramp: np.ndarray) -> None:
    """Mapped volumes cost no memory and are read-only, so that no one changes the file by mistake."""
    save(tmp_path / "v.tif", ramp, imagej=True, metadata={"axes": "ZYX"})
    assert type(read_volume(tmp_path / "v.tif").data) is np.ndarray
    mapped = read_volume(tmp_path / "v.tif", mmap=True)
    assert isinstance(mapped.data, np.memmap)
    assert not mapped.data.flags.writeable


def test_an_imagej_stack_of_5_gb_is_mapped_in_no_memory(tmp_path: Path) -> None:
    """ImageJ's form for more than 4 GB: one header; here as a sparse file with one bright voxel at its end."""
    path = tmp_path / "v.tif"
    shape = (1280, 2048, 2048)
    _large_sparse(path, shape)
    volume = read_volume(path, mmap=True)
    assert volume.shape == shape
    assert int(volume.data[-1, -1, -1]) == 77
    assert int(volume.data[600, 5, 5]) == 0


def _large_sparse(path: Path, shape: tuple[int, int, int]) -> None:
    """Write the header that ImageJ writes, then a hole as long as the voxels but for the last one."""
    with tifffile.TiffWriter(path, imagej=True) as tiff:
        one = np.zeros(shape[1:], np.uint8)
        offset, _ = tiff.write(
            one, metadata={"axes": "YX", "hyperstack": False, "unit": "nm" + " " * 40}, returnoffset=True
        )
    content = path.read_bytes()[:offset]
    count = f"images={shape[0]}\nslices={shape[0]}\nunit=nm\n".encode()
    start = content.index(b"images=1\n")
    end = content.index(b"\0", start)
    content = content[:start] + count.ljust(end - start, b" ") + content[end:]
    with path.open("wb") as file:
        file.write(content)
        file.seek(offset + shape[0] * shape[1] * shape[2] - 1)
        file.write(bytes([77]))


def test_a_folder_is_read_in_natural_order(tmp_path: Path, ramp: np.ndarray) -> None:
    """slice2 comes before slice10, whatever the letters' case; other files and hidden ones are passed over."""
    for name, plane in zip(("slice2.tif", "Slice1.TIF", "slice10.tiff", "slice11.tif"), ramp, strict=True):
        save(tmp_path / name, plane)
    (tmp_path / "notes.txt").write_text("as taken")
    (tmp_path / "._slice2.tif").write_bytes(b"resource fork")
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.data, ramp[[1, 0, 2, 3]])


def test_named_slices_are_read_in_the_order_given(tmp_path: Path, ramp: np.ndarray) -> None:
    """A folder often holds images and masks side by side; naming the files picks."""
    paths = [tmp_path / f"{index}.tif" for index in range(4)]
    for path, plane in zip(paths, ramp, strict=True):
        save(path, plane)
    np.testing.assert_array_equal(read_volume([paths[3], str(paths[0])]).data, ramp[[3, 0]])


def test_a_folder_asks_for_the_distance_of_its_slices(tmp_path: Path, ramp: np.ndarray) -> None:
    """Slices know their pixel size and not how far apart they were cut."""
    for index, plane in enumerate(ramp):
        save(tmp_path / f"{index}.tif", plane, imagej=True, resolution=(0.1, 0.1), metadata={"unit": "nm"})
    with pytest.raises(ReadError, match=r"4 slices of 10 x 10 nm pixels .* spacing=\(z, 10, 10\), units='nm'"):
        read_volume(tmp_path)
    assert voxel_size(read_volume(tmp_path, spacing=(30, 10, 10), units="nm")) == (30, 10, 10, "nm")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ReadError, match=r"holds no \.tif or \.tiff file"):
        read_volume(tmp_path)
    with pytest.raises(ReadError, match="no slices were named"):
        read_volume([])


@pytest.mark.parametrize("odd", [np.zeros((5, 7), np.uint16), np.zeros((5, 6), np.uint8)])
def test_slices_of_mixed_size_or_dtype_are_refused(tmp_path: Path, ramp: np.ndarray, odd: np.ndarray) -> None:
    """The message names the two files that differ."""
    save(tmp_path / "1.tif", ramp[0])
    save(tmp_path / "2.tif", odd)
    with pytest.raises(ReadError, match=r"1\.tif is 5 x 6 uint16, .*2\.tif is"):
        read_volume(tmp_path)


def test_slices_of_mixed_pixel_size_are_refused_unless_the_size_is_given(tmp_path: Path, ramp: np.ndarray) -> None:
    """One of two magnifications is wrong, and only the user knows which."""
    for index, per in enumerate((1.0, 2.0)):
        save(tmp_path / f"{index}.tif", ramp[0], imagej=True, resolution=(per, per), metadata={"unit": "nm"})
    with pytest.raises(ReadError, match=r"has 1 x 1 nm, .* 0\.5 x 0\.5 nm"):
        read_volume(tmp_path)
    assert voxel_size(read_volume(tmp_path, spacing=(1, 1, 1), units="nm")) == (1, 1, 1, "nm")


def test_a_stack_in_a_folder_of_slices_is_refused(tmp_path: Path, ramp: np.ndarray) -> None:
    """Stacks put end to end by accident would make a volume that never was."""
    save(tmp_path / "1.tif", ramp)
    with pytest.raises(ReadError, match="holds 4 slices and a folder's files need one each"):
        read_volume(tmp_path)


def test_a_bilevel_image_is_a_mask(tmp_path: Path) -> None:
    """1-bit TIFF holds two values, which is what bool is for."""
    mask = np.random.default_rng(1).random((3, 9, 11)) < 0.5
    save(tmp_path / "v.tif", mask)
    back = read_volume(tmp_path / "v.tif")
    assert back.dtype == bool
    np.testing.assert_array_equal(back.data, mask)


def test_the_files_of_other_programs_read(shared_data) -> None:
    """ImageJ 1.53m with a broken chain, PackBits from MATLAB, tifffile, raw FEI, ImageJ labels; sizes as documented."""
    expected = {
        "cement_xct_volume/cement_128x128x128.tif": (128, 128, 128),
        "nmc_segmented_volumes/nmc-1-cal_generatedCBD_bridge.tif": (251, 301, 301),
        "flyem_fibsem_truth/flyem_truth.tif": (64, 250, 250),
        "fei_autoslice_tiff/SEM Image - SliceImage - 002.tif": (1, 2007, 1618),
    }
    for name, shape in expected.items():
        folder, file = name.split("/")
        assert read_volume(shared_data(folder) / file).shape == shape
    assert read_volume(shared_data("shale_fibsem") / "dev").shape == (7, 1104, 1104)
