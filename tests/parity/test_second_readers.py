"""Every file of other programs that we have, against what another, independent reader says of it.

Compared: every voxel or region, shape, dtype, and voxel size where the file says one. The other readers are ImageJ
itself, SimpleITK, and the bytes of the file taken apart here by the format's own description.
"""

from __future__ import annotations

import gzip
import json
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import imagecodecs
import numpy as np
import olefile
import pytest
import SimpleITK
from scipy.ndimage import binary_dilation

from fijibridge.errors import ReadError
from fijibridge.fiji import current
from fijibridge.forest import read_ilastik
from fijibridge.io import read_volume
from fijibridge.study.users import READERS, read_labels
from fijibridge.volume import make_volume, voxel_size

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FOLDERS = ("formats", "fei_autoslice_tiff")
_SIDE = 600


class Said(NamedTuple):
    """What a reader says of an image: voxels, and size (z, y, x) with its unit where the file has one."""

    data: np.ndarray
    size: tuple[float, float, float] | None = None
    units: str = "voxel"


def _tiff(path: Path, channel: int = 0) -> Said:
    """Take a classic TIFF of one image apart by TIFF 6.0: strips as they are, or LZW."""
    raw = path.read_bytes()
    order = "<" if raw[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", raw, 4)
    kinds = {1: "B", 2: "c", 3: "H", 4: "I"}
    tags: dict[int, tuple[int, ...]] = {}
    for n in range(struct.unpack_from(order + "H", raw, start)[0]):
        code, kind, count, _ = struct.unpack_from(order + "HHII", raw, start + 2 + 12 * n)
        if kind in kinds:
            form = f"{order}{count}{kinds[kind]}"
            at = start + 10 + 12 * n
            at = at if struct.calcsize(form) <= 4 else struct.unpack_from(order + "I", raw, at)[0]
            tags[code] = struct.unpack_from(form, raw, at)
    width, height, samples = tags[256][0], tags[257][0], tags.get(277, (1,))[0]
    unpack = {1: bytes, 5: imagecodecs.lzw_decode}[tags.get(259, (1,))[0]]
    strips = b"".join(unpack(raw[at : at + size]) for at, size in zip(tags[273], tags[279], strict=True))
    kind = {1: "u", 2: "i", 3: "f"}[tags.get(339, (1,))[0]]
    dtype = np.dtype(f"{order}{kind}{tags[258][0] // 8}")
    data = np.frombuffer(strips, dtype, width * height * samples).astype(dtype.newbyteorder("="))
    if tags.get(317, (1,))[0] == 2:
        raise AssertionError("the test knows no predictor")
    planes = data.reshape(samples, height, width) if tags.get(284, (1,))[0] == 2 else None
    image = data.reshape(height, width, samples)[..., channel] if planes is None else planes[channel]
    return Said(image[None])


def _imagej(path: Path) -> Said:
    image = current().run_macro('open(call("ij.Macro.getValue", getArgument(), "path", ""));', path=str(path)).image
    return Said(np.asarray(image.data), tuple(voxel_size(image)[:3]), voxel_size(image).units)


def _scifio(path: Path) -> Said:
    """The voxels as ImageJ reads them; its micrometres are SCIFIO's filler: the text says that there is no unit."""
    assert b"scales=1.0,1.0\nunits=null,null" in path.read_bytes()
    return Said(_imagej(path).data)


def _fei(path: Path) -> Said:
    """The voxels as ITK reads them, and the pixel size as it stands in the microscope's text."""
    text = path.read_bytes().decode("latin-1")
    width, height = (float(re.search(rf"\[EScan\].*?Pixel{side}=(\S+)", text, re.S)[1]) for side in ("Width", "Height"))
    return Said(_itk(path).data[None], (height * 1e9, height * 1e9, width * 1e9), "nm")


def _itk(path: Path) -> Said:
    return Said(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))))


def _ome(path: Path, channel: int) -> Said:
    text = path.read_bytes().decode("latin-1")
    size = {axis: float(re.search(rf'PhysicalSize{axis}="([^"]+)"', text)[1]) for axis in "ZYX"}
    assert "PhysicalSizeXUnit" in text
    return Said(_tiff(path, channel).data, (size["Z"], size["Y"], size["X"]), "um")


def _mrc(path: Path) -> Said:
    """MRC2014: words 1-4 count and mode, 8-13 the cell, 17-19 which axis is which, 24 what follows the header."""
    raw = gzip.decompress(path.read_bytes())
    columns, rows, sections, mode = struct.unpack_from("<4i", raw)
    sampling, cell = np.frombuffer(raw, "<i4", 3, 28), np.frombuffer(raw, "<f4", 3, 40)
    axes = struct.unpack_from("<3i", raw, 64)
    (more,) = struct.unpack_from("<i", raw, 92)
    assert mode == 2
    stored = np.frombuffer(raw, "<f4", columns * rows * sections, 1024 + more).reshape(sections, rows, columns)
    x, y, z = cell / sampling / 10
    return Said(stored.transpose([2 - axes.index(axis) for axis in (3, 2, 1)]), (z, y, x), "nm")


