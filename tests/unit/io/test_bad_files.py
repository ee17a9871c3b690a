"""Files that are broken, hostile or no volumes give one sentence, in no time and no memory."""

from __future__ import annotations

import contextlib
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fijibridge.errors import FijibridgeError, ParameterError, ReadError
from fijibridge.io import read_volume, write_volume
from fijibridge.volume import make_volume

#: tifffile takes three or four slices for RGB unless told otherwise.
save = partial(tifffile.imwrite, photometric="minisblack")

STACK = (np.arange(3 * 40 * 50) % 251).astype(np.uint8).reshape(3, 40, 50)


def _refused(path: Path, match: str) -> None:
    """Assert one sentence, and that no more than 8 MB were touched to find it."""
    tracemalloc.start()
    try:
        with pytest.raises(ReadError, match=match) as caught:
            read_volume(path)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    _refused(tmp_path / "none.tif", "there is no file .*none.tif")


def test_another_format_is_said_to_be_no_tiff(tmp_path: Path) -> None:
    (tmp_path / "v.tif").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    _refused(tmp_path / "v.tif", "is not a TIFF file")


@pytest.mark.parametrize("length", [0, 3, 8, 15])
def test_a_file_cut_in_its_first_bytes_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "v.tif").write_bytes(b"II*\0\x08\0\0\0\x01\0\0\x01\x03\0\x01"[:length])
    _refused(tmp_path / "v.tif", "not a TIFF file|truncated or broken")


@pytest.mark.parametrize("form", ["imagej", "ome", "plain", "zlib"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.97])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str, share: float) -> None:
    """A copy that stopped half-way must never read as a thinner or darker volume."""
    path = tmp_path / "v.tif"
    noise = np.random.default_rng(0).integers(0, 255, (6, 64, 64), np.uint8)
    if form in ("imagej", "ome"):
        write_volume(make_volume(noise), path if form == "imagej" else (path := tmp_path / "v.ome.tif"))
    else:
        save(path, noise, compression="zlib" if form == "zlib" else None, metadata=None)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    _refused(path, "truncated or broken|broken TIFF")


def test_a_header_that_asks_for_more_than_the_file_holds_is_refused(make_tiff, page) -> None:
    """A hundred bytes that ask for 3.6 GB."""
    _refused(make_tiff([page(60000, 60000)]), "truncated or broken: its voxels end at byte")


@pytest.mark.parametrize(("compression", "name"), [(8, "zlib"), (5, "lzw"), (32773, "packbits"), (50000, "zstd")])
def test_a_compressed_header_cannot_ask_for_more_than_any_compression_gives(make_tiff, page, compression, name) -> None:
    """A kilobyte may unpack to a megabyte, and never to 16 GB."""
    path = make_tiff([page(131072, 131072, at=200, stored=1000, compression=compression)], voxels=bytes(2000))
    _refused(path, "its header asks for 17179869184 bytes")


def test_headers_that_share_their_voxels_are_refused(make_tiff, page) -> None:
    """Thousands of headers over the same strip are a bomb: each by itself fits into the file."""
    count = 500
    at = 8 + count * (2 + 9 * 12 + 4)
    path = make_tiff([page(100, 100, at=at) for _ in range(count)], voxels=bytes(10_000))
    _refused(path, "truncated or broken|asks for")


@pytest.mark.parametrize("back_to", [8, 8 + 2 * 114])
def test_headers_in_a_circle_are_refused(make_tiff, page, back_to: int) -> None:
    """Readers that follow the chain without looking back never end."""
    path = make_tiff([page(4, 4)] * 3, following={2: back_to}, voxels=bytes(64))
    _refused(path, "its headers lead round in a circle")


def test_a_long_circle_ends_too(make_tiff, page) -> None:
    """tifffile looks for circles among the first hundred headers alone."""
    path = make_tiff([page(1, 1)] * 300, following={299: 8 + 114 * 150}, voxels=bytes(64))
    _refused(path, "circle")


def test_a_header_outside_the_file_is_refused(make_tiff, page) -> None:
    _refused(make_tiff([page(4, 4)] * 2, following={1: 99_999}, voxels=bytes(64)), "header 3 should lie at byte 99999")


def test_an_imagej_stack_whose_later_headers_are_garbage_is_whole(tmp_path: Path) -> None:
    """ImageJ 1.53m wrote such files: all voxels lie behind the first header, and ImageJ never looks at the others."""
    path = tmp_path / "v.tif"
    write_volume(make_volume(STACK), path)
    with tifffile.TiffFile(path) as tiff:
        position = tiff.pages.first.offset + 2 + 12 * len(tiff.pages.first.tags)
    content = bytearray(path.read_bytes())
    content[position : position + 4] = b"\0\0\0\x17"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_volume(path).data, STACK)


def test_a_promise_of_more_slices_than_there_are_is_refused(tmp_path: Path) -> None:
    """An ImageJ description that says images=9 over three slices."""
    path = tmp_path / "v.tif"
    write_volume(make_volume(STACK), path)
    path.write_bytes(path.read_bytes().replace(b"images=3\nslices=3", b"images=9\nslices=9"))
    _refused(path, "promises 9 slices and it holds 3|voxels end at byte")