def _amira(path: Path) -> Said:
    """Undo the runs by the letter: a count, with its high bit for bytes as they are, else for one byte repeated."""
    raw = path.read_bytes()
    x, y, z = map(int, re.search(rb"define Lattice (\d+) (\d+) (\d+)", raw).groups())
    length = int(re.search(rb"HxByteRLE,(\d+)", raw)[1])
    packed = raw[raw.index(b"\n@1\n") + 4 :][:length]
    made, at = bytearray(), 0
    while at < len(packed):
        count = packed[at]
        if count & 0x80:
            made += packed[at + 1 : at + 1 + (count & 0x7F)]
            at += 1 + (count & 0x7F)
        else:
            made += packed[at + 1 : at + 2] * count
            at += 2
    return Said(np.frombuffer(bytes(made), np.uint8).reshape(z, y, x))


def _xradia(path: Path) -> Said:
    with olefile.OleFileIO(path) as ole:

        def number(name: str, form: str) -> Any:
            return struct.unpack_from(form, ole.openstream(["ImageInfo", name]).read())[0]

        shape = [number(name, "<i") for name in ("NoOfImages", "ImageHeight", "ImageWidth")]
        pixel = number("PixelSize", "<f")
        images = b"".join(ole.openstream(["ImageData1", f"Image{n + 1}"]).read() for n in range(shape[0]))
    return Said(np.frombuffer(images, "<u2").reshape(shape), (pixel,) * 3, "um")


def _hdf5(name: str, keep: tuple[Any, ...]) -> Callable[[Path], Said]:
    def read(path: Path) -> Said:
        with h5py.File(path) as file:
            return Said(file[name][keep])

    return read


#: The other reader, and how ours is asked where the file alone does not say.
IMAGES: dict[str, tuple[Callable[[Path], Said], dict[str, Any]]] = {
    "amira/test9.am": (_amira, {}),
    "bioformats/test_image.ome.tif": (lambda path: _ome(path, 2), {"channel": 2}),
    "ilastik/2d_cells_apoptotic_1channel-data_Probabilities.tif": (lambda path: _tiff(path, 1), {"channel": 1}),
    "ilastik/2d_cells_apoptotic_1channel.h5": (_hdf5("data", (0, slice(None), slice(None), slice(None), 0)), {}),
    "labkit/blobs.tif": (_imagej, {}),
    "labkit/blobs_segmentation.tif": (_scifio, {}),
    "labkit/export.h5": (_hdf5("t00000/s00/0/cells", ()), {}),
    "labkit/leaf.tif": (lambda path: _tiff(path, 1), {"channel": 1}),
    "labkit/leaf_segmentation.tif": (_tiff, {}),
    "mrc/emd_3001.map.gz": (_mrc, {}),
    "mrc/emd_3197.map.gz": (_mrc, {}),
    "nrrd/BallBinary30x30x30.nrrd": (_itk, {}),
    "nrrd/BallBinary30x30x30_gz.nrrd": (_itk, {}),
    "xradia_txrm/test_chip00.xrm": (_xradia, {}),
    "xradia_txrm/txrm_test_chip_tomo.txrm": (_xradia, {"spacing": (0.155789, 0.155789, 0.155789), "units": "um"}),
    "SEM Image - SliceImage - 002.tif": (_fei, {}),
}
#: What is no image; each kind has a test of its own below.
LABELS = {"labkit/leaf.tif.labeling", "ilastik/pixel_class_2d_cells_apoptotic.ilp", "imagej_roizip/two_rois.zip"}


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted(
            p for p in (SHARED / folder).rglob("*") if p.is_file() and p.suffix not in (".upstream", ".txt")
        )


def _named(path: Path) -> str:
    return path.relative_to(SHARED).as_posix().split("/", 1)[1]


def test_no_file_is_without_a_second_reader(shared_data) -> None:
    """A file that is added must be added to a table here."""
    shared_data("formats")
    names = {_named(path) for path in _files()}
    missing = [name for name in names if not (name in IMAGES or name in LABELS or name.endswith(".roi"))]
    assert not missing, f"no second reader for {', '.join(missing)}"
    assert set(IMAGES) | LABELS <= names


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_another_reader_says_the_same_of_an_image(shared_data, name: str) -> None:
    """Shape, type of number, every voxel, and the size where the file has one."""
    folder = shared_data("fei_autoslice_tiff" if name.startswith("SEM") else "formats")
    read, given = IMAGES[name]
    other, ours = read(folder / name), read_volume(folder / name, **given)
    assert ours.shape == other.data.shape
    assert ours.dtype == other.data.dtype
    np.testing.assert_array_equal(ours.data, other.data)
    assert voxel_size(ours).units == other.units
    if other.size is not None:
        np.testing.assert_allclose(voxel_size(ours)[:3], other.size, rtol=1e-5)
    lazy = read_volume(folder / name, mmap=True, **given)
    np.testing.assert_array_equal(np.asarray(lazy.data), other.data)