def test_colour_is_refused_with_the_way_out(tmp_path: Path) -> None:
    colours = np.zeros((20, 30, 3), np.uint8)
    colours[5, 5, 0] = 1
    tifffile.imwrite(tmp_path / "v.tif", colours, photometric="rgb")
    _refused(tmp_path / "v.tif", r"in colour .*3 samples per pixel.* Image > Type > 8-bit")


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_rgb_with_three_equal_channels_is_grey(tmp_path: Path, planar: str) -> None:
    """Many programs save grey images and masks as RGB; nothing is lost by taking one channel."""
    grey = STACK[0]
    colours = np.stack([grey] * 3, axis=-1 if planar == "contig" else 0)
    tifffile.imwrite(tmp_path / "v.tif", colours, photometric="rgb", planarconfig=planar)
    np.testing.assert_array_equal(read_volume(tmp_path / "v.tif").data, STACK[:1])


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_one_channel_of_a_file_in_colour_is_read_by_its_number(tmp_path: Path, compression, planar: str) -> None:
    """From 0; one that is not there, and one of a file without several, is refused."""
    colours = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    stored = colours if planar == "contig" else np.moveaxis(colours, -1, 0)
    tifffile.imwrite(tmp_path / "v.tif", stored, photometric="rgb", planarconfig=planar, compression=compression)
    for mmap in (False, True):
        found = read_volume(tmp_path / "v.tif", channel=1, mmap=mmap).data
        np.testing.assert_array_equal(np.asarray(found), colours[None, ..., 1])
        for channel in (3, -1):
            with pytest.raises(ParameterError, match="has 3 channel"):
                np.asarray(read_volume(tmp_path / "v.tif", channel=channel, mmap=mmap).data)
    save(tmp_path / "grey.tif", STACK)
    write_volume(make_volume(STACK), tmp_path / "v.zarr")
    for path, said in (("grey.tif", "has 1 channel"), ("v.zarr", "is none"), ("v.nrrd", "another format")):
        with pytest.raises(ParameterError, match=said):
            read_volume(tmp_path / path, channel=1)


def test_the_colour_coded_sandstone_masks_are_refused(shared_data) -> None:
    """Their red, green and blue mean different minerals: no one channel stands for the image."""
    with pytest.raises(ReadError, match="in colour"):
        read_volume(shared_data("sandstone_versa_xct") / "dev" / "Sandstone_Versa0100_mask.tif")


def test_channels_and_times_are_refused(tmp_path: Path) -> None:
    """A volume has three axes; which channel is meant only the user knows."""
    save(tmp_path / "c.tif", np.zeros((3, 2, 4, 5), np.uint8), imagej=True, metadata={"axes": "ZCYX"})
    _refused(tmp_path / "c.tif", r"more than the axes z, y, x \(Z: 3, C: 2")
    save(tmp_path / "t.tif", np.zeros((2, 3, 4, 5), np.uint8), imagej=True, metadata={"axes": "TZYX"})
    _refused(tmp_path / "t.tif", r"more than the axes z, y, x \(T: 2, Z: 3")


def test_a_stack_saved_as_times_is_a_stack(tmp_path: Path) -> None:
    """ImageJ users save slices as frames by mistake; the three axes are there all the same."""
    save(tmp_path / "t.tif", STACK, imagej=True, metadata={"axes": "TYX"})
    np.testing.assert_array_equal(read_volume(tmp_path / "t.tif").data, STACK)


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "v.tif", np.zeros((3, 4, 5), np.complex64))
    _refused(tmp_path / "v.tif", "complex64 and a volume real numbers")


def test_pages_of_different_sizes_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "v.tif") as tiff:
        tiff.write(np.zeros((4, 5), np.uint8))
        tiff.write(np.zeros((4, 6), np.uint8))
    _refused(tmp_path / "v.tif", r"holds 2 images \(4 x 5 uint8, 4 x 6 uint8\)")


@pytest.fixture(scope="module")
def good_bytes(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Give the bytes of one file of each form."""
    folder = tmp_path_factory.mktemp("good")
    volume = make_volume(STACK)
    write_volume(volume, folder / "a.tif")
    write_volume(volume, folder / "b.ome.tif")
    save(folder / "c.tif", STACK, compression="lzw", tile=(16, 16))
    save(folder / "d.tif", STACK, bigtiff=True, metadata=None)
    return [file.read_bytes() for file in sorted(folder.iterdir())]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_damage_gives_a_volume_or_a_fijibridge_error(tmp_path: Path, good_bytes: list[bytes], data) -> None:
    """Whatever bytes are wrong: no other exception, no endless loop, no memory beyond the file's own."""
    content = bytearray(data.draw(st.sampled_from(good_bytes)))
    # Headers make up little of a file and all of the risk.
    places = st.one_of(
        st.integers(0, 400), st.integers(0, len(content) - 1), st.integers(len(content) - 400, len(content) - 1)
    )
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=8)):
        content[place] = value
    path = tmp_path / "v.tif"
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    tracemalloc.start()
    try:
        with contextlib.suppress(FijibridgeError):
            read_volume(path)
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()