_DRAW = """
paths = split(File.openAsString(call("ij.Macro.getValue", getArgument(), "list", "")), "\\n");
newImage("m", "8-bit black", 600, 600, paths.length);
setForegroundColor(255, 255, 255);
for (i = 0; i < paths.length; i++) {
  setSlice(i + 1);
  open(paths[i]);
  if (selectionType == 10) {
    Roi.getCoordinates(x, y);
    for (j = 0; j < x.length; j++) setPixel(floor(x[j]), floor(y[j]), 255);
  } else if (selectionType >= 5 && selectionType <= 7) {
    run("Draw", "slice");
  } else {
    run("Fill", "slice");
  }
  run("Select None");
}
"""


def test_imagej_draws_the_regions_where_we_take_them_to_be(shared_data, tmp_path: Path) -> None:
    """Each .roi that ImageJ wrote, opened by ImageJ itself: no pixel of either is further than one from the other."""
    files = sorted(shared_data("formats").glob("imagej_roi/*.roi"))
    assert len(files) == 23
    (tmp_path / "list.txt").write_text("\n".join(map(str, files)), encoding="utf-8")
    drawn = np.asarray(current().run_macro(_DRAW, list=str(tmp_path / "list.txt")).image.data) > 0
    for path, theirs in zip(files, drawn, strict=True):
        ours = _region(path)
        assert theirs.any(), path.name
        wide = np.ones((3, 3), bool)
        stray = (ours & ~binary_dilation(theirs, wide)) | (theirs & ~binary_dilation(ours, wide))
        assert not stray.any(), f"{path.name}: {stray.sum()} of {theirs.sum()}"


def _region(path: Path) -> np.ndarray:
    """Read a region as labels; what no name says the class of is given one."""
    from fijibridge.study._rois import _mask, _regions

    (roi,) = _regions(path)
    return _mask(roi, (_SIDE, _SIDE))


def test_imagejs_roi_manager_counts_the_regions_of_an_archive_as_we_do(shared_data) -> None:
    """Number, and the box round each."""
    from fijibridge.study._rois import _mask, _regions

    path = shared_data("formats") / "imagej_roizip" / "two_rois.zip"
    macro = """
newImage("m", "8-bit black", 3000, 3000, 1);
roiManager("open", call("ij.Macro.getValue", getArgument(), "path", ""));
said = "";
for (i = 0; i < roiManager("count"); i++) {
  roiManager("select", i);
  getSelectionBounds(x, y, w, h);
  said = said + x + " " + y + " " + w + " " + h + "\\n";
}
return said;
"""
    said = str(current().run_macro(macro, path=str(path)).returned)
    theirs = [[int(number) for number in line.split()] for line in said.strip().splitlines()]
    ours = []
    for roi in _regions(path):
        rows, columns = np.nonzero(_mask(roi, (3000, 3000)))
        ours.append([columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1])
    assert ours == theirs


def test_a_labkit_list_holds_the_places_that_its_json_names(shared_data) -> None:
    """Read off the text by hand, label by label."""
    path = shared_data("formats") / "labkit" / "leaf.tif.labeling"
    labels = read_labels(path, make_volume(np.zeros((1, 446, 507), np.uint8))).data[0]
    named = json.loads(path.read_text(encoding="utf-8"))["labels"]
    for name, value in (("foreground", 1), ("background", 2)):
        assert {(x, y) for y, x in np.argwhere(labels == value).tolist()} == {tuple(place[:2]) for place in named[name]}


def test_an_ilastik_project_holds_the_blocks_that_hdf5_shows(shared_data) -> None:
    """Every block, laid where its own attribute says."""
    path = shared_data("formats") / "ilastik" / "pixel_class_2d_cells_apoptotic.ilp"
    expected = np.zeros((1, 1024, 1344), np.uint8)
    with h5py.File(path) as file:
        for block in file["PixelClassification/LabelSets/labels000"].values():
            text = block.attrs["blockSlice"]
            text = text.decode() if isinstance(text, bytes) else str(text)
            y, x, _ = (slice(*map(int, part.split(":"))) for part in text.strip("[]").split(","))
            expected[0, y, x] = block[..., 0]
    project = read_ilastik(path)
    assert list(project.labels) == [0]
    np.testing.assert_array_equal(project.labels[0], expected[0])


def test_readers_of_labels_and_of_volumes_do_not_take_each_others_files(shared_data) -> None:
    """Regions, projects and lists are no volumes: one sentence says so."""
    for name in LABELS:
        assert Path(name).suffix in READERS
        with pytest.raises(ReadError):
            read_volume(shared_data("formats") / name)
